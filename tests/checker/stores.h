// Histories of clients in sessions, drawn from a seed: of stores that keep a promise, and of none.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "consistency/checker/history.h"

namespace parallax::checker {

enum class Store : std::uint8_t {
  anything,  ///< a read shows any value that the key is given at any time
  gossip,    ///< a replica a session, states that join, last writer wins: CCv
  log,       ///< one order of the writes; each session sees a prefix that never shrinks, with its
             ///< own writes: sequentially consistent
};

struct SessionShape {
  Store store = Store::anything;
  std::size_t operations = 8;
  std::uint32_t clients = 3;
  std::uint32_t keys = 2;
  double reads = 0.5;      ///< chance of a read
  double removes = 0;      ///< of the writes, chance of a delete
  double swaps = 0;        ///< of the writes, chance of a compare-and-set (not of `gossip`)
  double unknown = 0;      ///< of the writes, chance of an unknown outcome; half of them happen
  double duplicates = 0;   ///< of the writes, chance of a value that was written before
  std::uint64_t lag = 20;  ///< writes that a session may be behind; a join in so many operations
  std::int64_t longest = 5;
};

/// The stamps of writes, and of reads of them, are "N-1" with N in the order of the store's writes.
History random_sessions(const SessionShape& shape, Random& random);

}  // namespace parallax::checker
