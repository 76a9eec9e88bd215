// Linearizability of a register whose written values are unique, in sorting time.
//
// Gibbons and Korach (1997, "Testing Shared Memories"): a write and the reads of its value are a
// cluster. In a linearization the clusters stand one after another. With f the first return and s
// the last call in a cluster, A must come before B exactly if A.f < B.s. Where f < s the cluster's
// zone (f, s) is forward: it surely holds the key in all of it; else it is backward. The history is
// linearizable if and only if every read's value was written, by a write called no later than the
// read returned; no two forward zones overlap; and no backward zone lies inside a forward one.
// (Longer cycles of clusters always contain one of two.)
//
// A compare-and-set that succeeded is the write of its cluster, and that cluster stands right after
// the one of the value that it replaced. Clusters that are linked so form a chain, whose order is
// given: no operation of a later one may have returned before one of an earlier one was called. If
// that holds, a chain is to the others what a cluster is, with one zone. A value can be replaced
// once, and chains do not close.
//
// The initial value is the cluster of a write that returned before everything. An unknown write is
// one that returns never: unread, it contradicts nothing. An unknown compare-and-set has happened
// exactly if somebody saw its value, or replaced it; else it need not have. Failed operations have
// no say. A mismatch that says what it saw is a read; one that does not, of a value that was never
// there, says nothing.
//
// What it does not do: writes of equal values, deletes, mismatches that do not say what they saw
// instead of a value that was there, increments, appends.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

struct ZonesResult {
  bool applicable = false;  ///< else nothing else here has a meaning
  /// Empty if linearizable; else indices of the few operations that contradict each other, among
  /// the contradictions found one that was complete earliest. Judged alone, with `as_writes` taken
  /// for plain writes, they are not linearizable. In order.
  std::vector<std::uint32_t> conflict;
  /// Those compare-and-sets of `conflict` for which it does not matter what they replaced.
  std::vector<std::uint32_t> as_writes;
};

/// Room that is used again from key to key.
struct ZonesRoom {
  std::vector<std::uint32_t> cluster_of;  ///< by text; all free between two calls
};

/// Judges `operations`, which are all of one key whose first state is `initial`, a text of `texts`.
ZonesResult check_zones(const Texts& texts, std::span<const Operation> operations, Text initial,
                        ZonesRoom& room);

}  // namespace parallax::checker
