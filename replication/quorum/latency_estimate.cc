#include "replication/quorum/latency_estimate.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace parallax {

void LatencyEstimate::add(Duration took) {
  constexpr std::int64_t kLowest = std::int64_t{1} << kLowestBit;
  constexpr std::int64_t kHighest = (std::int64_t{1} << kHighestBit) - 1;
  const auto ns =
      static_cast<std::uint64_t>(std::clamp<std::int64_t>(took.count(), kLowest, kHighest));
  const int octave = std::bit_width(ns) - 1;
  const std::uint64_t part = (ns >> (octave - 3)) & (kPerOctave - 1);
  ++counts_[static_cast<std::size_t>(octave - kLowestBit) * kPerOctave + part];
  ++total_;
  if (--until_fade_ > 0) return;
  until_fade_ = kWindow;
  total_ = 0;
  for (std::uint32_t& count : counts_) total_ += count /= 2;
}

std::optional<Duration> LatencyEstimate::percentile(unsigned percent) const {
  PARALLAX_ASSERT(percent >= 1 && percent <= 100, "percent {}", percent);
  if (total_ < kFewest) return std::nullopt;
  const std::uint64_t wanted = (std::uint64_t{total_} * percent + 99) / 100;
  std::uint64_t seen = 0;
  for (std::size_t at = 0; at < kBuckets; ++at) {
    seen += counts_[at];
    if (seen < wanted) continue;
    // The bucket's upper edge.
    const auto octave = static_cast<int>(at / kPerOctave) + kLowestBit;
    const std::uint64_t eighths = kPerOctave + at % kPerOctave + 1;
    return Duration{static_cast<std::int64_t>(eighths << (octave - 3))};
  }
  PARALLAX_UNREACHABLE("{} of {} observations", seen, total_);
}

}  // namespace parallax
