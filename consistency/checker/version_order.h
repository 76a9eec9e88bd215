// Demands on the order of the versions of all keys, and an order that meets them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "consistency/checker/events.h"

namespace parallax::checker {

/// `first` is older than `second`.
using Older = std::pair<EventId, EventId>;

/// By key: 0 if it is not in the set.
using KeySet = std::vector<std::uint8_t>;

struct VersionOrder {
  /// By event; of two versions of one key the older has the lower rank. Meaningless for those on a
  /// cycle or after one, and for what is no write.
  std::vector<std::uint32_t> rank;
  std::vector<EventId> unordered;  ///< those
};

/// Meets all of `demands` if that can be. Of versions whose order is free the one with the lower
/// `hint` (by event) goes first.
VersionOrder order_versions(const Events& events, const std::vector<Older>& demands,
                            const std::vector<std::int64_t>& hint);
/// The same for the keys of which `wanted` (by key): of the others, ranks stay what they are. No
/// demand is of one of those.
void order_again(const Events& events, const std::vector<Older>& demands,
                 const std::vector<std::int64_t>& hint, const KeySet& wanted, VersionOrder& order);

/// A shortest cycle of `demands` through one of those events, each older than the next and the last
/// older than the first. There must be a cycle among them.
std::vector<EventId> find_version_cycle(const Events& events, const std::vector<Older>& demands,
                                        const std::vector<EventId>& unordered);

}  // namespace parallax::checker
