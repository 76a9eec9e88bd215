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

/// Whether everything that `state` shows has come with the log, up to `applied`: then it is
/// committed, and may be shown whether it is durable here or not.
bool committed_in_log(const KeyState& state, LogIndex applied);

/// Whether `state` has a version that no entry of the log is known to have committed.
bool beyond_log(const KeyState& state);

/// Whether `state` holds `version` as it is: alive, or buried.
bool holds(const KeyState& state, const Version& version);

}  // namespace parallax
