// Elections: pre-vote (9.6), votes (3.4), check-quorum (6.2), leadership transfer (3.10).
#include <algorithm>

#include "base/assert.h"
#include "base/canary.h"
#include "base/coverage.h"
#include "replication/leader_follower/raft.h"

namespace parallax {

void Raft::reset_election_timer() {
  const auto spread = config_.election_timeout_max - config_.election_timeout_min;
  const auto extra = random_.below(static_cast<std::uint64_t>(spread.count()) + 1);
  election_deadline_ =
      now_ + config_.election_timeout_min + Duration{static_cast<std::int64_t>(extra)};
}

bool Raft::leader_is_alive() const {
  if (is_leader()) return true;  // tick() saw to it that a majority is heard from
  return leader_ != kNoNode && now_ - leader_contact_ < config_.election_timeout_min;
}

/// Whether a leader's lease may rest on this node (lease.h). Unlike leader_is_alive() it outlives
/// the term in which the leader was heard: that a later one exists does not end a lease.
bool Raft::holds_still() const {
  return config_.leases && now_ - leader_contact_ < config_.election_timeout_min;
}

bool Raft::heard_recently(const Progress& progress) const {
  return now_ - progress.last_heard < config_.election_timeout_max;
}

bool Raft::heard_from_majority() const {
  const auto heard = std::count_if(progress_.begin(), progress_.end(), [&](const auto& member) {
    return !member.second.recovering && heard_recently(member.second);
  });
  return static_cast<std::size_t>(heard) + 1 >= majority();
}

bool Raft::log_is_up_to_date(LogIndex last_index, Term last_term) const {
  return std::pair(last_term, last_index) >= std::pair(log_.last_term(), log_.last_index());
}

void Raft::tick_election() {
  if (now_ < election_deadline_ || holds_still()) return;
  leader_ = kNoNode;
  if (receiving_) mark(Mark::snapshot_during_election);
  if (recovering_ || !may_lead_) {
    reset_election_timer();
    return;
  }
  start_campaign(true, false);
}

void Raft::campaign() {
  if (!is_leader() && !recovering_) start_campaign(false, false);
}

void Raft::become_follower(Term new_term, NodeId leader) {
  PARALLAX_ASSERT(new_term >= term(), "term falls from {} to {}", term(), new_term);
  if (new_term > term()) {
    hard_state_ = {new_term, kNoNode};
    hard_state_changed_ = true;
    receiving_.reset();
  }
  role_ = Role::follower;
  leader_ = leader;
  votes_.clear();
  progress_.clear();
  rounds_.clear();
  round_wanted_ = false;
  lease_begun_.reset();
  transfer_to_ = kNoNode;
  reset_election_timer();
}

void Raft::start_campaign(bool pre_vote, bool transfer) {
  PARALLAX_ASSERT(!is_leader() && !recovering_, "node {} campaigns as {}", id(), role_name(role_));
  become_follower(term(), kNoNode);
  role_ = pre_vote ? Role::pre_candidate : Role::candidate;
  if (!pre_vote) {
    hard_state_ = {Term{term().value + 1}, id()};
    hard_state_changed_ = true;
  }
  campaign_transfer_ = transfer;
  votes_[id()] = true;
  const VoteRequest request{.term = pre_vote ? Term{term().value + 1} : term(),
                            .last_index = log_.last_index(),
                            .last_term = log_.last_term(),
                            .pre_vote = pre_vote,
                            .transfer = transfer};
  for (NodeId peer : config_.members) {
    if (peer != id()) send(peer, request);
  }
  if (majority() > 1) return;
  if (pre_vote) {
    start_campaign(false, transfer);
  } else {
    become_leader();
  }
}

void Raft::step_vote_request(const Sender& from, const VoteRequest& request) {
  const bool future = request.pre_vote && request.term > term();
  const bool up_to_date = log_is_up_to_date(request.last_index, request.last_term) ||
                          canary(Canary::vote_for_older_log);
  const bool free_to_vote =
      future || voted_for() == from.id || (voted_for() == kNoNode && leader_ == kNoNode);
  const bool held_back = (leader_is_alive() || holds_still()) && !request.transfer;
  const bool barred = recovering_ && !canary(Canary::recovering_node_votes);
  const bool grant = !barred && !from.recovering && free_to_vote && !held_back && up_to_date;
  if (request.pre_vote && !grant) mark(Mark::pre_vote_refused);
  if (!request.pre_vote && !up_to_date) mark(Mark::vote_refused_log_behind);
  if (!request.pre_vote && !free_to_vote) mark(Mark::vote_refused_already_voted);
  if (grant && !request.pre_vote) {
    if (voted_for() != from.id) {
      hard_state_.voted_for = from.id;
      hard_state_changed_ = hard_state_changed_ || !canary(Canary::vote_not_persisted);
    }
    reset_election_timer();
  }
  send(from.id,
       VoteReply{
           .term = grant ? request.term : term(), .granted = grant, .pre_vote = request.pre_vote});
}

void Raft::step_vote_reply(const Sender& from, const VoteReply& reply) {
  const Role expected = reply.pre_vote ? Role::pre_candidate : Role::candidate;
  if (role_ != expected) return;
  if (from.recovering && !canary(Canary::recovering_node_votes)) return;
  const Term asked = reply.pre_vote ? Term{term().value + 1} : term();
  if (reply.granted && reply.term != asked) return;  // of an earlier campaign
  votes_.emplace(from.id, reply.granted);
  std::size_t granted = 0;
  for (const auto& [voter, yes] : votes_) granted += yes ? 1 : 0;
  if (granted >= majority()) {
    if (reply.pre_vote) {
      start_campaign(false, campaign_transfer_);
    } else {
      become_leader();
    }
  } else if (votes_.size() - granted >= majority()) {
    mark(Mark::election_lost);
    become_follower(term(), kNoNode);
  }
}

void Raft::become_leader() {
  PARALLAX_ASSERT(role_ == Role::candidate, "{} becomes leader", role_name(role_));
  if (log_.last_index() > commit_) mark(Mark::election_won_with_older_entries);
  if (campaign_transfer_) mark(Mark::transfer_completed);
  role_ = Role::leader;
  leader_ = id();
  votes_.clear();
  progress_.clear();
  for (NodeId peer : config_.members) {
    if (peer == id()) continue;
    Progress& progress = progress_[peer];
    progress.next = log_.last_index().next();
    progress.incarnation = heard_incarnations_[peer];
    progress.last_heard = progress.last_advance = now_;
  }
  // The no-op of the term: nothing of earlier terms may be committed by counting (3.6.2), and only
  // once it is applied does the leader know what is committed (6.4).
  append_to_log({term(), log_.last_index().next(), Bytes{}});
  term_start_ = log_.last_index();
  lease_over_ = false;
  next_heartbeat_ = now_ + config_.heartbeat_interval;
  begin_round();
}

void Raft::tick_leader() {
  if (!heard_from_majority()) {
    mark(Mark::leader_stepped_down_no_quorum);
    become_follower(term(), kNoNode);  // check-quorum: others may have gone on without us
    return;
  }
  if (transferring() && now_ >= transfer_deadline_) {
    mark(Mark::transfer_interrupted);
    transfer_to_ = kNoNode;
  }
  if (now_ < next_heartbeat_) return;
  next_heartbeat_ = now_ + config_.heartbeat_interval;
  for (auto& [peer, progress] : progress_) {
    progress.paused = false;
    const bool stuck = now_ - progress.last_advance > 5 * config_.heartbeat_interval;
    if (progress.state == ProgressState::snapshot) {
      if (now_ - progress.last_heard > 5 * config_.election_timeout_max) {
        mark(Mark::snapshot_abandoned);
        progress.become_probe();
      } else if (stuck) {
        resend_chunks(peer, progress);
      }
    } else if (progress.state == ProgressState::replicate && stuck && !progress.inflight.empty()) {
      mark(Mark::replication_stuck_reprobed);
      progress.become_probe();  // something was lost on the way: find out where the logs meet
    }
  }
  begin_round();
}

bool Raft::transfer_leadership(NodeId to) {
  if (!is_leader()) return false;
  if (to == kNoNode) {
    for (const auto& [peer, progress] : progress_) {
      if (progress.recovering || !heard_recently(progress)) continue;
      if (to == kNoNode || progress.match > progress_.at(to).match) to = peer;
    }
  }
  const auto target = progress_.find(to);
  if (target == progress_.end()) return false;
  mark(Mark::transfer_begun);
  transfer_to_ = to;
  transfer_sent_ = false;
  transfer_deadline_ = now_ + config_.election_timeout_max;
  maybe_finish_transfer(to, target->second);
  return true;
}

void Raft::maybe_finish_transfer(NodeId peer, const Progress& progress) {
  if (peer != transfer_to_ || transfer_sent_ || progress.match != log_.last_index()) return;
  transfer_sent_ = true;
  end_lease();
  send(peer, TimeoutNow{term()});
}

void Raft::step_timeout_now(const Sender&, const TimeoutNow&) {
  if (recovering_ || !may_lead_) return;
  start_campaign(false, true);
}

}  // namespace parallax
