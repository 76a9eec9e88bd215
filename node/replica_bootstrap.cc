// Empty store and recovery (docs/ARCHITECTURE.md, "Empty store").
#include <algorithm>

#include "node/replica_causal.h"

namespace parallax {

void Replica::Impl::on_probe_reply(const Envelope& envelope, const ProbeReply& reply) {
  if (reply.life != config_.life) return;  // an answer to an earlier life, whose disk may be gone
  heard_term_ = std::max(heard_term_, reply.term);
  if (!raft_) {
    bootstrap_.step(envelope.from, reply);
    return;
  }
  if (!recovering()) return;
  if (reply.heard_of_receiver > node_.incarnation) {
    // Drawn by a clock that had fallen behind, and whoever was asked then did not remember: for
    // this peer we are somebody from before, whose word is void. Nothing rests on a recovering
    // node's word, so it may take another number at any time.
    node_.incarnation = Incarnation{reply.heard_of_receiver.value + 1};
    node_dirty_ = true;
    force_batch_ = true;
    raft_->draw_again(node_.incarnation);
    causal_->draw_again();
  }
  // The disk that was lost may have held a vote in any term that a majority has heard of. A refusal
  // from that term brings ours up to it; end_recovery() counts the vote in it as spent.
  if (reply.term > raft_->term()) {
    raft_->step({envelope.from, envelope.incarnation, envelope.recovering},
                VoteReply{.term = reply.term, .granted = false, .pre_vote = false});
    observe_role();
  }
  if (reply.membership != Membership::member || envelope.recovering) return;
  // Only members that are not recovering count. Their clocks came with the envelopes; the log comes
  // from the leader, which looks at that itself; keys are compared with all of them.
  answered_.insert(envelope.from);
  check_recovery();
}

/// Persisted before anything is built on it: Raft starts when the batch is durable.
void Replica::Impl::decide_membership(WriteBatch& batch) {
  if (deciding_) return;
  std::optional<Bootstrap::Decision> decision = bootstrap_.decide(now_.physical);
  if (!decision) return;
  decision->hard_state.term = std::max(decision->hard_state.term, heard_term_);
  deciding_ = true;
  node_dirty_ = true;
  records::put(batch, records::hard_state_key(kOnlyGroup), decision->hard_state);

  RaftRestored restored;
  restored.hard_state = decision->hard_state;
  restored.incarnation = decision->incarnation;
  restored.recovering = decision->membership == Membership::recovering;
  decided_ = std::move(restored);
}

/// What a leader proposes of its own accord.
void Replica::Impl::propose_own_entries() {
  if (!leading() || !raft_->ready_to_serve() || raft_->transferring()) return;
  if (node_.cluster.empty()) {
    // Nothing names the cluster in what is committed, and whatever came before in this log is
    // applied: the first leader that gets here names it. Its followers apply only one such entry,
    // because a later leader would have applied this one before it proposed its own.
    if (init_proposed_ == raft_->term()) return;
    const std::uint64_t high = random_.next();
    const std::uint64_t low = random_.next() | 1;  // never "none yet"
    if (raft_->propose(encode_command(InitCluster{ClusterId{high, low}}))) {
      init_proposed_ = raft_->term();
    }
    return;
  }
  for (const auto& [node, incarnation] : raft_->recovered_members()) {
    const auto ended = applied_.incarnations.find(node);
    if (ended != applied_.incarnations.end() && ended->second >= incarnation) continue;
    const std::pair proposal{incarnation, raft_->term()};
    const auto proposed = ends_proposed_.find(node);
    if (proposed != ends_proposed_.end() && proposed->second == proposal) continue;
    if (raft_->propose(encode_command(EndRecovery{node, incarnation}))) {
      ends_proposed_.insert_or_assign(node, proposal);
    }
  }
}

/// What is applied says that this incarnation is a full member again. The marker, the applied index
/// and (through the core) the spent vote go into one batch.
void Replica::Impl::maybe_end_recovery() {
  if (!recovering()) return;
  const auto ended = applied_.incarnations.find(config_.id);
  if (ended == applied_.incarnations.end() || ended->second != node_.incarnation) return;
  node_.membership = Membership::member;
  node_dirty_ = true;
  force_batch_ = true;
  // What the lost disk held done for others, in terms up to here, nobody remembers.
  forward_floor_ = std::max(forward_floor_, raft_->term());
  raft_->end_recovery(node_.incarnation);
  causal_->end_recovery();
}

}  // namespace parallax
