// How long answers take: a quantile of what was observed lately, as a value.
//
// For the extra request behind most answers' time (Dean and Barroso, "The Tail at Scale", CACM
// 2013: deferred until the 95th percentile, it costs one request in twenty).
//
// A log-linear histogram: eight buckets to an octave, so that what it says is at most an eighth
// above the exact quantile of what it holds. Counts are halved every kWindow observations: old
// times fade.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/ids.h"

namespace parallax {

/// A value; 1 KiB.
class LatencyEstimate {
 public:
  static constexpr std::uint32_t kWindow = 1'024;
  /// With fewer observations there is no estimate.
  static constexpr std::uint32_t kFewest = 20;

  /// Times below 1 us and above a minute count as those.
  void add(Duration took);
  /// At least `percent` (1 to 100) of the observations took no longer than this.
  std::optional<Duration> percentile(unsigned percent) const;

 private:
  static constexpr int kLowestBit = 10;   // 1.024 us
  static constexpr int kHighestBit = 36;  // 69 s
  static constexpr std::size_t kPerOctave = 8;
  static constexpr std::size_t kBuckets = (kHighestBit - kLowestBit) * kPerOctave;

  std::array<std::uint32_t, kBuckets> counts_{};
  std::uint32_t total_ = 0;
  std::uint32_t until_fade_ = kWindow;
};

}  // namespace parallax
