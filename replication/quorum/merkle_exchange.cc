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

/// In byte order, each of the leaf, behind where the answer begins.
bool sound_answer(const MerkleKeys& answer) {
  if (answer.keys.size() > MerkleExchange::kMostKeys) return false;
  if (answer.keys.empty() && !answer.complete) return false;  // it would never end
  std::string_view last = answer.after;
  for (const KeyDigest& item : answer.keys) {
    if (item.key.empty() || !is_behind(item.key, last)) return false;
    if (MerkleTree::leaf_of(item.key) != answer.leaf) return false;
    last = item.key;
  }
  return true;
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

bool sound(const MerkleQuery& query) {
  if (query.level >= MerkleTree::kLeafLevel || query.nodes.empty()) return false;
  if (query.nodes.size() > MerkleExchange::kMostNodes) return false;
  return std::all_of(query.nodes.begin(), query.nodes.end(),
                     [&](std::uint32_t node) { return node < MerkleTree::nodes_at(query.level); });
}

bool sound(const MerkleKeysQuery& query) {
  return query.leaf < MerkleTree::kLeaves && query.after.size() <= limits::kMaxKeyBytes;
}

MerkleDigests answer(const MerkleTree& tree, const MerkleQuery& query) {
  PARALLAX_ASSERT(tree.complete() && sound(query), "level {}, {} nodes", query.level,
                  query.nodes.size());
  MerkleDigests digests{.level = query.level, .nodes = query.nodes, .digests = {}};
  digests.digests.reserve(query.nodes.size() * MerkleTree::kFanOut);
  for (const std::uint32_t node : query.nodes) {
    for (std::uint32_t child = 0; child < MerkleTree::kFanOut; ++child) {
      digests.digests.push_back(tree.digest(query.level + 1, node * MerkleTree::kFanOut + child));
    }
  }
  return digests;
}

MerkleKeys answer(const std::vector<KeyDigest>& keys, const MerkleKeysQuery& query) {
  MerkleKeys part{.leaf = query.leaf, .after = query.after, .keys = {}, .complete = true};
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
    MerkleQuery query{.level = nodes_.back().level, .nodes = {}};
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
      leaves_.push_back({.leaf = child, .after = ""});
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
      !sound_answer(answer)) {
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
    leaves_.push_front({.leaf = answer.leaf, .after = answer.keys.back().key});
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
