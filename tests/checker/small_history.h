// The common ground of the dumb second opinions about sessions: every way in which a small history
// may have happened. Shares nothing with the checkers but the history's types.
#pragma once

#include <functional>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

/// A read, a write, or a compare-and-set, which is both. Values are texts.
struct SmallOperation {
  std::size_t session = 0;
  std::uint32_t key = 0;
  bool reads = false;
  bool writes = false;
  bool open = false;  ///< nothing follows it for its session's sake
  Text seen;
  Text given;
};

inline constexpr int kBeginning = -1;

/// One way: which operations there were (in call order), and what each read read from.
struct World {
  std::vector<SmallOperation> operations;
  std::vector<int> source;                ///< an index, or kBeginning; of no meaning if not a read
  std::vector<std::vector<bool>> before;  ///< session order
};

/// Whether `judge` accepts any way in which the history may have happened: each unknown write did
/// or did not, and each read saw one of the writes of its value. Stops at the first.
bool some_world(const History& history, const std::function<bool(const World&)>& judge);

using Relation = std::vector<std::vector<bool>>;
/// The transitive closure; false if it has a cycle.
bool close(Relation& relation);

/// Whether `judge` accepts any order of `members` that contains `relation`.
bool some_order(const std::vector<int>& members, const Relation& relation,
                const std::function<bool(const std::vector<int>&)>& judge);

}  // namespace parallax::checker
