// `parallax-harness mutants`: looks for each mutant (harness/mutants.h) in runs of real nodes.
//
// Bounded in time: no round of a mutant begins later than `limit` after its first one, its control
// has at most kControlRounds, and each round is bounded as run_harness() is.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/io/run_harness.h"
#include "harness/mutants.h"

namespace parallax::harness {

/// Until one holds: a busy machine can leave a round undecided.
inline constexpr std::uint32_t kControlRounds = 3;

struct MutantsAsked {
  std::vector<std::string> only;             ///< names; empty: all
  std::string out;                           ///< a directory; empty: nothing is written
  std::uint64_t seed = 1;                    ///< of the first round of each
  std::chrono::milliseconds limit{120'000};  ///< for each
  bool controls = true;
};

struct MutantsSurroundings {
  /// Each round has a directory of its own below this one's. Its progress is not called.
  RunSurroundings run;
  /// How far the round is that `what` names.
  std::function<void(std::string_view what, const Progress&)> progress;
};

/// Errors: bad_parameter, when a name is wrong; io, when a run could not be made or a result not be
/// written; shutting_down.
Result<std::vector<MutantResult>> run_mutants(const MutantsAsked& asked,
                                              const MutantsSurroundings& surroundings);

}  // namespace parallax::harness
