// Why an order cannot be: the events of a contradiction, and the sentences that join them.
//
// What it does not do: find contradictions, or make them small (witness.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "consistency/checker/events.h"
#include "consistency/checker/growing_order.h"
#include "consistency/checker/order.h"
#include "consistency/checker/witness.h"

namespace parallax::checker {

struct Proof {
  std::string_view pattern;
  std::string headline;  ///< one sentence
  struct Block {
    std::string reason;           ///< a sentence about the events, or empty
    std::vector<EventId> events;  ///< each follows the one before it in its session or read from it
  };
  std::vector<Block> blocks;

  /// The operations of all events named in it, each once, in the order of the history.
  std::vector<std::uint32_t> operations(const Events& events) const;
  /// Headline, then the blocks, each event a line.
  std::string text(const History& history, const Events& events) const;
};

/// A path in the causal order from `a` to `b`, both included; `a` must reach `b`. Each event reads
/// what the one before it wrote or follows it in its session.
std::vector<EventId> causal_path(const Events& events, const CausalOrder& order, EventId a,
                                 EventId b);
/// `path` without the events that only stand between two others of their session.
std::vector<EventId> shorten(const Events& events, const std::vector<EventId>& path);

/// Adds a block for a path from `a` to `b` in `order`, as it was with its first `edges` edges, and
/// before it the blocks of all edges on that path that are not in the proof yet. `explained` has a
/// place for each edge.
void add_path(Proof& proof, const History& history, const Events& events, const GrowingOrder& order,
              EventId a, EventId b, std::size_t edges, std::vector<bool>& explained);

}  // namespace parallax::checker
