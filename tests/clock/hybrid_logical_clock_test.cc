#include "clock/hybrid_logical_clock.h"

#include <deque>
#include <limits>
#include <optional>

#include "base/limits.h"
#include "tests/clock/cases.h"

namespace parallax {
namespace {

constexpr UnixMillis kNow{1'700'000'000'000};
constexpr std::uint64_t kAheadMs = limits::kClockBoundAhead.count();
constexpr Hlc kHighest{std::numeric_limits<std::uint64_t>::max()};

UnixMillis plus(UnixMillis time, std::uint64_t ms) {
  return UnixMillis{time.value + ms};
}
UnixMillis minus(UnixMillis time, std::uint64_t ms) {
  return UnixMillis{time.value - ms};
}

/// A clock whose bound at kNow is durable.
HybridLogicalClock started() {
  HybridLogicalClock clock;
  clock.on_bound_durable(clock.next_bound(kNow));
  return clock;
}

TEST_CASE("hlc: a new disk must make a bound durable first") {
  HybridLogicalClock clock;
  CHECK(clock.blocked(kNow));
  CHECK(clock.wants_bound(kNow));
  CHECK_FALSE(clock.issue(kNow).has_value());
  CHECK(clock.last() == Hlc{});
  const Hlc bound = clock.next_bound(kNow);
  CHECK(bound == Hlc::from_millis(plus(kNow, kAheadMs)));
  CHECK(clock.blocked(kNow));
  clock.on_bound_durable(bound);
  CHECK(clock.durable_bound() == bound);
  CHECK_FALSE(clock.blocked(kNow));
  CHECK_FALSE(clock.wants_bound(kNow));
  CHECK(clock.issue(kNow) == Hlc::from_millis(kNow));
}

TEST_CASE("hlc: physical time when it moves on and the counter when it does not (Kulkarni 2014)") {
  HybridLogicalClock clock = started();
  const Hlc base = Hlc::from_millis(kNow);
  CHECK(clock.issue(kNow) == base);
  CHECK(clock.issue(kNow) == base.next());
  CHECK(clock.issue(minus(kNow, 50)) == base.next().next());
  CHECK(clock.issue(plus(kNow, 1)) == Hlc::from_millis(plus(kNow, 1)));
  clock.observe(Hlc::from_millis(plus(kNow, 9)));
  CHECK(clock.last() == Hlc::from_millis(plus(kNow, 9)));
  clock.observe(base);
  CHECK(clock.last() == Hlc::from_millis(plus(kNow, 9)));
  CHECK(clock.issue(plus(kNow, 2)) == Hlc::from_millis(plus(kNow, 9)).next());
}

TEST_CASE("hlc: peek and refusals do not move it") {
  HybridLogicalClock clock = started();
  clock.observe(Hlc::from_millis(plus(kNow, 5)));
  const Hlc last = clock.last();
  CHECK(clock.peek(kNow) == last);
  CHECK(clock.peek(plus(kNow, 7)) == Hlc::from_millis(plus(kNow, 7)));
  CHECK_FALSE(clock.issue(plus(kNow, kAheadMs + 1)).has_value());
  CHECK(clock.last() == last);
}

TEST_CASE("hlc: the bound itself can be issued and nothing above it") {
  HybridLogicalClock clock = started();
  CHECK(clock.issue(plus(kNow, kAheadMs)) == clock.durable_bound());
  CHECK(clock.blocked(kNow));
  CHECK_FALSE(clock.issue(kNow).has_value());
}

TEST_CASE("hlc: wants a new bound from half way on and after observing past it") {
  HybridLogicalClock clock = started();
  CHECK_FALSE(clock.wants_bound(plus(kNow, kAheadMs / 2)));
  CHECK(clock.wants_bound(plus(kNow, kAheadMs / 2 + 1)));
  clock.observe(clock.durable_bound());
  CHECK(clock.wants_bound(kNow));
  clock.observe(clock.durable_bound().next());
  CHECK(clock.wants_bound(kNow));
  CHECK(clock.blocked(kNow));
  CHECK(clock.next_bound(kNow).value == clock.last().value + (kAheadMs << 16));
}

TEST_CASE("hlc: a restart begins above the bound though physical time jumped back") {
  HybridLogicalClock clock = started();
  clock.issue(plus(kNow, kAheadMs));
  HybridLogicalClock restarted(clock.durable_bound());
  CHECK(restarted.last() == clock.durable_bound());
  CHECK(restarted.blocked(minus(kNow, 1'000)));
  restarted.on_bound_durable(restarted.next_bound(minus(kNow, 1'000)));
  CHECK(restarted.issue(minus(kNow, 1'000)) == clock.last().next());
}

TEST_CASE("hlc: a bound in flight is never followed by a lower one") {
  // Two batches in flight, physical time jumping back in between: the second overwrites the first
  // on disk, so it must not take back what the first allowed.
  HybridLogicalClock clock = started();
  const Hlc first = clock.next_bound(plus(kNow, 60));
  const Hlc second = clock.next_bound(minus(kNow, 500));
  CHECK(second >= first);
  clock.on_bound_durable(first);
  const auto issued = clock.issue(plus(kNow, 150));
  REQUIRE(issued.has_value());
  HybridLogicalClock restarted(second);
  restarted.on_bound_durable(restarted.next_bound(minus(kNow, 500)));
  CHECK(restarted.issue(minus(kNow, 500)) > issued);
}

TEST_CASE("hlc: lower bounds are ignored") {
  HybridLogicalClock clock = started();
  const Hlc bound = clock.durable_bound();
  clock.on_bound_durable(Hlc::from_millis(kNow));
  CHECK(clock.durable_bound() == bound);
}

TEST_CASE("hlc: at the highest reading it stands still for good") {
  HybridLogicalClock clock = started();
  clock.observe(kHighest);
  CHECK(clock.wants_bound(kNow));
  CHECK(clock.next_bound(kNow) == kHighest);
  clock.on_bound_durable(kHighest);
  CHECK(clock.blocked(kNow));
  CHECK_FALSE(clock.issue(kNow).has_value());
  CHECK(clock.last() == kHighest);
}

/// A node's disk and lives: batches carry bounds and become durable in order, up to two in flight;
/// a crash loses those in flight, and physical time jumps about.
class Node {
 public:
  explicit Node(Random& random) : random_(random), physical_(kNow.value + random.below(1'000)) {}

  void step() {
    switch (random_.below(8)) {
      case 0:
      case 1:
      case 2:
        return issue();
      case 3:
        return observe();
      case 4:
        return persist();
      case 5:
        return complete();
      case 6:
        return pass_time();
      default:
        if (random_.chance(0.2)) crash();
    }
  }

 private:
  UnixMillis now() const { return UnixMillis{physical_}; }

  void issue() {
    const bool blocked = clock_.blocked(now());
    const Hlc before = clock_.last();
    const auto issued = clock_.issue(now());
    HOLDS(issued.has_value() == !blocked);
    if (!issued) {
      HOLDS(clock_.last() == before);
      // Refused for the bound alone: what comes next is above it.
      HOLDS(std::max(before.next(), Hlc::from_millis(now())) > clock_.durable_bound());
      return;
    }
    HOLDS(*issued == clock_.last());
    HOLDS(*issued > highest_issued_);    // in this and every earlier life
    HOLDS(*issued > highest_observed_);  // in this life
    HOLDS(*issued >= Hlc::from_millis(now()));
    HOLDS(*issued <= on_disk_);
    highest_issued_ = *issued;
  }

  void observe() {
    const std::uint64_t around = (physical_ - 20 + random_.below(60)) << 16;
    const Hlc seen{around + random_.below(3)};
    const Hlc before = clock_.last();
    clock_.observe(seen);
    HOLDS(clock_.last() == std::max(before, seen));
    HOLDS(clock_.last() <= clock_.durable_bound() || clock_.wants_bound(now()));
    highest_observed_ = std::max(highest_observed_, seen);
  }

  void persist() {
    if (in_flight_.size() == limits::kMaxBatchesInFlight || !clock_.wants_bound(now())) return;
    const Hlc bound = clock_.next_bound(now());
    HOLDS(bound.value >= clock_.last().value + (kAheadMs << 16));
    HOLDS(bound >= Hlc::from_millis(plus(now(), kAheadMs)));
    HOLDS(bound >= on_disk_);
    HOLDS(in_flight_.empty() || bound >= in_flight_.back());
    in_flight_.push_back(bound);
  }

  void complete() {
    if (in_flight_.empty()) return;
    on_disk_ = in_flight_.front();
    in_flight_.pop_front();
    clock_.on_bound_durable(on_disk_);
    HOLDS(clock_.durable_bound() == on_disk_);
    HOLDS(highest_issued_ <= on_disk_);
  }

  void pass_time() {
    if (random_.chance(0.3)) {
      physical_ = physical_ - 200 + random_.below(400);  // a jump, either way
    } else {
      physical_ += random_.below(40);
    }
  }

  void crash() {
    if (random_.chance(0.5)) complete();  // durable, but nobody heard of it
    in_flight_.clear();
    clock_ = HybridLogicalClock(on_disk_);
    highest_observed_ = Hlc{};
    if (random_.chance(0.5)) physical_ -= random_.below(5'000);
  }

  Random& random_;
  std::uint64_t physical_;
  HybridLogicalClock clock_;
  std::deque<Hlc> in_flight_;
  Hlc on_disk_;
  Hlc highest_issued_;
  Hlc highest_observed_;
};

TEST_CASE("hlc: strictly rising and covered by the disk over crashes and jumps of physical time") {
  test::for_each_seed(test::kRandomCases, [](Random& random) {
    Node node(random);
    for (int i = 0; i < 60; ++i) node.step();
  });
}

TEST_CASE("hlc: what happened before has the smaller reading (Kulkarni et al. 2014 theorem 1)") {
  test::for_each_seed(test::kRandomCases, [](Random& random) {
    const auto events = test::random_history(random, random.between(2, 4), 16);
    std::vector<HybridLogicalClock> clocks(4);
    std::vector<Hlc> readings;
    std::uint64_t true_time = kNow.value;
    std::uint64_t highest_physical = 0;
    for (const test::Event& event : events) {
      HybridLogicalClock& clock = clocks[event.process];
      if (event.received) clock.observe(readings[*event.received]);
      true_time += random.below(3);
      // Each process's clock is off by its own amount and wavers.
      const UnixMillis now{true_time + 30 * event.process - random.below(5)};
      highest_physical = std::max(highest_physical, now.value);
      if (clock.blocked(now)) clock.on_bound_durable(clock.next_bound(now));
      const auto issued = clock.issue(now);
      HOLDS(issued.has_value());
      // Theorem 3: never further than a few counts from a physical clock that took part.
      HOLDS(issued->millis().value <= highest_physical && issued->logical() <= events.size());
      readings.push_back(*issued);
    }
    for (std::size_t b = 0; b < events.size(); ++b) {
      for (std::size_t a = 0; a < b; ++a) {
        HOLDS(!test::happened_before(events, a, b) || readings[a] < readings[b]);
      }
    }
  });
}

}  // namespace
}  // namespace parallax
