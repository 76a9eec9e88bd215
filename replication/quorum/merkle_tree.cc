#include "replication/quorum/merkle_tree.h"

#include "base/assert.h"
#include "base/checksum.h"

namespace parallax {
namespace {

/// Place of a level's first node: 0, 1, 17, 273, 4,369.
constexpr std::uint32_t first_of(std::uint32_t level) {
  return (MerkleTree::nodes_at(level) - 1) / (MerkleTree::kFanOut - 1);
}
static_assert(MerkleTree::nodes_at(MerkleTree::kLeafLevel) == MerkleTree::kLeaves);

void append(std::string& out, std::uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

std::uint64_t content_digest(std::string_view key, const KeyState& state) {
  if (state.empty()) return 0;
  // Lengths first, so that no two contents are the same bytes.
  std::string bytes;
  bytes.reserve(16 + key.size() + 16 * state.versions().size() +
                32 * state.context().entries().size());
  append(bytes, key.size());
  bytes.append(key);
  append(bytes, state.versions().size());
  for (const Version& version : state.versions()) {
    append(bytes, version.stamp.hlc.value);
    append(bytes, std::uint64_t{version.stamp.node.value} << 1 | (version.tombstone ? 1 : 0));
  }
  for (const auto& [actor, hlc] : state.context().entries()) {
    append(bytes, std::uint64_t{actor.node.value} << 8 | static_cast<std::uint64_t>(actor.path));
    append(bytes, actor.incarnation.value);
    append(bytes, hlc.value);
  }
  return hash64(bytes);
}

MerkleTree::MerkleTree() : digests_(first_of(kLeafLevel + 1)) {}

std::uint32_t MerkleTree::leaf_of(std::string_view key) {
  return static_cast<std::uint32_t>(hash64(key) >> 48);
}

std::uint64_t MerkleTree::digest(std::uint32_t level, std::uint32_t node) const {
  PARALLAX_ASSERT(level <= kLeafLevel && node < nodes_at(level), "node {} of level {}", node,
                  level);
  return digests_[first_of(level) + node];
}

void MerkleTree::add(std::uint32_t leaf, std::uint64_t difference) {
  if (difference == 0) return;
  for (std::uint32_t level = 0; level <= kLeafLevel; ++level) {
    digests_[first_of(level) + (leaf >> (4 * (kLeafLevel - level)))] += difference;
  }
}

void MerkleTree::replace(std::string_view key, std::uint64_t before, std::uint64_t after) {
  if (scanning_ && (!scanned_any_ || key > position_)) return;
  add(leaf_of(key), after - before);
}

void MerkleTree::begin_scan() {
  digests_.assign(digests_.size(), 0);
  scanning_ = true;
  scanned_any_ = false;
  position_.clear();
}

void MerkleTree::scanned(std::string_view key, std::uint64_t digest) {
  PARALLAX_ASSERT(scanning_, "no scan is under way");
  PARALLAX_ASSERT(!scanned_any_ || key > position_, "scanned out of order");
  position_ = key;
  scanned_any_ = true;
  add(leaf_of(key), digest);
}

void MerkleTree::scan_done() {
  PARALLAX_ASSERT(scanning_, "no scan is under way");
  scanning_ = false;
  position_.clear();
}

}  // namespace parallax
