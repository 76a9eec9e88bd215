// The session guarantees against their definitions, and beside causal consistency.
#include <array>

#include <catch2/catch.hpp>

#include "consistency/checker/causal.h"
#include "consistency/checker/session_guarantees.h"
#include "tests/checker/build.h"
#include "tests/checker/guarantee_oracle.h"
#include "tests/checker/stores.h"

namespace parallax::checker {
namespace {

std::array<std::array<int, 2>, 4> compare(const SessionShape& shape, int cases,
                                          std::uint64_t seed) {
  std::array<std::array<int, 2>, 4> counts{};
  Random random(seed);
  for (int i = 0; i < cases; ++i) {
    const History history = random_sessions(shape, random);
    const GuaranteeResults results = check_session_guarantees(history);
    for (const Guarantee guarantee : kGuarantees) {
      const auto which = static_cast<std::size_t>(guarantee);
      const GuaranteeResult& result = results[which];
      if (result.verdict == Verdict::undecided) {
        CHECK_FALSE(result.reason.empty());
        continue;
      }
      const bool expected = brute_force_guarantee(history, guarantee);
      ++counts[which][expected ? 1 : 0];
      CAPTURE(i, to_string(guarantee), write_history(history));
      CAPTURE(result.witness ? result.witness->text : "");
      REQUIRE((result.verdict == Verdict::yes) == expected);
      REQUIRE(result.witness.has_value() == !expected);
      if (!result.witness || i % 4 != 0) continue;
      CHECK(result.witness->minimal);
      CHECK_FALSE(brute_force_guarantee(result.witness->part, guarantee));
    }
  }
  return counts;
}

void check_both_verdicts(const std::array<std::array<int, 2>, 4>& counts) {
  for (const auto& [no, yes] : counts) {
    CHECK(no > 50);
    CHECK(yes > 50);
  }
}

}  // namespace

TEST_CASE("session guarantees: unique values of any origin against the definitions") {
  check_both_verdicts(compare({.operations = 9}, 2'000, 1));
  compare({.operations = 9, .keys = 1, .reads = 0.6}, 500, 2);
  compare({.operations = 9, .clients = 2, .reads = 0.6}, 500, 2);
}

TEST_CASE("session guarantees: unknown outcomes and compare-and-sets against the definitions") {
  check_both_verdicts(compare({.operations = 9, .swaps = 0.3, .unknown = 0.3}, 1'500, 3));
}

TEST_CASE("session guarantees: deletes and duplicates against the definitions") {
  compare({.operations = 7, .removes = 0.3, .unknown = 0.1, .duplicates = 0.2}, 1'000, 4);
}

TEST_CASE("session guarantees: all four hold where causal convergence does") {
  Random random(5);
  int causal = 0;
  int four_without_causal = 0;
  for (int i = 0; i < 3'000; ++i) {
    const Store store = i % 2 == 0 ? Store::anything : Store::gossip;
    const History history = random_sessions({.store = store, .operations = 12, .lag = 4}, random);
    const bool converges = check_causal(history, CausalModel::ccv).verdict == Verdict::yes;
    const GuaranteeResults results = check_session_guarantees(history);
    const auto holding = std::count_if(results.begin(), results.end(),
                                       [](const auto& r) { return r.verdict == Verdict::yes; });
    CAPTURE(write_history(history));
    if (converges) {
      ++causal;
      CHECK(holding == 4);
    } else if (holding == 4) {
      ++four_without_causal;
    }
  }
  CHECK(causal > 500);
  CHECK(four_without_causal > 10);
}

TEST_CASE("session guarantees: a causal chain of three sessions is more than each of them") {
  Build h;
  h.key = "photo";
  h.write(1, "p", 0, 1);
  h.read(2, "p", 2, 3);
  h.key = "post";
  h.write(2, "q", 4, 5);
  h.read(3, "q", 6, 7);
  h.key = "comment";
  h.write(3, "c", 8, 9);
  h.read(4, "c", 10, 11);
  h.key = "photo";
  h.read(4, std::nullopt, 12, 13);
  for (const GuaranteeResult& result : check_session_guarantees(h.history)) {
    CHECK(result.verdict == Verdict::yes);
  }
  const CausalResult causal = check_causal(h.history, CausalModel::cc);
  CHECK(causal.verdict == Verdict::no);
  CHECK(causal.witness->pattern == "WriteCOInitRead");
  CHECK(causal.witness->part.operations.size() == 7);
}

}  // namespace parallax::checker
