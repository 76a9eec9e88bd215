// Unknown outcomes, tightened by the nodes' own log after a run.
//
// A client that was told nothing of its write leaves it open: it may have happened at any time
// since, or never. Once all nodes are stopped, for good, their logs tell more of a write by the
// log (Ongaro 2014, section 3.6: a committed entry is in the log of every later leader):
//   - its value is in a committed entry: it happened. Its client was told nothing, and when it took
//     effect nobody knows, so it stays open in the history, now with its version's stamp;
//   - its value is in no node's log: it never happened, and never will. It can no longer arrive:
//     whatever of it was on its way was in the memory of processes that have ended, or in their
//     sockets, and an entry that was truncated comes back from nowhere, as nobody has it. Had a
//     client seen it, it would have been committed, so in a log; if a read did show it, that is
//     held against the log (below) and the write is left open;
//   - it is in a log beyond what is known to be applied: nobody can say whether that is committed.
//     It stays open.
// A log that was compacted is silent on what was in its beginning. An entry that is made after a
// write was acknowledged stands behind that write's entry, so the log tells all of what was called
// after the return of some acknowledged write that it has.
//
// Written values must be unique per key: that of a write is how its entry is known. So it is done
// for writes and compare-and-sets of registers; sums, sets and texts stay open. It is sound for
// levels that write through the log and no others: without a leader a value that was replaced has
// left no trace.
//
// This takes the store's word for what is in its logs, which the verdicts of the history do not:
// they stay beside the tightened ones. Where answers and log contradict each other (acknowledged
// and not in it, refused and in it, shown and not in it), one of the two is wrong, and that is a
// verdict of its own: "answers agree with the log".
//
// What it does not do: stop nodes, read logs (harness/io/), judge.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/judgement.h"
#include "harness/log_dump.h"
#include "harness/run.h"

namespace parallax::harness {

/// Why the unknown outcomes of such a run cannot be tightened; nothing: they can.
std::optional<std::string> untightenable(const RunOptions& options);

/// A history that has been told what the logs know.
struct Tightened {
  checker::History history;  ///< what never happened has failed; else the same, at the same places
  Tightening counts;         ///< without verdicts but that of answers and log
};
/// `logs`: of all nodes, stopped for good. If they contradict each other, nothing is tightened, and
/// the reason says so.
Tightened tighten(const RunOptions& options, const checker::History& history,
                  const std::vector<LogDump>& logs);

/// Fills Run::tightening of a run that was judged. Its own verdicts stay as they are; one that was
/// promised and is broken in the light of the log breaks the run. `logs`: or why there are none.
void tighten_run(Run& run, const Result<std::vector<LogDump>>& logs, const Now& now);

}  // namespace parallax::harness
