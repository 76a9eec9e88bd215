#include "simulation/node_clocks.h"

#include "base/assert.h"

namespace parallax::simulation {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// True time at the beginning of every world.
constexpr std::int64_t kEpochMs = 1'700'000'000'000;
constexpr std::int64_t kMillion = 1'000'000;

}  // namespace

UnixMillis NodeClocks::physical(MonoTime now) const {
  const auto ms = duration_cast<milliseconds>(now.time_since_epoch());
  const auto drifting = duration_cast<milliseconds>(now - drift_since_);
  const std::int64_t shown =
      kEpochMs + ms.count() + offset_.count() + drifting.count() * drift_ppm_ / kMillion;
  return UnixMillis{static_cast<std::uint64_t>(shown)};
}

MonoTime NodeClocks::monotonic(MonoTime now) const {
  const Duration::rep elapsed = (now - monotonic_since_).count();
  // In two parts: a day times a million has no room.
  const Duration::rep gained =
      elapsed / kMillion * monotonic_ppm_ + elapsed % kMillion * monotonic_ppm_ / kMillion;
  return monotonic_then_ + Duration{elapsed + gained};
}

void NodeClocks::set_drift(MonoTime now, std::int64_t ppm) {
  // What has drifted so far stays as an offset.
  const auto drifted = duration_cast<milliseconds>(now - drift_since_);
  offset_ += milliseconds(drifted.count() * drift_ppm_ / kMillion);
  drift_since_ = now;
  drift_ppm_ = ppm;
}

void NodeClocks::set_monotonic_drift(MonoTime now, std::int64_t ppm) {
  PARALLAX_ASSERT(ppm > -kMillion, "a clock does not go back: {} ppm", ppm);
  monotonic_then_ = monotonic(now);
  monotonic_since_ = now;
  monotonic_ppm_ = ppm;
}

}  // namespace parallax::simulation
