#include "clock/lamport_clock.h"

#include <limits>
#include <stdexcept>

#include "base/assert.h"
#include "tests/clock/cases.h"

namespace parallax {
namespace {

TEST_CASE("lamport: numbers rise by one and jump above what was observed") {
  LamportClock clock;
  CHECK(clock.last() == 0);
  CHECK(clock.issue() == 1);
  CHECK(clock.issue() == 2);
  clock.observe(10);
  CHECK(clock.last() == 10);
  CHECK(clock.issue() == 11);
  clock.observe(4);
  CHECK(clock.last() == 11);
  CHECK(clock.issue() == 12);
  CHECK(LamportClock(41).issue() == 42);
}

TEST_CASE("lamport: the last number there is ends the process rather than begin again") {
  set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  LamportClock clock;
  clock.observe(std::numeric_limits<std::uint64_t>::max());
  CHECK_THROWS_WITH(clock.issue(), Catch::Contains("last 18446744073709551615"));
  set_assertion_handler(nullptr);
}

TEST_CASE("lamport: what happened before has the smaller number (Lamport 1978)") {
  std::uint64_t ordered_but_concurrent = 0;
  test::for_each_seed(test::kRandomCases, [&](Random& random) {
    const auto events = test::random_history(random, random.between(2, 4), 16);
    std::vector<LamportClock> clocks(4);
    std::vector<std::uint64_t> numbers;
    for (const test::Event& event : events) {
      LamportClock& clock = clocks[event.process];
      if (event.received) clock.observe(numbers[*event.received]);
      numbers.push_back(clock.issue());
      HOLDS(clock.last() == numbers.back());
    }
    for (std::size_t b = 0; b < events.size(); ++b) {
      std::uint64_t highest_cause = 0;
      for (std::size_t a = 0; a < b; ++a) {
        if (test::happened_before(events, a, b)) {
          HOLDS(numbers[a] < numbers[b]);
          highest_cause = std::max(highest_cause, numbers[a]);
        } else if (numbers[a] < numbers[b]) {
          ++ordered_but_concurrent;
        }
      }
      // No higher than it must be: one above the highest cause.
      HOLDS(numbers[b] == highest_cause + 1);
    }
  });
  // The converse does not hold, and the histories are rich enough to show it.
  CHECK(ordered_but_concurrent > test::kRandomCases);
}

}  // namespace
}  // namespace parallax
