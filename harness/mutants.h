// Mutants: stores with one deliberate bug each (base/canary.h), and the run that must find it out.
//
// A harness that finds nothing wrong has shown something only if it would have. So for every level
// that promises anything, and every kind of fault, there is a bug that breaks the promise, and a
// run at that level that has to end as violated. The same run without the bug has to hold.
//
// What it does not do: start anything (harness/io/run_mutants.h), or draw itself
// (harness/mutant_page.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/canary.h"
#include "base/error.h"
#include "harness/judgement.h"
#include "harness/run.h"
#include "harness/run_options.h"

namespace parallax::harness {

struct Mutant {
  Canary canary;
  /// Title of the promised guarantee (harness/promises.h) that must be found broken, or
  /// kEvidenceOfAnswers.
  std::string_view checker;
  std::string_view workload;         ///< one of kWorkloads
  std::string_view level;            ///< of writes, and of reads unless they have their own
  std::string_view faults = "none";  ///< with commas between
  std::string_view read_level = {};
  std::string_view check = {};  ///< as RunOptions::check, with commas between
  std::uint32_t clients = 8;
  std::uint32_t keys = 5;
  std::uint32_t seconds = 6;  ///< of one round
  std::uint32_t nodes = 3;
  std::uint32_t rate = 0;
};

/// In the order of docs/CONSISTENCY.md's levels. Each canary at most once.
std::span<const Mutant> mutants();
const CanaryInfo& canary_of(const Mutant& mutant);
/// Its row, by the canary's name. Errors: bad_parameter, naming those that there are.
Result<const Mutant*> find_mutant(std::string_view name);

/// What one round of its runs is asked for.
RunOptions round_of(const Mutant& mutant, std::uint64_t seed);

/// The runs of one mutant, or of its control.
struct Rounds {
  std::uint32_t count = 0;
  std::size_t operations = 0;  ///< of all rounds
  double seconds = 0;          ///< of all rounds: starting, running, healing, judging
  RunOutcome outcome = RunOutcome::undecided;  ///< of the last round
  std::vector<std::string> violated;           ///< guarantees of the last round that were promised
  std::string reason;                          ///< of the last round
  std::uint64_t seed = 0;                      ///< of the last round
  friend bool operator==(const Rounds&, const Rounds&) = default;
};

struct MutantResult {
  const Mutant* mutant = nullptr;
  Rounds with_bug;
  std::optional<Rounds> control;  ///< the same without the bug; absent: it was not asked for
};

/// Whether a round of it was violated, as its checker says.
bool caught(const MutantResult& result);
bool caught_in(const Mutant& mutant, const Rounds& rounds);
/// Whether the same runs hold without the bug, as far as they were asked for: a checker that says
/// "violated" of everything has caught nothing.
bool control_held(const MutantResult& result);

}  // namespace parallax::harness
