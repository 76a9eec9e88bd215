// Origin vector: per node incarnation, the number of its operations that one knows of.
//
// A vector clock (clock/vector_clock.h) whose nodes may lose their disks: an incarnation that ended
// keeps its own number, so that a later one of the same node, which counts from 1 again, is never
// mistaken for it. Laws (tests/clock): join is commutative, associative, idempotent and monotone.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace parallax {

/// One incarnation of a node, as the source of operations numbered 1, 2, 3 ...
struct Origin {
  NodeId node;
  Incarnation incarnation;
  friend auto operator<=>(const Origin&, const Origin&) = default;
};

/// A value. Entries are kept sorted by origin and are never zero, so that equal vectors are equal
/// member by member and encode to the same bytes.
class OriginVector {
 public:
  using Entry = std::pair<Origin, std::uint64_t>;

  OriginVector() = default;
  /// Any order; of several entries of one origin the highest counts, zero ones are dropped.
  explicit OriginVector(std::vector<Entry> entries);

  /// The count of `origin`, zero when there is none.
  std::uint64_t at(const Origin& origin) const;
  /// Raises `origin` to at least `count`.
  void advance(const Origin& origin, std::uint64_t count);
  void join(const OriginVector& other);

  bool covers(const Origin& origin, std::uint64_t count) const { return count <= at(origin); }
  bool dominates(const OriginVector& other) const;

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }
  /// "{1.7:12, 3.1:9}": node, incarnation, number.
  std::string to_string() const;

  friend bool operator==(const OriginVector&, const OriginVector&) = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace parallax
