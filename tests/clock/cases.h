// What the random tests of the clocks share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax::test {

inline constexpr std::uint64_t kRandomCases = 50'000;

/// Runs `one_case(Random&)` for seeds 1 to `count`; a failure names the seed. Returns nothing to
/// assert on: the case itself must, with REQUIRE or HOLDS.
template <class Case>
void for_each_seed(std::uint64_t count, const Case& one_case) {
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    one_case(random);
  }
  SUCCEED(count << " random cases");
}

/// One event of a distributed computation, in some order in which they can have happened.
struct Event {
  std::size_t process = 0;
  std::optional<std::size_t> received;  ///< the event whose message this one receives
  std::uint64_t past = 0;               ///< bit i: event i happened before this one
};

/// Up to 64 events of up to four processes with random messages, and by brute force what happened
/// before what (Lamport 1978).
inline std::vector<Event> random_history(Random& random, std::size_t processes, std::size_t count) {
  std::vector<Event> events;
  std::vector<std::optional<std::size_t>> latest(processes);
  for (std::size_t i = 0; i < count; ++i) {
    Event event;
    event.process = random.below(processes);
    if (i > 0 && random.chance(0.4)) event.received = random.below(i);
    for (const auto& cause : {latest[event.process], event.received}) {
      if (cause) event.past |= events[*cause].past | std::uint64_t{1} << *cause;
    }
    latest[event.process] = i;
    events.push_back(event);
  }
  return events;
}

inline bool happened_before(const std::vector<Event>& events, std::size_t a, std::size_t b) {
  return (events[b].past >> a & 1) != 0;
}

}  // namespace parallax::test

/// REQUIRE for the inside of random cases: as strict, but costs next to nothing while it holds.
#define HOLDS(...)                                        \
  do {                                                    \
    if (!(__VA_ARGS__)) FAIL("broken: " << #__VA_ARGS__); \
  } while (false)
