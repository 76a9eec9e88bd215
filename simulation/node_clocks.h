// The clocks of one simulated node, as functions of the true time: a physical one with offset and
// drift, and a monotonic one with a rate of its own. Plain value, no time of its own.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/ids.h"

namespace parallax::simulation {

class NodeClocks {
 public:
  UnixMillis physical(MonoTime now) const;
  /// Never goes back.
  MonoTime monotonic(MonoTime now) const;

  /// Of the physical clock, beside the true time.
  void set_offset(std::chrono::milliseconds offset) { offset_ = offset; }
  /// Parts per million that the physical clock runs too fast, from now on.
  void set_drift(MonoTime now, std::int64_t ppm);
  /// Likewise of the monotonic one; above -1,000,000.
  void set_monotonic_drift(MonoTime now, std::int64_t ppm);

 private:
  std::chrono::milliseconds offset_{0};
  std::int64_t drift_ppm_ = 0;
  MonoTime drift_since_{};
  std::int64_t monotonic_ppm_ = 0;
  MonoTime monotonic_since_{};  ///< true time
  MonoTime monotonic_then_{};   ///< what it showed then
};

}  // namespace parallax::simulation
