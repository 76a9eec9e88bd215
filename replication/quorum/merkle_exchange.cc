#include "replication/quorum/merkle_exchange.h"

#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"

namespace parallax {
namespace {

/// Frame, envelope, clocks.
constexpr std::size_t kMessageBytes = 64;

bool is_behind(std::string_view key, std::string_view after) {
  return after.empty() || key > after;
}

/// Whether `key`, of the answer's leaf, is in the part of it that the answer is about.
bool in_part(const MerkleKeys& answer, std::string_view key) {
  if (!is_behind(key, answer.after)) return false;
  return answer.complete || key <= answer.keys.back().key;
}

std::string fault_of_nodes(std::uint32_t level, const std::vector<std::uint32_t>& nodes) {
  if (level >= MerkleTree::kLeafLevel) {
    return fmt::format("level: {}, at most {} expected", level, MerkleTree::kLeafLevel - 1);
  }
  if (nodes.empty() || nodes.size() > MerkleExchange::kMostNodes) {
    return fmt::format("nodes: {}, 1 to {} expected", nodes.size(), MerkleExchange::kMostNodes);
  }
  for (const std::uint32_t node : nodes) {
    if (node < MerkleTree::nodes_at(level)) continue;
    return fmt::format("nodes: {} on level {}, at most {} expected", node, level,
                       MerkleTree::nodes_at(level) - 1);
  }
  return "";
}

std::string fault_of_leaf(std::uint32_t leaf, std::string_view after) {
  if (leaf >= MerkleTree::kLeaves) {
    return fmt::format("leaf: {}, at most {} expected", leaf, MerkleTree::kLeaves - 1);
  }
  if (after.size() > limits::kMaxKeyBytes) {
    return fmt::format("after: {} bytes, at most {} expected", after.size(), limits::kMaxKeyBytes);
  }
  return "";
}

}  // namespace

std::size_t wire_bytes(const MerkleDigests& message) {
  return kMessageBytes + 4 * message.nodes.size() + 8 * message.digests.size();
}

std::size_t wire_bytes(const MerkleKeys& message) {
  std::size_t bytes = kMessageBytes + message.after.size();
  for (const KeyDigest& item : message.keys) bytes += item.key.size() + 12;
  return bytes;
}

std::string fault(const MerkleQuery& query) {
  return fault_of_nodes(query.level, query.nodes);
}

std::string fault(const MerkleDigests& digests) {
  std::string fault = fault_of_nodes(digests.level, digests.nodes);
  const std::size_t expected = digests.nodes.size() * MerkleTree::kFanOut;
  if (fault.empty() && !digests.digests.empty() && digests.digests.size() != expected) {
    return fmt::format("digests: {}, {} or none expected", digests.digests.size(), expected);
  }
  return fault;
}

std::string fault(const MerkleKeysQuery& query) {
  return fault_of_leaf(query.leaf, query.after);
}

std::string fault(const MerkleKeys& answer) {
  std::string fault = fault_of_leaf(answer.leaf, answer.after);
  if (!fault.empty()) return fault;
  if (answer.keys.size() > MerkleExchange::kMostKeys) {
    return fmt::format("keys: {}, at most {} expected", answer.keys.size(),
                       MerkleExchange::kMostKeys);
  }
  // The next query would be the same.
  if (answer.keys.empty() && !answer.complete) return "keys: none, and there are more";
  std::string_view last = answer.after;
  for (const KeyDigest& item : answer.keys) {
    if (item.key.empty() || item.key.size() > limits::kMaxKeyBytes) {
      return fmt::format("keys: one of {} bytes, 1 to {} expected", item.key.size(),
                         limits::kMaxKeyBytes);
    }
    if (!is_behind(item.key, last)) return "keys: out of order";
    if (MerkleTree::leaf_of(item.key) != answer.leaf) return "keys: one of another leaf";
    last = item.key;
  }
  return "";
}

MerkleDigests answer(const MerkleTree& tree, const MerkleQuery& query) {
  PARALLAX_ASSERT(tree.complete() && fault(query).empty(), "{}", fault(query));
  MerkleDigests digests{
      .call = query.call, .level = query.level, .nodes = query.nodes, .digests = {}};
  digests.digests.reserve(query.nodes.size() * MerkleTree::kFanOut);
  for (const std::uint32_t node : query.nodes) {
    for (std::uint32_t child = 0; child < MerkleTree::kFanOut; ++child) {
      digests.digests.push_back(tree.digest(query.level + 1, node * MerkleTree::kFanOut + child));
    }
  }
  return digests;
}

MerkleKeys answer(const std::vector<KeyDigest>& keys, const MerkleKeysQuery& query) {
  MerkleKeys part{
      .call = query.call, .leaf = query.leaf, .after = query.after, .keys = {}, .complete = true};
  for (const KeyDigest& item : keys) {
    if (!is_behind(item.key, query.after)) continue;
    if (part.keys.size() == MerkleExchange::kMostKeys) {
      part.complete = false;
      break;
    }
    part.keys.push_back(item);
  }
  return part;
}

MerkleExchange::MerkleExchange() : nodes_{{.level = 0, .node = 0}} {}

bool MerkleExchange::finished() const {
  return nodes_.empty() && leaves_.empty() && !awaited_ && differences_.empty();
}

std::optional<MerkleRequest> MerkleExchange::next(TokenBucket& bucket, MonoTime now) {
  if (awaited_ || !differences_.empty() || !bucket.ready(now)) return std::nullopt;
  if (!leaves_.empty()) {
    awaited_ = std::move(leaves_.front());
    leaves_.pop_front();
  } else if (!nodes_.empty()) {
    // Of one level, the deepest first: what waits stays few.
    MerkleQuery query{.call = {}, .level = nodes_.back().level, .nodes = {}};
    while (!nodes_.empty() && nodes_.back().level == query.level &&
           query.nodes.size() < kMostNodes) {
      query.nodes.push_back(nodes_.back().node);
      nodes_.pop_back();
    }
    awaited_ = std::move(query);
  }
  return awaited_;
}

bool MerkleExchange::step(const MerkleTree& mine, const MerkleDigests& answer,
                          TokenBucket& bucket) {
  PARALLAX_ASSERT(mine.complete(), "the own tree is being built");
  const auto* query = awaited_ ? std::get_if<MerkleQuery>(&*awaited_) : nullptr;
  if (query == nullptr || answer.level != query->level || answer.nodes != query->nodes ||
      answer.digests.size() != answer.nodes.size() * MerkleTree::kFanOut) {
    return false;
  }
  bucket.spend(wire_bytes(answer));
  awaited_.reset();
  const std::uint32_t level = answer.level + 1;
  for (std::size_t at = 0; at < answer.digests.size(); ++at) {
    const std::uint32_t child = answer.nodes[at / MerkleTree::kFanOut] * MerkleTree::kFanOut +
                                static_cast<std::uint32_t>(at % MerkleTree::kFanOut);
    if (mine.digest(level, child) == answer.digests[at]) continue;
    if (level == MerkleTree::kLeafLevel) {
      leaves_.push_back({.call = {}, .leaf = child, .after = ""});
    } else {
      nodes_.push_back({.level = level, .node = child});
    }
  }
  return true;
}

bool MerkleExchange::step(const std::vector<KeyDigest>& mine, const MerkleKeys& answer,
                          TokenBucket& bucket) {
  const auto* query = awaited_ ? std::get_if<MerkleKeysQuery>(&*awaited_) : nullptr;
  if (query == nullptr || answer.leaf != query->leaf || answer.after != query->after ||
      !fault(answer).empty()) {
    return false;
  }
  bucket.spend(wire_bytes(answer));
  awaited_.reset();
  auto here = mine.begin();
  auto there = answer.keys.begin();
  while (here != mine.end() || there != answer.keys.end()) {
    if (here != mine.end() && !in_part(answer, here->key)) {
      ++here;
      continue;
    }
    const bool only_here =
        there == answer.keys.end() || (here != mine.end() && here->key < there->key);
    const bool only_there = here == mine.end() || (!only_here && there->key < here->key);
    if (only_here) {
      differences_.push_back({.key = here->key, .here = true, .there = false});
      ++here;
    } else if (only_there) {
      differences_.push_back({.key = there->key, .here = false, .there = true});
      ++there;
    } else {
      if (here->digest != there->digest) {
        differences_.push_back({.key = here->key, .here = true, .there = true});
      }
      ++here;
      ++there;
    }
  }
  if (!answer.complete) {
    leaves_.push_front({.call = {}, .leaf = answer.leaf, .after = answer.keys.back().key});
  }
  return true;
}

std::vector<KeyDifference> MerkleExchange::take_differences(std::size_t most) {
  std::vector<KeyDifference> taken;
  while (!differences_.empty() && taken.size() < most) {
    taken.push_back(std::move(differences_.front()));
    differences_.pop_front();
  }
  return taken;
}

}  // namespace parallax
