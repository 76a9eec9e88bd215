// Is a history sequentially consistent (Lamport 1979): is there one order of all operations that
// keeps every session's order and explains every answer?
//
// That is NP-complete (Gibbons and Korach 1997), so it goes in three steps. First the patterns of
// causal consistency (causal.h), which sequential consistency implies. Then what follows surely:
// with the order known so far, for a read of w1 and another write w2 of the key,
//   w2 before the read  puts w2 before w1,
//   w1 before w2        puts the read before w2,
// over and over (the saturation of Zennou et al., "Gradual Consistency Checking", CAV 2019); a
// cycle is a violation, with a proof. At last a search for an order of the writes: of those that
// nothing has to precede one goes next, the earliest by time first, everything that follows from
// that is added, and on a contradiction the next one is tried. A read is done as soon as it can be.
//
// A "yes" comes with the order, which has been replayed against the answers by the model of a
// register (model.h). Out of steps or memory, the verdict is undecided. What sessions and unknown
// outcomes come to is in events.h; times of different sessions play no part but as a hint.
//
// What it does not do: transactions, scans, increments, appends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"
#include "consistency/checker/witness.h"

namespace parallax::checker {

struct SequentialOptions {
  /// What every key holds at the beginning; nothing by default.
  std::optional<std::string> initial;
  /// Steps are joins of clocks and operations tried.
  Limits limits{.max_steps = 100'000'000, .max_memory_bytes = std::uint64_t{2} << 30};
};

struct SequentialResult {
  Verdict verdict = Verdict::undecided;
  std::string reason;                ///< of undecided
  std::optional<Witness> witness;    ///< of no
  std::vector<std::uint32_t> order;  ///< of yes: indices of operations, as they took effect
  std::uint64_t steps = 0;
};

SequentialResult check_sequential(const History& history, const SequentialOptions& options = {});

}  // namespace parallax::checker
