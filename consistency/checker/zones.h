// Linearizability of a register whose written values are unique, in sorting time.
//
// Gibbons and Korach (1997): a write and the reads of its value are a cluster. In a linearization
// the clusters stand one after another. With f the first return and s the last call in a cluster, A
// must come before B exactly if A.f < B.s. Where f < s the cluster's zone (f, s) is forward: it
// surely holds the key in all of it; else it is backward. The history is linearizable if and only
// if every read's value was written, by a write called no later than the read returned; no two
// forward zones overlap; and no backward zone lies inside a forward one. (Longer cycles of clusters
// always contain one of two.)
//
// The initial value is the cluster of a write that returned before everything. An unknown write is
// one that returns never: unread, it contradicts nothing. Failed operations have no say. A mismatch
// that says what it saw is a read.
//
// What it does not do: writes of equal values, deletes, successful or unknown compare-and-sets,
// increments, appends.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

struct ZonesResult {
  bool applicable = false;  ///< else nothing else here has a meaning
  /// Empty if linearizable; else indices of the few operations that contradict each other, among
  /// the contradictions found one that was complete earliest. Judged alone they are not
  /// linearizable.
  std::vector<std::uint32_t> conflict;
};

/// Room that is used again from key to key.
struct ZonesRoom {
  std::vector<std::uint32_t> cluster_of;  ///< by text; all free between two calls
};

/// Judges `operations`, which are all of one key whose first state is `initial`, a text of `texts`.
ZonesResult check_zones(const Texts& texts, std::span<const Operation> operations, Text initial,
                        ZonesRoom& room);

}  // namespace parallax::checker
