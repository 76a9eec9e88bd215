// Who a version's dot belongs to.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/ids.h"

namespace parallax {

/// The path on which an actor delivers its versions.
enum class ActorPath : std::uint8_t {
  log = 0,     ///< the replicated log of the group, one actor for all leaders
  quorum = 1,  ///< the quorum coordinator of one node incarnation
  causal = 2,  ///< the causal origin of one node incarnation
};

/// One path of one node incarnation, or the log as a whole. Each delivers its versions of a key
/// without gaps (log order, whole KeyStates, FIFO); that is what makes a vector over actors sound.
struct Actor {
  ActorPath path = ActorPath::log;
  NodeId node;              ///< none for the log
  Incarnation incarnation;  ///< none for the log

  /// "log", "quorum/2.7", "causal/3.1" (node.incarnation).
  std::string to_string() const;
  friend constexpr auto operator<=>(const Actor&, const Actor&) = default;
};

inline constexpr Actor kLogActor{};

}  // namespace parallax
