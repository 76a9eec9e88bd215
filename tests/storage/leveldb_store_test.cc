// The store on a disk: refusals, damage, faults, threads (storage/leveldb_store.h).
#include "storage/leveldb_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include <sys/wait.h>

#include "tests/storage/support.h"

namespace parallax::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::unique_ptr<LevelDbStore> must_open(const fs::path& directory, LevelDbOptions options = {}) {
  Result<std::unique_ptr<LevelDbStore>> opened = LevelDbStore::open(directory, std::move(options));
  INFO((opened ? std::string() : opened.error().message));
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

/// Refused with a definite one-line error that names the directory.
void check_refused(const fs::path& directory, ErrorCode code, const std::string& named,
                   LevelDbOptions options = {}) {
  const auto opened = LevelDbStore::open(directory, std::move(options));
  REQUIRE(!opened.has_value());
  const Error& error = opened.error();
  INFO(error.message);
  CHECK(error_info(error.code).name == error_info(code).name);
  CHECK(error.definite());
  CHECK(error.message.find('\n') == std::string::npos);
  CHECK_THAT(error.message, Catch::Contains(directory.string()) && Catch::Contains(named));
}

std::vector<fs::path> files(const fs::path& directory, std::string_view ending) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().string().ends_with(ending)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

fs::path manifest(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("MANIFEST-")) return entry.path();
  }
  FAIL("no manifest");
  return {};
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  REQUIRE(file.good());
}

void overwrite(const fs::path& path, std::size_t offset, const std::string& bytes) {
  std::string content = read_file(path);
  REQUIRE(offset + bytes.size() <= content.size());
  content.replace(offset, bytes.size(), bytes);
  write_file(path, content);
}

// --- Opening ----------------------------------------------------------------------------------

TEST_CASE("leveldb store: a directory is created with its parents") {
  const TempDirectory temp;
  const fs::path directory = temp.path() / "a" / "b";
  must_write(*must_open(directory), puts({{"k", "v"}}));
  CHECK(must_get(*must_open(directory), "k") == "v");
}

TEST_CASE("leveldb store: a directory in use is refused") {
  const TempDirectory temp;
  const auto store = must_open(temp.path());
  check_refused(temp.path(), ErrorCode::refused, "in use");
  must_write(*store, puts({{"k", "v"}}));
}

/// Runs `body` in a process of its own; returns its exit status.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("leveldb store: a directory that another process uses is refused") {
  const TempDirectory temp;
  must_open(temp.path());
  int ready[2];
  int done[2];
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(done) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto opened = LevelDbStore::open(temp.path());
    char byte = opened.has_value() ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    ::_exit(::read(done[0], &byte, 1) == 1 ? 0 : 1);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK(byte == 'y');
  check_refused(temp.path(), ErrorCode::refused, "in use by another process");
  REQUIRE(::write(done[1], "x", 1) == 1);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  for (const int fd : {ready[0], ready[1], done[0], done[1]}) ::close(fd);
}

TEST_CASE("leveldb store: what is not a directory is refused") {
  const TempDirectory temp;
  write_file(temp.path() / "file", "x");
  check_refused(temp.path() / "file", ErrorCode::refused, "not a directory");
  check_refused(temp.path() / "file" / "below", ErrorCode::refused, "cannot be created");
}

TEST_CASE("leveldb store: a directory without permission is refused") {
  const TempDirectory temp;
  const fs::path directory = temp.path() / "closed";
  must_write(*must_open(directory), puts({{"k", "v"}}));
  fs::permissions(directory, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::group_all |
                                 fs::perms::others_read | fs::perms::others_exec);
  fs::permissions(temp.path(), fs::perms::all);
  // Root may do everything: only another user is refused.
  const int status = in_child([&] {
    if (::geteuid() == 0 && ::seteuid(65'534) != 0) return 2;
    const auto opened = LevelDbStore::open(directory);
    if (opened.has_value()) return 3;
    if (opened.error().code != ErrorCode::refused) return 4;
    return opened.error().message.find(directory.string()) == std::string::npos ? 5 : 0;
  });
  CHECK(status == 0);
  fs::permissions(directory, fs::perms::owner_all);
}

TEST_CASE("leveldb store: tables of either compression are read") {
  const TempDirectory temp;
  const Rows rows{{"a", std::string(10'000, 'a')}, {"b", std::string(10'000, 'b')}};
  must_write(*must_open(temp.path()), puts({rows[0]}));
  must_write(*must_open(temp.path()), puts({rows[1]}));  // after making a table of the first
  must_open(temp.path(), {.compress = true});            // makes one of the second
  std::size_t small = 0;
  for (const fs::path& table : files(temp.path(), ".ldb")) small += fs::file_size(table) < 5'000;
  CHECK(files(temp.path(), ".ldb").size() == 2);
  CHECK(small == 1);
  CHECK(must_scan(*must_open(temp.path(), {.compress = true})) == rows);
  CHECK(must_scan(*must_open(temp.path())) == rows);
}

TEST_CASE("leveldb store: what is on the disk is about what was written") {
  const TempDirectory temp;
  const auto store = must_open(temp.path());
  CHECK(store->approximate_bytes() < 10'000);
  for (int i = 0; i < 200; ++i) {
    must_write(*store, puts({{fmt::format("k{}", i), std::string(1'000, 'v')}}));
  }
  CHECK(store->approximate_bytes() > 200'000);
  CHECK(store->approximate_bytes() < 250'000);
}

// --- Damage -----------------------------------------------------------------------------------

TEST_CASE("leveldb store: damaged files of its own are found at the start") {
  const TempDirectory temp;
  {
    const auto store = must_open(temp.path());
    for (int i = 0; i < 20; ++i) must_write(*store, puts({{fmt::format("k{}", i), "value"}}));
  }
  const std::string hurt =
      GENERATE("CURRENT", "CURRENT gone", "CURRENT elsewhere", "MANIFEST", "log", "table gone");
  INFO(hurt);
  if (hurt == "CURRENT") {
    overwrite(temp.path() / "CURRENT", 0, "xxx");
  } else if (hurt == "CURRENT gone") {
    fs::remove(temp.path() / "CURRENT");
  } else if (hurt == "CURRENT elsewhere") {
    write_file(temp.path() / "CURRENT", "MANIFEST-999999\n");
  } else if (hurt == "MANIFEST") {
    overwrite(manifest(temp.path()), 9, "xxxx");
  } else if (hurt == "log") {
    overwrite(files(temp.path(), ".log").at(0), 9, "xxxx");
  } else {
    must_open(temp.path());  // makes a table of the log
    fs::remove(files(temp.path(), ".ldb").at(0));
  }
  check_refused(temp.path(), ErrorCode::corrupt, "");
}

TEST_CASE("leveldb store: a damaged table is found when it is read") {
  const TempDirectory temp;
  Random random(1);
  Rows rows;
  for (int i = 0; i < 400; ++i)
    rows.emplace_back(fmt::format("k{:03}", i), random_bytes(random, 100));
  must_write(*must_open(temp.path()), puts(rows));
  must_open(temp.path());  // makes a table of the log
  const fs::path table = files(temp.path(), ".ldb").at(0);
  overwrite(table, fs::file_size(table) / 2, "xxxx");

  const auto store = must_open(temp.path());
  const auto scanned = store->scan({}, [](std::string_view, std::string_view) { return true; });
  REQUIRE(!scanned.has_value());
  CHECK(scanned.error().code == ErrorCode::corrupt);
  CHECK(scanned.error().definite());
  CHECK_THAT(scanned.error().message, Catch::Contains(temp.path().string()));
  const auto backwards = store->scan({.start = "", .end = "", .reverse = true},
                                     [](std::string_view, std::string_view) { return true; });
  CHECK(backwards.error().code == ErrorCode::corrupt);
  std::size_t damaged = 0;
  for (const auto& [key, value] : rows) {
    const auto found = store->get(key);
    if (found) {
      REQUIRE(*found == value);
    } else {
      REQUIRE(found.error().code == ErrorCode::corrupt);
      ++damaged;
    }
  }
  CHECK(damaged > 0);
  CHECK(damaged < rows.size());
  // Stopped early behind the damage: an error too, for something was passed over.
  const auto stopped =
      store->scan({}, [](std::string_view key, std::string_view) { return key != "k399"; });
  CHECK(stopped.error().code == ErrorCode::corrupt);
}

TEST_CASE("leveldb store: a damaged table is found when it is merged and writes say so") {
  const TempDirectory temp;
  Random random(5);
  LevelDbOptions small{.write_buffer_bytes = 64 << 10};
  const auto some = [&] {
    Rows rows;
    for (int i = 0; i < 40; ++i) {
      rows.emplace_back(fmt::format("k{:03}", random.below(400)), random_bytes(random, 1'500));
    }
    return puts(rows);
  };
  {
    const auto store = must_open(temp.path(), small);
    for (int i = 0; i < 10; ++i) must_write(*store, some());
  }
  for (const fs::path& table : files(temp.path(), ".ldb")) {
    overwrite(table, fs::file_size(table) / 2, "xxxx");
  }
  const auto store = must_open(temp.path(), small);
  Result<void> written;
  for (int i = 0; i < 400 && written; ++i) written = store->write(some());
  REQUIRE_FALSE(written.has_value());
  CHECK(written.error().code == ErrorCode::corrupt);
  CHECK_FALSE(written.error().definite());
  CHECK_THAT(written.error().message, Catch::Contains("write failed"));
  CHECK(store->write(some()).error().code == ErrorCode::corrupt);
}

/// Whatever single bit turns: what is read is right, or an error, or (a length at the end of the
/// youngest log, which looks like a torn write) the contents of an earlier time.
TEST_CASE("leveldb store: no flipped bit brings forth what was never written") {
  const TempDirectory original;
  std::vector<Rows> times{{}};
  {
    const auto store = must_open(original.path(), {.write_buffer_bytes = 64 << 10});
    Random random(3);
    std::map<std::string, std::string> contents;
    for (int i = 0; i < 200; ++i) {
      const std::string key = fmt::format("k{:02}", random.below(60));
      contents[key] = random_bytes(random, 1'500);
      must_write(*store, puts({{key, contents[key]}}));
      times.emplace_back(contents.begin(), contents.end());
    }
  }
  std::vector<fs::path> own;
  for (const auto& entry : fs::directory_iterator(original.path())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("LO") && entry.file_size() > 0) own.push_back(name);  // no LOCK, no LOG
  }
  std::sort(own.begin(), own.end());
  REQUIRE(own.size() > 4);
  Random random(4);
  int refused = 0;
  for (int i = 0; i < 120; ++i) {
    const TempDirectory temp;
    fs::copy(original.path(), temp.path(), fs::copy_options::recursive);
    const fs::path victim = temp.path() / own[random.below(own.size())];
    std::string bytes = read_file(victim);
    const std::uint64_t bit = random.below(bytes.size() * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    write_file(victim, bytes);
    CAPTURE(victim.filename().string(), bit);
    const auto opened = LevelDbStore::open(temp.path());
    Rows rows;
    const auto scanned = opened
                             ? (*opened)->scan({},
                                               [&](std::string_view key, std::string_view value) {
                                                 rows.emplace_back(key, value);
                                                 return true;
                                               })
                             : Result<void>(opened.error());
    if (!scanned) {
      ++refused;
      continue;
    }
    const auto found = std::find(times.rbegin(), times.rend(), rows);
    REQUIRE(found != times.rend());
    if (found != times.rbegin()) REQUIRE(victim.extension() == ".log");
    for (const auto& [key, value] : rows) REQUIRE(must_get(**opened, key) == value);
  }
  CHECK(refused > 60);
}

// --- Faults -----------------------------------------------------------------------------------

TEST_CASE("leveldb store: after a failed write every write is refused for the same reason") {
  const TempDirectory temp;
  const bool full = GENERATE(true, false);
  const auto faults = std::make_shared<DiskFaults>();
  {
    const auto store = must_open(temp.path(), {.faults = faults});
    must_write(*store, puts({{"a", "1"}}));
    (full ? faults->disk_full : faults->sync_fails).store(true);
    const Result<void> failed = store->write(puts({{"b", "1"}}));
    REQUIRE(!failed.has_value());
    CHECK(failed.error().code == ErrorCode::io);
    CHECK(failed.error().certainty == Certainty::indefinite);
    CHECK(failed.error().message.find('\n') == std::string::npos);
    CHECK_THAT(failed.error().message,
               Catch::Contains(temp.path().string()) &&
                   Catch::Contains(full ? "No space left" : "Input/output error"));
    faults->disk_full.store(false);
    faults->sync_fails.store(false);
    CHECK(store->write(puts({{"c", "1"}})).error() == failed.error());
    CHECK(must_get(*store, "a") == "1");
  }
  const auto store = must_open(temp.path());
  CHECK(must_get(*store, "a") == "1");
  CHECK(must_get(*store, "c") == std::nullopt);
  must_write(*store, puts({{"c", "2"}}));
}

TEST_CASE("leveldb store: a full disk at the start is told with the directory") {
  const TempDirectory temp;
  must_write(*must_open(temp.path()), puts({{"a", "1"}}));
  const auto faults = std::make_shared<DiskFaults>();
  faults->disk_full.store(true);
  check_refused(temp.path(), ErrorCode::io, "No space left", {.faults = faults});
  faults->disk_full.store(false);
  CHECK(must_get(*must_open(temp.path(), {.faults = faults}), "a") == "1");
}

TEST_CASE("leveldb store: a slow disk is waited for") {
  const TempDirectory temp;
  const auto faults = std::make_shared<DiskFaults>();
  const auto store = must_open(temp.path(), {.faults = faults});
  faults->fsync_delay_ms.store(50);
  const auto start = std::chrono::steady_clock::now();
  must_write(*store, puts({{"a", "1"}}));
  CHECK(std::chrono::steady_clock::now() - start >= 50ms);
}

TEST_CASE("leveldb store: a power failure takes nothing that was acknowledged") {
  const UnsyncedTail tail = GENERATE(UnsyncedTail::keep, UnsyncedTail::drop, UnsyncedTail::tear);
  // One that fits a block of the log, one that spans several.
  const std::size_t size = GENERATE(100u, 200'000u);
  CAPTURE(static_cast<int>(tail), size);
  const TempDirectory temp;
  const TempDirectory ended;
  const auto faults = std::make_shared<DiskFaults>();
  {
    const auto store = must_open(temp.path(), {.faults = faults});
    for (int i = 0; i < 20; ++i) must_write(*store, puts({{fmt::format("k{:02}", i), "value"}}));
    faults->fsync_delay_ms.store(300);
    std::thread writer([&] {
      const auto written = store->write(puts({{"x", std::string(size, 'x')}, {"y", "2"}}));
      // Either the sync was over before the power went, or this fails; CHECK is not for threads.
      if (written) std::abort();
    });
    std::this_thread::sleep_for(100ms);
    store->lose_power(tail);
    // What a process that ends here leaves; below, what one leaves that closes its files.
    fs::copy(temp.path(), ended.path(), fs::copy_options::recursive);
    writer.join();
    faults->fsync_delay_ms.store(0);
    CHECK(!store->write(puts({{"z", "1"}})).has_value());
  }
  for (const fs::path& directory : {ended.path(), temp.path()}) {
    const auto store = must_open(directory);
    const Rows rows = must_scan(*store);
    const bool kept = tail == UnsyncedTail::keep;
    REQUIRE(rows.size() == (kept ? 22u : 20u));
    for (std::size_t i = 0; i < 20; ++i) CHECK(rows[i].first == fmt::format("k{:02}", i));
    if (kept) CHECK(rows[20].second.size() == size);
    must_write(*store, puts({{"z", "1"}}));
  }
}

TEST_CASE("leveldb store: a power failure while tables are written takes nothing") {
  const UnsyncedTail tail = GENERATE(UnsyncedTail::keep, UnsyncedTail::drop, UnsyncedTail::tear);
  const int seed = GENERATE(range(0, 6));
  CAPTURE(static_cast<int>(tail), seed);
  const TempDirectory temp;
  const TempDirectory ended;
  const auto faults = std::make_shared<DiskFaults>();
  std::atomic<std::size_t> acknowledged{0};
  {
    const auto store = must_open(temp.path(), {.write_buffer_bytes = 64 << 10, .faults = faults});
    std::thread writer([&] {
      for (std::size_t i = 0;; ++i) {
        if (!store->write(puts({{fmt::format("k{:06}", i), std::string(900, 'v')}}))) return;
        acknowledged.store(i + 1);
      }
    });
    while (acknowledged.load() < 300 + 37 * static_cast<std::size_t>(seed)) {
      std::this_thread::sleep_for(100us);
    }
    store->lose_power(tail);
    fs::copy(temp.path(), ended.path(), fs::copy_options::recursive);
    writer.join();
  }
  for (const fs::path& directory : {ended.path(), temp.path()}) {
    const Rows rows = must_scan(*must_open(directory));
    CHECK(rows.size() >= acknowledged.load());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      REQUIRE(rows[i].first == fmt::format("k{:06}", i));
    }
  }
}

TEST_CASE("leveldb store: a sync that fails later makes the store refuse and keeps what it had") {
  const TempDirectory temp;
  const auto faults = std::make_shared<DiskFaults>();
  std::uint64_t acknowledged = 0;
  {
    const auto store = must_open(temp.path(), {.write_buffer_bytes = 64 << 10, .faults = faults});
    for (; acknowledged < 5'000; ++acknowledged) {
      // Full in the midst of rotations and compactions.
      if (acknowledged == 700) faults->disk_full.store(true);
      const auto written =
          store->write(puts({{fmt::format("k{:04}", acknowledged), std::string(500, 'v')}}));
      if (!written) break;
    }
    REQUIRE(acknowledged == 700);
  }
  faults->disk_full.store(false);
  const Rows rows = must_scan(*must_open(temp.path()));
  CHECK(rows.size() >= acknowledged);
  CHECK(rows.size() <= acknowledged + 1);
}

// --- Threads ------------------------------------------------------------------------------------

TEST_CASE("leveldb store: readers beside the writer see whole batches") {
  const TempDirectory temp;
  const auto store = must_open(temp.path(), {.write_buffer_bytes = 64 << 10});
  const std::string padding(400, 'p');
  must_write(*store, puts({{"a", "0" + padding}, {"z", "0" + padding}}));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> torn{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> reads{0};
  const auto reader = [&](bool by_snapshot) {
    while (!stop.load()) {
      std::vector<std::string> seen;
      const auto visit = [&](std::string_view, std::string_view value) {
        seen.emplace_back(value);
        return true;
      };
      const std::unique_ptr<ReadView> snapshot = by_snapshot ? store->snapshot() : nullptr;
      const ReadView& view = snapshot ? *snapshot : *store;
      if (!view.scan({}, visit) || !view.get("a")) ++failed;
      if (seen.size() != 2 || seen[0] != seen[1]) ++torn;
      ++reads;
    }
  };
  std::thread first(reader, true);
  std::thread second(reader, false);
  for (int i = 1; i <= 1'000; ++i) {
    const std::string value = fmt::format("{}", i) + padding;
    must_write(*store, puts({{"a", value}, {"z", value}}));
  }
  stop.store(true);
  first.join();
  second.join();
  CHECK(torn.load() == 0);
  CHECK(failed.load() == 0);
  CHECK(reads.load() > 0);
}

}  // namespace
}  // namespace parallax::test
