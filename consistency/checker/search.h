// The general search: is there an order of one key's operations that explains their answers?
//
// Wing and Gong (1993) try every operation that could come next and go back when none fits; Lowe
// (2017) remembers the configurations already seen: which operations are done, and the state. Here
// a configuration is kept compactly (the operations before the first that is not done are not
// stored) and compared exactly, so that no hash collision can turn into a verdict. What is left out
// of the search never changes its verdict:
//   - an operation that fits and cannot change any state is done at once, without alternatives;
//   - of unknown operations with the same effect the one called earliest goes first;
//   - an unknown operation that has no effect here, or one that nobody could see, is not tried;
//   - without increments and appends, no step leaves a state that somebody still has to see and
//     nobody can write again, and writes that nobody has to see are done just before another write;
//   - where texts grow (sets aside), none grows other than to what the next read shows, unless
//   something can
//     still set it back to a beginning of that.
//
// What it does not do: split by key, or handle operations on several keys.
#pragma once

#include <cstdint>
#include <span>

#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"

namespace parallax::checker {

struct SearchResult {
  Verdict verdict = Verdict::undecided;
  std::uint64_t steps = 0;         ///< operations tried
  std::uint64_t memory_bytes = 0;  ///< of the configurations and states kept
  /// How many operations returned before the first one that no order tried could get past. If the
  /// verdict is no: any prefix of the key's history with no more returns than this is linearizable.
  std::size_t returns_passed = 0;
};

/// Judges `operations`, which are all of one key whose first state is `initial`, a text of `texts`.
/// Failed operations and unknown reads have no say. No txn or scan may be among them.
SearchResult search(const Texts& texts, std::span<const Operation> operations, Text initial,
                    const Limits& limits);

}  // namespace parallax::checker
