// The bars of the checkers of sessions, with a factor for slow builds and busy machines.
#include <chrono>

#include <catch2/catch.hpp>

#include "consistency/checker/causal.h"
#include "consistency/checker/sequential.h"
#include "consistency/checker/session_guarantees.h"
#include "tests/checker/planted.h"
#include "tests/checker/stores.h"

namespace parallax::checker {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kFactor = 30;
#else
constexpr double kFactor = 4;
#endif

template <class Check>
void within(double seconds, Check check) {
  const auto start = std::chrono::steady_clock::now();
  check();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  CHECK(took.count() < seconds * kFactor);
}

}  // namespace

TEST_CASE("sequential: a hundred histories of lagging replicas and their planted violations") {
  Random random(8);
  int decided = 0;
  std::chrono::steady_clock::duration longest{};
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t keys = i % 2 == 0 ? 10 : 100;
    History history = random_sessions({.store = Store::log,
                                       .operations = 10'000,
                                       .clients = 20,
                                       .keys = keys,
                                       .unknown = i % 4 == 0 ? 0.02 : 0,
                                       .lag = 1u + static_cast<std::uint64_t>(i)},
                                      random);
    const auto start = std::chrono::steady_clock::now();
    const SequentialResult result = check_sequential(history);
    longest = std::max(longest, std::chrono::steady_clock::now() - start);
    CAPTURE(i, result.reason, result.witness ? result.witness->text : "");
    CHECK(result.verdict != Verdict::no);
    decided += result.verdict == Verdict::yes ? 1 : 0;
    const Plant what = kPlants[static_cast<std::size_t>(i) % kPlants.size()];
    CAPTURE(to_string(what));
    plant(history, what, random);
    const SequentialResult planted = check_sequential(history);
    CHECK(planted.verdict == Verdict::no);
    if (planted.witness) CHECK(planted.witness->part.operations.size() <= 10);
  }
  CHECK(decided >= 95);
  CHECK(longest < std::chrono::seconds(10));
}

TEST_CASE("session speed: a million operations of 50 sessions, CC and CCv") {
  Random random(1);
  History history = random_sessions(
      {.store = Store::gossip, .operations = 1'000'000, .clients = 50, .keys = 100}, random);
  for (const CausalModel model : {CausalModel::cc, CausalModel::ccv}) {
    within(3.1, [&] { CHECK(check_causal(history, model).verdict == Verdict::yes); });
  }
  plant(history, Plant::flipped, random);
  within(3.1, [&] { CHECK(check_causal(history, CausalModel::cc).verdict == Verdict::yes); });
  within(3.1, [&] {
    const CausalResult result = check_causal(history, CausalModel::ccv);
    CHECK(result.verdict == Verdict::no);
    CHECK(result.witness->part.operations.size() == 6);
  });
}

TEST_CASE("session speed: 100000 operations of 50 sessions, CM") {
  Random random(2);
  History history = random_sessions(
      {.store = Store::log, .operations = 100'000, .clients = 50, .keys = 100}, random);
  within(10, [&] { CHECK(check_causal(history, CausalModel::cm).verdict == Verdict::yes); });
  plant(history, Plant::hidden_chain, random);
  within(10, [&] { CHECK(check_causal(history, CausalModel::cm).verdict == Verdict::no); });
}

TEST_CASE("session speed: a million operations of 50 sessions, four guarantees") {
  Random random(3);
  History history = random_sessions(
      {.store = Store::gossip, .operations = 1'000'000, .clients = 50, .keys = 100}, random);
  within(2, [&] {
    for (const GuaranteeResult& result : check_session_guarantees(history)) {
      CHECK(result.verdict == Verdict::yes);
    }
  });
  plant(history, Plant::hidden_chain, random);
  within(2, [&] {
    const GuaranteeResults results = check_session_guarantees(history);
    CHECK(results[3].verdict == Verdict::no);
    CHECK(results[2].verdict == Verdict::yes);
  });
}

}  // namespace parallax::checker
