#include "clock/hybrid_logical_clock.h"

#include <algorithm>
#include <limits>

#include "base/limits.h"

namespace parallax {
namespace {

constexpr Hlc kHighest{std::numeric_limits<std::uint64_t>::max()};
constexpr Hlc kAhead = Hlc::from_millis(UnixMillis{limits::kClockBoundAhead.count()});
constexpr Hlc kHalfAhead{kAhead.value / 2};

/// `hlc` moved on by `distance`, or the highest reading when there is no such one. A clock that was
/// told the highest reading must stand still for good rather than begin again at zero.
constexpr Hlc later(Hlc hlc, Hlc distance) {
  return Hlc{hlc.value + std::min(distance.value, kHighest.value - hlc.value)};
}

}  // namespace

HybridLogicalClock::HybridLogicalClock(Hlc durable_bound)
    : last_(durable_bound), durable_bound_(durable_bound), given_bound_(durable_bound) {}

std::optional<Hlc> HybridLogicalClock::issue(UnixMillis now) {
  if (blocked(now)) return std::nullopt;
  last_ = following(now);
  return last_;
}

void HybridLogicalClock::observe(Hlc seen) {
  last_ = std::max(last_, seen);
}

Hlc HybridLogicalClock::peek(UnixMillis now) const {
  return std::max(last_, Hlc::from_millis(now));
}

Hlc HybridLogicalClock::following(UnixMillis now) const {
  return std::max(later(last_, Hlc{1}), Hlc::from_millis(now));
}

bool HybridLogicalClock::wants_bound(UnixMillis now) const {
  // What follows is above last(), so this is true as well when that passed the durable bound.
  return later(following(now), kHalfAhead) > durable_bound_;
}

bool HybridLogicalClock::blocked(UnixMillis now) const {
  return last_ == kHighest || following(now) > durable_bound_;
}

Hlc HybridLogicalClock::next_bound(UnixMillis now) {
  given_bound_ = std::max(given_bound_, later(peek(now), kAhead));
  return given_bound_;
}

void HybridLogicalClock::on_bound_durable(Hlc bound) {
  durable_bound_ = std::max(durable_bound_, bound);
  given_bound_ = std::max(given_bound_, bound);
}

}  // namespace parallax
