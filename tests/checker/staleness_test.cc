#include "consistency/checker/staleness.h"

#include <ctime>

#include <catch2/catch.hpp>

#include "consistency/checker/k_atomicity.h"
#include "tests/checker/build.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

Staleness measured(const Build& h) {
  return measure_staleness(h.history);
}

/// Values a, b, c ... written one after the other, each for 10 ns from every multiple of 100 on.
Build writes_of(int count) {
  Build h;
  for (int i = 0; i < count; ++i) {
    h.write(1, std::string(1, static_cast<char>('a' + i)), 100 * i, 100 * i + 10);
  }
  return h;
}

}  // namespace

TEST_CASE("staleness: the age of a read is counted from when a newer value was in place") {
  const auto age = [](std::string_view value, std::int64_t call) {
    Build h = writes_of(4);
    h.read(2, value, call, call + 5);
    const auto result = measured(h);
    CHECK(result.reads == 1);
    CHECK(result.stale_reads == (result.max_ns > 0 ? 1 : 0));
    CHECK(result.delta_ns == result.max_ns);
    return result.max_ns;
  };
  CHECK(age("d", 1000) == 0);
  CHECK(age("c", 310) == 0);  // called as the next one returned
  CHECK(age("c", 311) == 1);
  CHECK(age("c", 1000) == 690);
  CHECK(age("b", 1000) == 790);
  CHECK(age("a", 1000) == 890);
}

TEST_CASE("staleness: a newer value is in place as soon as somebody has seen it") {
  Build h;
  h.write(1, "a", 0, 10);
  h.write(1, "b", 20, 1000);
  h.read(2, "b", 30, 40);
  h.read(3, "a", 47, 60);
  CHECK(measured(h).max_ns == 7);
  h.history.operations[1].outcome = Outcome::unknown;
  CHECK(measured(h).max_ns == 7);
  CHECK(measured(h).delta_ns == 7);
}

TEST_CASE("staleness: reads can contradict each other without being old by themselves") {
  Build h;
  h.write(1, "a", 0, 100);
  h.write(2, "b", 0, 100);
  h.read(3, "a", 10, 20);
  h.read(3, "b", 33, 40);
  h.read(3, "a", 50, 60);
  const auto result = measured(h);
  CHECK(result.max_ns == 0);
  CHECK(result.delta_ns == 10);  // were the last one called as b had been seen, all would be well
  CHECK(result.keys_2_atomic == 1);
}

TEST_CASE("staleness: the initial value is a value") {
  Build h;
  h.write(1, "a", 0, 10);
  h.read(2, std::nullopt, 25, 30);
  CHECK(measured(h).max_ns == 15);
  const auto with_initial = measure_staleness(h.history, {.initial = "z"});
  CHECK(with_initial.impossible_reads == 1);
}

TEST_CASE("staleness: the worst read in words") {
  Build h;
  h.write(1, "7", 0, 1'000'000);
  h.write(4, "9", 2'000'000, 3'000'000);
  h.read(2, "7", 5'000'000, 6'000'000);
  h.read(3, "7", 15'000'000, 16'000'000).node = NodeId{2};
  const auto result = measured(h);
  REQUIRE(result.worst);
  CHECK(result.worst->age_ns == 12'000'000);
  CHECK(
      result.worst->text ==
      "Key \"x\": client 3 read 7 at n2 12 ms after that had been replaced: client 4's write of 9 "
      "had completed by then.");
}

TEST_CASE("staleness: quantiles are ages of reads") {
  Build h = writes_of(2);
  for (int i = 1; i <= 100; ++i) h.read(2, "a", 110 + i, 300);
  auto result = measured(h);
  CHECK(result.reads == 100);
  CHECK(result.p50_ns == 50);
  CHECK(result.p99_ns == 99);
  CHECK(result.max_ns == 100);
  h.read(2, "b", 200, 300);
  CHECK(measured(h).p50_ns == 50);
  CHECK(measured(Build{}).p99_ns == 0);
}

TEST_CASE("staleness: what it cannot judge is counted") {
  Build h = writes_of(2);
  h.read(2, "z", 10, 20);   // nobody wrote it
  h.read(2, "b", 10, 20);   // nobody had begun to
  h.read(2, "b", 90, 100);  // somebody just had
  h.key = "twice";
  h.write(1, "a", 0, 10);
  h.write(1, "a", 20, 30);
  h.key = "cas";
  h.cas(1, std::nullopt, "a", 0, 10);
  h.cas(2, std::nullopt, "b", 25, 30);
  const auto result = measured(h);
  CHECK(result.keys == 2);
  CHECK(result.keys_left_out == 1);
  CHECK(result.impossible_reads == 2);
  CHECK(result.reads == 3);
  CHECK(result.max_ns == 15);  // what the second cas saw
  CHECK_THAT(result.worst->text, Catch::Contains("client 2 read nothing 15 ns after"));
  CHECK(result.keys_1_atomic + result.keys_2_atomic + result.keys_beyond_2 == 0);
}

TEST_CASE("k atomicity: one and two versions behind") {
  const auto read = [](std::string_view value, std::int64_t call) {
    Build h = writes_of(4);
    h.read(2, value, call, call + 5);
    return measured(h);
  };
  CHECK(read("d", 400).keys_1_atomic == 1);
  CHECK(read("c", 400).keys_2_atomic == 1);
  CHECK(read("b", 400).keys_beyond_2 == 1);
  CHECK(read("b", 305).keys_2_atomic == 1);  // the fourth was still running
  CHECK(measured(writes_of(1)).keys_1_atomic == 1);
}

TEST_CASE("k atomicity: two readers that alternate between three values") {
  Build h;
  for (const auto* value : {"a", "b", "c"}) h.write(1, value, 0, 1000);
  h.read(2, "a", 10, 20);
  h.read(2, "b", 30, 40);
  h.read(2, "a", 50, 60);
  CHECK(measured(h).keys_2_atomic == 1);
  h.read(2, "c", 70, 80);
  CHECK(measured(h).keys_2_atomic == 1);
  Build other = h;
  h.read(2, "b", 90, 100);
  CHECK(measured(h).keys_2_atomic == 1);
  other.read(2, "b", 90, 100);
  other.read(2, "a", 110, 120);  // now a or c must be two back at some time
  CHECK(measured(other).keys_beyond_2 == 1);
}

TEST_CASE("staleness: a planted old read in a long history is found with its age") {
  Random random(41);
  int planted = 0;
  for (int i = 0; i < 60; ++i) {
    Shape shape{.operations = 1000, .clients = 8, .longest = 20, .unknown = 0.02};
    History history = random_history(shape, random);
    const auto good = measure_staleness(history);
    REQUIRE(good.max_ns == 0);
    REQUIRE(good.delta_ns == 0);
    REQUIRE(good.keys_1_atomic == 1);
    // Three writes, each after the last was over, and a read of the first after the third.
    auto& all = history.operations;
    const auto next_write = [&](std::int64_t after) -> const Operation* {
      for (const Operation& o : all) {
        const bool write = o.kind == OperationKind::write && o.outcome == Outcome::ok;
        if (write && o.call_ns > after) return &o;
      }
      return nullptr;
    };
    const Operation* first = next_write(500);
    const Operation* second = next_write(first->return_ns);
    const Operation* third = next_write(second->return_ns);
    const auto victim = std::find_if(all.begin(), all.end(), [&](const Operation& o) {
      return o.kind == OperationKind::read && o.outcome == Outcome::ok &&
             o.call_ns > third->return_ns;
    });
    victim->result = first->value;
    ++planted;
    const auto result = measure_staleness(history);
    CHECK(result.max_ns >= victim->call_ns - second->return_ns);
    CHECK(result.delta_ns >= result.max_ns);
    CHECK(result.worst->read == *victim);
    CHECK(result.stale_reads == 1);
    CHECK(result.keys_beyond_2 == 1);
  }
  CHECK(planted == 60);
}

TEST_CASE("k atomicity: a store that is at most one version behind and one read that is two") {
  Random random(43);
  int behind = 0, planted = 0;
  for (int i = 0; i < 60; ++i) {
    Shape shape{.operations = 1000, .clients = 12, .longest = 30, .unknown = 0.02, .behind = 0.4};
    History history = random_history(shape, random);
    const auto good = measure_staleness(history);
    REQUIRE(good.keys_beyond_2 == 0);
    behind += good.keys_2_atomic == 1 ? 1 : 0;
    // Three writes in a row, and a read of the first after all of them.
    auto& all = history.operations;
    std::vector<const Operation*> writes;
    for (const Operation& o : all) {
      const bool write = o.kind == OperationKind::write && o.outcome == Outcome::ok;
      if (!write || o.call_ns < 300) continue;
      if (writes.empty() || o.call_ns > writes.back()->return_ns) writes.push_back(&o);
      if (writes.size() == 3) break;
    }
    const auto victim = std::find_if(all.begin(), all.end(), [&](const Operation& o) {
      return o.kind == OperationKind::read && o.outcome == Outcome::ok &&
             o.call_ns > writes.back()->return_ns;
    });
    victim->result = writes.front()->value;
    ++planted;
    REQUIRE(measure_staleness(history).keys_beyond_2 == 1);
  }
  CHECK(behind > 50);
  CHECK(planted == 60);
}

TEST_CASE("staleness: a million operations of 50 clients on one key") {
  Random random(42);
  History history =
      random_history({.operations = 1'000'000, .clients = 50, .longest = 1000}, random);
  // Every hundredth read shows what the one before it did at its place in the history.
  std::size_t reads = 0;
  Text before = kAbsent;
  for (Operation& o : history.operations) {
    if (o.kind != OperationKind::read) continue;
    if (++reads % 100 == 0) std::swap(o.result, before);
    before = o.result;
  }
  const auto seconds = [&](std::size_t keys_2_atomic) {
    const std::clock_t start = std::clock();  // of the processor: the machine may be busy
    const auto result = measure_staleness(history);
    CHECK(result.stale_reads > 10);
    CHECK(result.delta_ns > 0);
    CHECK(result.keys_2_atomic == keys_2_atomic);
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  };
  CHECK(seconds(0) < 10);
  history = random_history({.operations = 1'000'000, .clients = 50, .longest = 1000, .behind = 0.1},
                           random);
  CHECK(seconds(1) < 10);
}

}  // namespace parallax::checker
