// Figures of many like operations: how many, how fast, and how slow the slowest were. Exact: every
// duration is kept. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/ids.h"

namespace parallax::cli {

class Latencies {
 public:
  void add(Duration duration) {
    sorted_ = false;
    durations_.push_back(duration);
  }
  std::size_t count() const { return durations_.size(); }
  /// The smallest duration that at least `fraction` (above 0, up to 1) of all do not exceed (the
  /// nearest-rank percentile). Absent when there are none.
  std::optional<Duration> percentile(double fraction) const;

 private:
  mutable bool sorted_ = true;
  mutable std::vector<Duration> durations_;
};

}  // namespace parallax::cli
