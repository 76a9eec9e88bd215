// How a node without a durable member marker finds out what it is (docs/ARCHITECTURE.md, "Empty
// store").
//
// Problem: an empty disk is either new, in a cluster that does not exist yet, or has been lost. A
// node that lost its disk forgot its vote and its log: were it to answer as a new one, two leaders
// could be elected or an acknowledged write overwritten.
//
// Rule: as soon as one peer has applied entry 1, the cluster exists and this node is recovering.
// Otherwise, once a majority, itself included, holds no log entry and no version, it is a member of
// a cluster that is beginning; its vote in the highest term heard of counts as spent.
//
// When it is known that the disk has been lost (somebody says so), the node is recovering whatever
// its peers hold, as soon as it can draw an incarnation above all that a majority of them has
// heard.
//
// Assumes that at most a minority of disks is lost at a time, where a node that has not applied
// entry 1 counts as lost.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "replication/message.h"

namespace parallax {

/// When an incarnation was drawn, at the latest, by its node's clock; where that stood behind an
/// earlier incarnation, it is one above that.
inline UnixMillis drawn_at(Incarnation incarnation) {
  return UnixMillis{incarnation.value};
}

/// A value, stepped with the replies to Probe.
class Bootstrap {
 public:
  Bootstrap(NodeId id, std::vector<NodeId> members, bool lost_disk = false);

  struct Decision {
    Membership membership;    ///< member or recovering
    HardState hard_state;     ///< member: to be persisted with the marker; the vote is spent
    Incarnation incarnation;  ///< to be persisted with the marker; above all that was heard of
  };

  void step(NodeId from, const ProbeReply& reply);
  /// A decision as soon as there is one. `now` makes the new incarnation higher than any forgotten.
  std::optional<Decision> decide(UnixMillis now) const;

 private:
  NodeId id_;
  std::vector<NodeId> members_;
  bool lost_disk_;
  std::map<NodeId, ProbeReply> replies_;  ///< the latest of each
};

}  // namespace parallax
