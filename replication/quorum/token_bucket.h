// A bounded rate: so much a second, and at most a burst at once (the token bucket of ITU-T I.371).
// For what runs in the background: hints that find their targets, anti-entropy.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/assert.h"
#include "base/ids.h"

namespace parallax {

/// A value. Starts full.
class TokenBucket {
 public:
  struct Rate {
    std::uint64_t per_second = 0;  ///< 1 to 2^32
    std::uint64_t burst = 0;       ///< 1 to 2^32
  };
  TokenBucket(Rate rate, MonoTime now)
      : rate_(rate), left_(static_cast<std::int64_t>(rate.burst) * kOne), filled_(now) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 32;
    PARALLAX_ASSERT(
        rate.per_second >= 1 && rate.per_second <= kMost && rate.burst >= 1 && rate.burst <= kMost,
        "{} a second, burst {}", rate.per_second, rate.burst);
  }

  /// Whether anything may be spent now.
  bool ready(MonoTime now) {
    fill(now);
    return left_ >= kOne;
  }
  /// Takes `count` away, also more than there is: what a message costs is known only when it is
  /// there. Then nothing is ready until the debt is paid. At most 2^32 at once.
  void spend(std::uint64_t count) {
    left_ -= static_cast<std::int64_t>(count) * kOne;
    left_ = std::max(left_, -kDeepest);
  }
  /// When something may be spent, if not now.
  MonoTime next(MonoTime now) {
    fill(now);
    if (left_ >= kOne) return now;
    const auto per_second = static_cast<std::int64_t>(rate_.per_second);
    return now + Duration{(kOne - left_ + per_second - 1) / per_second};
  }

 private:
  static constexpr std::int64_t kOne = 1'000'000'000;  ///< one token, in what a nanosecond brings
  static constexpr std::int64_t kDeepest = (std::int64_t{1} << 32) * kOne;

  void fill(MonoTime now) {
    const std::int64_t full = static_cast<std::int64_t>(rate_.burst) * kOne;
    const auto per_second = static_cast<std::int64_t>(rate_.per_second);
    const std::int64_t elapsed = std::max<std::int64_t>((now - filled_).count(), 0);
    // Bounded first: years of silence must not overflow.
    const std::int64_t needed = (full - left_) / per_second + 1;
    left_ = std::min(full, left_ + std::min(elapsed, needed) * per_second);
    filled_ = std::max(filled_, now);
  }

  Rate rate_;
  std::int64_t left_;
  MonoTime filled_;
};

}  // namespace parallax
