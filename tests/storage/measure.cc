// Costs of the hot path, printed and not judged: storage_tests "[.measure]".
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/checksum.h"
#include "storage/key_space.h"
#include "storage/leveldb_store.h"
#include "storage/log_segment.h"
#include "storage/memory_store.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

template <class Body>
double nanoseconds_each(int times, Body body) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) body(i);
  const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
  return spent.count() / times;
}

Version leader_version(std::uint64_t hlc, VersionVector context) {
  Version version;
  version.stamp = {Hlc{hlc}, NodeId{1}};
  version.context = std::move(context);
  version.value = Bytes{std::string(100, 'v')};
  version.content_type = "text/plain";
  version.log_index = LogIndex{hlc};
  return version;
}

KeyState leader_state(std::uint64_t hlc) {
  VersionVector context;
  context.advance(kLogActor, Hlc{hlc - 1});
  KeyState state;
  state.add(leader_version(hlc, context));
  return state;
}

double resident_mebibytes() {
  std::ifstream status("/proc/self/statm");
  std::size_t pages = 0;
  status >> pages >> pages;
  return static_cast<double>(pages) * 4096 / (1 << 20);
}

TEST_CASE("measure: records and joins", "[.measure]") {
  constexpr int kTimes = 500'000;
  const std::uint64_t base = std::uint64_t{1'700'000'000'000} << 16;
  const std::string key = records::key_state_key(kOnlyGroup, "user/1234");
  const KeyState state = leader_state(base);
  const Bytes bytes = records::encode(key, state);
  std::size_t sum = 0;
  std::printf("key state of %zu bytes\n", bytes.size());
  std::printf("  encode     %7.0f ns\n",
              nanoseconds_each(kTimes, [&](int) { sum += records::encode(key, state).size(); }));
  std::printf("  decode     %7.0f ns\n", nanoseconds_each(kTimes, [&](int) {
                sum += records::decode<KeyState>(key, bytes.view())->versions().size();
              }));
  LogSegment segment{LogIndex{123'456}, {}};
  for (int i = 0; i < 13; ++i) {
    segment.entries.push_back(
        {Term{7}, segment.first + segment.entries.size(), std::string(160, 'p')});
  }
  const std::string log_key = records::log_segment_key(kOnlyGroup, segment.first);
  const Bytes log_bytes = records::encode(log_key, segment);
  std::printf("thirteen log entries of %zu bytes together\n", log_bytes.size());
  std::printf("  encode     %7.0f ns\n", nanoseconds_each(kTimes, [&](int) {
                sum += records::encode(log_key, segment).size();
              }));
  std::printf("  decode     %7.0f ns\n", nanoseconds_each(kTimes, [&](int) {
                sum += records::decode<LogSegment>(log_key, log_bytes.view())->entries.size();
              }));
  std::printf("  its checksum alone %.0f ns\n",
              nanoseconds_each(kTimes, [&](int) { sum += crc32(log_bytes.view()); }));
  MemoryStore store;
  WriteBatch first;
  REQUIRE(KeySpace(store, kOnlyGroup).join("user/1234", state, first).has_value());
  must_write(store, first);
  const KeyState incoming = leader_state(base + 1);
  std::printf("KeySpace::join, replacing, in memory  %.0f ns\n", nanoseconds_each(kTimes, [&](int) {
                WriteBatch batch;
                const auto joined = KeySpace(store, kOnlyGroup).join("user/1234", incoming, batch);
                sum += joined->versions().size() + batch.changes().size();
              }));
  REQUIRE(sum > 0);
}

TEST_CASE("measure: synced batches of thirteen puts on the disk", "[.measure]") {
  // One size per process: memory once used does not all go back.
  const char* chosen = std::getenv("PARALLAX_WRITE_BUFFER_MIB");
  const std::size_t buffer = chosen != nullptr ? std::strtoul(chosen, nullptr, 10)
                                               : LevelDbOptions{}.write_buffer_bytes >> 20;
  const TempDirectory temp;
  std::printf("write buffer %zu MiB: %.1f MiB resident before", buffer, resident_mebibytes());
  auto opened = LevelDbStore::open(temp.path(), {.write_buffer_bytes = buffer << 20});
  REQUIRE(opened.has_value());
  std::printf(", %.1f opened", resident_mebibytes());
  LevelDbStore& store = **opened;
  Random random(1);
  std::uint64_t index = 0;
  constexpr int kBatches = 8'000;
  // As the leader's turns: thirteen log entries, the key states they change, and their history.
  const double each = nanoseconds_each(kBatches, [&](int) {
    WriteBatch batch;
    LogSegment segment{LogIndex{index + 1}, {}};
    for (int i = 0; i < 13; ++i) {
      ++index;
      segment.entries.push_back({Term{7}, LogIndex{index}, std::string(160, 'p')});
      const std::string key = fmt::format("user/{}", random.below(4'096));
      const std::uint64_t hlc = (std::uint64_t{1'700'000'000'000} << 16) + index;
      const auto joined = KeySpace(store, kOnlyGroup).join(key, leader_state(hlc), batch);
      if (!joined) FAIL(joined.error().message);
    }
    std::string log_key = records::log_segment_key(kOnlyGroup, segment.first);
    Bytes log_bytes = records::encode(log_key, segment);
    batch.put(std::move(log_key), std::move(log_bytes));
    must_write(store, batch);
  });
  std::printf(", %.1f after %d batches; %.0f us a batch, %.0f puts/s, %.1f MiB on disk\n",
              resident_mebibytes(), kBatches, each / 1e3, 13e9 / each,
              static_cast<double>(store.approximate_bytes()) / (1 << 20));
}

TEST_CASE("measure: synced batches of thirteen values alone", "[.measure]") {
  const TempDirectory temp;
  auto opened = LevelDbStore::open(temp.path());
  REQUIRE(opened.has_value());
  Random random(1);
  const Bytes value{std::string(100, 'v')};
  const double each = nanoseconds_each(10'000, [&](int) {
    WriteBatch batch;
    for (int i = 0; i < 13; ++i) batch.put(fmt::format("user/{}", random.below(4'096)), value);
    must_write(**opened, batch);
  });
  std::printf("thirteen values alone: %.0f us a batch, %.0f puts/s\n", each / 1e3, 13e9 / each);
}

}  // namespace
}  // namespace parallax::test
