// The machine's clocks, with an offset for fault tests: the machine's own clock is never touched.
//
// The monotonic one is CLOCK_MONOTONIC, like those of all timers here: on Linux it stands still
// while the machine, or its virtual machine, is suspended. What is measured with it (how old a
// state can be, above all) is too small by that time, until new marks have come.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "clock/physical_clock.h"

namespace parallax {

class SystemClock : public PhysicalClock {
 public:
  UnixMillis now() const override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    const std::int64_t real =
        std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count();
    const std::int64_t shown = real + offset_ms_.load(std::memory_order_relaxed);
    return UnixMillis{shown > 0 ? static_cast<std::uint64_t>(shown) : 0};
  }
  MonoTime monotonic_now() const override {
    return MonoTime{std::chrono::steady_clock::now().time_since_epoch()};
  }
  /// Added to what now() shows from here on. Thread-safe.
  void set_offset_ms(std::int64_t offset) { offset_ms_.store(offset, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> offset_ms_{0};
};

}  // namespace parallax
