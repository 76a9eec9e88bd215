// One run of the harness: what was asked, what happened, and what the checkers said. A value.
//
// All times are nanoseconds of the one monotonic clock of the history.
//
// What it does not do: read or write files (harness/io), or draw itself (harness/report).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"
#include "harness/run_options.h"

namespace parallax::harness {

/// One fault from its injection to its healing.
struct FaultWindow {
  std::string kind;    ///< one of kFaults
  std::string target;  ///< "n2", "n1 | n2 n3" (the sides of a partition), "all"
  std::string detail;  ///< "300 ms", "majorities-ring", ...; may be empty
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  friend bool operator==(const FaultWindow&, const FaultWindow&) = default;
};

/// How often there was each kind, by name.
std::map<std::string, std::size_t> count_by_kind(const std::vector<FaultWindow>& faults);
/// "2 kill, 1 pause"; of none "none".
std::string counts_text(const std::vector<FaultWindow>& faults);

/// Of one guarantee.
struct Verdict {
  std::string guarantee;  ///< "linearizable", "causal convergence (CCv)", "read your writes", ...
  bool promised = false;  ///< by the run's levels, or asked for: without it the run fails
  checker::Verdict verdict = checker::Verdict::undecided;
  std::string reason;                   ///< of undecided; of yes, if it was taken from another
  std::string witness;                  ///< of no: in words, several lines
  std::vector<std::size_t> operations;  ///< of the witness: indices into Run::history, ascending
  Duration took{};                      ///< to find out
  friend bool operator==(const Verdict&, const Verdict&) = default;
};

/// Of the reads that began `after_ns` to twice that after the last acknowledged write of their
/// key had returned: how many showed that write, or something newer.
struct StalenessPoint {
  std::int64_t after_ns = 0;
  std::size_t reads = 0;
  double seen = 0;                  ///< 0 to 1
  std::optional<double> predicted;  ///< by PBS (harness/prediction.h), in the middle of that time
  std::size_t same_node = 0;        ///< of the reads: answered by the node that took that write
  friend bool operator==(const StalenessPoint&, const StalenessPoint&) = default;
};

/// How old was what reads showed (consistency/checker/staleness.h).
struct StalenessSummary {
  std::size_t reads = 0;
  std::size_t stale_reads = 0;
  std::int64_t p50_ns = 0;
  std::int64_t p99_ns = 0;
  std::int64_t max_ns = 0;
  std::vector<StalenessPoint> curve;  ///< by time
  std::string prediction;  ///< what the prediction rests on, or why there is none; one paragraph
  friend bool operator==(const StalenessSummary&, const StalenessSummary&) = default;
};

/// Which levels the recorded history as a whole reaches (consistency/checker/classify.h), whatever
/// was promised: by its operations' order and answers, not by stamps or the log.
struct LevelsReached {
  std::vector<std::string> strongest;  ///< titles of those that hold and that no other implies
  std::vector<Verdict> levels;         ///< strongest first
  friend bool operator==(const LevelsReached&, const LevelsReached&) = default;
};

/// What the nodes' own log says of operations whose outcome no client knows (harness/tighten.h).
struct Tightening {
  std::size_t unknown = 0;   ///< operations of unknown outcome
  std::size_t happened = 0;  ///< of them: in the log as committed, or shown to somebody
  std::size_t never = 0;  ///< of them: in no log, and nothing is left that could bring them there
  std::size_t open = 0;   ///< of them: the log does not say
  std::string reason;     ///< why the log says nothing of some, or of all; may be empty
  /// Of the history in which what never happened is taken out; not of what the history alone does
  /// not tell.
  std::vector<Verdict> verdicts;
  friend bool operator==(const Tightening&, const Tightening&) = default;
};

/// Whether all replicas came to hold the same once all faults were healed.
struct Convergence {
  std::int64_t healed_ns = 0;
  std::optional<std::int64_t> after_ns;  ///< since then; absent: not in the time they were given
  std::string detail;                    ///< of absent: who differs
  friend bool operator==(const Convergence&, const Convergence&) = default;
};

enum class RunOutcome : std::uint8_t {
  held,       ///< every promise was kept
  violated,   ///< one was not
  undecided,  ///< a promise could not be judged, or the run broke
};
std::string_view to_string(RunOutcome outcome);

struct Run {
  RunOptions asked;
  std::string replay_command;
  checker::History history;
  std::vector<FaultWindow> faults;  ///< by begin
  std::vector<Verdict> verdicts;
  std::optional<StalenessSummary> staleness;  ///< where values are unique
  std::optional<LevelsReached> levels;        ///< of registers
  std::optional<Tightening> tightening;       ///< if it was asked for
  std::optional<Convergence> convergence;
  RunOutcome outcome = RunOutcome::undecided;
  std::string reason;  ///< in words, one line
};

}  // namespace parallax::harness
