// Envelopes: what every message carries, who is there, and where each kind goes.
#include <algorithm>

#include "base/canary.h"
#include "node/replica_causal.h"

namespace parallax {
namespace {

Term term_of(const Message& message) {
  return std::visit(
      [](const auto& m) {
        if constexpr (requires { m.term; }) {
          return m.term;
        } else {
          return Term{};
        }
      },
      message);
}

template <class M>
constexpr bool is_causal_message =
    std::is_same_v<M, CausalOperations> || std::is_same_v<M, CausalFetch> ||
    std::is_same_v<M, CausalFetched> || std::is_same_v<M, CausalStatus> ||
    std::is_same_v<M, CausalTransferQuery> || std::is_same_v<M, CausalTransferPage>;

constexpr Duration kMinProbeInterval = std::chrono::milliseconds(100);
constexpr Duration kMaxProbeInterval = std::chrono::seconds(1);

}  // namespace

Envelope Replica::Impl::envelope(NodeId to, Message message) const {
  return Envelope{.from = config_.id,
                  .to = to,
                  .group = kOnlyGroup,
                  .incarnation = node_.incarnation,
                  .recovering = recovering(),
                  .clock = clock_.last(),
                  .physical = offsets_.sample_for(to, now_.physical),
                  .message = std::move(message)};
}

void Replica::Impl::on_envelope(const Envelope& envelope) {
  if (fatal_ || envelope.group != kOnlyGroup || envelope.to != config_.id) return;
  const auto found = peers_.find(envelope.from);
  if (found == peers_.end()) return;
  if (!canary(Canary::stamp_without_observing)) clock_.observe(envelope.clock);
  offsets_.on_sample(envelope.from, envelope.physical, now_.physical, now_.monotonic);

  Peer& peer = found->second;
  // A node that lost its disk asks before it has an incarnation; everything else that an older one
  // said is void.
  const bool void_sender = envelope.incarnation < peer.incarnation;
  if (void_sender && !std::holds_alternative<Probe>(envelope.message)) return;
  const bool recovers = envelope.recovering || envelope.incarnation == Incarnation{};
  const bool other_life = envelope.incarnation > peer.incarnation || (recovers && !peer.recovering);
  peer.incarnation = std::max(peer.incarnation, envelope.incarnation);
  peer.heard = now_.monotonic;
  peer.recovering = recovers;
  if (!void_sender) causal_->heard(envelope.from, envelope.incarnation);
  if (other_life) {
    heard_life({envelope.from, peer.incarnation, recovers});
    forget_tombstones();
  }
  if (!too_old(envelope)) dispatch(envelope);
}

void Replica::Impl::dispatch(const Envelope& envelope) {
  std::visit(
      [&](const auto& message) {
        using M = std::decay_t<decltype(message)>;
        if constexpr (std::is_same_v<M, Probe>) {
          ProbeReply reply = probe_reply(envelope.from);
          reply.life = message.life;
          send(envelope.from, std::move(reply));
          // Somebody has come: no need to wait for a whole interval before asking in turn.
          next_probe_ = std::min(next_probe_, now_.monotonic + kMinProbeInterval);
        } else if constexpr (std::is_same_v<M, ProbeReply>) {
          on_probe_reply(envelope, message);
        } else if constexpr (std::is_same_v<M, Forward>) {
          on_forward(envelope, message);
        } else if constexpr (std::is_same_v<M, ForwardReply>) {
          on_forward_reply(envelope, message);
        } else if constexpr (std::is_same_v<M, IndexQuery>) {
          on_index_query(envelope, message);
        } else if constexpr (std::is_same_v<M, IndexReply>) {
          on_index_reply(envelope, message);
        } else if constexpr (std::is_same_v<M, QuorumQuery>) {
          on_quorum_query(envelope, message);
        } else if constexpr (std::is_same_v<M, QuorumQueryReply>) {
          on_quorum_query_reply(envelope, message);
        } else if constexpr (std::is_same_v<M, QuorumStore>) {
          on_quorum_store(envelope, message);
        } else if constexpr (std::is_same_v<M, QuorumStoreReply>) {
          on_quorum_store_reply(envelope, message);
        } else if constexpr (std::is_same_v<M, MerkleQuery>) {
          on_merkle_query(envelope, message);
        } else if constexpr (std::is_same_v<M, MerkleDigests>) {
          on_merkle_digests(envelope, message);
        } else if constexpr (std::is_same_v<M, MerkleKeysQuery>) {
          on_merkle_keys_query(envelope, message);
        } else if constexpr (std::is_same_v<M, MerkleKeys>) {
          on_merkle_keys(envelope, message);
        } else if constexpr (is_causal_message<M>) {
          causal_->step(envelope);
        } else {
          step_raft(envelope);
        }
      },
      envelope.message);
}

void Replica::Impl::step_raft(const Envelope& envelope) {
  if (!raft_) {
    heard_term_ = std::max(heard_term_, term_of(envelope.message));
    return;
  }
  // With a disk that refuses, nothing may be taken in or answered; who leads is still good to know.
  if (disk_failed_ && !std::holds_alternative<Heartbeat>(envelope.message)) return;
  if (const auto* chunk = std::get_if<SnapshotChunk>(&envelope.message)) {
    // Before the core counts it as received: it will be sent again.
    if (!verify_chunk(*chunk)) return;
  }
  raft_->step({envelope.from, envelope.incarnation, envelope.recovering}, envelope.message);
  note_matches();
  observe_role();
}

/// Without a marker, or recovering, a node asks everybody. Members ask whom they have not heard for
/// a while, so that every node can say who is up and how far off the clocks are, not only the
/// leader.
void Replica::Impl::send_probes() {
  const bool searching = !raft_ || recovering();
  if (searching) {
    if (now_.monotonic < next_probe_) return;
    next_probe_ = now_.monotonic + probe_interval_;
    probe_interval_ = std::min(2 * probe_interval_, kMaxProbeInterval);
  }
  const Duration silence = 3 * config_.heartbeat_interval;
  const auto long_ago = [&](const std::optional<MonoTime>& at) {
    return !at || now_.monotonic - *at >= silence;
  };
  for (auto& [id, peer] : peers_) {
    if (!searching && !(long_ago(peer.heard) && long_ago(peer.probed))) continue;
    peer.probed = now_.monotonic;
    send(id, Probe{.life = config_.life});
  }
}

ProbeReply Replica::Impl::probe_reply(NodeId to) const {
  ProbeReply reply;
  reply.membership = node_.membership;
  reply.term = raft_ ? raft_->term() : heard_term_;
  reply.has_log = raft_ && raft_->log().last_index() > LogIndex{};
  reply.has_versions = has_versions_;
  reply.applied_first = applied_.index > LogIndex{} || !node_.cluster.empty();
  reply.heard_of_receiver = peers_.at(to).incarnation;
  return reply;
}

}  // namespace parallax
