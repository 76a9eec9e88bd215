// What the checkers say of a run.
//
// The operations' levels play a part in `mixed-level`: there linearizability is asked of the writes
// and of the reads that were linearizable, the prefix of those that the log serves. A bound in time
// is always that of the operation's own level.
//
// What it does not do: look at anything but the recorded history and the replicas' digests; judge
// bounds in log entries (max_lag), as a history does not have the log's places.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "consistency/checker/convergence.h"
#include "harness/prediction.h"
#include "harness/promises.h"
#include "harness/run.h"

namespace parallax::harness {

/// A verdict of every run in which answers were verified; it is always promised.
inline constexpr std::string_view kEvidenceOfAnswers = "evidence of answers";

/// What is known beside the history.
struct Evidences {
  std::vector<checker::DigestSeen> digests;
  std::vector<NodeId> nodes;
  std::optional<std::int64_t> healed_ns = std::nullopt;  ///< absent: it broke before that
  std::size_t answers_verified = 0;  ///< held against their own evidence (client/verify.h)
  std::size_t answers_refused = 0;   ///< of those: they are not what they say
  std::string first_refused = {};    ///< why
  PeerTimes peer_times = {};         ///< of the run, as far as the nodes have lived to tell
};

/// Nanoseconds of any monotonic clock: to tell how long a verdict took.
using Now = std::function<std::int64_t()>;

/// Fills verdicts and convergence alone, as judge_run() does.
void judge_guarantees(Run& run, const Evidences& evidences, const Now& now);

/// Fills verdicts, levels, staleness, convergence, outcome and reason of `run` from what it has of
/// options, history and faults. What it is not held to is judged with smaller limits. `options`
/// must have passed held_to().
void judge_run(Run& run, const Evidences& evidences, const Now& now);

/// What answers say of themselves: beside the history, and never instead of it.
Verdict judge_evidence(const Evidences& evidences);

/// What the guarantees of `run` that a history alone decides are of another `history` with the same
/// operations (harness/tighten.h), within the limits of judge_run().
std::vector<Verdict> judge_history(const Run& run, checker::History history, const Now& now);

/// How the run ends when it broke before it was over.
void set_broken(Run& run, std::string reason);

}  // namespace parallax::harness
