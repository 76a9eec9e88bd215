// What a replica says of itself and of the others.
#include <algorithm>

#include "node/replica_causal.h"

namespace parallax {

ReplicaStatus Replica::Impl::status() const {
  ReplicaStatus status;
  status.id = config_.id;
  status.cluster = node_.cluster;
  status.membership = node_.membership;
  status.applied_index = applied_.index;
  status.installing_snapshot = installing_.has_value();
  status.semi_sync_degraded = semi_sync_.degraded;
  status.lease_reads = config_.lease_reads;
  status.clock = clock_.last();
  status.tree_complete = tree_.complete();
  status.hints = hints_.size();
  if (const Causal* const causal = causal_->core()) {
    status.causal = causal->applied();
    status.stable = causal->stable();
  }
  if (raft_) {
    status.role = leading() ? Role::leader : (raft_->is_leader() ? Role::follower : raft_->role());
    status.term = raft_->term();
    status.leader = leader();
    status.commit_index = raft_->commit_index();
    status.durable_index = raft_->log().durable();
    status.log_start = raft_->log().start().index;
    status.last_index = raft_->log().last_index();
    const bool leads_and_serves = status.leader != config_.id || serving();
    status.ready = node_.membership == Membership::member && status.leader != kNoNode &&
                   leads_and_serves && !node_.cluster.empty() && !installing_ && !disk_failed_ &&
                   !fatal_ && !shutting_down_ && applied_.index >= raft_->commit_index();
  }
  for (NodeId member : config_.members) status.members.push_back(member_status(member));
  return status;
}

MemberStatus Replica::Impl::member_status(NodeId id) const {
  MemberStatus status;
  status.id = id;
  const bool leads = raft_ && leader() == id;
  if (id == config_.id) {
    status.up = true;
    status.clock_offset_ms = 0;
    if (!raft_) {
      status.role = "unknown";
    } else if (recovering()) {
      status.role = "recovering";
    } else if (leads) {
      status.role = "leader";
    } else {
      const Role role = raft_->role();
      const bool candidate = role == Role::candidate || role == Role::pre_candidate;
      status.role = candidate ? "candidate" : "follower";
    }
    status.applied_index = applied_.index;
    if (raft_) status.match_index = raft_->log().durable();
    if (leads) status.lag_ms = 0;
    return status;
  }
  const Peer& peer = peers_.at(id);
  status.hints = hints_.status(id).hints;
  status.up = !silent(id);
  status.role = !status.up        ? "unknown"
                : peer.recovering ? "recovering"
                : leads           ? "leader"
                                  : "follower";
  if (const auto offset = offsets_.estimate(id)) status.clock_offset_ms = offset->offset_ms;
  if (!leading()) return status;
  const auto progress = raft_->progress().find(id);
  if (progress == raft_->progress().end()) return status;
  status.match_index = progress->second.match;
  if (progress->second.applied != LogIndex{}) status.applied_index = progress->second.applied;
  const bool behind = progress->second.match < raft_->log().last_index();
  const Duration lag = behind ? now_.monotonic - progress->second.last_advance : Duration::zero();
  status.lag_ms = std::chrono::duration_cast<std::chrono::milliseconds>(lag).count();
  return status;
}

}  // namespace parallax
