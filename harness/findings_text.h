// What was found in a run beside its guarantees, for the terminal: the levels that the history
// reaches, how fresh reads were, and what the log says of unknown outcomes.
#pragma once

#include <string>

#include "harness/run.h"

namespace parallax::harness {

/// Lines, each with its end; empty if there is nothing to tell. Witnesses that are those of a
/// broken promise are left to whoever tells of that.
std::string findings_text(const Run& run);

/// "linearizable", "causal memory (CM), read your writes", "none of them".
std::string strongest_text(const LevelsReached& reached);
/// Of a level that is not reached: what keeps it from that. Empty if that is told at a stronger one
/// before it already.
std::string why_not(const LevelsReached& reached, const Verdict& level);
/// "12 of unknown outcome (0.40 %): 7 happened, 3 never did, 2 stay open".
std::string tightening_text(const Tightening& tightening, std::size_t operations);

}  // namespace parallax::harness
