#include "clock/vector_clock.h"

#include <algorithm>
#include <map>

#include "tests/clock/cases.h"

namespace parallax {
namespace {

VectorClock random_clock(Random& random) {
  std::vector<VectorClock::Entry> entries;
  for (std::uint64_t left = random.below(5); left > 0; --left) {
    const auto node = static_cast<std::uint32_t>(random.between(1, 4));
    entries.emplace_back(NodeId{node}, random.below(4));
  }
  return VectorClock(std::move(entries));
}

TEST_CASE("vector clock: counts per node") {
  VectorClock clock;
  CHECK(clock.empty());
  CHECK(clock.to_string() == "{}");
  CHECK(clock.increment(NodeId{3}) == 1);
  CHECK(clock.increment(NodeId{1}) == 1);
  CHECK(clock.increment(NodeId{3}) == 2);
  CHECK(clock.at(NodeId{3}) == 2);
  CHECK(clock.at(NodeId{2}) == 0);
  CHECK(clock.to_string() == "{1:1, 3:2}");
  CHECK(clock.covers(NodeId{3}, 2));
  CHECK_FALSE(clock.covers(NodeId{3}, 3));
  CHECK_FALSE(clock.covers(NodeId{2}, 1));
  clock.advance(NodeId{2}, 5);
  clock.advance(NodeId{3}, 1);
  clock.advance(NodeId{9}, 0);
  CHECK(clock.to_string() == "{1:1, 2:5, 3:2}");
}

TEST_CASE("vector clock: how two relate") {
  struct Case {
    const char* name;
    std::vector<VectorClock::Entry> a, b;
    bool a_dominates, b_dominates;
  };
  const NodeId n1{1};
  const NodeId n2{2};
  const auto c = GENERATE_COPY(values<Case>({
      {"two empty ones are equal", {}, {}, true, true},
      {"empty is before everything", {}, {{n1, 1}}, false, true},
      {"zero entries do not count", {{n1, 0}}, {}, true, true},
      {"equal in any order of entries", {{n2, 2}, {n1, 1}}, {{n1, 1}, {n2, 2}}, true, true},
      {"the highest of several counts", {{n1, 3}, {n1, 7}, {n1, 5}}, {{n1, 7}}, true, true},
      {"later in one entry", {{n1, 2}, {n2, 1}}, {{n1, 1}, {n2, 1}}, true, false},
      {"one entry more", {{n1, 1}, {n2, 1}}, {{n2, 1}}, true, false},
      {"each knows something alone", {{n1, 1}}, {{n2, 1}}, false, false},
      {"crosswise", {{n1, 2}, {n2, 1}}, {{n1, 1}, {n2, 2}}, false, false},
  }));
  DYNAMIC_SECTION(c.name) {
    const VectorClock a(c.a);
    const VectorClock b(c.b);
    CHECK(a.dominates(b) == c.a_dominates);
    CHECK(b.dominates(a) == c.b_dominates);
    CHECK(a.happened_before(b) == (c.b_dominates && !c.a_dominates));
    CHECK(b.happened_before(a) == (c.a_dominates && !c.b_dominates));
    CHECK(a.concurrent_with(b) == (!c.a_dominates && !c.b_dominates));
    CHECK((a == b) == (c.a_dominates && c.b_dominates));
  }
}

TEST_CASE("vector clock: random verbs against a map") {
  test::for_each_seed(test::kRandomCases, [](Random& random) {
    VectorClock clock;
    std::map<std::uint32_t, std::uint64_t> model;
    for (int step = 0; step < 12; ++step) {
      const auto node = static_cast<std::uint32_t>(random.between(1, 5));
      switch (random.below(3)) {
        case 0:
          HOLDS(clock.increment(NodeId{node}) == ++model[node]);
          break;
        case 1: {
          const std::uint64_t count = random.below(6);
          clock.advance(NodeId{node}, count);
          if (count > model[node]) model[node] = count;
          break;
        }
        default: {
          const VectorClock other = random_clock(random);
          clock.join(other);
          for (const auto& [n, count] : other.entries()) {
            if (count > model[n.value]) model[n.value] = count;
          }
        }
      }
    }
    std::erase_if(model, [](const auto& entry) { return entry.second == 0; });
    HOLDS(std::equal(clock.entries().begin(), clock.entries().end(), model.begin(), model.end(),
                     [](const VectorClock::Entry& entry, const auto& expected) {
                       return entry.first.value == expected.first &&
                              entry.second == expected.second;
                     }));
  });
}

TEST_CASE(
    "vector clock: happened before exactly when the clocks say so (Fidge 1988 Mattern 1989)") {
  std::uint64_t concurrent = 0;
  test::for_each_seed(test::kRandomCases, [&](Random& random) {
    const auto events = test::random_history(random, random.between(2, 4), 10);
    std::vector<VectorClock> clocks(4);
    std::vector<VectorClock> readings;
    for (const test::Event& event : events) {
      VectorClock& clock = clocks[event.process];
      if (event.received) clock.join(readings[*event.received]);
      clock.increment(NodeId{static_cast<std::uint32_t>(event.process + 1)});
      readings.push_back(clock);
    }
    for (std::size_t a = 0; a < events.size(); ++a) {
      for (std::size_t b = 0; b < events.size(); ++b) {
        const bool before = test::happened_before(events, a, b);
        const bool after = test::happened_before(events, b, a);
        HOLDS(readings[a].happened_before(readings[b]) == before);
        HOLDS(readings[a].concurrent_with(readings[b]) == (a != b && !before && !after));
        concurrent += readings[a].concurrent_with(readings[b]);
      }
    }
  });
  CHECK(concurrent > test::kRandomCases);
}

TEST_CASE("vector clock: join is the least upper bound") {
  test::for_each_seed(test::kRandomCases, [](Random& random) {
    const VectorClock a = random_clock(random);
    const VectorClock b = random_clock(random);
    const VectorClock c = random_clock(random);
    const auto joined = [](VectorClock x, const VectorClock& y) {
      x.join(y);
      return x;
    };
    const VectorClock ab = joined(a, b);
    HOLDS(ab == joined(b, a));
    HOLDS(joined(ab, c) == joined(a, joined(b, c)));
    HOLDS(joined(a, a) == a);
    HOLDS(ab.dominates(a) && ab.dominates(b));
    HOLDS(!(c.dominates(a) && c.dominates(b)) || c.dominates(ab));
    HOLDS(a.dominates(b) == (ab == a));
  });
}

}  // namespace
}  // namespace parallax
