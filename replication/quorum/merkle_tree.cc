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

/// A hash that has seen one more number: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) of the
/// sum.
std::uint64_t with(std::uint64_t hash, std::uint64_t number) {
  hash = (hash ^ number) + 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

}  // namespace

std::uint64_t content_digest(std::string_view key, const KeyState& state) {
  if (state.empty()) return 0;
  // Number by number: this is done twice with every write. How many versions there are goes first,
  // so that no two contents are the same numbers.
  std::uint64_t hash = with(hash64(key), state.versions().size());
  for (const Version& version : state.versions()) {
    hash = with(hash, version.stamp.hlc.value);
    hash = with(hash, std::uint64_t{version.stamp.node.value} << 1 | (version.tombstone ? 1 : 0));
  }
  for (const auto& [actor, hlc] : state.context().entries()) {
    hash =
        with(hash, std::uint64_t{actor.node.value} << 8 | static_cast<std::uint64_t>(actor.path));
    hash = with(hash, actor.incarnation.value);
    hash = with(hash, hlc.value);
  }
  return hash;
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
