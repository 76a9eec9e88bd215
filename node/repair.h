// What repair keeps in mind: exchanges under way, calls that wait for an answer, tombstones on
// their way out. The rules are in replica_repair.cc, replica_anti_entropy.cc, replica_hints.cc and
// replica_tombstones.cc.
//
// Plain values; they belong to one replica.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "clock/stamp.h"
#include "replication/quorum/merkle_exchange.h"

namespace parallax {

/// A state asked for, or handed over, outside of any request.
struct RepairCall {
  enum class Kind : std::uint8_t { exchange, hint } kind = Kind::exchange;
  NodeId peer;
  std::string key;
  std::uint64_t revision = 0;  ///< of a hint
  std::uint64_t exchange = 0;  ///< of which exchange
  MonoTime until{};
};

/// A comparison with one peer, begun by this node.
struct PeerExchange {
  std::uint64_t number = 0;  ///< unique in this process
  MerkleExchange core = {};
  std::optional<RequestId> asked = std::nullopt;  ///< the call that is awaited
  MerkleRequest question = {};                    ///< of it
  MonoTime asked_at{};
  int tries = 0;
  std::size_t calls = 0;    ///< states that are on their way
  bool incomplete = false;  ///< something of it was lost
};

struct PeerRepair {
  std::optional<PeerExchange> exchange;
  MonoTime next{};      ///< when to begin another one
  bool joined = false;  ///< recovering: an exchange came to its end in this recovery
};

/// What a leader knows of tombstones that are to go, leaf by leaf of the hash tree.
struct TombstoneWatch {
  /// A state that every replica was found to hold.
  struct Held {
    Hlc since;  ///< the clock after the last answer
    MonoTime since_mono{};
    bool aged = false;  ///< found again, in a round that began one grace later
  };
  /// By content digest. Looked up, never iterated in an order that shows.
  std::unordered_map<std::uint64_t, Held> held;
  /// One round: a leaf whose keys are asked of every peer.
  struct Round {
    std::uint32_t leaf = 0;
    Hlc begun;
    MonoTime begun_mono{};
    std::map<std::string, std::uint64_t> mine;  ///< tombstones here, durable, with their digests
    std::map<NodeId, RequestId> asked;
    std::map<NodeId, std::string> after;  ///< how far each peer's list has come
    /// What the peers have listed of `mine`, with the same digest.
    std::map<std::string, std::size_t> found;
    std::size_t done = 0;  ///< peers whose list is complete
  };
  std::optional<Round> round;
  std::uint32_t cursor = 0;  ///< the next leaf to look at
  MonoTime next{};
};

}  // namespace parallax
