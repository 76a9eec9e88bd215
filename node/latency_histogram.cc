#include "node/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <chrono>

#include "base/limits.h"

namespace parallax {

using std::chrono::duration_cast;

void LatencyHistogram::add(Duration duration) {
  const auto micros = std::max<std::int64_t>(
      duration_cast<std::chrono::duration<std::int64_t, std::micro>>(duration).count(), 0);
  // Bucket i holds what is at most kFirstBoundMicros * 2^i; rounded up, so that a bound's own
  // bucket holds all that is not above it.
  const bool whole = std::chrono::microseconds{micros} == duration || duration.count() < 0;
  const std::uint64_t up = static_cast<std::uint64_t>(micros) + (whole ? 0 : 1);
  const std::uint64_t steps = up == 0 ? 0 : (up - 1) / kFirstBoundMicros;
  const auto i = std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(steps)), kBounds);
  ++buckets_[i];
  ++count_;
  sum_ += std::max(duration, Duration{0});
}

double LatencyHistogram::bound_seconds(std::size_t i) {
  return static_cast<double>(kFirstBoundMicros << i) / 1e6;
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
}

std::optional<Duration> LatencyHistogram::percentile(unsigned percent) const {
  if (count_ == 0) return std::nullopt;
  const std::uint64_t rank = (count_ * percent + 99) / 100;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds; ++i) {
    below += buckets_[i];
    if (below >= rank) return std::chrono::microseconds{kFirstBoundMicros << i};
  }
  return limits::kMaxRequestTimeout;
}

}  // namespace parallax
