// The causal log in the store (storage/causal_log.h).
#include "storage/causal_log.h"

#include <algorithm>

#include "storage/memory_store.h"
#include "storage/overlay.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

constexpr Origin kFirst{NodeId{1}, Incarnation{7}};
constexpr Origin kSecond{NodeId{2}, Incarnation{8}};
constexpr std::size_t kSegmentBytes = 1'000;
constexpr std::size_t kAll = ~std::size_t{0};

CausalOperation operation(const Origin& origin, std::uint64_t number, std::size_t size = 1) {
  CausalOperation made{.number = number, .key = "k", .version = {}, .dependencies = {}};
  made.version.stamp = {Hlc{number}, origin.node};
  made.version.actor = {ActorPath::causal, origin.node, origin.incarnation};
  made.version.value = Bytes{std::string(size, 'v')};
  return made;
}

struct Fixture {
  MemoryStore store;
  CausalLog log{kOnlyGroup, kSegmentBytes};

  void add(const Origin& origin, std::uint64_t first, std::uint64_t last, std::size_t size = 1) {
    for (std::uint64_t n = first; n <= last; ++n) log.add(operation(origin, n, size));
  }
  /// How many changes the batch has.
  std::size_t write() {
    WriteBatch batch;
    log.put_into(batch);
    const std::size_t changes = batch.changes().size();
    if (!batch.empty()) must_write(store, batch);
    return changes;
  }
  std::size_t segments() const {
    return must_scan(store, records::causal_log_range(kOnlyGroup)).size();
  }
  std::vector<std::uint64_t> numbers(const Origin& origin, std::uint64_t after = 0,
                                     std::size_t most_bytes = kAll) const {
    const auto read = log.read(store, origin, after, most_bytes);
    REQUIRE(read.has_value());
    std::vector<std::uint64_t> numbers;
    for (const CausalOperation& each : *read) {
      CHECK(each.origin() == origin);
      numbers.push_back(each.number);
    }
    return numbers;
  }
  /// All that the store has, as a new log finds it.
  std::vector<std::pair<Origin, std::uint64_t>> open() {
    std::vector<std::pair<Origin, std::uint64_t>> found;
    const auto opened = log.open(store, [&](const CausalOperation& each) {
      found.emplace_back(each.origin(), each.number);
    });
    REQUIRE(opened.has_value());
    std::sort(found.begin(), found.end());
    return found;
  }
};

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE_METHOD(Fixture, "causal log: what a batch brings of all origins is one record") {
  add(kFirst, 1, 2);
  add(kSecond, 5, 6);
  add(kFirst, 3, 3);
  CHECK(log.bytes() == 5 * operation(kFirst, 1).bytes());
  CHECK(numbers(kFirst) == Numbers{1, 2, 3});
  CHECK(segments() == 0);
  CHECK(write() == 1);
  CHECK(segments() == 1);
  CHECK(log.bytes() == 0);
  CHECK(write() == 0);
  CHECK(numbers(kFirst) == Numbers{1, 2, 3});
  CHECK(numbers(kSecond) == Numbers{5, 6});
  CHECK(numbers({NodeId{3}, Incarnation{1}}).empty());
  add(kFirst, 4, 4);  // part in the store, part not
  CHECK(numbers(kFirst, 1) == Numbers{2, 3, 4});
  CHECK(numbers(kFirst, 4).empty());
  CHECK(write() == 1);
  CHECK(segments() == 2);
  CHECK(open() ==
        std::vector<std::pair<Origin, std::uint64_t>>{
            {kFirst, 1}, {kFirst, 2}, {kFirst, 3}, {kFirst, 4}, {kSecond, 5}, {kSecond, 6}});
}

TEST_CASE_METHOD(Fixture, "causal log: no more is read than there is room for, but one") {
  add(kFirst, 1, 4, 100);
  const std::size_t each = operation(kFirst, 1, 100).bytes();
  for (int written = 0; written < 2; ++written) {
    CHECK(numbers(kFirst, 0, 2 * each) == Numbers{1, 2});
    CHECK(numbers(kFirst, 2, 2 * each - 1) == Numbers{3});
    CHECK(numbers(kFirst, 1, 0) == Numbers{2});
    write();
  }
  add(kFirst, 5, 6, 100);
  CHECK(numbers(kFirst, 3, 2 * each) == Numbers{4, 5});
}

TEST_CASE_METHOD(Fixture, "causal log: a segment leaves with the last of all its operations") {
  add(kFirst, 1, 2);
  add(kSecond, 1, 2);
  write();
  log.remove(kFirst, 1, 1);
  CHECK(write() == 0);
  log.remove(kFirst, 2, 2);
  CHECK(write() == 0);
  CHECK(segments() == 1);
  CHECK(numbers(kFirst).empty());
  CHECK(numbers(kSecond) == Numbers{1, 2});
  log.remove(kSecond, 1, 2);
  CHECK(write() == 1);
  CHECK(segments() == 0);
  CHECK(numbers(kSecond).empty());
  log.remove(kSecond, 1, 2);  // once more: there is nothing to do
  CHECK(write() == 0);
}

TEST_CASE_METHOD(Fixture, "causal log: what is let go of before it is written does not stay") {
  add(kFirst, 1, 3);
  log.remove(kFirst, 1, 3);
  write();
  CHECK(segments() == 0);
  CHECK(numbers(kFirst).empty());
  CHECK(open().empty());
}

TEST_CASE_METHOD(Fixture, "causal log: an origin may go on behind a gap within a batch") {
  add(kFirst, 1, 2);
  add(kSecond, 1, 1);
  log.remove(kFirst, 1, 2);  // as where a transfer has brought all up to 7
  add(kFirst, 8, 9);
  add(kSecond, 2, 2);
  CHECK(numbers(kFirst, 7) == Numbers{8, 9});
  write();
  CHECK(segments() == 2);
  CHECK(numbers(kFirst) == Numbers{8, 9});
  CHECK(numbers(kSecond) == Numbers{1, 2});
}

TEST_CASE_METHOD(Fixture, "causal log: ranges may be let go of in any order") {
  for (std::uint64_t n = 1; n <= 6; ++n) {
    add(kFirst, n, n);
    write();
  }
  log.remove(kFirst, 4, 5);
  CHECK(write() == 2);
  log.remove(kFirst, 1, 3);
  CHECK(write() == 3);
  CHECK(numbers(kFirst) == Numbers{6});
}

TEST_CASE_METHOD(Fixture, "causal log: large operations have segments of their own") {
  add(kFirst, 1, 3, kSegmentBytes);
  add(kSecond, 1, 3);
  CHECK(write() == 4);
  CHECK(numbers(kFirst) == Numbers{1, 2, 3});
  CHECK(numbers(kSecond) == Numbers{1, 2, 3});
}

TEST_CASE_METHOD(Fixture, "causal log: it goes on behind what it finds") {
  add(kFirst, 1, 2);
  write();
  CHECK(open().size() == 2);
  add(kFirst, 3, 3);
  CHECK(write() == 1);
  CHECK(segments() == 2);
  CHECK(open().size() == 3);
  log.remove(kFirst, 1, 2);
  CHECK(write() == 1);
  CHECK(numbers(kFirst) == Numbers{3});
}

TEST_CASE_METHOD(Fixture, "causal log: segments of earlier formats are read and leave") {
  WriteBatch old;
  for (const Origin& origin : {kFirst, kSecond}) {
    records::put(old, records::causal_segment_key(kOnlyGroup, origin, 2),
                 CausalSegment{{{operation(origin, 1), operation(origin, 2)}}});
  }
  must_write(store, old);
  CHECK(open().size() == 4);
  add(kFirst, 3, 3);
  CHECK(write() == 1);
  CHECK(numbers(kFirst, 1) == Numbers{2, 3});
  CHECK(numbers(kSecond) == Numbers{1, 2});
  log.remove(kFirst, 1, 2);
  CHECK(write() == 1);
  CHECK(open() ==
        std::vector<std::pair<Origin, std::uint64_t>>{{kFirst, 3}, {kSecond, 1}, {kSecond, 2}});
}

TEST_CASE_METHOD(Fixture, "causal log: damage is told, not read over") {
  add(kFirst, 1, 1);
  write();
  const std::string key = records::causal_segment_key(kOnlyGroup, 1);
  WriteBatch batch;
  batch.put(key, Bytes{"?"});
  must_write(store, batch);
  CHECK(log.read(store, kFirst, 0, kAll).error().code == ErrorCode::corrupt);
  CausalLog fresh(kOnlyGroup, kSegmentBytes);
  const auto opened = fresh.open(store, [](const CausalOperation&) {});
  CHECK(opened.error().code == ErrorCode::corrupt);
  WriteBatch gone;
  gone.remove(key);
  must_write(store, gone);
  const auto read = log.read(store, kFirst, 0, kAll);
  REQUIRE(!read.has_value());
  CHECK_THAT(read.error().message, Catch::Contains("no causal segment 1 of group 1"));
}

}  // namespace parallax::test
