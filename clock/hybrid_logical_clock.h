// Hybrid logical clock with a persisted bound.
//
// Source: Kulkarni et al., "Logical Physical Clocks" (OPODIS 2014); the bound is ours.
//
// The clock moves only when it stamps or observes, so an idle cluster's clocks stand still and
// write nothing. Every reading that it issued or observed is covered by a bound that the owner
// persists: issue() refuses to go above the durable bound, and a restart begins above it. A stamp
// is therefore never reused, even when physical time jumped back while the process was down.
//
// Invariants: last() never falls; an issued reading is above everything issued and observed before,
// and at most durable_bound().
//
// It does not judge skew: that is clock/clock_offsets.h, which looks at physical clocks.
#pragma once

#include <optional>

#include "base/ids.h"
#include "clock/stamp.h"

namespace parallax {

/// A value; not thread-safe.
class HybridLogicalClock {
 public:
  /// A clock that restarts above `durable_bound` (zero on a new disk).
  explicit HybridLogicalClock(Hlc durable_bound = Hlc{});

  /// A new reading above everything before, at least `now`. Nothing when it would pass the durable
  /// bound: persist next_bound() first.
  std::optional<Hlc> issue(UnixMillis now);
  /// Moves up to at least `seen`.
  void observe(Hlc seen);
  /// Everything issued and observed is at most this.
  Hlc last() const { return last_; }
  /// What time is it for expiry and reports: the higher of `now` and last(). Does not move.
  Hlc peek(UnixMillis now) const;

  /// Whether a new bound should go into the next batch: last() passed the durable bound, or an
  /// issue at `now` would come within half of limits::kClockBoundAhead of it.
  bool wants_bound(UnixMillis now) const;
  /// Whether issue(now) would refuse.
  bool blocked(UnixMillis now) const;
  /// The bound to persist at `now`: covers last() and reaches limits::kClockBoundAhead past the
  /// higher of it and `now`. Never below a bound given before, even one that is not durable yet:
  /// the batches that carry them overwrite one record in turn, and a lower bound that physical time
  /// jumping back had produced would take back what the higher one before it allowed.
  Hlc next_bound(UnixMillis now);
  /// `bound` is durable. Lower bounds than the present one are ignored.
  void on_bound_durable(Hlc bound);
  Hlc durable_bound() const { return durable_bound_; }

 private:
  /// What issue(now) would return if no bound stood in its way.
  Hlc following(UnixMillis now) const;

  Hlc last_;
  Hlc durable_bound_;
  Hlc given_bound_;  ///< the highest that next_bound() returned; at least durable_bound_
};

}  // namespace parallax
