#include "client/cli/latencies.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace parallax::cli {

std::optional<Duration> Latencies::percentile(double fraction) const {
  PARALLAX_ASSERT(fraction > 0 && fraction <= 1, "fraction {}", fraction);
  if (durations_.empty()) return std::nullopt;
  if (!sorted_) std::sort(durations_.begin(), durations_.end());
  sorted_ = true;
  const double rank = std::ceil(fraction * static_cast<double>(durations_.size()));
  return durations_[std::min(durations_.size(), static_cast<std::size_t>(std::max(rank, 1.0))) - 1];
}

}  // namespace parallax::cli
