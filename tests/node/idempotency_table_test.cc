// The rows of idempotency keys: found, joined, let go of.
#include "node/idempotency_table.h"

#include <map>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "storage/memory_store.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

using namespace std::chrono_literals;

Hlc at_ms(std::uint64_t ms, std::uint64_t logical = 0) {
  return Hlc{(ms << 16) + logical};
}

IdempotencyRow row(std::string key, Hlc at, std::uint64_t fingerprint = 7) {
  IdempotencyRow made{std::move(key), {}};
  made.record.at = at;
  made.record.fingerprint = fingerprint;
  return made;
}

/// A table above a store, which gets every batch at once.
struct Table {
  explicit Table(IdempotencyTable::Limits limits = {}) : table(store, kOnlyGroup, limits) {
    REQUIRE(table.open(Hlc{}));
  }

  void put(const IdempotencyRow& made) {
    WriteBatch batch;
    REQUIRE(table.put(made, batch));
    REQUIRE(store.write(batch));
  }
  void raise(Hlc floor) {
    WriteBatch batch;
    REQUIRE(table.raise_floor(floor, batch));
    REQUIRE(store.write(batch));
  }
  std::optional<IdempotencyRecord> find(std::string_view key, Hlc now) {
    const auto found = table.find(key, now);
    REQUIRE(found);
    return *found;
  }
  Hlc next(Hlc now, Hlc from, bool new_row, std::size_t under_way = 0) {
    const Result<Hlc> floor = table.next_floor(now, from, new_row, under_way);
    REQUIRE(floor);
    return *floor;
  }
  std::size_t stored(const ScanRange& range) const {
    std::size_t count = 0;
    REQUIRE(store.scan(range, [&](auto, auto) { return ++count, true; }));
    return count;
  }
  /// Rows and their index are one for one.
  void check() const {
    CHECK(stored(records::idempotency_range(kOnlyGroup)) == table.rows());
    CHECK(stored(records::idempotency_index_range(kOnlyGroup)) == table.rows());
  }

  MemoryStore store;
  IdempotencyTable table;
};

}  // namespace

TEST_CASE("idempotency table: what is put is found until it is too old") {
  Table t({.rows = 10, .retention = 100ms});
  IdempotencyRow first = row("a", at_ms(1'000, 3));
  first.record.index = LogIndex{5};
  first.record.refusal = "precondition-failed";
  first.record.message = "why";
  first.record.stamp = Stamp{Hlc{8}, NodeId{2}};
  first.record.number = -4;
  t.put(first);
  CHECK(t.find("a", at_ms(1'000, 3)) == first.record);
  CHECK(t.find("a", at_ms(1'100)) == first.record);  // for the whole time that is promised
  CHECK_FALSE(t.find("a", at_ms(1'101)));
  CHECK_FALSE(t.find("b", at_ms(1'000)));
  CHECK_FALSE(t.find("", at_ms(1'000)));
  CHECK_FALSE(t.find("aa", at_ms(1'000)));
  t.check();
}

TEST_CASE("idempotency table: of two rows under one key the later counts, in any order") {
  const IdempotencyRow early = row("a", at_ms(10), 1);
  const IdempotencyRow late = row("a", at_ms(20), 2);
  const bool late_first = GENERATE(false, true);
  Table t;
  t.put(late_first ? late : early);
  t.put(late_first ? early : late);
  t.put(late);
  CHECK(t.find("a", at_ms(20)) == late.record);
  CHECK(t.table.rows() == 1);
  t.check();
  // The index has the later time alone: what the earlier one was let go of with stays.
  t.raise(at_ms(15));
  CHECK(t.find("a", at_ms(20)) == late.record);
  t.raise(at_ms(20));
  CHECK_FALSE(t.find("a", at_ms(20)));
  t.check();
}

TEST_CASE("idempotency table: nothing at or below the floor comes back") {
  Table t;
  t.put(row("a", at_ms(10)));
  t.put(row("b", at_ms(11)));
  t.raise(at_ms(10));
  CHECK(t.table.floor() == at_ms(10));
  CHECK_FALSE(t.find("a", at_ms(12)));
  CHECK(t.find("b", at_ms(12)));
  t.put(row("a", at_ms(10)));
  t.put(row("c", at_ms(9)));
  CHECK_FALSE(t.find("a", at_ms(12)));
  CHECK_FALSE(t.find("c", at_ms(12)));
  t.raise(at_ms(5));  // never falls
  CHECK(t.table.floor() == at_ms(10));
  CHECK(t.table.rows() == 1);
  t.check();
}

TEST_CASE("idempotency table: a restart counts what is stored") {
  Table t;
  for (std::uint64_t i = 1; i <= 5; ++i) t.put(row(fmt::format("k{}", i), at_ms(i)));
  t.raise(at_ms(2));
  IdempotencyTable again(t.store, kOnlyGroup, {});
  REQUIRE(again.open(at_ms(2)));
  CHECK(again.rows() == 3);
  CHECK(again.floor() == at_ms(2));
  const auto found = again.find("k3", at_ms(3));
  REQUIRE(found);
  CHECK(*found);
  WriteBatch nothing;
  REQUIRE(again.put(row("k1", at_ms(1)), nothing));
  CHECK(nothing.empty());
}

TEST_CASE("idempotency table: the floor rises to rows that are too old, two at a time") {
  Table t({.rows = 100, .retention = 100ms});
  for (std::uint64_t i = 1; i <= 5; ++i) t.put(row(fmt::format("k{}", i), at_ms(10 * i)));
  Hlc floor = t.next(at_ms(110), Hlc{}, true);
  CHECK(floor == Hlc{});  // the oldest is still found
  floor = t.next(at_ms(111), Hlc{}, false);
  CHECK(floor == at_ms(10));
  floor = t.next(at_ms(1'000), floor, false);  // proposed, not applied: the next goes on from it
  CHECK(floor == at_ms(30));
  floor = t.next(at_ms(1'000), floor, true);
  CHECK(floor == at_ms(50));
  CHECK(t.next(at_ms(2'000), floor, true) == at_ms(50));
  t.raise(floor);
  CHECK(t.table.rows() == 0);
  CHECK(t.next(at_ms(2'000), Hlc{}, true) == at_ms(50));  // never below what is applied
  t.check();
}

TEST_CASE("idempotency table: where rows are many, one goes for each that comes") {
  constexpr std::uint64_t kRows = 4;
  Table t({.rows = kRows, .retention = 1h});
  // Some are applied at once, others stay under way for a while.
  const std::size_t lag = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{3});
  std::vector<std::pair<IdempotencyRow, Hlc>> under_way;
  Hlc floor;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    const Hlc now = at_ms(i);
    const Hlc before = floor;
    floor = t.next(now, floor, true, under_way.size());
    CHECK(floor == (i <= kRows ? Hlc{} : at_ms(i - kRows)));
    CHECK(floor >= before);
    // What is about no row asks for no room.
    CHECK(t.next(now, floor, false, under_way.size()) == floor);
    under_way.emplace_back(row(fmt::format("k{}", i), now), floor);
    while (under_way.size() > lag) {
      t.put(under_way.front().first);
      t.raise(under_way.front().second);
      under_way.erase(under_way.begin());
      CHECK(t.table.rows() <= kRows);
    }
  }
  while (!under_way.empty()) {
    t.put(under_way.front().first);
    t.raise(under_way.front().second);
    under_way.erase(under_way.begin());
  }
  CHECK(t.table.rows() == kRows);
  CHECK_FALSE(t.find("k36", at_ms(40)));
  CHECK(t.find("k37", at_ms(40)));
  CHECK(t.find("k40", at_ms(40)));
  t.check();
}

TEST_CASE("idempotency table: a damaged record is an error, not a request that is new") {
  Table t;
  t.put(row("a", at_ms(10)));
  REQUIRE(t.store.flip_bit(records::idempotency_key(kOnlyGroup, "a"), 13));
  const auto found = t.table.find("a", at_ms(10));
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ErrorCode::corrupt);
  CHECK_THAT(found.error().message, Catch::Contains("idempotency record 'a' of group 1"));
  WriteBatch batch;
  CHECK_FALSE(t.table.put(row("a", at_ms(20)), batch));
}

TEST_CASE("idempotency table: two that hear the same are the same, and as a map says", "[random]") {
  // The oracle: the latest row under each key, without those at or below the floor.
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    Table log({.rows = 1'000, .retention = 1h});
    Table late({.rows = 1'000, .retention = 1h});
    std::map<std::string, IdempotencyRecord> oracle;
    Hlc floor;
    std::vector<IdempotencyRow> rows;
    for (std::uint64_t i = 1; i <= 40; ++i) {
      const IdempotencyRow made =
          row(fmt::format("k{}", random.below(8)), at_ms(i, random.below(3)), random.next());
      rows.push_back(made);
      log.put(made);
      oracle.insert_or_assign(made.key, made.record);
      if (random.chance(0.2)) {
        floor = std::max(floor, at_ms(random.between(1, i)));
        log.raise(floor);
      }
      std::erase_if(oracle, [&](const auto& kept) { return kept.second.at <= floor; });
    }
    // The other one gets what a snapshot holds in any order, beside entries that it replays, and
    // hears of the floor when it likes.
    for (std::size_t i = 0; i < 2 * rows.size(); ++i) {
      late.put(rows[random.below(rows.size())]);
      if (random.chance(0.1)) late.raise(Hlc{random.below(floor.value + 1)});
    }
    for (const auto& [key, record] : oracle) late.put({key, record});
    late.raise(floor);
    for (Table* t : {&log, &late}) {
      REQUIRE(t->table.rows() == oracle.size());
      t->check();
      for (int k = 0; k < 8; ++k) {
        const std::string key = fmt::format("k{}", k);
        const auto expected = oracle.find(key);
        const auto found = t->find(key, at_ms(41));
        REQUIRE(found.has_value() == (expected != oracle.end()));
        if (found) REQUIRE(*found == expected->second);
      }
    }
  }
}

}  // namespace parallax::testing
