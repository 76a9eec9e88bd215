// Reads of this replica's own state, where that is far enough: sequential, bounded and prefix.
//
// How far it is, is known from three things, and no clock but this node's monotonic one:
//   - the applied index, held against the index of the session (sequential);
//   - freshness marks (replication/leader_follower/read_index.cc): all that was acknowledged by the
//     moment of the mark is applied here;
//   - a commit index that the leader names behind a read round, which begins after the read has
//     come (IndexQuery). Lag is the distance to it; and what has applied it is a mark as well.
//
// One question serves all reads that came in a turn. A leader serves these levels from its own
// state too, and else behind a read round, like a linearizable read.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "consistency/staleness.h"
#include "node/replica_impl.h"

namespace parallax {
namespace {

/// Without an answer for so long the leader is asked again; a read that is not to wait is refused.
constexpr Duration kIndexPatience = std::chrono::milliseconds(200);
/// Until then an answer is taken that comes late: two round trips may well be longer than patience.
constexpr Duration kIndexAsksKept = std::chrono::seconds(10);
/// Asked again, when whoever was asked does not lead.
constexpr Duration kIndexRefusedRetry = std::chrono::milliseconds(50);

/// Without a session there is nothing to be held to but the log's order.
bool sessionless(const Request& request) {
  return request.consistency.level == Level::sequential && !request.session;
}

}  // namespace

/// Their age is judged by a time behind their arrival, which there is when the turn's inputs are
/// in: the process may have slept between the first of them and the last.
void Replica::Impl::route_timed_reads() {
  inputs_over_ = true;
  for (RequestHandle handle : std::exchange(timed_reads_, {})) {
    const PendingRequest* const pending = requests_.find(handle);
    // One can be here twice; it may have been passed on by the first.
    if (pending != nullptr && pending->stage == PendingRequest::Stage::waiting) route(handle);
  }
}

/// How old the state here can be, as far as that is known.
std::optional<Duration> Replica::Impl::age(const PendingRequest& pending) const {
  std::optional<MonoTime> mark;
  // The core is ahead of the key states while a snapshot waits for its batch.
  if (raft_ && raft_->freshness() && raft_->freshness()->second <= applied_.index) {
    mark = raft_->freshness()->first;
  }
  const PendingRequest::Fresh& fresh = pending.fresh;
  if (fresh.confirmed != LogIndex{} && applied_.index >= fresh.confirmed) {
    mark = std::max(mark.value_or(fresh.asked_at), fresh.asked_at);
  }
  if (!mark) return std::nullopt;
  return now_.monotonic - *mark;
}

std::optional<Replica::Impl::Behind> Replica::Impl::behind(const PendingRequest& pending) const {
  const Consistency& level = pending.request.consistency;
  const PendingRequest::Fresh& fresh = pending.fresh;
  if (level.level == Level::sequential && pending.request.session &&
      pending.request.session->index > applied_.index && !canary(Canary::session_index_ignored)) {
    const LogIndex seen = pending.request.session->index;
    return Behind{fmt::format("the session has seen entry {}, applied is {}", seen, applied_.index),
                  seen};
  }
  if (level.level != Level::bounded) return std::nullopt;
  const std::optional<LogIndex> confirmed =
      fresh.confirmed == LogIndex{} ? std::nullopt : std::optional(fresh.confirmed);
  if (level.max_staleness_ms) {
    const std::optional<Duration> old = age(pending);
    if (!old || staleness_ms(*old) > *level.max_staleness_ms) {
      return Behind{old ? fmt::format("its state may be {} ms old, at most {} are allowed",
                                      staleness_ms(*old), *level.max_staleness_ms)
                        : "it does not know how old its state is",
                    confirmed};
    }
  }
  if (level.max_lag) {
    if (!confirmed) return Behind{"the leader has not said what is committed"};
    if (confirmed->value > applied_.index.value + *level.max_lag) {
      return Behind{fmt::format("entry {} is committed, applied is {}, at most {} may be missing",
                                *confirmed, applied_.index, *level.max_lag),
                    LogIndex{confirmed->value - *level.max_lag}};
    }
  }
  return std::nullopt;
}

/// False: it has to go to the leader, or wait for one.
bool Replica::Impl::serve_anywhere(RequestHandle handle) {
  if (recovering()) {
    finish(handle, definite(ErrorCode::recovering,
                            fmt::format("node {} is recovering its data", config_.id)));
    return true;
  }
  if (!inputs_over_) {
    requests_.find(handle)->stage = PendingRequest::Stage::waiting;
    timed_reads_.push_back(handle);
    return true;
  }
  PendingRequest& pending = *requests_.find(handle);
  const Consistency& level = pending.request.consistency;
  if (canary(Canary::lag_of_own_commit) && level.max_lag && raft_) {
    pending.fresh.confirmed = raft_->commit_index();
    pending.fresh.asked_at = MonoTime{};  // it says nothing of time
  }
  if (!local_reads_allowed()) {
    if (level.on_violation != OnViolation::reject) return false;
    finish(handle, definite(ErrorCode::level_unattainable,
                            fmt::format("node {} is not ready to serve", config_.id)));
    return true;
  }
  const std::optional<Behind> missing = behind(pending);
  if (!missing) {
    show_local(handle, local_evidence());
    return true;
  }
  // A read round of its own tells a leader what a follower asks for.
  if (leading() && level.level == Level::bounded) return false;
  return refuse_or_wait(handle, *missing);
}

/// What `on_violation` says. False: it goes to the leader, which may be this node.
bool Replica::Impl::refuse_or_wait(RequestHandle handle, const Behind& missing) {
  PendingRequest& pending = *requests_.find(handle);
  const Consistency& level = pending.request.consistency;
  PendingRequest::Fresh& fresh = pending.fresh;
  const bool reject = level.on_violation == OnViolation::reject;
  if (level.on_violation == OnViolation::forward && !leading()) return false;
  // Without a word of the leader a bound cannot be judged: that is waited for, and not for long.
  const bool judged = level.level == Level::sequential || leader() == kNoNode ||
                      (!level.max_staleness_ms && missing.needs) || leading();
  if (reject && (judged || now_.monotonic >= fresh.give_up_at.value_or(MonoTime::max()))) {
    mark(Mark::bound_refused);
    finish(handle, definite(ErrorCode::level_unattainable,
                            fmt::format("node {}: {}", config_.id, missing.what)));
    return true;
  }
  if (leading() && level.level == Level::bounded) return false;
  const bool applying = missing.needs && *missing.needs > applied_.index;
  const bool asked = fresh.ask != 0 && now_.monotonic - fresh.ask_sent < kIndexPatience;
  if (applying) {
    mark(Mark::read_waited_to_apply);
    await_applied(handle, *missing.needs);
  } else if (level.level == Level::bounded && !asked && leader() != kNoNode) {
    index_wanted_.push_back(handle);
    fresh.ask = next_index_ask_;
    fresh.ask_sent = now_.monotonic;
  }
  if (level.level == Level::bounded) {
    if (reject && !fresh.give_up_at) fresh.give_up_at = now_.monotonic + kIndexPatience;
    requests_.wake_at(handle, fresh.give_up_at.value_or(now_.monotonic + kIndexPatience));
  }
  wait(handle);
  return true;
}

void Replica::Impl::show_local(RequestHandle handle, Evidence evidence) {
  PendingRequest& pending = *requests_.find(handle);
  if (sessionless(pending.request)) pending.request.consistency = {.level = Level::prefix};
  const Request& request = pending.request;
  if (request.consistency.max_lag) evidence.confirmed = pending.fresh.confirmed;
  const std::optional<Duration> old = age(pending);
  ReadScope scope;  // expiry is judged by this replica's clock, outside the order
  Reply reply = read(request, std::move(evidence), scope);
  if (!reply) {
    finish(handle, std::move(reply));
    return;
  }
  if (old) reply->staleness_ms = staleness_ms(*old);
  show(handle, scope.shown_after, std::move(*reply));  // other protocols' versions, perhaps
}

// --- Asking the leader ---------------------------------------------------------------------------

/// It is looked at again once `index` is applied; 0: not any more.
void Replica::Impl::await_applied(RequestHandle handle, LogIndex index) {
  LogIndex& awaits = requests_.find(handle)->fresh.awaits;
  if (awaits == index) return;
  if (awaits != LogIndex{}) applied_reads_.erase({awaits, handle.slot});
  if (index != LogIndex{}) applied_reads_.emplace(std::pair(index, handle.slot), handle);
  awaits = index;
}

/// Once at the end of a turn, for all reads that want it.
void Replica::Impl::ask_index() {
  const std::vector<RequestHandle> reads = std::exchange(index_wanted_, {});
  const NodeId to = leader();
  if (to == kNoNode || to == config_.id) {  // it changed in this turn
    for (RequestHandle handle : reads) {
      if (PendingRequest* const pending = requests_.find(handle)) pending->fresh.ask = 0;
      route_soon(handle);
    }
    return;
  }
  // Lost, by all appearance.
  while (!index_asks_.empty() && now_.monotonic - index_asks_.begin()->second.at > kIndexAsksKept) {
    index_asks_.erase(index_asks_.begin());
  }
  mark(Mark::commit_index_asked);
  const std::uint64_t id = next_index_ask_++;
  for (RequestHandle handle : reads) {
    if (PendingRequest* const pending = requests_.find(handle)) pending->fresh.ask = id;
  }
  index_asks_.emplace(id, IndexAsk{to, now_.monotonic, reads});
  send(to, IndexQuery{.call = {config_.life, RequestId{id}}});
}

void Replica::Impl::on_index_query(const Envelope& envelope, const IndexQuery& query) {
  if (!serving()) {
    send(envelope.from, IndexReply{.call = query.call});
    return;
  }
  const std::optional<RoundId> round = raft_->request_read_round();
  PARALLAX_ASSERT(round, "the leader of term {} begins no round", raft_->term());
  round_queries_.push_back({*round, envelope.from, query.call});
}

/// What a majority has confirmed may be told at once: it is committed.
void Replica::Impl::answer_index_queries(const ConfirmedRound& confirmed) {
  while (!round_queries_.empty() && round_queries_.front().round <= confirmed.round) {
    const RoundQuery& query = round_queries_.front();
    send(query.from, IndexReply{.call = query.call, .confirmed = true, .index = confirmed.index});
    round_queries_.pop_front();
  }
}

void Replica::Impl::on_index_reply(const Envelope& envelope, const IndexReply& reply) {
  const auto found = index_asks_.find(reply.call.id.value);
  if (reply.call.life != config_.life || found == index_asks_.end() ||
      found->second.to != envelope.from) {
    return;
  }
  const IndexAsk ask = std::move(found->second);
  index_asks_.erase(found);
  for (RequestHandle handle : ask.reads) {
    PendingRequest* const pending = requests_.find(handle);
    if (pending == nullptr || pending->stage != PendingRequest::Stage::waiting) continue;
    PendingRequest::Fresh& fresh = pending->fresh;
    const bool latest = fresh.ask == reply.call.id.value;
    if (latest) fresh.ask = 0;
    if (!reply.confirmed) {
      if (latest) requests_.wake_at(handle, now_.monotonic + kIndexRefusedRetry);
      continue;
    }
    // It may have asked again since; any question serves that was asked behind its arrival. A later
    // one may have been answered first.
    if (fresh.confirmed != LogIndex{} && fresh.asked_at >= ask.at) continue;
    fresh.asked_at = ask.at;
    fresh.confirmed = reply.index;
    timed_reads_.push_back(handle);
  }
}

/// What was waited for may be applied by now.
void Replica::Impl::serve_applied_reads() {
  while (!applied_reads_.empty() && applied_reads_.begin()->first.first <= applied_.index) {
    const RequestHandle handle = applied_reads_.begin()->second;
    await_applied(handle, LogIndex{});
    if (requests_.find(handle)->stage == PendingRequest::Stage::waiting) route(handle);
  }
}

}  // namespace parallax
