// What requests of the log wait for beside their entries: acknowledgements of members, an applied
// index, a word of the leader. Data of node/replica_impl.h alone; who keeps it in order stands in
// replica_acks.cc, replica_wait.cc and replica_freshness.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "clock/stamp.h"
#include "node/request_table.h"
#include "replication/command.h"
#include "replication/message.h"
#include "storage/version.h"

namespace parallax {

/// A plain value.
struct PendingAnswers {
  /// What a waiting request can be waiting for.
  struct Situation {
    Membership membership = Membership::none;
    Term term;
    NodeId leader;
    bool serving = false;
    bool transferring = false;
    bool clock_blocked = false;
    bool cluster_known = false;
    bool installing = false;
    bool skewed = false;
    bool disk_failed = false;
    friend bool operator==(const Situation&, const Situation&) = default;
  };

  struct PendingAck {
    LogIndex index;
    RequestHandle request;
  };
  std::deque<PendingAck> early_acks_;  ///< ack=leader, in rising order of index
  struct SemiSync {
    std::deque<PendingAck> waiting;  ///< in rising order of index
    LogIndex last;                   ///< of such a write
    LogIndex received;               ///< by a follower, as last looked at
    std::optional<MonoTime> since;   ///< no follower has said anything new, and it is waited for
    bool degraded = false;
    /// While degraded, once followers say something new again: the last such write at that time.
    /// Who has that keeps up; who writes on does not move it away.
    std::optional<LogIndex> target;
  };
  SemiSync semi_sync_;
  std::deque<PendingAck> all_acks_;  ///< ack=all: committed, in rising order of index
  struct StampedEntry {
    Hlc clock;
    LogIndex index;
  };
  /// By this leader, rising, behind its no-op, which stands for what earlier ones stamped; those
  /// that all have may be gone. Never empty while it leads.
  std::deque<StampedEntry> stamped_;
  /// By how many members are waited for: of which entry, with the slot, so that those that end are
  /// found.
  using Counting = std::map<std::pair<LogIndex, std::uint32_t>, RequestHandle>;
  std::map<std::size_t, Counting> counting_;
  std::vector<RequestHandle> counting_causal_;  ///< also of what is not in the log

  /// Of the last leadership, also when it is over: who had how much of the log durably.
  struct Matches {
    Term term;
    std::vector<std::pair<NodeId, LogIndex>> members;  ///< not those that were recovering
  };
  Matches matches_;

  /// Reads of levels that any replica serves, until all inputs of the turn are in.
  std::vector<RequestHandle> timed_reads_;
  bool inputs_over_ = false;
  std::vector<RequestHandle> index_wanted_;  ///< asked of the leader at the end of the turn
  struct IndexAsk {
    NodeId to;
    MonoTime at;
    std::vector<RequestHandle> reads;
  };
  std::map<std::uint64_t, IndexAsk> index_asks_;  ///< not answered, in rising order of `at`
  std::uint64_t next_index_ask_ = 1;
  /// Until so much is applied; with the slot, so that those that end are found.
  std::map<std::pair<LogIndex, std::uint32_t>, RequestHandle> applied_reads_;
  struct RoundQuery {
    RoundId round;
    NodeId from;
    QuorumCall call;
  };
  std::deque<RoundQuery> round_queries_;  ///< others' questions, in rising order of round

  // Reads behind a round, and writes.
  struct RoundRead {
    RoundId round;
    RequestHandle request;
  };
  std::deque<RoundRead> round_reads_;  ///< in rising order of round
  // Under the leader's lease (replica_lease.cc).
  std::vector<RequestHandle> lease_reads_;                ///< to be read in this turn
  std::vector<std::pair<RequestHandle, Answer>> leased_;  ///< read, not shown yet
  struct ConfirmedReads {
    LogIndex index;
    Term term;
    std::vector<NodeId> replicas;
    std::vector<RequestHandle> requests;
  };
  std::deque<ConfirmedReads> confirmed_reads_;  ///< until their index is applied
  struct Proposal {
    LogIndex index;
    Term term;
    RequestHandle request;
  };
  std::deque<Proposal> proposals_;  ///< in rising order of index; two terms may share one
  /// Of the present leadership: what keys will be when all that is proposed is applied, and the
  /// index of the last proposal on each. Conditions are evaluated against it: an entry commits only
  /// with all before it.
  struct ProposedKey {
    KeyState state;
    LogIndex last;
  };
  std::unordered_map<std::string, ProposedKey> proposed_keys_;
  /// Of the present leadership: idempotency keys that are proposed, and who waits for their
  /// outcome.
  std::unordered_map<std::string, std::vector<RequestHandle>> proposed_rows_;
  Hlc proposed_floor_;  ///< of the idempotency rows
  /// Of the present leadership, rising: what it need not decode when it applies it.
  struct ProposedCommand {
    LogIndex index;
    Term term;
    Command command;
  };
  std::deque<ProposedCommand> proposed_commands_;
};

}  // namespace parallax
