// How far the stored key states go while some wait (node/states_behind.h).
#include "node/states_behind.h"

#include <catch2/catch.hpp>

namespace parallax {
namespace {

using namespace std::chrono_literals;

MonoTime at(int ms) {
  return MonoTime{std::chrono::milliseconds(ms)};
}

StatesRecord states(std::uint64_t index) {
  return {LogIndex{index}, {}};
}

TEST_CASE("states behind: the stored states go as far as the oldest change that waits") {
  StatesBehind behind;
  behind.begin(7, states(10));
  // Batch 7 holds all its changes.
  CHECK((behind.complete(states(12), std::nullopt) == states(12)));
  // A change of batch 8 waits, and is still there with batch 9.
  behind.defer(at(100));
  behind.defer(at(150));
  CHECK((behind.complete(states(15), 8) == states(12)));
  behind.defer(at(200));
  CHECK((behind.complete(states(20), 8) == states(12)));
  CHECK(behind.due(at(299), 200ms) == 0);
  CHECK(behind.due(at(300), 200ms) == 8);
  CHECK(behind.due(at(400), 200ms) == 9);
  CHECK_FALSE(behind.overdue(at(499), 200ms));
  CHECK(behind.overdue(at(500), 200ms));
  // Those of batch 8 went with batch 10; those of 9 wait: everything up to batch 8 is there.
  CHECK((behind.complete(states(25), 9) == states(15)));
  CHECK((behind.complete(states(26), std::nullopt) == states(26)));
  CHECK_FALSE(behind.overdue(at(100'000), 200ms));
}

TEST_CASE("states behind: what a restart finds counts until it is made anew") {
  StatesBehind behind;
  behind.begin(1, states(3));
  behind.defer(at(0));
  CHECK((behind.complete(states(9), 1) == states(3)));
  CHECK((behind.complete(states(9), std::nullopt) == states(9)));
}

TEST_CASE("states behind: waiting goes on where keys are changed again, and is tried for ever") {
  WaitingPays waiting;
  const auto count = [&](int of, int again) {
    for (int i = 0; i < of; ++i) waiting.count(WaitingPays::kOfSample * 3, i < again);
  };
  CHECK(waiting.pays(1));
  count(WaitingPays::kDecided, WaitingPays::kDecided / 2 - 1);
  CHECK_FALSE(waiting.pays(1));
  CHECK(waiting.pays(WaitingPays::kOfSample));             // the sample
  for (int i = 0; i < 1'000; ++i) waiting.count(1, true);  // is nobody's of it
  CHECK_FALSE(waiting.pays(1));
  count(WaitingPays::kDecided, WaitingPays::kDecided / 2);
  CHECK(waiting.pays(1));
}

}  // namespace
}  // namespace parallax
