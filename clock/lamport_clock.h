// Lamport clock: numbers that agree with cause and effect.
//
// Source: Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System" (CACM 1978),
// implementation rules IR1 and IR2.
//
// Law (tests/clock): if one event happened before another, its number is smaller. The converse does
// not hold: that takes a vector clock (clock/vector_clock.h). Numbers of two clocks can be equal;
// whoever needs a total order adds the node, as Stamp does.
#pragma once

#include <cstdint>

namespace parallax {

/// A value; not thread-safe.
class LamportClock {
 public:
  LamportClock() = default;
  /// A clock that goes on after `last`.
  explicit LamportClock(std::uint64_t last) : last_(last) {}

  /// The number of a new event: above every number issued or observed before. 1 for the first.
  std::uint64_t issue();
  /// A message carried `seen`. Its receipt, when it is an event of its own, takes an issue() after.
  void observe(std::uint64_t seen);
  /// The highest number issued or observed; 0 before the first.
  std::uint64_t last() const { return last_; }

 private:
  std::uint64_t last_ = 0;
};

}  // namespace parallax
