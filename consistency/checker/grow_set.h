// Linearizability of a set to which members are only added, in the time it takes to read it.
//
// Every read shows the whole set, so reads must be ordered by inclusion: first those that show the
// smallest set, then those that show the next larger one, and so on. What is in a set and not in
// the one before was first added in between; what no read shows was added after all of them, or, if
// the outcome is unknown, never. That leaves one order of groups, within which operations do not
// see each other. It is possible exactly if no operation had returned before one of an earlier
// group was called. Of several adds of one member the one called first may be the first; the others
// change nothing, and only may not have returned before the reads without it were called.
//
// (Gibbons and Korach 1997 order a register's values likewise; for sets it is this simple because
// they only grow.)
//
// What it does not do: keys on which there is anything but adds and reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

struct GrowSetResult {
  bool applicable = false;  ///< else nothing else here has a meaning
  /// Empty if linearizable; else indices of a few operations that contradict each other, whatever
  /// other members the reads show.
  std::vector<std::uint32_t> conflict;
  std::string reason;  ///< with a conflict: which members it is about, a sentence
};

/// Judges `operations`, which are all of one key that begins without a value, which is the empty
/// set.
GrowSetResult check_grow_set(const Texts& texts, std::span<const Operation> operations);

}  // namespace parallax::checker
