// Switches a canary on, by its name, for programs that have an argument for it.
#pragma once

#include <string_view>

#include "base/canary.h"
#include "base/error.h"

namespace parallax {

/// Before anything else begins; from then on the whole process has the bug. Errors: refused, when
/// there is no such canary, or this is a release build.
Result<void> switch_canary_on(std::string_view name);

}  // namespace parallax
