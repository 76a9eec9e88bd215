// A hash tree over all keys of a store: two replicas find out what they hold differently by
// comparing few hashes.
//
// Sources: Merkle, "A Digital Signature Based on a Conventional Encryption Function" (CRYPTO 1987);
// DeCandia et al., "Dynamo" (SOSP 2007), section 4.7, for replicas that compare theirs.
//
// Fixed shape: 16 children to a node, 65,536 leaves; a leaf has the keys whose hash begins with its
// 16 bits. A node's digest is the sum of what is below it, so that a change of one key is five
// additions, and neither order nor history matters: equal contents have equal trees. Sums of 64-bit
// hashes are proof against chance, not against somebody who looks for collisions.
//
// Maintained with the writes, in memory, and built anew by one scan after a start, during which
// writes go on. What is digested is content (state_content.h): stamps, which are unique and name
// values, not the values; and no log indexes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/version.h"

namespace parallax {

/// Of a key with its state; 0 of the empty one. The same on every machine.
std::uint64_t content_digest(std::string_view key, const KeyState& state);

/// A value; 546 KiB.
class MerkleTree {
 public:
  static constexpr std::uint32_t kFanOut = 16;
  /// The root is level 0, the leaves are level 4.
  static constexpr std::uint32_t kLeafLevel = 4;
  static constexpr std::uint32_t kLeaves = 65'536;

  /// A complete one, of nothing.
  MerkleTree();

  static std::uint32_t leaf_of(std::string_view key);
  static constexpr std::uint32_t nodes_at(std::uint32_t level) { return 1u << (4 * level); }

  std::uint64_t digest(std::uint32_t level, std::uint32_t node) const;
  std::uint64_t root() const { return digest(0, 0); }

  /// With every change of a key's state: its digest before and after (content_digest; 0: none).
  void replace(std::string_view key, std::uint64_t before, std::uint64_t after);

  // --- Built anew -----------------------------------------------------------------------------
  /// Forgets everything; then scanned() with every key of the store in byte order, as it is at that
  /// moment, and scan_done(). Between them replace() goes on as ever: keys that the scan has yet to
  /// reach are left to it.
  void begin_scan();
  void scanned(std::string_view key, std::uint64_t digest);
  void scan_done();
  /// Whether it speaks for the whole store. Before that nothing may be compared with it.
  bool complete() const { return !scanning_; }
  /// Where to go on with the scan: behind this key; empty: at the first.
  const std::string& scan_position() const { return position_; }

 private:
  void add(std::uint32_t leaf, std::uint64_t difference);

  /// Level by level, the root first.
  std::vector<std::uint64_t> digests_;
  bool scanning_ = false;
  bool scanned_any_ = false;
  std::string position_;
};

}  // namespace parallax
