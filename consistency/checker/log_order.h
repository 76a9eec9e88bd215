// Reads against the order of the log: did they show a prefix of it, and how far behind was it?
//
// The log is the order in which writes were committed. A read that shows a version of a key stands
// somewhere between that version and the key's next one. An observer (a session, or a node that
// answers) shows a consistent prefix if its reads can stand at places that never go back, and do
// not show what was called only after they returned. With `own_writes` a session's reads also stand
// at or after its own acknowledged writes. A value that the log does not have is a violation.
//
// How far behind is counted in versions of the key, and in time since the shown version was surely
// replaced: a write is committed when it was acknowledged, and everything before it in the log,
// too.
//
// Sorting time. Values may occur again: a read takes the first place that fits, which is never
// worse for later ones. What it does not do: scans and transactions, which may be more than a
// prefix.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"
#include "consistency/checker/witness.h"

namespace parallax::checker {

struct LogEntry {
  Text key;    ///< of the history's pool
  Text value;  ///< kAbsent: a deletion
};

/// The order in which a history's writes took effect, by their stamps ("HLC-NODE"); a write without
/// one is left out if its outcome is unknown. Errors: bad_request, naming a write that is ok and
/// has none.
Result<std::vector<LogEntry>> log_by_stamps(const History& history);

enum class Observer : std::uint8_t {
  session,  ///< one session's reads
  node,     ///< the reads that one node answered, as far as one returned before another was called
};

struct LogOptions {
  std::optional<std::string>
      initial;  ///< what every key holds at the beginning; nothing by default
  Observer observer = Observer::session;
  bool own_writes = false;  ///< of sessions
  // Bounds on each read; none by default.
  std::optional<std::uint64_t> max_versions;
  std::optional<std::int64_t> max_age_ns;
};

struct LogResult {
  Verdict prefix = Verdict::undecided;
  Verdict bounded = Verdict::undecided;  ///< yes without bounds
  std::string reason;                    ///< of undecided
  std::optional<Witness> prefix_witness;
  std::optional<Witness> bounded_witness;
  std::uint64_t reads = 0;
  std::uint64_t worst_versions = 0;
  std::int64_t worst_age_ns = 0;
};

LogResult check_against_log(const History& history, const std::vector<LogEntry>& log,
                            const LogOptions& options = {});

}  // namespace parallax::checker
