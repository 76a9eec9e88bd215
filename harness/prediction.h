// How fresh reads should have been: the PBS prediction (consistency/checker/pbs.h) from what was
// measured in the run itself.
//
// Source: Bailis et al. (2012, "Probabilistically Bounded Staleness for Practical Partial
// Quorums"). Its one-way times W, A, R and S have to be had from round trips, as no two clocks are
// compared; the paper takes A = R = S where it has no more than that. Here:
//   - W and A together are what the nodes say that stores at other replicas took
//     (parallax_peer_answer_duration_seconds in /metrics: request to durable answer), R and S
//     together what queries took. A client sees neither: it is answered by the first w or r;
//   - of a store the nodes tell what was way, there and back, without the synced write at the
//     replica (parallax_peer_way_duration_seconds). A read there shows what has arrived, and waits
//     for that synced write, so it counts for A and not for W. W is half
//     of a way's time, as nothing but the way is in it, and A what the p50 of that leaves of
//     stores;
//   - R and S are half a query's time each, as nothing but the way is in them. Where reads ask one
//     replica alone they are nothing;
//   - between client and coordinator: half of what reads that ask one replica took. Where they ask
//     several, that way is not told apart from theirs and counts as none, so that the prediction is
//     a little late.
// Reads at the node that took the write are told from the others by the history, bin by bin.
//
// What it does not do: levels other than `quorum` and `eventual` (none of their reads is answered
// by the first r of n replicas), failed replicas, repair and hints, replicas that are not alike,
// stores that took more than a second. It asks nobody: the answers of /metrics come in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "harness/run.h"

namespace parallax::harness {

/// Counts by upper bound in nanoseconds, of durations above half of it.
using TimeBuckets = std::map<std::int64_t, std::uint64_t>;

/// From asking another replica to its answer, of all nodes.
struct PeerTimes {
  TimeBuckets stores;
  TimeBuckets ways;  ///< of stores, without the synced write at the replica
  TimeBuckets queries;
  friend bool operator==(const PeerTimes&, const PeerTimes&) = default;
};

/// From the text of a node's /metrics. What is not there, or not understood, counts nothing.
PeerTimes parse_peer_times(std::string_view metrics);
/// Adds `more`, of another node.
void add(PeerTimes& times, const PeerTimes& more);
/// What `times` has more than `before`, of the same nodes.
PeerTimes since(const PeerTimes& before, PeerTimes times);

/// Why there is no prediction for such a run; nothing: there is.
std::optional<std::string> unpredictable(const RunOptions& options);

/// Fills StalenessPoint::predicted and StalenessSummary::prediction of the run's staleness, if it
/// has any.
void predict_staleness(Run& run, const PeerTimes& times);

}  // namespace parallax::harness
