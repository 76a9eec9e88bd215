// The search for the patterns of causal.h in one history whose reads are resolved.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "consistency/checker/causal.h"
#include "consistency/checker/order.h"
#include "consistency/checker/proof.h"

namespace parallax::checker {

struct Finding {
  Verdict verdict = Verdict::yes;
  std::string reason;          ///< of undecided
  std::optional<Proof> proof;  ///< of no
};

/// Unresolved reads have no say, nor what was left out.
Finding find_patterns(const History& history, const Events& events, CausalModel model,
                      const Limits& limits);

/// A read that saw what nobody wrote, or a cycle in the causal order: what every model forbids.
std::optional<Proof> find_impossible(const History& history, const Events& events,
                                     const CausalOrder& order);

/// Write before write, in one key: the second was read by one who knew the first.
using Conflict = std::pair<EventId, EventId>;

/// WriteCOInitRead and WriteCORead. If there are none, `conflicts` (unless null) are those that the
/// causal order does not imply.
std::optional<Proof> find_overwritten(const History& history, const Events& events,
                                      const Readers& readers, const CausalOrder& order,
                                      std::vector<Conflict>* conflicts);

/// CyclicCF.
std::optional<Proof> find_conflict_cycle(const History& history, const Events& events,
                                         const Readers& readers, const CausalOrder& order,
                                         const std::vector<Conflict>& conflicts);

/// WriteHBInitRead and CyclicHB; there must be none of CC's patterns.
Finding find_memory_patterns(const History& history, const Events& events, const Readers& readers,
                             const CausalOrder& order, const Limits& limits);

}  // namespace parallax::checker
