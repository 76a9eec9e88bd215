#include "replication/leader_follower/raft_invariants.h"

#include "base/assert.h"

namespace parallax {

RaftSummary summarize(const Raft& raft) {
  return {.term = raft.term(),
          .voted_for = raft.voted_for(),
          .role = raft.role(),
          .commit = raft.commit_index(),
          .applied = raft.applied_index(),
          .last = raft.log().last_index(),
          .last_term = raft.log().last_term(),
          .start = raft.log().start().index};
}

void check_basic(const Raft& raft) {
  const RaftLog& log = raft.log();
  PARALLAX_ASSERT(log.check(), "node {}: log ({}, {}] durable {}", raft.id(), log.start().index,
                  log.last_index(), log.durable());
  PARALLAX_ASSERT(raft.commit_index() <= log.last_index(), "commit {} last {}", raft.commit_index(),
                  log.last_index());
  PARALLAX_ASSERT(raft.applied_index() <= raft.commit_index(), "applied {} commit {}",
                  raft.applied_index(), raft.commit_index());
  PARALLAX_ASSERT(log.start().index <= raft.applied_index(), "log start {} applied {}",
                  log.start().index, raft.applied_index());
  PARALLAX_ASSERT(log.last_term() <= raft.term(), "last term {} term {}", log.last_term(),
                  raft.term());
  if (raft.role() == Role::candidate || raft.is_leader()) {
    PARALLAX_ASSERT(raft.voted_for() == raft.id(), "{} {} voted for {}", role_name(raft.role()),
                    raft.id(), raft.voted_for());
    PARALLAX_ASSERT(!raft.recovering(), "node {} is {} while recovering", raft.id(),
                    role_name(raft.role()));
  }
  if (!raft.is_leader()) return;
  PARALLAX_ASSERT(raft.leader() == raft.id(), "leader {} follows {}", raft.id(), raft.leader());
  PARALLAX_ASSERT(log.last_term() == raft.term(), "leader of {} has last term {}", raft.term(),
                  log.last_term());
  for (const auto& [peer, progress] : raft.progress()) {
    PARALLAX_ASSERT(progress.match < progress.next, "node {}: match {} next {}", peer,
                    progress.match, progress.next);
    PARALLAX_ASSERT(progress.match <= log.last_index(), "node {}: match {} of {}", peer,
                    progress.match, log.last_index());
    PARALLAX_ASSERT(progress.inflight.empty() || progress.state == ProgressState::replicate,
                    "node {}: {} with appends in flight", peer, progress_name(progress.state));
  }
}

void check_delta(const RaftSummary& before, const Raft& after) {
  const RaftSummary now = summarize(after);
  PARALLAX_ASSERT(now.term >= before.term, "term {} -> {}", before.term, now.term);
  if (now.term == before.term) {
    PARALLAX_ASSERT(before.voted_for == kNoNode || now.voted_for == before.voted_for,
                    "vote of term {}: {} -> {}", now.term, before.voted_for, now.voted_for);
    if (before.role == Role::leader && now.role == Role::leader) {
      PARALLAX_ASSERT(
          now.commit == before.commit || after.log().term_at(now.commit) == std::optional(now.term),
          "leader of {} commits entry {} of another term by counting", now.term, now.commit);
      PARALLAX_ASSERT(now.last >= before.last, "leader's log {} -> {}", before.last, now.last);
    }
  }
  PARALLAX_ASSERT(now.commit >= before.commit, "commit {} -> {}", before.commit, now.commit);
  PARALLAX_ASSERT(now.applied >= before.applied, "applied {} -> {}", before.applied, now.applied);
  PARALLAX_ASSERT(now.start >= before.start, "log start {} -> {}", before.start, now.start);
}

}  // namespace parallax
