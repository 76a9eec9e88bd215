// Verdicts that need to know the workload: counters, sets, unique answers; and how stale reads
// were. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"
#include "harness/run.h"

namespace parallax::harness {

struct Finding {
  checker::Verdict verdict = checker::Verdict::undecided;
  std::string reason = {};                   ///< of undecided
  std::string witness = {};                  ///< of no
  std::vector<std::size_t> operations = {};  ///< of no: indices, ascending
};

/// Of counters to which only what is above 0 is added, and of sets that only grow: every read that
/// was called at or after `healed_ns` shows all that was acknowledged before it was called, and
/// nothing but what was acknowledged or may have happened. Undecided if a key that was written has
/// no such read.
Finding check_no_loss(const checker::History& history, std::int64_t healed_ns);

/// A comparison that answered mismatch names the version that it met. Where another operation tells
/// which value that is, the mismatch is given it: it has seen that value.
void resolve_mismatches(checker::History& history);

/// No two increments of a key that are ok had the same answer.
Finding check_unique_answers(const checker::History& history);

/// Ages of reads, and how soon an acknowledged write is seen. Of registers with unique values.
StalenessSummary summarize_staleness(const checker::History& history);

}  // namespace parallax::harness
