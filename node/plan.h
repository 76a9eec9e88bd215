// What a node would do about a request, without doing it: GET /v1/explain.
//
// A replica makes the plan (node/replica_plan.cc) from what it knows now, by the functions that
// would carry the request out: the policy table, the sizes of quorums, the reasons to wait, whom it
// takes for the leader, whom it would ask. A request that it would refuse has no plan, but that
// error. A plan promises nothing about later: leaders change.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "client/protocol.h"
#include "node/metrics.h"
#include "replication/quorum/sizes.h"

namespace parallax {

/// A plain value.
struct Plan {
  bool is_read = true;
  Consistency consistency = {};  ///< the effective level; r and w are numbers
  Path path = Path::local;       ///< as the evidence of the answer would have it
  NodeId node = kNoNode;         ///< whose state, or log, answers; none: nobody is known who could
  bool forwarded = false;        ///< passed on to `node`
  std::vector<NodeId> replicas = {};  ///< that take part, sorted
  std::size_t needed = 1;             ///< so many of them have to answer, `node` among them
  /// Between nodes, one behind the other: when nothing is in the way, and when replicas differ,
  /// other protocols write the key too, or a lease has run out.
  unsigned round_trips = 0;
  unsigned round_trips_most = 0;
  std::optional<std::string> waits_for = std::nullopt;  ///< what has to come first
  /// So many replicas may be down, any but the one asked, and there is an answer all the same; of
  /// the log's path, once the others have elected a leader.
  std::size_t nodes_down = 0;
  /// Writes: so many disks may be lost behind the answer, and the write is still there. Absent
  /// where a crash can lose it.
  std::optional<std::size_t> disks_lost = std::nullopt;
  std::string promises = {};
};

/// What a level comes to with these parameters: level_info()'s promise, where the numbers and the
/// acknowledgement bear it.
std::string promise_of(const Consistency& consistency, bool is_read, const QuorumSizes& sizes);

/// The body of the answer. `observed`: what requests of this kind took at this node.
std::string render_plan(const Plan& plan, const ObservedLatency& observed);

}  // namespace parallax
