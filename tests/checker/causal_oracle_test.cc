// The causal checkers against their definitions, on thousands of small histories.
#include "tests/checker/causal_oracle.h"

#include <array>

#include <catch2/catch.hpp>

#include "consistency/checker/causal.h"
#include "tests/checker/stores.h"

namespace parallax::checker {
namespace {

constexpr std::array kModels{CausalModel::cc, CausalModel::ccv, CausalModel::cm};

struct Counts {
  int yes = 0, no = 0, undecided = 0;
};

/// A witness is a violation by itself, and none without any of its operations.
void check_witness(CausalModel model, const Witness& witness) {
  CAPTURE(witness.text, write_history(witness.part));
  CHECK(witness.minimal);
  CHECK_FALSE(brute_force_causal(witness.part, model));
  CHECK(witness.text.starts_with(witness.pattern + ": "));
  History smaller = witness.part;
  shrink(smaller, [&](const History& part) { return !brute_force_causal(part, model); });
  CHECK(smaller.operations.size() == witness.part.operations.size());
}

Counts compare(const SessionShape& shape, int cases, std::uint64_t seed, CausalModel model) {
  Counts counts;
  Random random(seed);
  for (int i = 0; i < cases; ++i) {
    const History history = random_sessions(shape, random);
    const CausalResult result = check_causal(history, model);
    const bool expected = brute_force_causal(history, model);
    if (result.verdict == Verdict::undecided) {
      CHECK_FALSE(result.reason.empty());
      ++counts.undecided;
      continue;
    }
    ++(expected ? counts.yes : counts.no);
    CAPTURE(i, to_string(model), write_history(history));
    CAPTURE(result.witness ? result.witness->text : "");
    REQUIRE((result.verdict == Verdict::yes) == expected);
    REQUIRE(result.witness.has_value() == !expected);
    if (result.witness && i % 4 == 0) check_witness(model, *result.witness);
  }
  return counts;
}

}  // namespace

TEST_CASE("causal: unique values of any origin against the definitions") {
  for (const CausalModel model : kModels) {
    const Counts counts = compare({.operations = 8}, 1'500, 1, model);
    CHECK(counts.yes > 100);
    CHECK(counts.no > 100);
    CHECK(counts.undecided == 0);
  }
}

TEST_CASE("causal: mostly writes and one key against the definitions") {
  for (const CausalModel model : kModels) {
    compare({.operations = 8, .keys = 1, .reads = 0.6}, 1'000, 2, model);
  }
}

TEST_CASE("causal: unknown outcomes and compare-and-sets against the definitions") {
  for (const CausalModel model : kModels) {
    const Counts counts = compare({.operations = 8, .swaps = 0.3, .unknown = 0.3}, 1'500, 3, model);
    CHECK(counts.yes > 100);
    CHECK(counts.no > 100);
    CHECK(counts.undecided == 0);
  }
}

TEST_CASE("causal: deletes and duplicates against the definitions") {
  for (const CausalModel model : kModels) {
    const Counts counts = compare(
        {.operations = 7, .removes = 0.3, .unknown = 0.1, .duplicates = 0.2}, 1'500, 4, model);
    CHECK(counts.yes > 50);
    CHECK(counts.no > 50);
    CHECK(counts.undecided < 20);
  }
}

TEST_CASE("causal: histories of stores that keep the promise against the definitions") {
  for (const CausalModel model : kModels) {
    compare({.store = Store::gossip, .operations = 9, .lag = 3}, 500, 5, model);
    compare({.store = Store::log, .operations = 9, .lag = 3}, 500, 6, model);
  }
}

}  // namespace parallax::checker
