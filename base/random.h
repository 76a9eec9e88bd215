// Seeded random numbers. The same seed gives the same draws with every compiler and library, which
// <random>'s distributions do not promise. Not for secrets.
#pragma once

#include <cstdint>

#include "base/assert.h"

namespace parallax {

/// xoshiro256** (Blackman and Vigna 2018), seeded through SplitMix64. A value: copy it to fork it.
class Random {
 public:
  using result_type = std::uint64_t;
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotate_left(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate_left(state_[3], 45);
    return result;
  }

  /// Uniform in [0, bound); bound must be above 0. (Lemire 2019, without the rejection step: the
  /// bias is below 2^-32 for the small bounds used here.)
  std::uint64_t below(std::uint64_t bound) {
    PARALLAX_ASSERT(bound > 0, "bound {}", bound);
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  /// Uniform in [low, high], both included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    PARALLAX_ASSERT(low <= high, "low {} high {}", low, high);
    return low + below(high - low + 1);
  }
  /// True with probability p (0 to 1).
  bool chance(double p) { return static_cast<double>(next() >> 11) * 0x1.0p-53 < p; }

  std::uint64_t operator()() { return next(); }
  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return ~std::uint64_t{0}; }

 private:
  static std::uint64_t rotate_left(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t state_[4];
};

}  // namespace parallax
