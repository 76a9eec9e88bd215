// How old a state can be, from the age of its freshness mark.
//
// A mark is a moment of a replica's own monotonic clock at which everything acknowledged so far was
// in the state that it has now. So the age of the mark bounds the age of the state, whatever any
// node's physical clock says: one clock measures both ends. Only its rate can be wrong, and it must
// not stand still, as the process's does while its machine is suspended (node/io/system_clock.h).
//
// When a leader was last heard from bounds nothing: one that was deposed and does not know it yet
// goes on speaking while others commit.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/ids.h"

namespace parallax {

/// A monotonic clock may run this much too slow, in thousandths: far more than any does.
inline constexpr std::int64_t kClockRateError = 1;

/// An upper bound on the true time, in whole milliseconds, that a clock of ours shows as `age`.
constexpr std::uint64_t staleness_ms(Duration age) {
  if (age <= Duration::zero()) return 0;
  const std::int64_t shown = age.count();
  const std::int64_t most = shown + shown / 1'000 * kClockRateError + kClockRateError;
  constexpr std::int64_t kMs = std::chrono::nanoseconds(std::chrono::milliseconds(1)).count();
  return static_cast<std::uint64_t>((most + kMs - 1) / kMs);
}

}  // namespace parallax
