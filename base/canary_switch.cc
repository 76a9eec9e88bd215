#include "base/canary_switch.h"

#include <fmt/format.h>

namespace parallax {

Result<void> switch_canary_on(std::string_view name) {
#ifdef PARALLAX_TEST_BUILD
  for (const CanaryInfo& info : kCanaries) {
    if (info.name != name) continue;
    g_active_canary = info.canary;
    return {};
  }
  return definite(ErrorCode::refused, fmt::format("no canary is called '{}'", name));
#else
  return definite(
      ErrorCode::refused,
      fmt::format("--canary {}: this is a release build, canaries are in test builds", name));
#endif
}

}  // namespace parallax
