// How long something took, again and again: counts by duration, for /metrics.
//
// It forgets nothing and knows a duration within a factor of two; a quantile that is to be close to
// what was observed lately is replication/quorum/latency_estimate.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ids.h"

namespace parallax {

/// Durations in buckets whose bounds double: 16 us, 32 us, ... 16.8 s, and everything above.
/// A value; not thread-safe.
class LatencyHistogram {
 public:
  static constexpr std::size_t kBounds = 21;
  static constexpr std::int64_t kFirstBoundMicros = 16;

  void add(Duration duration);
  /// How many durations fell into bucket `i`; i == kBounds: above every bound.
  std::uint64_t bucket(std::size_t i) const { return buckets_[i]; }
  static double bound_seconds(std::size_t i);
  void add(const LatencyHistogram& other);
  /// What `percent` of them took at most: the bound of the bucket that holds it; the longest that a
  /// request may take where that is none. Nothing without any.
  std::optional<Duration> percentile(unsigned percent) const;
  std::uint64_t count() const { return count_; }
  Duration sum() const { return sum_; }

 private:
  std::array<std::uint64_t, kBounds + 1> buckets_{};
  std::uint64_t count_ = 0;
  Duration sum_{};
};

}  // namespace parallax
