#include "clock/lamport_clock.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"

namespace parallax {

std::uint64_t LamportClock::issue() {
  PARALLAX_ASSERT(last_ < std::numeric_limits<std::uint64_t>::max(), "last {}", last_);
  return ++last_;
}

void LamportClock::observe(std::uint64_t seen) {
  last_ = std::max(last_, seen);
}

}  // namespace parallax
