// The port through which time enters a process. Cores never see it: they take times as values.
#pragma once

#include "base/ids.h"

namespace parallax {

/// Thread-safe in every implementation.
class PhysicalClock {
 public:
  virtual ~PhysicalClock() = default;
  /// Unix time, milliseconds. May jump either way.
  virtual UnixMillis now() const = 0;
  /// Monotonic time of this process, nanoseconds.
  virtual MonoTime monotonic_now() const = 0;
};

}  // namespace parallax
