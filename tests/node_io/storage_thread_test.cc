#include "node/io/storage_thread.h"

#include <catch2/catch.hpp>

#include "storage/memory_store.h"

namespace parallax {
namespace {

using namespace std::chrono_literals;

/// Writes slowly, remembers the order, and fails from one batch on.
class SlowStore : public Store {
 public:
  Result<void> write(const WriteBatch& batch) override {
    std::this_thread::sleep_for(5ms);
    writer = std::this_thread::get_id();
    ++syncs;
    bytes += batch.bytes();
    for (const auto& change : batch.changes()) written.push_back(change.key);
    if (written.size() > fail_after) return indefinite(ErrorCode::io, "no room");
    return {};
  }
  Result<std::optional<std::string>> get(std::string_view) const override {
    return std::optional<std::string>{};
  }
  Result<void> scan(const ScanRange&, const ScanVisitor&) const override { return {}; }
  std::unique_ptr<ReadView> snapshot() const override { return nullptr; }
  std::uint64_t approximate_bytes() const override { return 0; }

  std::size_t fail_after = 1'000;
  std::size_t syncs = 0;
  std::size_t bytes = 0;
  std::vector<std::string> written;
  std::thread::id writer;
};

WriteBatch batch_of(const std::string& key) {
  WriteBatch batch;
  batch.put(key, "value");
  return batch;
}

struct Fixture {
  SlowStore store;
  asio::io_context context{1};
  std::vector<Written> done;
  std::vector<std::thread::id> threads;
  StorageThread disk{store, context, [this](Written written) {
                       done.push_back(std::move(written));
                       threads.push_back(std::this_thread::get_id());
                     }};

  void run_until(std::size_t count) {
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (done.size() < count && std::chrono::steady_clock::now() < end) {
      context.restart();
      context.run_for(10ms);
    }
  }
};

TEST_CASE("storage thread: batches are written in order and answered on the context") {
  Fixture f;
  for (std::uint64_t i = 1; i <= 10; ++i) f.disk.submit(i, batch_of(std::to_string(i)));
  CHECK(f.done.empty());
  f.run_until(10);
  REQUIRE(f.done.size() == 10);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    const Written& written = f.done[i - 1];
    CHECK(written.sequence == i);
    CHECK(written.result.has_value());
    CHECK(f.store.written[i - 1] == std::to_string(i));
    CHECK(f.threads[i - 1] == std::this_thread::get_id());
  }
  CHECK(f.store.writer != std::this_thread::get_id());
}

TEST_CASE("storage thread: what waits is written together and counted once") {
  Fixture f;
  for (std::uint64_t i = 1; i <= 40; ++i) f.disk.submit(i, batch_of(std::to_string(i)));
  f.run_until(40);
  REQUIRE(f.done.size() == 40);
  // Most of them have come while the first was being written, however slow this machine is.
  CHECK(f.store.syncs < 20);
  std::size_t syncs = 0;
  std::size_t bytes = 0;
  for (const Written& written : f.done) {
    syncs += written.syncs;
    bytes += written.bytes;
    if (written.syncs == 0) {
      CHECK(written.took == Duration{});
      CHECK(written.bytes == 0);
    } else {
      CHECK(written.took >= 5ms);
      CHECK(written.took < 1s);
    }
  }
  CHECK(f.done.front().syncs == 1);
  CHECK(syncs == f.store.syncs);
  CHECK(bytes == f.store.bytes);
}

TEST_CASE("storage thread: much at once is written in parts") {
  Fixture f;
  for (std::uint64_t i = 1; i <= 9; ++i) {
    WriteBatch batch;
    batch.put(std::to_string(i), std::string(1 << 20, 'v'));
    f.disk.submit(i, std::move(batch));
  }
  f.run_until(9);
  REQUIRE(f.done.size() == 9);
  for (const Written& written : f.done) CHECK(written.bytes <= 4 << 20);
  CHECK(f.store.syncs >= 3);
}

TEST_CASE("storage thread: a failure is that of all that were written with it") {
  Fixture f;
  f.store.fail_after = 0;
  for (std::uint64_t i = 1; i <= 10; ++i) f.disk.submit(i, batch_of(std::to_string(i)));
  f.run_until(10);
  REQUIRE(f.done.size() == 10);
  for (const Written& written : f.done) CHECK_FALSE(written.result.has_value());
}

TEST_CASE("storage thread: a failure is reported for its batch") {
  Fixture f;
  f.store.fail_after = 1;
  f.disk.submit(1, batch_of("a"));
  f.run_until(1);
  f.disk.submit(2, batch_of("b"));
  f.run_until(2);
  REQUIRE(f.done.size() == 2);
  CHECK(f.done[0].result.has_value());
  REQUIRE_FALSE(f.done[1].result.has_value());
  CHECK(f.done[1].result.error().message == "no room");
}

TEST_CASE("storage thread: submitting never waits and stopping writes what was submitted") {
  Fixture f;
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t i = 1; i <= 40; ++i) f.disk.submit(i, batch_of(std::to_string(i)));
  CHECK(std::chrono::steady_clock::now() - begun < 100ms);
  f.disk.stop();
  CHECK(f.store.written.size() == 40);
}

}  // namespace
}  // namespace parallax
