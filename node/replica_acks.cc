// Acknowledgement modes of the leader's writes: how many replicas hold an entry durably before its
// client is answered.
//
//   leader     this node
//   semi-sync  and one follower; where none says so for semi_sync_timeout, this node alone, and
//              the answer says that it is degraded, until a follower keeps up again
//   majority   what commits it; answered when it is applied (settle_proposals())
//   all        and then every member
//
// What is acknowledged before it is committed can be lost with its leader, and reads may miss it
// until then: such an answer leaves the session's index as it was. What is acknowledged at `all` is
// on every disk; where a member is missing, the write has happened all the same when its deadline
// passes, which is therefore not a definite failure.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"

namespace parallax {
namespace {

/// Ahead of the deadline of who passed a write on.
constexpr Duration kAnswerAhead = std::chrono::milliseconds(100);
/// More of these than requests, and they are looked through.
constexpr std::size_t kEndedAcksKept = 64;

}  // namespace

/// Entry `index` has just been proposed for this request.
void Replica::Impl::note_ack(RequestHandle handle, LogIndex index) {
  const PendingRequest& pending = *requests_.find(handle);
  // What a refusal shows has to be committed, however early the write would have been answered.
  if (pending.outcome.refusal) return;
  const Ack ack = pending.request.consistency.ack;
  if (ack == Ack::leader) {
    early_acks_.push_back({index, handle});
  } else if (ack == Ack::semi_sync) {
    semi_sync_.waiting.push_back({index, handle});
    semi_sync_.last = index;
    if (!semi_sync_.since) semi_sync_.since = now_.monotonic;
  }
}

/// Up to where this node, and with it at least one follower, has the log.
LogIndex Replica::Impl::received_index() const {
  if (raft_->progress().empty()) return raft_->log().durable();  // there is nobody else
  LogIndex best;
  for (const auto& [peer, progress] : raft_->progress()) {
    if (!progress.recovering) best = std::max(best, progress.match);
  }
  return std::min(best, raft_->log().durable());
}

bool Replica::Impl::held_by_all(LogIndex index) const {
  if (!leading() || raft_->log().durable() < index) return false;
  return std::all_of(raft_->progress().begin(), raft_->progress().end(), [&](const auto& member) {
    return member.second.match >= index && !member.second.recovering;
  });
}

/// True: a read round is wanted.
bool Replica::Impl::acknowledge_writes() {
  if (!leading()) return false;
  const bool round = count_again();
  const RaftLog& log = raft_->log();
  const LogIndex durable = canary(Canary::early_before_disk) ? log.last_index() : log.durable();
  while (!early_acks_.empty() && early_acks_.front().index <= durable) {
    acknowledge_early(early_acks_.front(), false);
    early_acks_.pop_front();
  }
  judge_semi_sync();
  const bool alone = semi_sync_.degraded || canary(Canary::semi_sync_alone);
  const LogIndex bound = alone ? durable : received_index();
  while (!semi_sync_.waiting.empty() && semi_sync_.waiting.front().index <= bound) {
    acknowledge_early(semi_sync_.waiting.front(), semi_sync_.degraded);
    semi_sync_.waiting.pop_front();
  }
  while (!all_acks_.empty() && held_by_all(all_acks_.front().index)) {
    const PendingAck ack = all_acks_.front();
    all_acks_.pop_front();
    const PendingRequest* const pending = requests_.find(ack.request);
    if (pending == nullptr) continue;
    Answer answer = write_answer(*pending, write_evidence(ack.index, raft_->term()));
    answer.replayed = pending->replayed;
    finish(ack.request, std::move(answer));
  }
  return round;
}

/// Whether followers say that they have what is waited for, and since when none does.
void Replica::Impl::judge_semi_sync() {
  if (!semi_sync_.since) return;
  const LogIndex received = received_index();
  const bool keeps_up = received >= semi_sync_.target.value_or(semi_sync_.last);
  if (semi_sync_.degraded && keeps_up) mark(Mark::semi_sync_returned);
  if (received >= semi_sync_.last) {
    semi_sync_.since.reset();
    semi_sync_.degraded = false;
    semi_sync_.target.reset();
    return;
  }
  if (received > semi_sync_.received) {
    semi_sync_.since = now_.monotonic;
    if (semi_sync_.degraded && !semi_sync_.target) semi_sync_.target = semi_sync_.last;
  }
  if (semi_sync_.target && received >= *semi_sync_.target) {
    semi_sync_.degraded = false;
    semi_sync_.target.reset();
  }
  semi_sync_.received = received;
  if (semi_sync_.degraded || now_.monotonic - *semi_sync_.since < config_.semi_sync_timeout) return;
  semi_sync_.degraded = true;
  ++counters_.semi_sync_degradations;
  mark(Mark::semi_sync_degraded);
}

void Replica::Impl::acknowledge_early(const PendingAck& ack, bool degraded) {
  PendingRequest* const pending = requests_.find(ack.request);
  if (pending == nullptr) return;  // committed already, or its deadline has passed
  if (degraded) pending->request.consistency.ack = Ack::leader;
  Evidence evidence = write_evidence(ack.index, raft_->term());
  evidence.degraded = degraded;
  Answer answer = write_answer(*pending, std::move(evidence));
  // Not committed: no replica that has applied so much need have it.
  answer.session = session_for(pending->request, LogIndex{});
  finish(ack.request, std::move(answer));
}

/// A write has happened, by entry `index`: its client is told, at once or when all have it.
void Replica::Impl::finish_write(RequestHandle handle, Answer answer, LogIndex index) {
  PendingRequest& pending = *requests_.find(handle);
  const bool all = pending.request.consistency.ack == Ack::all;
  if (!all || pending.outcome.refusal || held_by_all(index) || canary(Canary::all_at_majority)) {
    finish(handle, std::move(answer));
    return;
  }
  if (!leading()) {
    finish(handle, not_on_all(index));
    return;
  }
  mark(Mark::write_waited_for_all);
  pending.stage = PendingRequest::Stage::spreading;
  pending.spread = index;
  pending.replayed = answer.replayed;
  // Who passed it on has the same deadline, and should hear in how many places the write is.
  const Duration left = pending.deadline - now_.monotonic;
  const Duration ahead = pending.peer == kNoNode ? Duration{} : std::min(kAnswerAhead, left / 4);
  requests_.wake_at(handle, pending.deadline - ahead);
  if (all_acks_.size() > 2 * requests_.size() + kEndedAcksKept) {
    // A member that is away for long: most of those that waited for it have ended.
    std::erase_if(all_acks_,
                  [&](const PendingAck& ack) { return requests_.find(ack.request) == nullptr; });
  }
  const auto place =
      std::upper_bound(all_acks_.begin(), all_acks_.end(), index,
                       [](LogIndex at, const PendingAck& ack) { return at < ack.index; });
  all_acks_.insert(place, {index, handle});
}

Error Replica::Impl::not_on_all(LogIndex index) const {
  Error error =
      indefinite(ErrorCode::not_enough_replicas,
                 fmt::format("entry {} is committed; not all members are known to have it", index));
  error.required = static_cast<std::uint32_t>(config_.members.size());
  if (leading()) error.received = static_cast<std::uint32_t>(holders_of(index).size());
  return error;
}

/// Leadership is gone. What is not committed is answered when its place in the log is decided; who
/// has what is known to the next leader alone.
void Replica::Impl::forget_acks() {
  early_acks_.clear();
  semi_sync_ = {};
  for (const PendingAck& ack : std::exchange(all_acks_, {})) {
    if (requests_.find(ack.request) != nullptr) finish(ack.request, not_on_all(ack.index));
  }
}

/// After anything that may have moved the core. What commits in the same turn in which leadership
/// goes is answered behind that, when the core knows of no followers any more.
void Replica::Impl::note_matches() {
  if (!raft_->is_leader()) return;
  matches_.term = raft_->term();
  matches_.members.clear();
  matches_.members.emplace_back(config_.id, raft_->log().durable());
  for (const auto& [peer, progress] : raft_->progress()) {
    if (!progress.recovering) matches_.members.emplace_back(peer, progress.match);
  }
}

}  // namespace parallax
