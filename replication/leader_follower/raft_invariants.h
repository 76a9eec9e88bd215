// The invariants of one Raft replica, as assertions: on one state, and between two of them. Tests
// and the simulator call them after every step; those between replicas are theirs to check.
#pragma once

#include "replication/leader_follower/raft.h"

namespace parallax {

/// What the delta invariants compare.
struct RaftSummary {
  Term term;
  NodeId voted_for;
  Role role = Role::follower;
  LogIndex commit;
  LogIndex applied;
  LogIndex last;
  Term last_term;
  LogIndex start;
};

RaftSummary summarize(const Raft& raft);

/// Asserts what must hold in every state.
void check_basic(const Raft& raft);
/// Asserts what must hold between a state of one process life and a later one.
void check_delta(const RaftSummary& before, const Raft& after);

}  // namespace parallax
