// Whom to ask, and at which level, for an answer that is worth the most: the choice under a
// service-level agreement (client/sla.h), from what earlier reads have measured.
//
// Source: Terry et al., "Consistency-Based Service Level Agreements for Cloud Storage" (SOSP 2013),
// sections 4.5 and 4.6: of all pairs of a node and an entry the one with the greatest
//
//   utility x P(the answer is there in time) x P(the node can serve the level).
//
// Where this differs:
//  - Latencies are kept for each node and level, not each node alone: here a node waits, forwards
//    or asks others, whatever the level needs.
//  - A level that the node sees to, by waiting or forwarding, is served with certainty, and what
//    that costs is in the latencies. Only with on_violation=reject is there a second factor: from
//    how often the node has refused the level, and, where it was not asked for it yet, at `bounded`
//    from how old the node said its state was at other levels.
//  - A node that is known to have what the session has seen (sequential) answers at once; one that
//    is not known to may have to wait. What is measured of the two is kept apart.
//  - Both are hopeful: of n measurements with m good ones the estimate is (m + 1) / (n + 1), so a
//    path that was never measured counts as certain (optimism in the face of uncertainty; Lai and
//    Robbins 1985). So every path is tried that could be the best, and one that has failed is tried
//    again once what is known of it is too old. While its first measurement is under way a path
//    counts half, so that not every read of a moment goes there.
//
// Of equals: first what is not measured, then what is worth more without regard to time, then the
// lower mean latency, then the order of entries and nodes. The same measurements give the same
// choice.
//
// Invariants: at most `window` measurements for each path and node, none older than `max_age` has a
// say; at most `max_paths` paths are remembered; a path is forgotten only while no attempt is under
// way there.
//
// Pure, and a value: time comes in. It does not ask nodes that no read needs.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/routing.h"
#include "client/sla.h"

namespace parallax {

class SlaMonitor {
 public:
  struct Options {
    std::size_t window = 64;                      ///< at least 1
    Duration max_age = std::chrono::seconds{60};  ///< above 0
    std::size_t max_paths = 1'024;                ///< at least 1
  };
  /// One way of reading, which is measured by itself.
  struct Path {
    Endpoint endpoint;
    std::string level;       ///< with its parameters
    bool far_enough = true;  ///< the node was known to have what the session has seen
    friend auto operator<=>(const Path&, const Path&) = default;
  };
  struct Choice {
    std::size_t entry = 0;
    std::size_t node = 0;  ///< index of those that could be asked
    double expected = 0;   ///< utility
    Path path;
  };
  enum class Ending : std::uint8_t {
    answered,
    refused_level,  ///< the node could not serve the level (level_unattainable)
    failed,         ///< any other: no answer, or one that is of no use
  };

  SlaMonitor() : SlaMonitor(Options{}) {}
  explicit SlaMonitor(Options options);

  /// `nodes` must not be empty. `elapsed`: of the time that the entries allow.
  Choice choose(const Sla& sla, const std::vector<KnownEndpoint>& nodes,
                const std::optional<SessionToken>& session, Duration elapsed, MonoTime now) const;

  /// An attempt goes this way; ended() tells what became of it.
  void began(const Path& path, MonoTime now);
  void ended(const Path& path, Ending ending, Duration took, MonoTime now);
  /// What any answer says of the node whose state it is.
  void heard(const Answer& answer, MonoTime now);

 private:
  struct Measured {
    MonoTime at;
    Ending ending;
    Duration took;
  };
  struct Known {
    std::deque<Measured> measured;  ///< oldest first
    std::size_t under_way = 0;
    MonoTime last;  ///< when it was used
  };
  struct Staleness {
    MonoTime at;
    std::uint64_t ms;
  };
  struct Node {
    LogIndex index;
    MonoTime index_at;
    std::deque<Staleness> staleness;  ///< oldest first
  };
  /// What the measurements of a path come to.
  struct Estimate {
    double in_time = 1;
    double answers = 1;  ///< at any time
    double serves = 1;   ///< the level
    double mean = 0;     ///< nanoseconds
    bool unexplored = true;
  };

  bool fresh(MonoTime at, MonoTime now) const { return now - at <= options_.max_age; }
  bool far_enough(const Consistency& level, NodeId node, const std::optional<SessionToken>& session,
                  MonoTime now) const;
  Estimate estimate(const Consistency& level, const Path& path, NodeId node, Duration within,
                    MonoTime now) const;
  double serves_bound(const Consistency& level, NodeId node, MonoTime now) const;
  void forget_one();

  Options options_;
  std::map<Path, Known> paths_;
  std::map<NodeId, Node> nodes_;
};

}  // namespace parallax
