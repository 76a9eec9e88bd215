// Which levels the history of a run reaches as a whole, whatever its levels promise.
//
// What the run's guarantees have been found to be is taken over: searches for an order are dear.
// What is left is judged with smaller limits, and undecided beyond them.
#pragma once

#include <cstdint>

#include "harness/run.h"

namespace parallax::harness {

/// By so much fewer are the steps of a search for what no run is held to.
inline constexpr std::uint64_t kFewerSteps = 20;

/// Of a run of registers that has been judged (harness/judgement.h). Of a run of mixed levels
/// nothing is taken over, as its guarantees are of a part of the operations.
LevelsReached classify_run(const Run& run);

}  // namespace parallax::harness
