// Histories of a correct store, drawn from a seed: each operation takes effect at one moment of its
// interval.
#pragma once

#include <vector>

#include "base/random.h"
#include "consistency/checker/history.h"

namespace parallax::checker {

struct Shape {
  std::size_t operations = 8;
  std::uint32_t clients = 3;
  std::uint32_t keys = 1;
  std::vector<OperationKind> kinds{OperationKind::read, OperationKind::write};
  std::uint64_t values = 0;  ///< drawn from so many; 0: every written value is unique
  std::int64_t longest = 5;  ///< an operation takes 0 to so many ns
  std::int64_t pause = 3;    ///< between a client's operations, 0 to so many ns
  double unknown = 0;        ///< chance of an unknown outcome; half of them take effect
  double failed = 0;         ///< chance of a definite failure
  bool fresh = false;        ///< what a cas expects is mostly what is there, so that it succeeds
  double behind = 0;         ///< chance that a read shows the value before the newest
  bool stamps = false;       ///< every version has one, in the order of the effects
  double vague = 0;          ///< chance that a mismatch does not say what it saw
};

/// A linearizable history.
History random_history(const Shape& shape, Random& random);

/// Changes one answer, or what a successful cas expected, to another value of the history, which
/// mostly breaks it.
void spoil(History& history, Random& random);

}  // namespace parallax::checker
