// A history's operations, key by key. Most guarantees are of single keys.
#pragma once

#include <span>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

/// The operations of each key together: keys in the order of their first operation, operations in
/// the order of the history.
struct ByKey {
  std::vector<Operation> moved;  ///< empty if there is one key: then the history's own serve
  std::vector<std::span<const Operation>> parts;
};

/// Valid as long as `history` is. The parts hold every operation, those without a key (kNothing)
/// as those of one more key.
ByKey split_by_key(const History& history);

}  // namespace parallax::checker
