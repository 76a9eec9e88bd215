// When two copies of a key say the same.
//
// Log indexes are left out of it: every replica learns them by itself when it applies its log, and
// a follower that is a few entries behind is not in need of repair.
#pragma once

#include "storage/version.h"

namespace parallax {

/// Whether both have the same versions, alive or buried, and the same context. Of a state and a
/// join that it went into: whether it lacks nothing that the others know.
bool same_content(const KeyState& a, const KeyState& b);

/// Whether `state` holds `version` as it is: alive, or buried.
bool holds(const KeyState& state, const Version& version);

}  // namespace parallax
