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

#include "replication/quorum/merkle_tree.h"
#include "replication/quorum/token_bucket.h"

namespace parallax {

/// "What are the digests of these nodes' children?"
struct MerkleQuery {
  std::uint32_t level = 0;           ///< below the leaves' level
  std::vector<std::uint32_t> nodes;  ///< of that level
  friend bool operator==(const MerkleQuery&, const MerkleQuery&) = default;
};
struct MerkleDigests {
  std::uint32_t level = 0;             ///< of the query
  std::vector<std::uint32_t> nodes;    ///< of the query
  std::vector<std::uint64_t> digests;  ///< kFanOut for each node
  friend bool operator==(const MerkleDigests&, const MerkleDigests&) = default;
};

/// "Which keys does this leaf have, behind that one?"
struct MerkleKeysQuery {
  std::uint32_t leaf = 0;
  std::string after;  ///< empty: from the first
  friend bool operator==(const MerkleKeysQuery&, const MerkleKeysQuery&) = default;
};
struct KeyDigest {
  std::string key;
  std::uint64_t digest = 0;
  friend bool operator==(const KeyDigest&, const KeyDigest&) = default;
};
struct MerkleKeys {
  std::uint32_t leaf = 0;
  std::string after;            ///< of the query
  std::vector<KeyDigest> keys;  ///< in byte order
  bool complete = false;        ///< there are no more behind the last one
  friend bool operator==(const MerkleKeys&, const MerkleKeys&) = default;
};

using MerkleRequest = std::variant<MerkleQuery, MerkleKeysQuery>;

/// About how many bytes they take on the wire.
std::size_t wire_bytes(const MerkleDigests& message);
std::size_t wire_bytes(const MerkleKeys& message);

/// The other half. `tree` must be complete, and the query sound(). `keys`: what this node has in
/// the leaf, behind `query.after` at least, in byte order.
MerkleDigests answer(const MerkleTree& tree, const MerkleQuery& query);
MerkleKeys answer(const std::vector<KeyDigest>& keys, const MerkleKeysQuery& query);
/// Whether the tree has such nodes, and not too many are asked for.
bool sound(const MerkleQuery& query);
bool sound(const MerkleKeysQuery& query);

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
