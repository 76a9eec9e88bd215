// Raft for a fixed set of members: the leader-follower protocol, as a pure value that is stepped.
//
// Problem: all replicas must apply the same commands in the same order, and what was acknowledged
// must survive the loss of any minority, whatever messages are lost, late, doubled or reordered.
//
// Source: Ongaro, "Consensus: Bridging Theory and Practice" (dissertation, 2014), cited as (3.4);
// pre-vote (9.6), check-quorum (6.2), leadership transfer (3.10), ReadIndex (6.4), no-op at the
// start of a term (6.4), leases (6.4.1, lease.h), writing to the leader's disk in parallel
// (10.2.1), pipelining (10.2.2).
//
// How it is driven, in every turn:
//   1. tick(now), then step() for every message, propose(), request_read_round(), on_...();
//   2. take_ready(), carried out in the order that RaftReady's fields say.
// The core never calls a clock, a random device, a socket or a file. Entries that are no longer in
// memory, and snapshot chunks, are asked for in RaftReady and handed in when they have been read.
//
// Invariants (raft_invariants.h checks them on one state and between two):
//   - the term never falls; at most one vote per term, durable before it is sent (3.4);
//   - a leader never removes or replaces entries of its log (3.5);
//   - commit_index() never falls and is at most last_index(); a leader commits by counting only
//     entries of its own term (3.6.2);
//   - a replica acknowledges only what is durable on it; a leader counts itself likewise.
//
// It does not apply entries, keep snapshots, or know what a payload means; membership is fixed; it
// does not serve reads but only says when a read is safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/canary.h"
#include "base/limits.h"
#include "base/random.h"
#include "replication/leader_follower/lease.h"
#include "replication/leader_follower/progress.h"
#include "replication/leader_follower/raft_log.h"
#include "replication/message.h"

namespace parallax {

struct RaftConfig {
  NodeId id;
  std::vector<NodeId> members;  ///< itself included
  std::uint64_t seed = 0;       ///< of the randomized election timeouts
  /// Of this process, never 0: tells freshness marks of an earlier life from those of this one.
  std::uint64_t life = 1;
  Duration election_timeout_min = limits::kElectionTimeoutMin;
  Duration election_timeout_max = limits::kElectionTimeoutMax;
  Duration heartbeat_interval = limits::kHeartbeatInterval;
  std::size_t max_append_bytes = limits::kMaxAppendBytes;
  std::size_t max_append_entries = limits::kMaxAppendEntries;
  std::size_t max_inflight_appends = limits::kMaxInflightAppends;
  std::size_t max_inflight_bytes = limits::kMaxInflightAppendBytes;
  std::size_t log_cache_bytes = limits::kLogCacheBytes;
  std::size_t max_inflight_chunks = 4;
  /// Leases (lease.h): as a follower it promises to hold still, as a leader it has one.
  bool leases = false;
  std::uint32_t clock_drift_ppm = limits::kClockDriftPpm;  ///< bound on rates of monotonic clocks
};

/// What a store held when the process started.
struct RaftRestored {
  HardState hard_state;
  RaftLog log;
  LogIndex applied;  ///< committed for sure
  Incarnation incarnation;
  bool recovering = false;
};

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };
std::string_view role_name(Role role);

struct RaftMessage {
  NodeId to;
  Message message;
};

/// Please read entries [from, ...] of the store for `peer` and hand them to on_loaded().
struct LogLoad {
  NodeId peer;
  LogIndex from;
  std::size_t max_bytes;
};

/// Please produce this chunk of a snapshot for `peer` and hand it to on_snapshot_chunk(). Sequence
/// 0 begins a transfer: take a snapshot of the store then, and keep it until the transfer ends.
struct ChunkRead {
  NodeId peer;
  std::uint64_t transfer;
  std::uint64_t sequence;
};

/// A read round that a majority has confirmed: reads of it may be served once `index` is applied.
struct ConfirmedRound {
  RoundId round;
  LogIndex index;                ///< commit index taken before the round began
  std::vector<NodeId> replicas;  ///< who confirmed it, itself included, sorted
};

/// What a turn asks for. Carry it out in this order.
struct RaftReady {
  /// 1. Leave at once, beside the write: a leader's AppendEntries and heartbeats, which rest only
  ///    on a term that is durable already.
  std::vector<RaftMessage> send_now;

  /// 2. Into the turn's one batch. First entries from `truncate_from` up to `truncate_to` go away
  ///    (compaction: up to log_start), then `append` is put.
  std::optional<HardState> hard_state;
  std::optional<LogStart> log_start;  ///< entries up to here may be removed at leisure
  std::optional<LogIndex> truncate_from;
  LogIndex truncate_to;
  std::vector<LogEntry> append;
  /// Chunks of a snapshot to join into the store in this batch, in order.
  std::vector<SnapshotChunk> install;

  /// 3. Leave once that batch, and every one before it, is durable.
  std::vector<RaftMessage> send_after;

  /// 4. Independent of the batch: committed entries to apply, in order and without gaps; rounds
  ///    confirmed; things to read from the store.
  std::vector<LogEntry> committed;
  std::vector<ConfirmedRound> confirmed;
  std::vector<LogLoad> loads;
  std::vector<ChunkRead> chunk_reads;

  bool needs_write() const {
    return hard_state || log_start || truncate_from || !append.empty() || !install.empty();
  }
};

/// What a batch that was taken covers, for on_persisted().
struct PersistedMark {
  LogIndex last;
  Term last_term;
};

/// Not thread-safe; one owner steps it.
class Raft {
 public:
  Raft(RaftConfig config, RaftRestored restored, MonoTime now);

  // --- Inputs ---------------------------------------------------------------------------------
  /// Time goes on. Call first in every turn: a leader that slept finds out here, before it answers.
  void tick(MonoTime now);
  /// Any of VoteRequest ... SnapshotReply. Messages of unknown members or void incarnations are
  /// dropped.
  void step(const Sender& from, const Message& message);
  /// All messages of the turn are in: a time behind the arrival of each of them. What it promises
  /// to a leader that was heard in this turn counts from here.
  void end_inputs(MonoTime now);
  /// Appends to the log. Nothing when this is not the leader, or it is handing leadership over.
  std::optional<LogIndex> propose(Bytes payload);
  /// The last entry rests on something that is durable with it, not before: it leaves for others
  /// once it is durable here, and all behind it as well. Leader only.
  void hold_last_until_durable();
  /// Asks for a round that begins after this call; reads may share it. Nothing when not leader.
  std::optional<RoundId> request_read_round();
  /// The batch with this mark is durable.
  void on_persisted(const PersistedMark& persisted);
  /// Everything up to `index` has been applied by the owner.
  void on_applied(LogIndex index);
  void on_loaded(NodeId peer, LogIndex from, std::vector<LogEntry> entries);
  void on_snapshot_chunk(NodeId peer, SnapshotChunk chunk);
  /// A chunk of this peer's transfer could not be read: begin again later.
  void on_snapshot_failed(NodeId peer, std::uint64_t transfer);
  /// The transfer is of too long ago to be of use: another one begins when the peer is heard again.
  void abandon_snapshot(NodeId peer, std::uint64_t transfer);
  /// Hands leadership to `to`, or to the best follower when none is named. False: not leader, or no
  /// such member. Gives up after one election timeout.
  bool transfer_leadership(NodeId to = kNoNode);
  /// Campaigns now, without waiting for a timeout (tests, and single-member groups).
  void campaign();
  /// Forgets log entries up to `index`, which must be applied and durable in the store's state.
  void compact(LogIndex index);
  /// Entry EndRecovery of this node was applied: it votes and counts again, from the next term on.
  void end_recovery(Incarnation incarnation);
  /// A recovering node turned out to have drawn an incarnation that is not its highest.
  void draw_again(Incarnation incarnation);
  /// A recovering node has joined what a majority holds; the leader may end the recovery.
  void set_recovery_ready() { recovery_ready_ = true; }
  /// While set, it does not campaign (a clock too far off, a disk that refuses).
  void set_may_lead(bool may_lead) { may_lead_ = may_lead; }

  // --- Outputs --------------------------------------------------------------------------------
  /// The work since the last call. `may_persist` false: only what does not need the disk.
  RaftReady take_ready(bool may_persist = true);
  /// The mark of everything taken so far.
  PersistedMark persisted_mark() const { return taken_; }

  // --- State ----------------------------------------------------------------------------------
  NodeId id() const { return config_.id; }
  Role role() const { return role_; }
  bool is_leader() const { return role_ == Role::leader; }
  Term term() const { return hard_state_.term; }
  NodeId voted_for() const { return hard_state_.voted_for; }
  /// Whom this node takes for the leader; none when unknown.
  NodeId leader() const { return leader_; }
  LogIndex commit_index() const { return commit_; }
  LogIndex applied_index() const { return applied_; }
  const RaftLog& log() const { return log_; }
  const RaftConfig& config() const { return config_; }
  bool recovering() const { return recovering_; }
  bool transferring() const { return transfer_to_ != kNoNode; }
  /// Leader whose no-op is applied: it may evaluate, stamp and serve.
  bool ready_to_serve() const {
    return is_leader() && (applied_ >= term_start_ || canary(Canary::serve_before_no_op));
  }
  /// Leader only: how far each other member is.
  const std::map<NodeId, Progress>& progress() const { return progress_; }
  /// Leader only: recovering members that hold all that is committed and have joined a majority.
  std::vector<std::pair<NodeId, Incarnation>> recovered_members() const;
  /// This replica has applied `second` at its own time `first.at`: how old its state can be.
  /// Nothing when no mark of this life was published yet.
  std::optional<std::pair<MonoTime, LogIndex>> freshness() const { return freshness_; }
  /// Leader with leases on: whether at `now` nobody else can have been elected, so that what is
  /// applied here is the newest. It says so of `now` alone: to show state, read it, and ask with a
  /// time that was read behind it.
  bool lease_holds(MonoTime now) const;
  /// On whose word the last lease rests, itself included, sorted.
  const std::vector<NodeId>& lease_replicas() const { return lease_replicas_; }
  /// Whether a leader was heard from (or this is one) within the shortest election timeout.
  bool leader_is_alive() const;
  std::size_t majority() const { return config_.members.size() / 2 + 1; }

 private:
  struct Round {
    RoundId id;
    LogIndex commit;
    MonoTime begun;
    std::vector<NodeId> confirmed_by;
  };

  // raft_election.cc
  void become_follower(Term term, NodeId leader);
  void become_leader();
  void start_campaign(bool pre_vote, bool transfer);
  void step_vote_request(const Sender& from, const VoteRequest& request);
  void step_vote_reply(const Sender& from, const VoteReply& reply);
  void step_timeout_now(const Sender& from, const TimeoutNow& request);
  void tick_election();
  void tick_leader();
  void reset_election_timer();
  bool log_is_up_to_date(LogIndex last_index, Term last_term) const;
  bool holds_still() const;
  bool heard_from_majority() const;
  bool heard_recently(const Progress& progress) const;

  // raft_append.cc
  void step_append(const Sender& from, const AppendEntries& request);
  void step_append_reply(const Sender& from, const AppendReply& reply);
  void append_to_log(LogEntry entry);
  LogIndex last_to_send() const;
  void send_appends();
  bool send_append_to(NodeId peer, Progress& progress);
  void send_entries(NodeId peer, Progress& progress, std::vector<LogEntry> entries);
  void refuse_append(NodeId to, const AppendEntries& request);
  void back_up(Progress& progress, const AppendReply& reply);
  void advance_commit();
  void commit_to(LogIndex index);
  void maybe_finish_transfer(NodeId peer, const Progress& progress);

  // read_index.cc
  void step_heartbeat(const Sender& from, const Heartbeat& heartbeat);
  void step_heartbeat_reply(const Sender& from, const HeartbeatReply& reply);
  void begin_round();
  void send_heartbeat(NodeId peer, Progress& progress);
  void confirm_rounds();
  void take_mark(Progress& progress, const FreshnessMark& mark);
  void adopt_freshness();
  void renew_lease(const Round& round);
  void end_lease();

  // raft_snapshot.cc
  void begin_snapshot(NodeId peer, Progress& progress);
  void request_chunks(NodeId peer, Progress& progress);
  void resend_chunks(NodeId peer, Progress& progress);
  void install_last_chunk(const SnapshotChunk& chunk);
  void step_snapshot_chunk(const Sender& from, const SnapshotChunk& chunk);
  void step_snapshot_reply(const Sender& from, const SnapshotReply& reply);

  bool accept_sender(const Sender& from);
  bool accept_term(const Sender& from, const Message& message);
  void answer_old_term(const Sender& from, const Message& message);
  void follow(NodeId leader);  ///< heard from the leader of this term
  void forget_incarnation(NodeId id, Incarnation incarnation);
  void truncate_log(LogIndex from);
  bool is_member(NodeId id) const;
  void send(NodeId to, Message message);  ///< after everything so far is durable
  void send_at_once(NodeId to, Message message);

  RaftConfig config_;
  Random random_;
  MonoTime now_{};

  // Durable.
  HardState hard_state_;
  RaftLog log_;
  Incarnation incarnation_;
  bool recovering_ = false;
  bool recovery_ready_ = false;

  // Volatile.
  Role role_ = Role::follower;
  NodeId leader_;
  LogIndex commit_;
  LogIndex applied_;
  LogIndex delivered_;         ///< handed out in RaftReady::committed
  LogIndex term_start_;        ///< leader: its no-op
  std::deque<LogIndex> held_;  ///< not to be sent before they are durable here; rising
  bool may_lead_ = true;
  MonoTime election_deadline_{};
  /// Follower: when it last heard from the leader; with leases on at first the start.
  MonoTime leader_contact_{};
  bool heard_leader_ = false;  ///< in this turn
  MonoTime next_heartbeat_{};
  std::map<NodeId, bool> votes_;
  bool campaign_transfer_ = false;
  std::map<NodeId, Progress> progress_;
  std::map<NodeId, Incarnation> heard_incarnations_;

  // Leadership transfer.
  NodeId transfer_to_;
  MonoTime transfer_deadline_{};
  bool transfer_sent_ = false;

  // Read rounds.
  RoundId round_;                                           ///< the last one begun
  bool round_wanted_ = false;                               ///< request_read_round() since then
  std::vector<Round> rounds_;                               ///< not yet confirmed, oldest first
  std::optional<std::pair<MonoTime, LogIndex>> freshness_;  ///< applied
  std::optional<std::pair<MonoTime, LogIndex>> next_freshness_;  ///< published, not yet applied

  // The lease.
  std::optional<MonoTime> lease_begun_;  ///< before the round was sent that it rests on
  std::vector<NodeId> lease_replicas_;
  bool lease_over_ = false;  ///< for the rest of this term

  // Snapshot being received.
  struct Receiving {
    NodeId from;
    std::uint64_t transfer;
    std::uint64_t next;
  };
  std::optional<Receiving> receiving_;
  std::uint64_t next_transfer_;

  RaftReady ready_;
  PersistedMark taken_;  ///< the end of the log when it was last taken for a batch
  bool hard_state_changed_ = false;
};

}  // namespace parallax
