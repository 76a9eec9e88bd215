// Read rounds (ReadIndex, 6.4), heartbeats, and what rides on them: freshness marks, and the
// leader's lease (lease.h).
#include <algorithm>

#include "base/assert.h"
#include "base/canary.h"
#include "base/coverage.h"
#include "replication/leader_follower/raft.h"

namespace parallax {

// --- Leader -----------------------------------------------------------------------------------

std::optional<RoundId> Raft::request_read_round() {
  if (!is_leader()) return std::nullopt;
  round_wanted_ = true;
  return RoundId{round_.value + 1};
}

/// A round begins after the reads of it arrived, with a commit index that is at least as new as
/// theirs. Before the term's no-op is committed the leader does not know what is committed (6.4):
/// the round's index is then the no-op itself.
void Raft::begin_round() {
  round_wanted_ = false;
  round_ = RoundId{round_.value + 1};
  const LogIndex index =
      canary(Canary::serve_before_no_op) ? commit_ : std::max(commit_, term_start_);
  rounds_.push_back({round_, index, now_, {id()}});
  for (auto& [peer, progress] : progress_) send_heartbeat(peer, progress);
  confirm_rounds();
}

void Raft::send_heartbeat(NodeId peer, Progress& progress) {
  const LogIndex known = std::min(progress.match, commit_);
  progress.commit_sent = std::max(progress.commit_sent, known);
  send_at_once(peer, Heartbeat{.term = term(),
                               .round = round_,
                               .commit = known,
                               .receiver = progress.incarnation,
                               .mark = std::exchange(progress.published_mark, {}),
                               .mark_commit = progress.published_commit});
}

void Raft::step_heartbeat_reply(const Sender& from, const HeartbeatReply& reply) {
  const auto found = progress_.find(from.id);
  if (found == progress_.end()) return;
  Progress& progress = found->second;
  progress.last_heard = now_;
  progress.recovering = from.recovering;
  progress.recovery_ready = reply.recovery_ready;
  progress.applied = reply.applied;
  // Before its round is confirmed, which the lease then begins with.
  if (!from.recovering && reply.hold >= config_.election_timeout_min) {
    progress.promised = std::max(progress.promised, reply.round);
  }
  if (!from.recovering && reply.round > progress.confirmed) {
    PARALLAX_ASSERT(reply.round <= round_, "node {} confirms round {} of {}", from.id, reply.round,
                    round_);
    progress.confirmed = reply.round;
    confirm_rounds();
  }
  take_mark(progress, reply.mark);  // behind it: the mark before may just have been published
}

/// The mark's owner had everything committed by now when it has applied what is committed now, if
/// this node still leads now: which a round that begins later will show.
void Raft::take_mark(Progress& progress, const FreshnessMark& mark) {
  if (mark.life == 0 || progress.mark.life != 0 || !ready_to_serve()) return;
  progress.mark = mark;
  progress.mark_commit = commit_;
  progress.mark_round = RoundId{round_.value + 1};
}

void Raft::confirm_rounds() {
  RoundId confirmed{};
  while (!rounds_.empty()) {
    Round& round = rounds_.front();
    std::vector<NodeId> by{id()};
    for (const auto& [peer, progress] : progress_) {
      if (progress.confirmed >= round.id && !progress.recovering) by.push_back(peer);
    }
    if (by.size() < majority()) break;
    std::sort(by.begin(), by.end());
    confirmed = round.id;
    if (applied_ < term_start_) mark(Mark::round_confirmed_before_no_op);
    ready_.confirmed.push_back({round.id, round.commit, std::move(by)});
    // The leader's own mark: its clock before it took the commit index of the round.
    if (!next_freshness_) next_freshness_ = {round.begun, round.commit};
    adopt_freshness();
    renew_lease(round);
    rounds_.erase(rounds_.begin());
  }
  if (confirmed == RoundId{}) return;
  for (auto& [peer, progress] : progress_) {
    if (progress.mark.life == 0 || progress.mark_round > confirmed) continue;
    progress.published_mark = std::exchange(progress.mark, {});
    progress.published_commit = progress.mark_commit;
  }
}

/// The round's time was read before it was sent, so before any follower heard it.
void Raft::renew_lease(const Round& round) {
  if (!config_.leases) return;
  std::vector<NodeId> by{id()};
  for (const auto& [peer, progress] : progress_) {
    if (progress.promised >= round.id && !progress.recovering) by.push_back(peer);
  }
  if (by.size() < majority()) return;
  std::sort(by.begin(), by.end());
  lease_begun_ = round.begun;
  lease_replicas_ = std::move(by);
}

/// Somebody is told to campaign, whatever the others have promised.
void Raft::end_lease() {
  lease_over_ = true;
}

bool Raft::lease_holds(MonoTime now) const {
  const std::uint32_t drift = canary(Canary::lease_without_drift) ? 0 : config_.clock_drift_ppm;
  return config_.leases && ready_to_serve() && !lease_over_ && lease_begun_ &&
         now - *lease_begun_ < lease_span(config_.election_timeout_min, drift);
}

// --- Follower ---------------------------------------------------------------------------------

void Raft::step_heartbeat(const Sender& from, const Heartbeat& heartbeat) {
  // What the leader knows to be equal here may be what a lost disk once held: then entries at the
  // same place can be another leader's, and committing them would break state machine safety.
  if (heartbeat.receiver == incarnation_ || canary(Canary::old_incarnation_commits)) {
    commit_to(std::max(commit_, std::min(heartbeat.commit, log_.last_index())));
  }
  if (heartbeat.mark.life == config_.life && !next_freshness_) {
    next_freshness_ = {heartbeat.mark.at, heartbeat.mark_commit};
    adopt_freshness();
  }
  if (canary(Canary::freshness_at_contact)) freshness_ = {now_, applied_};
  // Leaves at once: it says only that no later term was known here after the round began.
  send_at_once(from.id, HeartbeatReply{.term = term(),
                                       .round = heartbeat.round,
                                       .mark = {config_.life, now_},
                                       .recovery_ready = recovery_ready_,
                                       .applied = applied_,
                                       .hold = config_.leases ? config_.election_timeout_min
                                                              : Duration::zero()});
}

void Raft::adopt_freshness() {
  if (!next_freshness_ || applied_ < next_freshness_->second) return;
  if (!freshness_ || next_freshness_->first > freshness_->first) freshness_ = next_freshness_;
  next_freshness_.reset();
  mark(Mark::freshness_published);
}

}  // namespace parallax
