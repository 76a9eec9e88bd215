// Is a history causally consistent, in which of three senses, and if not, why?
//
// Bouajjani, Enea, Guerraoui and Hamza ("On Verifying Causal Consistency", POPL 2017) show that a
// history whose written values are unique violates causal consistency exactly if it has one of a
// few patterns. With co the smallest order that contains session order and "read what it wrote":
//   CC   causal consistency: what a session sees includes all that comes before it in co.
//        ThinAirRead, CyclicCO, WriteCOInitRead (a read of the initial value after a write of the
//        key), WriteCORead (a read of a write after a later write of the key).
//   CCv  causal convergence: and all sessions agree on one order of the writes (last writer wins).
//        Also CyclicCF: w1 conflicts before w2 if a read of w2 comes after w1; co and these
//        conflicts together have a cycle.
//   CM   causal memory (Ahamad et al. 1995): and each session sees the writes in an order that it
//        never takes back. Also WriteHBInitRead and CyclicHB: co and the conflicts that the reads
//        of one session settle, over and over, have a cycle, or put a write before a read of the
//        initial value.
// CCv and CM are above CC, and neither is above the other.
//
// CC and CCv take events times chains (order.h); for each read write and each chain one look at the
// last write of the key that its readers know (as AWDIT, PLDI 2025, does for transactions). CM does
// the same for each session's reads until nothing new follows.
//
// What counts as session, read and write is in events.h. A compare-and-set is a read and a write;
// that nothing came between is not a matter of causality. Reads of values that several writes can
// have given are resolved if one choice explains everything (resolve.h); if that is not found, the
// verdict is undecided.
//
// What it does not do: transactions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"
#include "consistency/checker/witness.h"

namespace parallax::checker {

enum class CausalModel : std::uint8_t { cc, ccv, cm };
std::string_view to_string(CausalModel model);

struct CausalOptions {
  /// What every key holds at the beginning; nothing by default.
  std::optional<std::string> initial;
  /// Steps are of CM alone: joins of clocks.
  Limits limits{.max_steps = 2'000'000'000, .max_memory_bytes = std::uint64_t{4} << 30};
};

struct CausalResult {
  Verdict verdict = Verdict::undecided;
  std::string reason;              ///< of undecided
  std::optional<Witness> witness;  ///< of no
};

CausalResult check_causal(const History& history, CausalModel model,
                          const CausalOptions& options = {});

}  // namespace parallax::checker
