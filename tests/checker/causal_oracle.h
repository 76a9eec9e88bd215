// Causal consistency from its definitions (Bouajjani et al. 2017, section 3), by trying everything.
#pragma once

#include "consistency/checker/causal.h"
#include "consistency/checker/history.h"

namespace parallax::checker {

/// For every operation there is an order of its causal past (CC), the same for all (CCv), or one
/// that explains all that its session saw up to it (CM). Takes factorial time.
bool brute_force_causal(const History& history, CausalModel model);

}  // namespace parallax::checker
