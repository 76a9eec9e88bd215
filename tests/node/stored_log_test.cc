// The log in the store, against a plain list of entries.
#include "node/stored_log.h"

#include <map>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "storage/memory_store.h"
#include "tests/storage/support.h"

namespace parallax {
namespace {

constexpr LogIndex kAll{1};

std::vector<LogEntry> entries_behind(LogIndex index, std::size_t count, Term term,
                                     std::size_t bytes = 3) {
  std::vector<LogEntry> entries;
  for (std::size_t i = 1; i <= count; ++i) {
    entries.push_back({term, index + i, std::string(bytes, 'p')});
  }
  return entries;
}

/// A store and what StoredLog would do to it.
struct Disk {
  MemoryStore store;
  StoredLog log{kOnlyGroup};

  void append(const std::vector<LogEntry>& entries) {
    WriteBatch batch;
    log.append(entries, batch);
    test::must_write(store, batch);
  }
  void truncate(LogIndex from) {
    WriteBatch batch;
    log.truncate(from, batch);
    test::must_write(store, batch);
  }
  void remove(LogIndex start) {
    WriteBatch batch;
    log.remove_superfluous(start, batch);
    test::must_write(store, batch);
  }
  /// As a node that starts.
  void reopen() {
    log = StoredLog{kOnlyGroup};
    REQUIRE(scan_log(store, kOnlyGroup, kAll, [this](const LogSegment& segment) {
              log.found(segment);
              return true;
            }).has_value());
  }
  std::vector<LogEntry> entries(LogIndex from = kAll) const {
    std::vector<LogEntry> found;
    REQUIRE(scan_log(store, kOnlyGroup, from, [&](const LogSegment& segment) {
              for (const LogEntry& entry : segment.entries) {
                if (entry.index >= from) found.push_back(entry);
              }
              return true;
            }).has_value());
    return found;
  }
  std::size_t segments() const {
    std::size_t count = 0;
    const ScanRange all = records::log_range(kOnlyGroup, kAll, LogIndex{1'000'000});
    REQUIRE(store.scan(all, [&](auto, auto) { return ++count > 0; }).has_value());
    return count;
  }
};

}  // namespace

TEST_CASE("stored log: a batch's entries are one segment, which goes with its last entry") {
  Disk disk;
  disk.append(entries_behind(LogIndex{0}, 5, Term{1}));
  disk.append(entries_behind(LogIndex{5}, 3, Term{1}));
  CHECK(disk.segments() == 2);
  CHECK(disk.entries() == entries_behind(LogIndex{0}, 8, Term{1}));
  CHECK(disk.entries(LogIndex{4}) == entries_behind(LogIndex{3}, 5, Term{1}));
  CHECK_FALSE(disk.log.superfluous(LogIndex{4}));
  CHECK(disk.log.superfluous(LogIndex{5}));
  disk.remove(LogIndex{7});
  CHECK(disk.entries() == entries_behind(LogIndex{5}, 3, Term{1}));
  disk.remove(LogIndex{8});
  CHECK(disk.segments() == 0);
}

TEST_CASE("stored log: a tail that was cut off stays away, also when nothing takes its place") {
  Disk disk;
  disk.append(entries_behind(LogIndex{0}, 5, Term{1}));
  disk.truncate(LogIndex{3});
  CHECK(disk.entries() == entries_behind(LogIndex{0}, 2, Term{1}));
  disk.reopen();
  CHECK(disk.entries() == entries_behind(LogIndex{0}, 2, Term{1}));
  disk.append(entries_behind(LogIndex{2}, 1, Term{2}));
  REQUIRE(disk.entries().size() == 3);
  CHECK(disk.entries().back().term == Term{2});
  // The lower segment's own tail is no reason to keep it, and the higher one's place is known.
  disk.remove(LogIndex{2});
  CHECK(disk.segments() == 1);
  CHECK(disk.entries() == entries_behind(LogIndex{2}, 1, Term{2}));
}

TEST_CASE("stored log: large entries have segments of their own") {
  Disk disk;
  disk.append(entries_behind(LogIndex{0}, 4, Term{1}, StoredLog::kSegmentBytes));
  CHECK(disk.segments() == 4);
  disk.append(entries_behind(LogIndex{4}, 100, Term{1}, StoredLog::kSegmentBytes / 10));
  CHECK(disk.segments() == 14);
  CHECK(disk.entries().size() == 104);
}

TEST_CASE("stored log: a scan ends where it is told to, and tells damage") {
  Disk disk;
  for (std::uint64_t i = 0; i < 4; ++i) disk.append(entries_behind(LogIndex{i}, 1, Term{1}));
  int visits = 0;
  REQUIRE(scan_log(disk.store, kOnlyGroup, kAll, [&](auto) { return ++visits < 2; }).has_value());
  CHECK(visits == 2);
  REQUIRE(disk.store.flip_bit(records::log_segment_key(kOnlyGroup, LogIndex{4}), 20));
  visits = 0;
  const auto damaged = scan_log(disk.store, kOnlyGroup, kAll, [&](auto) { return ++visits > 0; });
  REQUIRE_FALSE(damaged.has_value());
  CHECK(damaged.error().code == ErrorCode::corrupt);
  CHECK(visits < 4);
}

TEST_CASE("stored log: whatever is appended, cut off and let go of, it is what a list would be") {
  Random random(7);
  for (int life = 0; life < 40; ++life) {
    Disk disk;
    std::map<LogIndex, LogEntry> model;
    LogIndex start;
    LogIndex last;
    for (std::uint64_t step = 1; step <= 200; ++step) {
      if (random.chance(0.6)) {
        const auto added = entries_behind(last, random.between(1, 6), Term{step},
                                          random.chance(0.1) ? 40'000 : random.below(9));
        disk.append(added);
        for (const LogEntry& entry : added) model.insert_or_assign(entry.index, entry);
        last = added.back().index;
      } else if (random.chance(0.4) && last > start) {
        const LogIndex from = start + random.between(1, last - start);
        disk.truncate(from);
        model.erase(model.lower_bound(from), model.end());
        last = from.prev();
      } else if (random.chance(0.5)) {
        start = start + random.below(last - start + 1);
        disk.remove(start);
        model.erase(model.begin(), model.upper_bound(start));
      } else {
        disk.reopen();
      }
      std::vector<LogEntry> expected;
      const LogIndex from = start + random.between(1, last - start + 1);
      for (auto it = model.lower_bound(from); it != model.end(); ++it) {
        expected.push_back(it->second);
      }
      REQUIRE(disk.entries(from) == expected);
    }
    disk.remove(last);
    CHECK(disk.segments() == 0);
  }
}

}  // namespace parallax
