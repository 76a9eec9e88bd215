// The session guarantees from their definitions (session_guarantees.h), by trying every order of
// each key's versions.
#pragma once

#include "consistency/checker/history.h"
#include "consistency/checker/session_guarantees.h"

namespace parallax::checker {

bool brute_force_guarantee(const History& history, Guarantee guarantee);

}  // namespace parallax::checker
