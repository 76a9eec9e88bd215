// Is a history linearizable (Herlihy and Wing 1990)?
//
// Linearizability is local: a history is linearizable exactly if each key's part of it is, so keys
// are judged one by one (P-compositionality: Horn and Kroening 2015). A key with reads, writes and
// compare-and-sets of unique values goes through zones.h, one with reads of a set
// and adds through grow_set.h, every other through search.h. On "no"
// comes a counterexample that a person can follow. The operations' levels play no part: filter
// before if only some promise linearizability.
//
// What it does not do: transactions and scans (undecided), or splitting a key's history in time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"

namespace parallax::checker {

enum class Method : std::uint8_t {
  automatic,  ///< zones where they apply
  search,     ///< the general search for every key
};

struct LinearizabilityOptions {
  /// What every key holds at the beginning; nothing by default.
  std::optional<std::string> initial;
  Method method = Method::automatic;
  Limits limits;  ///< of one key
};

/// A part of one key's history that is not linearizable by itself.
///
/// It is a proof about the whole: with every operation it keeps whatever could have written what
/// that operation saw, so that what was left out cannot explain the contradiction. It is what is
/// left of the shortest prefix (by return) that is not linearizable, once no operation can be taken
/// away together with those that saw its effect.
struct Counterexample {
  Text key;
  /// By call. Those still running when the last of the prefix returned are shown as unknown, a cas
  /// of which it does not matter what it replaced as a write.
  /// Reads of a set that only grows show all members, also those whose adds were left out because
  /// they do not matter.
  std::vector<Operation> operations;
  bool minimal = true;  ///< false if a limit ended the search for a smaller one
  std::string text;     ///< in words, and a space-time diagram
};

struct KeyVerdict {
  Text key;
  /// Undecided also if another key was found violated before this one was judged to the end.
  Verdict verdict = Verdict::undecided;
  bool by_zones = false;
  std::size_t operations = 0;
  std::uint64_t steps = 0;
  std::uint64_t memory_bytes = 0;
};

struct LinearizabilityResult {
  /// No if any key's is; else undecided if any key's is, or if `reason` says why; else yes.
  Verdict verdict = Verdict::yes;
  std::string reason;            ///< of undecided
  std::vector<KeyVerdict> keys;  ///< in the order in which the history first names them
  /// With no: the smallest of those of the first few keys that are violated.
  std::optional<Counterexample> counterexample;
};

LinearizabilityResult check_linearizability(const History& history,
                                            const LinearizabilityOptions& options = {});

}  // namespace parallax::checker
