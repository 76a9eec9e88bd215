// Version vector: per actor, the highest stamp of which (and of everything before it) one knows.
//
// Source: Parker et al., "Detection of Mutual Inconsistency in Distributed Systems" (IEEE TSE
// 1983). Laws (tests/clock): join is commutative, associative, idempotent and monotone; dominates()
// is the partial order of that lattice.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "clock/actor.h"
#include "clock/stamp.h"

namespace parallax {

/// A value. Entries are kept sorted by actor and are never zero, so that equal vectors are equal
/// member by member and encode to the same bytes.
class VersionVector {
 public:
  using Entry = std::pair<Actor, Hlc>;

  VersionVector() = default;
  /// Any order; of several entries of one actor the highest counts, zero ones are dropped.
  explicit VersionVector(std::vector<Entry> entries);

  /// The highest reading of `actor`, zero when there is none.
  Hlc at(const Actor& actor) const;
  /// Raises `actor` to at least `hlc`.
  void advance(const Actor& actor, Hlc hlc);
  void join(const VersionVector& other);

  bool covers(const Actor& actor, Hlc hlc) const { return hlc <= at(actor); }
  bool dominates(const VersionVector& other) const;
  bool concurrent_with(const VersionVector& other) const;
  /// The highest reading over all actors, zero when empty.
  Hlc highest() const;

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }
  /// "{log:12, quorum/2.1:9}".
  std::string to_string() const;

  friend bool operator==(const VersionVector&, const VersionVector&) = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace parallax
