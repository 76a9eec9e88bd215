// How many replicas a quorum takes: n of them in all, r for a read, w for a write.
//
// Source: DeCandia et al., "Dynamo" (SOSP 2007), section 4.5, for r, w and n; Gifford, "Weighted
// Voting for Replicated Data" (SOSP 1979), for why r + w > n makes every read meet every write.
#pragma once

#include <cstddef>

#include "base/error.h"

namespace parallax {

/// A value. `check()` before use.
struct QuorumSizes {
  std::size_t n = 0;
  std::size_t r = 0;
  std::size_t w = 0;

  /// Any r replicas share one with any w replicas: a read sees every write completed before it.
  constexpr bool strict() const { return r + w > n; }
  /// Any two sets of r replicas share one.
  constexpr bool majority_reads() const { return 2 * r > n; }
  /// Whether its queries are majority queries, which wait for the log's pending tail: then they
  /// return what was committed on a majority through the log, too.
  constexpr bool waits_for_pending_tail() const { return strict() && majority_reads(); }
  /// Errors: bad_parameter, naming the number and what would be right.
  Result<void> check() const;

  friend bool operator==(const QuorumSizes&, const QuorumSizes&) = default;
};

/// The smallest number of n replicas such that any two sets of that many share one.
constexpr std::size_t majority_of(std::size_t n) {
  return n / 2 + 1;
}

}  // namespace parallax
