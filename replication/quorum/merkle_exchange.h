// Two replicas find the keys that they hold differently: root, branches, leaves, keys. The half of
// the one who asks; the other one only answers, and remembers nothing.
//
// Source: DeCandia et al., "Dynamo" (SOSP 2007), section 4.7. The way down by hashes, and lists of
// keys with digests at its end, is that of Riak's active anti-entropy.
//
//   asks                              is answered
//   MerkleQuery (nodes)               MerkleDigests: of their children
//   MerkleKeysQuery (a leaf)          MerkleKeys: its keys with their digests
// and ends with a list of keys to exchange. Those travel as any state does: handed over
// (QuorumStore) where the other one lacks something, asked for (QuorumQuery) where this node may.
// Joins make both equal; it does not matter which side was newer.
//
// Everything is bounded: nodes and keys in a message, and bytes a second, counted on what is
// received. Nothing is durable: when a side starts anew, or an answer is lost, the owner begins
// another exchange. Trees that change meanwhile cost a key looked at in vain, or left for the next
// time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "replication/message.h"
#include "replication/quorum/merkle_tree.h"
#include "replication/quorum/token_bucket.h"

namespace parallax {

/// The owner sets their call, and takes only what is answered to it.
using MerkleRequest = std::variant<MerkleQuery, MerkleKeysQuery>;

/// About how many bytes they take on the wire.
std::size_t wire_bytes(const MerkleDigests& message);
std::size_t wire_bytes(const MerkleKeys& message);

/// The other half. `tree` must be complete, and the query without fault(). `keys`: what this node
/// has in the leaf, behind `query.after` at least, in byte order.
MerkleDigests answer(const MerkleTree& tree, const MerkleQuery& query);
MerkleKeys answer(const std::vector<KeyDigest>& keys, const MerkleKeysQuery& query);
/// Whether the tree has such nodes, and not too many are asked for; of an answer, whether it can be
/// one. Empty: yes; otherwise what is wrong.
std::string fault(const MerkleQuery& query);
std::string fault(const MerkleDigests& digests);
std::string fault(const MerkleKeysQuery& query);
std::string fault(const MerkleKeys& keys);

/// A key that is held differently, or was when it was looked at.
struct KeyDifference {
  std::string key;
  bool here = false;   ///< this node has something of it to hand over
  bool there = false;  ///< the other node has something of it to ask for
  friend bool operator==(const KeyDifference&, const KeyDifference&) = default;
};

/// A value, stepped with answers and time.
class MerkleExchange {
 public:
  static constexpr std::size_t kMostNodes = 256;   ///< in a query
  static constexpr std::size_t kMostKeys = 1'000;  ///< in an answer

  /// Starts at the root.
  MerkleExchange();

  // --- Outputs --------------------------------------------------------------------------------
  /// What to ask next; nothing while an answer is awaited, `bucket` is empty, or all is asked.
  std::optional<MerkleRequest> next(TokenBucket& bucket, MonoTime now);
  /// Keys to exchange, at most so many. Nothing is asked while some are left: they come first.
  std::vector<KeyDifference> take_differences(std::size_t most);
  /// Everything has been compared, and every difference taken.
  bool finished() const;

  // --- Inputs ---------------------------------------------------------------------------------
  /// `mine` must be complete. False: it answers nothing that was asked, or not soundly.
  bool step(const MerkleTree& mine, const MerkleDigests& answer, TokenBucket& bucket);
  /// `mine`: the keys that this node has in the answer's leaf, behind `answer.after` at least, in
  /// byte order.
  bool step(const std::vector<KeyDigest>& mine, const MerkleKeys& answer, TokenBucket& bucket);

 private:
  struct Node {
    std::uint32_t level;
    std::uint32_t node;
  };
  std::vector<Node> nodes_;             ///< that differ; the last is looked into first
  std::deque<MerkleKeysQuery> leaves_;  ///< that differ
  std::optional<MerkleRequest> awaited_;
  std::deque<KeyDifference> differences_;
};

}  // namespace parallax
