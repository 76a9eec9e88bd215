// Requests passed on to the node that leads, or (at levels without a leader) to one that is
// further.
//
// A write leaves this node again only as the very same Forward, or after a definite word that it
// did not happen. The receiver's part of that: it carries out one copy of a Forward at most, and
// says "not done" only of what it knows not to have done, in this life or an earlier one.
#include <algorithm>

#include "base/canary.h"
#include "node/operation_codec.h"
#include "node/replica_impl.h"

namespace parallax {
namespace {

/// A write whose receiver no longer leads is given up (its outcome is unknown) once the receiver
/// has fallen silent, and after this long: one that is still there says what became of it, a dead
/// one never will.
constexpr Duration kOrphanedWriteWait = std::chrono::milliseconds(1'000);
/// After this long without an answer a request is sent again.
constexpr Duration kForwardRetry = std::chrono::milliseconds(500);

}  // namespace

/// `life` 0: `to` leads; else it need not, and this is its process.
void Replica::Impl::forward(RequestHandle handle, NodeId to, std::uint64_t life) {
  PendingRequest& pending = *requests_.find(handle);
  const RequestId id{next_forward_++};
  pending.stage = PendingRequest::Stage::forwarded;
  pending.forward_id = id;
  pending.sent_to = to;
  forwards_.emplace(id, handle);
  ++counters_.requests_forwarded;
  pending.sent_term = raft_->term();
  pending.sent_life = life;
  pending.orphaned.reset();
  send_forward(pending);
  requests_.wake_at(handle, now_.monotonic + kForwardRetry);
}

void Replica::Impl::send_forward(const PendingRequest& pending) {
  send(pending.sent_to,
       Forward{.id = pending.forward_id,
               .term = pending.sent_term,
               .remaining = std::max(Duration::zero(), pending.deadline - now_.monotonic),
               .request = encode_request(pending.request),
               .life = pending.sent_life});
}

/// No answer yet. A read is asked for anew. A write goes out again only as the very same Forward,
/// of which its receiver carries out one copy; when another leadership has taken over, it waits a
/// little longer for the old one's word and is then given up: its outcome is unknown.
void Replica::Impl::on_forward_due(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  const bool counts = std::holds_alternative<CountReplicas>(pending.request.operation);
  if (counts && leader() == pending.sent_to && raft_->term() == pending.sent_term) {
    send_forward(pending);  // one that waits there is enough
    requests_.wake_at(handle, now_.monotonic + kForwardRetry);
    return;
  }
  if (is_read(pending.request.operation) || canary(Canary::write_forwarded_again)) {
    take_back(handle);
    route(handle);
    return;
  }
  if (pending.orphaned) {
    watch_orphan(handle);
    return;
  }
  const NodeId now_leads = leader();
  const bool beside = pending.sent_life != 0;
  if (beside ? peers_.at(pending.sent_to).life == pending.sent_life
             : now_leads == pending.sent_to && raft_->term() == pending.sent_term) {
    send_forward(pending);
  } else if (beside || now_leads != kNoNode) {
    watch_orphan(handle);
    return;
  }
  requests_.wake_at(handle, now_.monotonic + kForwardRetry);
}

/// A write that its receiver has no more reason to carry out waits for the receiver's word.
void Replica::Impl::watch_orphan(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  if (!pending.orphaned) pending.orphaned = now_.monotonic;
  const MonoTime heard = peers_.at(pending.sent_to).heard.value_or(MonoTime{});
  const MonoTime until =
      std::min(*pending.orphaned + kOrphanedWriteWait, heard + config_.election_timeout_max);
  if (now_.monotonic >= until) {
    finish(handle, expiry_error(pending));
  } else {
    requests_.wake_at(handle, until);
  }
}

/// The request is no longer with the node that it was sent to.
void Replica::Impl::take_back(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  forwards_.erase(pending.forward_id);
  pending.stage = PendingRequest::Stage::waiting;
}

/// Somebody else leads now: reads are asked of it. Writes may have happened where they are.
void Replica::Impl::take_back_forwards() {
  std::vector<RequestHandle> elsewhere;
  for (const auto& [id, handle] : forwards_) {
    const PendingRequest* const found = requests_.find(handle);
    PARALLAX_ASSERT(found != nullptr, "forward {} outlived its request", id);
    const bool beside = found->sent_life != 0;
    if (!beside && found->sent_to != seen_leader_) elsewhere.push_back(handle);
  }
  for (RequestHandle handle : elsewhere) {
    if (is_read(requests_.find(handle)->request.operation)) {
      take_back(handle);
      route(handle);
    } else if (!canary(Canary::write_forwarded_again)) {
      watch_orphan(handle);
    }
  }
}

void Replica::Impl::answer(NodeId peer, RequestId id, Reply&& reply) {
  if (peer == kNoNode) {
    replies_.emplace_back(id, std::move(reply));
  } else {
    send(peer, ForwardReply{id, encode_reply(reply)});
  }
}

void Replica::Impl::on_forward(const Envelope& envelope, const Forward& forward) {
  // What an earlier life of this node did in a term that it had heard of is forgotten, and so is
  // what was on a disk that was lost: say nothing, which leaves the outcome open.
  if (!raft_) return;
  if (recovering()) forward_floor_ = std::max(forward_floor_, raft_->term());
  const bool beside = forward.life != 0;
  if (beside ? forward.life != config_.life : forward.term <= forward_floor_) return;
  if (!forward_filter_.first_time(envelope.from, forward.id) &&
      !canary(Canary::forward_copy_done_again)) {
    return;
  }

  Result<Request> request = decode_request(forward.request);
  if (!request) {
    answer(envelope.from, forward.id, definite(ErrorCode::bad_request, request.error().message));
    return;
  }
  if (!beside && (!leading() || raft_->term() != forward.term)) {
    answer(envelope.from, forward.id, not_leader_error());
    return;
  }
  admit(envelope.from, forward.id, std::move(*request), forward.remaining);
}

void Replica::Impl::on_forward_reply(const Envelope& envelope, const ForwardReply& message) {
  const auto found = forwards_.find(message.id);
  if (found == forwards_.end()) return;  // answered, or asked elsewhere since
  const RequestHandle handle = found->second;
  PendingRequest& pending = *requests_.find(handle);
  if (pending.sent_to != envelope.from) return;
  Result<Reply> reply = decode_reply(message.reply);
  if (!reply) return;  // as if it had been lost
  const bool elsewhere = reply->has_error() && reply->error().definite() &&
                         (reply->error().code == ErrorCode::not_leader ||
                          reply->error().code == ErrorCode::shutting_down);
  if (!elsewhere) {
    // The other one knows of its own part alone.
    if (reply->has_value() && pending.behind_since) {
      (*reply)->evidence.waited = waited(pending);
    }
    finish(handle, std::move(*reply));
    return;
  }
  take_back(handle);
  pending.refused_by = envelope.from;
  pending.refused_term = raft_->term();
  route(handle);
}

std::chrono::milliseconds Replica::Impl::waited(const PendingRequest& pending) const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now_.monotonic -
                                                               *pending.behind_since);
}

}  // namespace parallax
