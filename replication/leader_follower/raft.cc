// Construction, dispatch and the hand-over of work. The protocol itself is in raft_election.cc,
// raft_append.cc, read_index.cc and raft_snapshot.cc.
#include "replication/leader_follower/raft.h"

#include <algorithm>
#include <type_traits>

#include "base/assert.h"
#include "base/canary.h"
#include "base/coverage.h"

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

/// Sent only by the leader of its term.
bool is_from_leader(const Message& message) {
  return std::holds_alternative<AppendEntries>(message) ||
         std::holds_alternative<Heartbeat>(message) ||
         std::holds_alternative<SnapshotChunk>(message) ||
         std::holds_alternative<TimeoutNow>(message);
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
      return "pre-candidate";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  PARALLAX_UNREACHABLE("role {}", static_cast<int>(role));
}

Raft::Raft(RaftConfig config, RaftRestored restored, MonoTime now)
    : config_(std::move(config)),
      random_(config_.seed),
      now_(now),
      hard_state_(restored.hard_state),
      log_(std::move(restored.log)),
      incarnation_(restored.incarnation),
      recovering_(restored.recovering),
      commit_(restored.applied),
      applied_(restored.applied),
      delivered_(restored.applied) {
  PARALLAX_ASSERT(is_member(config_.id), "node {} is not among its members", config_.id);
  PARALLAX_ASSERT(config_.life != 0, "life {}", config_.life);
  PARALLAX_ASSERT(applied_ >= log_.start().index && applied_ <= log_.last_index(),
                  "applied {} outside log ({}, {}]", applied_, log_.start().index,
                  log_.last_index());
  PARALLAX_ASSERT(log_.cached(applied_.next()), "entries above applied {} are not cached",
                  applied_);
  PARALLAX_ASSERT(hard_state_.term >= log_.last_term(), "term {} below its log's {}",
                  hard_state_.term, log_.last_term());
  next_transfer_ = random_.next();
  taken_ = {log_.last_index(), log_.last_term()};
  if (config_.leases) leader_contact_ = now_;  // what its life before promised is not known
  reset_election_timer();
}

bool Raft::is_member(NodeId id) const {
  return std::find(config_.members.begin(), config_.members.end(), id) != config_.members.end();
}

void Raft::tick(MonoTime now) {
  now_ = std::max(now_, now);
  if (is_leader()) {
    tick_leader();
  } else {
    tick_election();
  }
}

void Raft::step(const Sender& from, const Message& message) {
  if (!accept_sender(from)) return;
  if (!accept_term(from, message)) return;
  if (is_from_leader(message)) {
    PARALLAX_ASSERT(!is_leader(), "two leaders in term {}: {} and {}", term(), id(), from.id);
    follow(from.id);
  }
  std::visit(
      [&](const auto& m) {
        using M = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<M, VoteRequest>) {
          step_vote_request(from, m);
        } else if constexpr (std::is_same_v<M, VoteReply>) {
          step_vote_reply(from, m);
        } else if constexpr (std::is_same_v<M, AppendEntries>) {
          step_append(from, m);
        } else if constexpr (std::is_same_v<M, AppendReply>) {
          if (is_leader()) step_append_reply(from, m);
        } else if constexpr (std::is_same_v<M, Heartbeat>) {
          step_heartbeat(from, m);
        } else if constexpr (std::is_same_v<M, HeartbeatReply>) {
          if (is_leader()) step_heartbeat_reply(from, m);
        } else if constexpr (std::is_same_v<M, TimeoutNow>) {
          step_timeout_now(from, m);
        } else if constexpr (std::is_same_v<M, SnapshotChunk>) {
          step_snapshot_chunk(from, m);
        } else if constexpr (std::is_same_v<M, SnapshotReply>) {
          if (is_leader()) step_snapshot_reply(from, m);
        } else {
          PARALLAX_UNREACHABLE("not a Raft message: {}", message_name(message));
        }
      },
      message);
}

bool Raft::accept_sender(const Sender& from) {
  if (!is_member(from.id) || from.id == id()) return false;
  Incarnation& heard = heard_incarnations_[from.id];
  if (from.incarnation < heard) return false;
  if (from.incarnation > heard) {
    heard = from.incarnation;
    forget_incarnation(from.id, from.incarnation);
  }
  return true;
}

/// The node lost its disk since we last heard from it: what it once said no longer holds.
void Raft::forget_incarnation(NodeId peer, Incarnation incarnation) {
  votes_.erase(peer);
  const auto known = progress_.find(peer);
  if (known == progress_.end()) return;
  if (known->second.incarnation == Incarnation{}) {  // never heard of before: nothing to forget
    known->second.incarnation = incarnation;
    return;
  }
  if (canary(Canary::old_incarnation_counts)) return;
  mark(Mark::incarnation_forgotten);
  Progress fresh;
  fresh.next = log_.last_index().next();
  fresh.incarnation = incarnation;
  fresh.last_heard = fresh.last_advance = now_;
  known->second = fresh;
}

/// Brings the term up to the message's, or sees that the message is of an old one. True when the
/// message is to be handled.
bool Raft::accept_term(const Sender& from, const Message& message) {
  const Term other = term_of(message);
  if (other > term()) {
    if (const auto* request = std::get_if<VoteRequest>(&message)) {
      if (request->pre_vote) return true;  // asks about a term that nobody is in yet
      // A member that was cut off must not depose a leader that the others still hear (6.2, 9.6).
      if (!request->transfer && (leader_is_alive() || holds_still())) {
        mark(Mark::vote_request_ignored_leader_alive);
        return false;
      }
    }
    if (const auto* reply = std::get_if<VoteReply>(&message)) {
      if (reply->pre_vote && reply->granted) return true;
    }
    if (is_leader()) mark(Mark::leader_deposed_by_newer_term);
    become_follower(other, is_from_leader(message) ? from.id : kNoNode);
    return true;
  }
  if (other < term()) {
    answer_old_term(from, message);
    return false;
  }
  return true;
}

/// With pre-vote and check-quorum a node can be ahead of a leader that is otherwise fine, and would
/// be ignored by it for ever: an answer with the newer term makes that leader step down.
void Raft::answer_old_term(const Sender& from, const Message& message) {
  if (const auto* request = std::get_if<VoteRequest>(&message)) {
    send(from.id, VoteReply{.term = term(), .granted = false, .pre_vote = request->pre_vote});
  } else if (is_from_leader(message)) {
    mark(Mark::old_leader_told_newer_term);
    send(from.id, AppendReply{.term = term()});
  }
}

void Raft::follow(NodeId leader) {
  if (role_ != Role::follower) become_follower(term(), leader);
  PARALLAX_ASSERT(leader_ == kNoNode || leader_ == leader, "two leaders in term {}: {} and {}",
                  term(), leader_, leader);
  leader_ = leader;
  leader_contact_ = now_;
  heard_leader_ = true;
  reset_election_timer();
}

/// now_ is older than what has arrived since: a process may sleep in the middle of a turn.
void Raft::end_inputs(MonoTime now) {
  if (std::exchange(heard_leader_, false)) leader_contact_ = std::max(leader_contact_, now);
}

std::optional<LogIndex> Raft::propose(Bytes payload) {
  if (!is_leader() || transferring()) return std::nullopt;
  append_to_log({term(), log_.last_index().next(), std::move(payload)});
  return log_.last_index();
}

void Raft::hold_last_until_durable() {
  PARALLAX_ASSERT(is_leader(), "node {} leads no term", config_.id);
  held_.push_back(log_.last_index());
}

void Raft::on_persisted(const PersistedMark& persisted) {
  if (log_.term_at(persisted.last) != persisted.last_term) mark(Mark::replaced_batch_ignored);
  log_.on_durable(persisted.last, persisted.last_term);
  while (!held_.empty() && held_.front() <= log_.durable()) held_.pop_front();
  if (is_leader()) advance_commit();
}

void Raft::on_applied(LogIndex index) {
  PARALLAX_ASSERT(index <= commit_, "applied {} above commit {}", index, commit_);
  applied_ = std::max(applied_, index);
  log_.trim_cache(std::min(applied_, log_.durable()), config_.log_cache_bytes);
  adopt_freshness();
}

void Raft::compact(LogIndex index) {
  PARALLAX_ASSERT(index <= applied_, "compact {} above applied {}", index, applied_);
  // A peer that is receiving a snapshot goes on with the entry behind it.
  for (const auto& [peer, progress] : progress_) {
    if (progress.state == ProgressState::snapshot && progress.snapshot_index.value != 0) {
      if (index > progress.snapshot_index) mark(Mark::compaction_held_back);
      index = std::min(index, progress.snapshot_index);
    }
  }
  if (index <= log_.start().index) return;
  log_.compact(index);
  ready_.log_start = log_.start();
}

void Raft::draw_again(Incarnation incarnation) {
  PARALLAX_ASSERT(recovering_ && incarnation > incarnation_, "incarnation {} after {}", incarnation,
                  incarnation_);
  incarnation_ = incarnation;
}

void Raft::end_recovery(Incarnation incarnation) {
  PARALLAX_ASSERT(incarnation == incarnation_, "recovery of {} ended, this is {}", incarnation,
                  incarnation_);
  mark(Mark::recovery_ended);
  recovering_ = false;
  recovery_ready_ = false;
  // The disk that was lost may have held a vote in this term.
  if (voted_for() == kNoNode) {
    hard_state_.voted_for = id();
    hard_state_changed_ = true;
  }
  reset_election_timer();
}

std::vector<std::pair<NodeId, Incarnation>> Raft::recovered_members() const {
  std::vector<std::pair<NodeId, Incarnation>> result;
  if (!ready_to_serve()) return result;
  for (const auto& [peer, progress] : progress_) {
    if (progress.recovering && progress.recovery_ready && progress.match >= commit_) {
      result.emplace_back(peer, progress.incarnation);
    }
  }
  return result;
}

void Raft::send(NodeId to, Message message) {
  if (canary(Canary::acknowledge_before_sync) && std::holds_alternative<AppendReply>(message)) {
    return send_at_once(to, std::move(message));
  }
  ready_.send_after.push_back({to, std::move(message)});
}

void Raft::send_at_once(NodeId to, Message message) {
  ready_.send_now.push_back({to, std::move(message)});
}

void Raft::append_to_log(LogEntry entry) {
  ready_.append.push_back(entry);
  log_.append(std::move(entry));
}

void Raft::truncate_log(LogIndex from) {
  PARALLAX_ASSERT(from > commit_, "truncating committed entry {} (commit {})", from, commit_);
  PARALLAX_ASSERT(!is_leader(), "a leader truncates its log at {}", from);
  mark(Mark::conflicting_tail_truncated);
  if (log_.durable() < log_.last_index()) mark(Mark::unwritten_tail_truncated);
  if (!ready_.truncate_from || from < *ready_.truncate_from) ready_.truncate_from = from;
  ready_.truncate_to = std::max(ready_.truncate_to, log_.last_index());
  std::erase_if(ready_.append, [&](const LogEntry& entry) { return entry.index >= from; });
  log_.truncate(from);
  while (!held_.empty() && held_.back() >= from) held_.pop_back();
}

RaftReady Raft::take_ready(bool may_persist) {
  if (is_leader()) {
    if (round_wanted_) begin_round();
    send_appends();
  }
  while (delivered_ < commit_) {
    delivered_ = delivered_.next();
    ready_.committed.push_back(log_.cached_entry(delivered_));
  }
  if (hard_state_changed_) ready_.hard_state = hard_state_;
  if (may_persist) {
    hard_state_changed_ = false;
    taken_ = {log_.last_index(), log_.last_term()};
    return std::exchange(ready_, {});
  }
  RaftReady partial;
  partial.send_now = std::exchange(ready_.send_now, {});
  partial.committed = std::exchange(ready_.committed, {});
  partial.confirmed = std::exchange(ready_.confirmed, {});
  partial.loads = std::exchange(ready_.loads, {});
  partial.chunk_reads = std::exchange(ready_.chunk_reads, {});
  return partial;
}

}  // namespace parallax
