// What a replica answers when another one, or itself, asks for what it holds of a key, or hands it
// over.
//
// A query is answered with the whole state of the key, early or not, once that is durable here. A
// majority query waits before for the log's pending tail (pending_tail.h).
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"

namespace parallax {

/// Of a query of this node itself: the answer, if it may be shown at once. Every other answer comes
/// later, to whom it is for.
std::optional<QuorumQueryReply> Replica::Impl::query(const std::string& key, bool majority,
                                                     const Asker& asker, Duration remaining) {
  if (recovering() || node_.membership != Membership::member || !raft_ || disk_failed_) {
    return answer_query(asker, QuorumQueryStatus::refused, {}, 0);
  }
  if (majority && !canary(Canary::pending_tail_ignored)) {
    const LogIndex last = raft_->log().last_index();
    if (tail_.last(raft_->log(), applied_.index, last, key) != LogIndex{}) {
      mark(Mark::query_waited_for_tail);
      // Half of the time is left to whoever is asked instead.
      tail_waits_.push_back({key, last, asker, now_.monotonic + remaining / 2});
      return std::nullopt;
    }
  }
  return query_now(key, asker);
}

std::optional<QuorumQueryReply> Replica::Impl::query_now(const std::string& key,
                                                         const Asker& asker) {
  Result<KeyState> state = known_state(key);
  if (!state) {
    fail(state.error());
    return answer_query(asker, QuorumQueryStatus::refused, {}, 0);
  }
  const std::uint64_t sequence = shown_after(key, *state);
  return answer_query(asker, QuorumQueryStatus::held, std::move(*state), sequence);
}

/// Answers once batch `sequence` is durable; 0: at once.
std::optional<QuorumQueryReply> Replica::Impl::answer_query(const Asker& asker,
                                                            QuorumQueryStatus status,
                                                            KeyState state,
                                                            std::uint64_t sequence) {
  if (const auto* own = std::get_if<OwnQuery>(&asker)) {
    if (sequence == 0) {
      return QuorumQueryReply{.call = {}, .status = status, .state = std::move(state)};
    }
    after_batch(sequence, OwnHeld{own->coordination, std::move(state)});
    return std::nullopt;
  }
  const auto& other = std::get<OtherQuery>(asker);
  HeldMessage message{
      other.from,
      QuorumQueryReply{.call = other.call, .status = status, .state = std::move(state)}};
  after_batch(sequence, std::move(message));
  return std::nullopt;
}

/// What the log held when they came is applied or truncated, or they have waited long enough.
void Replica::Impl::answer_tail_waits() {
  if (tail_waits_.empty()) return;
  for (TailWait& waiting : std::exchange(tail_waits_, {})) {
    const bool refuse = !raft_ || recovering() || disk_failed_;
    const bool pending = !refuse && tail_.last(raft_->log(), applied_.index, waiting.up_to,
                                               waiting.key) != LogIndex{};
    if (pending && now_.monotonic < waiting.until) {
      tail_waits_.push_back(std::move(waiting));
      continue;
    }
    std::optional<QuorumQueryReply> own;
    if (refuse) {
      own = answer_query(waiting.asker, QuorumQueryStatus::refused, {}, 0);
    } else if (pending) {
      mark(Mark::query_unresolved);
      own = answer_query(waiting.asker, QuorumQueryStatus::unresolved, {}, 0);
    } else {
      own = query_now(waiting.key, waiting.asker);
    }
    if (own) on_own_query(std::get<OwnQuery>(waiting.asker).coordination, own->status, own->state);
  }
}

void Replica::Impl::on_quorum_query(const Envelope& envelope, const QuorumQuery& asked) {
  query(asked.key, asked.majority, OtherQuery{envelope.from, asked.call}, asked.remaining);
}

/// Joined whatever this node is, so that it is not behind later; its word counts only where the
/// envelope says that it may.
void Replica::Impl::on_quorum_store(const Envelope& envelope, const QuorumStore& store) {
  QuorumStoreReply reply{.call = store.call, .stored = true, .hint_for = store.hint_for};
  const bool stands_in = store.hint_for != kNoNode && store.hint_for != config_.id;
  bool taken = raft_ && !disk_failed_ && (!stands_in || peers_.contains(store.hint_for)) &&
               take_in(store.key, store.state, applied_.index).has_value();
  // Before the state is refused for want of room it is joined all the same: it is worth having.
  if (taken && stands_in) taken = !recovering() && note_hint(store.hint_for, store.key);
  if (!taken) {
    reply.stored = false;
    if (!fatal_) send(envelope.from, reply);
    return;
  }
  clean_credit_ += 2;
  // A hint is in the batch of this turn, whatever the state is in.
  after_batch(stands_in ? next_sequence_ : last_change(store.key),
              HeldMessage{envelope.from, reply, now_.monotonic});
}

}  // namespace parallax
