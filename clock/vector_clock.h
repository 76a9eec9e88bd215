// Vector clock: per node, the number of its events that one knows of.
//
// Source: Fidge, "Timestamps in Message-Passing Systems That Preserve the Partial Ordering" (1988),
// and Mattern, "Virtual Time and Global States of Distributed Systems" (1989).
// Laws (tests/clock): join is commutative, associative, idempotent and monotone; happened_before()
// is exactly Lamport's relation between the events that increment() numbered, provided that every
// message carries its sender's clock and its receiver joins that before its next increment().
//
// It counts events of nodes. What replaces which version of a key is clock/version_vector.h.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace parallax {

/// A value. Entries are kept sorted by node and are never zero, so that equal clocks are equal
/// member by member and encode to the same bytes.
class VectorClock {
 public:
  using Entry = std::pair<NodeId, std::uint64_t>;

  VectorClock() = default;
  /// Any order; of several entries of one node the highest counts, zero ones are dropped.
  explicit VectorClock(std::vector<Entry> entries);

  /// The count of `node`, zero when there is none.
  std::uint64_t at(NodeId node) const;
  /// Counts one more event of `node`; returns its number, 1 for the first.
  std::uint64_t increment(NodeId node);
  /// Raises `node` to at least `count`.
  void advance(NodeId node, std::uint64_t count);
  void join(const VectorClock& other);

  /// Whether the event number `count` of `node` is known here.
  bool covers(NodeId node, std::uint64_t count) const { return count <= at(node); }
  bool dominates(const VectorClock& other) const;
  /// Whether `other` dominates this one and is not equal to it.
  bool happened_before(const VectorClock& other) const;
  bool concurrent_with(const VectorClock& other) const;

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }
  /// "{1:12, 3:9}".
  std::string to_string() const;

  friend bool operator==(const VectorClock&, const VectorClock&) = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace parallax
