#include "replication/leader_follower/bootstrap.h"

#include <algorithm>

namespace parallax {

Bootstrap::Bootstrap(NodeId id, std::vector<NodeId> members, bool lost_disk)
    : id_(id), members_(std::move(members)), lost_disk_(lost_disk) {}

void Bootstrap::step(NodeId from, const ProbeReply& reply) {
  const bool known = std::find(members_.begin(), members_.end(), from) != members_.end();
  if (known && from != id_) replies_.insert_or_assign(from, reply);
}

std::optional<Bootstrap::Decision> Bootstrap::decide(UnixMillis now) const {
  const std::size_t majority = members_.size() / 2 + 1;
  bool cluster_exists = false;
  std::size_t empty = 1;  // this node
  Term term;
  Incarnation incarnation{now.value};
  for (const auto& [peer, reply] : replies_) {
    cluster_exists |= reply.applied_first;
    // A peer that is recovering is empty because it has lost what it held: its word does not count.
    const bool counts = reply.membership != Membership::recovering;
    if (counts && !reply.has_log && !reply.has_versions) ++empty;
    term = std::max(term, reply.term);
    incarnation = std::max(incarnation, Incarnation{reply.heard_of_receiver.value + 1});
  }
  // 0 means "none yet", whatever the clock says.
  incarnation = std::max(incarnation, Incarnation{1});

  const HardState hard_state{term, id_};
  if (lost_disk_) {
    if (replies_.size() < std::min(majority, members_.size() - 1)) return std::nullopt;
    return Decision{Membership::recovering, hard_state, incarnation};
  }
  if (cluster_exists) return Decision{Membership::recovering, hard_state, incarnation};
  if (empty >= majority) return Decision{Membership::member, hard_state, incarnation};
  return std::nullopt;
}

}  // namespace parallax
