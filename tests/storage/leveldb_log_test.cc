// Where LevelDB's logs end, and logs that are made before they are needed (storage/leveldb_log.h).
#include "storage/leveldb_log.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include <sys/stat.h>

#include "storage/leveldb_store.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

namespace fs = std::filesystem;
using Kind = LogEnd::Kind;

std::unique_ptr<LevelDbStore> must_open(const fs::path& directory, LevelDbOptions options = {}) {
  Result<std::unique_ptr<LevelDbStore>> opened = LevelDbStore::open(directory, std::move(options));
  INFO((opened ? std::string() : opened.error().message));
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

fs::path youngest_log(const fs::path& directory) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() == ".log") found = std::max(found, entry.path());
  }
  REQUIRE(!found.empty());
  return found;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What LevelDB makes of one write for each of `sizes`, and where each of them ends.
struct Log {
  std::string bytes;
  std::vector<std::size_t> ends{0};
};

Log log_of(const std::vector<std::size_t>& sizes, bool zeros = false) {
  const TempDirectory temp;
  const auto store = must_open(temp.path());
  const fs::path path = youngest_log(temp.path());
  Log log;
  Random random(7);
  for (const std::size_t size : sizes) {
    must_write(*store, puts({{"k", zeros ? std::string(size, '\0') : random_bytes(random, size)}}));
    log.ends.push_back(fs::file_size(path));
  }
  log.bytes = read_file(path);
  return log;
}

/// Pieces of one block and of several, ends just before a block's end, empty values.
const std::vector<std::size_t>& sizes() {
  static const std::vector<std::size_t> all{10,  600, 0,       32'000, 70,     40'000, 3,
                                            900, 100, 100'000, 1,      24'800, 512,    2'000};
  return all;
}

std::string padded(std::string bytes, std::size_t size = 256 << 10) {
  bytes.resize(std::max(size, bytes.size()), '\0');
  return bytes;
}

TEST_CASE("leveldb log: the end of the records is found with and without zeros behind them") {
  const Log log = log_of(sizes());
  for (const std::size_t end : log.ends) {
    for (const std::string& bytes : {log.bytes.substr(0, end), padded(log.bytes.substr(0, end))}) {
      const LogEnd found = find_log_end(bytes);
      CAPTURE(end, bytes.size());
      CHECK(found.kind == Kind::complete);
      // The zeros before the next block belong to nobody.
      CHECK(found.records == end);
    }
  }
  CHECK(find_log_end("").records == 0);
  CHECK(find_log_end(std::string(5, '\0')).kind == Kind::complete);
}

/// How many whole records there are before `at`.
std::size_t before(const Log& log, std::size_t at) {
  return *(std::upper_bound(log.ends.begin(), log.ends.end(), at) - 1);
}

TEST_CASE("leveldb log: a record that was cut off anywhere is torn") {
  const Log log = log_of(sizes());
  for (std::size_t cut = 0; cut < log.bytes.size(); cut += cut < 2'000 ? 1 : 97) {
    const LogEnd found = find_log_end(log.bytes.substr(0, cut));
    CAPTURE(cut);
    const std::size_t whole = before(log, cut);
    CHECK(found.records == whole);
    const bool nothing = log.bytes.find_first_not_of('\0', whole) >= cut;
    CHECK(found.kind == (nothing ? Kind::complete : Kind::torn));
  }
}

TEST_CASE("leveldb log: of a torn record any sectors may be there and others not") {
  const Log log = log_of(sizes());
  Random random(11);
  for (std::size_t last = 1; last < log.ends.size(); ++last) {
    const std::size_t begin = log.ends[last - 1];
    for (int i = 0; i < 60; ++i) {
      std::string bytes = padded(log.bytes.substr(0, log.ends[last]));
      const std::string whole = bytes;
      const std::size_t first_sector = begin / kSector;
      for (std::size_t sector = first_sector; sector * kSector < log.ends[last]; ++sector) {
        // What was synced with the record before is there in any case.
        const std::size_t from = std::max(begin, sector * kSector);
        if (random.chance(0.5)) continue;
        bytes.replace(from, (sector + 1) * kSector - from, (sector + 1) * kSector - from, '\0');
      }
      if (bytes == whole) continue;
      const LogEnd found = find_log_end(bytes);
      CAPTURE(last, i);
      CHECK(found.records == begin);
      CHECK(found.kind != Kind::damaged);
    }
  }
}

TEST_CASE("leveldb log: any bit that turns in a record with another behind it is damage") {
  const Log log = log_of({30, 200, 0, 33'000, 50, 20});
  const std::size_t last = log.ends[log.ends.size() - 2];
  Random random(12);
  for (int i = 0; i < 3'000; ++i) {
    std::string bytes = padded(log.bytes);
    // All of the first records, then some of the long one and of those behind it.
    const std::size_t bit = i < 2'400 ? static_cast<std::size_t>(i) : random.below(last * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    // Not of the zeros before the next block, which nobody reads.
    if (find_log_end(bytes).records == log.ends.back()) {
      CHECK(log.bytes[bit / 8] == '\0');
      continue;
    }
    const LogEnd found = find_log_end(bytes);
    CAPTURE(bit);
    CHECK(found.kind == Kind::damaged);
    CHECK(found.records == before(log, bit / 8));
  }
}

TEST_CASE("leveldb log: sectors of zeros in a record with another behind it are no excuse") {
  const Log log = log_of({30, 3'000, 40'000, 20}, true);
  const std::size_t last = log.ends[log.ends.size() - 2];
  for (std::size_t bit = 0; bit < last * 8; bit += 11) {
    std::string bytes = padded(log.bytes);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const LogEnd found = find_log_end(bytes);
    CAPTURE(bit);
    CHECK(found.kind == Kind::damaged);
  }
}

TEST_CASE("leveldb log: a bit that turns in the last record is damage while none of it is zeros") {
  const Log log = log_of({30, 200, 1'500});
  const std::size_t begin = log.ends[log.ends.size() - 2];
  for (std::size_t bit = begin * 8; bit < log.ends.back() * 8; ++bit) {
    std::string bytes = padded(log.bytes);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const LogEnd found = find_log_end(bytes);
    CAPTURE(bit - begin * 8);
    CHECK(found.records == begin);
    // A length that reaches into the zeros looks as if these had not been written.
    const bool in_length = bit / 8 - begin == 4 || bit / 8 - begin == 5;
    CHECK((found.kind == Kind::damaged || (in_length && found.kind == Kind::torn)));
  }
}

// --- In use --------------------------------------------------------------------------------------

constexpr std::size_t kBuffer = 64 << 10;

/// A store whose log was made before it was needed, with some records in it.
struct Prepared {
  explicit Prepared(const fs::path& directory) : store(must_open(directory, options())) {
    using namespace std::chrono_literals;
    const auto until = std::chrono::steady_clock::now() + 30s;
    while (fs::file_size(youngest_log(directory)) < kBuffer || rows.size() % 40 < 5) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      rows.emplace_back(fmt::format("k{:05}", rows.size()), std::string(900, 'v'));
      must_write(*store, puts({rows.back()}));
      if (fs::exists(directory / SpareLog::kName)) std::this_thread::sleep_for(1ms);
    }
  }
  static LevelDbOptions options() { return {.write_buffer_bytes = kBuffer}; }

  Rows rows;
  std::unique_ptr<LevelDbStore> store;
};

TEST_CASE("leveldb log: the next one is there before it is needed and what is not used goes") {
  const TempDirectory temp;
  {
    const Prepared prepared(temp.path());
    CHECK(fs::file_size(youngest_log(temp.path())) == kBuffer);
    CHECK(must_scan(*prepared.store) == prepared.rows);
  }
  CHECK_FALSE(fs::exists(temp.path() / SpareLog::kName));
  // What another process has left is not taken for anything.
  std::ofstream(temp.path() / SpareLog::kName) << "half of one";
  const auto store = must_open(temp.path());
  CHECK_FALSE(fs::exists(temp.path() / SpareLog::kName));
  CHECK(must_scan(*store).size() > 40);
}

TEST_CASE("leveldb log: power that fails takes nothing that was acknowledged from a prepared log") {
  const auto tail = GENERATE(UnsyncedTail::keep, UnsyncedTail::drop, UnsyncedTail::tear);
  const std::size_t size = GENERATE(20, 3'000, 50'000);
  CAPTURE(static_cast<int>(tail), size);
  const TempDirectory temp;
  Rows rows;
  {
    Prepared prepared(temp.path());
    rows = prepared.rows;
  }
  const auto faults = std::make_shared<DiskFaults>();
  {
    LevelDbOptions options = Prepared::options();
    options.faults = faults;
    const auto store = must_open(temp.path(), options);
    const fs::path first = youngest_log(temp.path());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (youngest_log(temp.path()) == first ||
           fs::file_size(youngest_log(temp.path())) != kBuffer) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      rows.emplace_back(fmt::format("k{:05}", rows.size()), std::string(900, 'w'));
      must_write(*store, puts({rows.back()}));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    faults->fsync_delay_ms.store(300);
    std::thread writer([&] {
      CHECK(!store->write(puts({{"last", std::string(size, 'x')}})).has_value());
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    store->lose_power(tail);
    writer.join();
  }
  const auto store = must_open(temp.path());
  Rows found = must_scan(*store);
  if (found.back().first == "last") {
    CHECK(tail != UnsyncedTail::drop);
    found.pop_back();
  } else {
    CHECK(tail != UnsyncedTail::keep);
  }
  CHECK(found == rows);
  must_write(*store, puts({{"z", "1"}}));
}

TEST_CASE("leveldb log: damage is found before anything is read and nothing is changed") {
  const TempDirectory temp;
  { const Prepared prepared(temp.path()); }
  const fs::path log = youngest_log(temp.path());
  std::string bytes = read_file(log);
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  std::ofstream(log, std::ios::binary) << bytes;
  const auto opened = LevelDbStore::open(temp.path());
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code == ErrorCode::corrupt);
  CHECK_THAT(opened.error().message,
             Catch::Contains(log.filename().string()) && Catch::Contains("is damaged at byte"));
  CHECK(read_file(log) == bytes);
}

TEST_CASE("leveldb log: that of a store in use is left alone") {
  const TempDirectory temp;
  const Prepared prepared(temp.path());
  const auto size = fs::file_size(youngest_log(temp.path()));
  CHECK(LevelDbStore::open(temp.path()).error().code == ErrorCode::refused);
  CHECK(fs::file_size(youngest_log(temp.path())) == size);
  must_write(*prepared.store, puts({{"z", "1"}}));
}

}  // namespace
}  // namespace parallax::test
