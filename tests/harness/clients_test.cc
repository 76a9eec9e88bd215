#include "harness/io/clients.h"

#include <atomic>

#include <catch2/catch.hpp>

#include "tests/harness/run_program.h"

namespace parallax::harness {
namespace {

using namespace testing;

/// Answers every read at once.
class CountingStore : public Store {
 public:
  std::unique_ptr<StoreSession> session(const RunOptions&) override {
    return std::make_unique<Session>(performed);
  }
  Result<std::string> digest(std::uint32_t, const std::string&) override { return std::string(); }

  std::atomic<int> performed{0};

 private:
  struct Session : StoreSession {
    explicit Session(std::atomic<int>& count) : performed(count) {}
    Performed perform(const Step&) override {
      ++performed;
      return {.outcome = checker::Outcome::ok};
    }
    std::atomic<int>& performed;
  };
};

TEST_CASE("last reads wait while they are held and are made then") {
  RunOptions options;
  options.clients = 2;
  const std::vector<RunOptions> parts{options};
  CountingStore store;
  Recorder recorder("parallax");
  Clients clients(store, options, parts, make_generator(options, "p/"), recorder);
  clients.hold(true);
  clients.start_last_reads();
  REQUIRE(clients.last_reads() > 0);
  std::this_thread::sleep_for(100ms);
  CHECK(store.performed == 0);
  CHECK(clients.unread() == clients.last_reads());
  clients.hold(false);
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (clients.unread() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK(clients.unread() == 0);
  CHECK(static_cast<std::size_t>(store.performed) == clients.last_reads());
}

TEST_CASE("last reads that are held end when clients are stopped") {
  RunOptions options;
  const std::vector<RunOptions> parts{options};
  CountingStore store;
  Recorder recorder("parallax");
  Clients clients(store, options, parts, make_generator(options, "p/"), recorder);
  clients.hold(true);
  clients.start_last_reads();
  clients.stop();
  CHECK(store.performed == 0);
}

}  // namespace
}  // namespace parallax::harness
