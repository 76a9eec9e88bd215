// Sequential consistency against the definition.
#include "consistency/checker/sequential.h"

#include <map>

#include <catch2/catch.hpp>

#include "tests/checker/small_history.h"
#include "tests/checker/stores.h"

namespace parallax::checker {
namespace {

bool brute_force_sequential(const History& history) {
  return some_world(history, [](const World& world) {
    std::vector<int> all;
    for (std::size_t i = 0; i < world.operations.size(); ++i) all.push_back(static_cast<int>(i));
    return some_order(all, world.before, [&](const std::vector<int>& order) {
      std::map<std::uint32_t, Text> state;
      for (const int i : order) {
        const SmallOperation& o = world.operations[static_cast<std::size_t>(i)];
        const Text now = state.contains(o.key) ? state[o.key] : kAbsent;
        if (o.reads && o.seen != now) return false;
        if (o.writes) state[o.key] = o.given;
      }
      return true;
    });
  });
}

struct Counts {
  int yes = 0, no = 0, undecided = 0;
};

Counts compare(const SessionShape& shape, int cases, std::uint64_t seed) {
  Counts counts;
  Random random(seed);
  for (int i = 0; i < cases; ++i) {
    const History history = random_sessions(shape, random);
    const SequentialResult result = check_sequential(history);
    if (result.verdict == Verdict::undecided) {
      CHECK_FALSE(result.reason.empty());
      ++counts.undecided;
      continue;
    }
    const bool expected = brute_force_sequential(history);
    ++(expected ? counts.yes : counts.no);
    CAPTURE(i, write_history(history), result.witness ? result.witness->text : "");
    REQUIRE((result.verdict == Verdict::yes) == expected);
    REQUIRE(result.witness.has_value() == !expected);
    if (expected) {
      CHECK(result.order.size() <= history.operations.size());
    } else if (i % 4 == 0) {
      CHECK(result.witness->minimal);
      CHECK_FALSE(brute_force_sequential(result.witness->part));
    }
  }
  return counts;
}

}  // namespace

TEST_CASE("sequential: unique values of any origin against the definition") {
  const Counts counts = compare({.operations = 8}, 1'500, 1);
  CHECK(counts.yes > 100);
  CHECK(counts.no > 100);
  CHECK(counts.undecided == 0);
}

TEST_CASE("sequential: stores and many writes against the definition") {
  compare({.operations = 8, .keys = 1, .reads = 0.6}, 1'000, 2);
  compare({.store = Store::gossip, .operations = 9, .reads = 0.6, .lag = 2}, 1'000, 3);
  compare({.operations = 9, .clients = 4, .keys = 2, .reads = 0.35}, 1'000, 4);
  const Counts counts = compare({.store = Store::log, .operations = 9, .lag = 3}, 500, 5);
  CHECK(counts.yes == 500);
}

TEST_CASE("sequential: unknown outcomes and compare-and-sets against the definition") {
  const Counts counts = compare({.operations = 8, .swaps = 0.3, .unknown = 0.3}, 1'500, 6);
  CHECK(counts.yes > 100);
  CHECK(counts.no > 100);
}

TEST_CASE("sequential: deletes and duplicates against the definition") {
  const Counts counts =
      compare({.operations = 7, .removes = 0.3, .unknown = 0.1, .duplicates = 0.2}, 1'500, 7);
  CHECK(counts.undecided < 20);
  CHECK(counts.yes > 50);
  CHECK(counts.no > 50);
}

}  // namespace parallax::checker
