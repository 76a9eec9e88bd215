// The inside of a replica, shared by the replica_*.cc files: one file per concern.
//
//   replica_open.cc       what a store holds, read once at the start
//   replica.cc            the turn: inputs in, one pass over the Raft core, one batch out
//   replica_messages.cc   envelopes, probes, who is there
//   replica_bootstrap.cc  empty store, recovery, the cluster's first entry
//   replica_requests.cc   requests: admission, routing, deadlines
//   replica_writes.cc     writes: what they come to, their entries, their outcomes
//   replica_acks.cc       writes: on how many replicas, before their clients are answered
//   replica_wait.cc       how many replicas have it
//   replica_reads.cc      reads: rounds, what is shown
//   replica_lease.cc      linearizable reads without a round, under the leader's lease
//   replica_freshness.cc  reads of a state that is far enough: sequential, bounded, prefix
//   replica_forward.cc    requests passed on between nodes
//   replica_quorum.cc     requests of the levels without a leader
//   replica_coordinate.cc  what their cores ask for
//   replica_quorum_serve.cc  what others ask for, and hand over
//   replica_causal.h      the causal levels: core, requests, early states
//   replica_join.cc       the way into the key states; what waits for the disk before it is shown
//   replica_states.cc     key states: which of them wait, and how a restart makes them anew
//   replica_repair.cc     what brings replicas together: when, and the calls of it
//   replica_hints.cc      what others have missed, kept for them
//   replica_anti_entropy.cc  the hash tree, and comparing it with others
//   replica_tombstones.cc what is deleted everywhere, and leaves
//   replica_apply.cc      committed entries into key states
//   replica_log.cc        the batch: log entries, compaction, history retention
//   replica_snapshot.cc   snapshots out and in
//   replica_status.cc     what it says of itself
//   replica_plan.cc       what it would do about a request
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "node/coordination.h"
#include "node/evaluation.h"
#include "node/forward_filter.h"
#include "node/held.h"
#include "node/log_sizes.h"
#include "node/outgoing_snapshot.h"
#include "node/pending_answers.h"
#include "node/pending_tail.h"
#include "node/policy_table.h"
#include "node/repair.h"
#include "node/replica.h"
#include "node/request_table.h"
#include "node/states_behind.h"
#include "node/stored_log.h"
#include "replication/command.h"
#include "replication/quorum/hints.h"
#include "replication/quorum/latency_estimate.h"
#include "replication/quorum/merkle_tree.h"
#include "replication/quorum/sizes.h"
#include "storage/key_space.h"

namespace parallax {

struct Replica::Impl : PendingAnswers {
  Impl(ReplicaConfig config, const Store& store, TurnTime now);
  ~Impl();

  // --- replica_open.cc --------------------------------------------------------------------------
  Result<void> load(bool lost_disk);
  Result<void> load_log(RaftRestored& restored, std::vector<LogEntry>& again);
  Result<void> load_policies();
  void start_raft(RaftRestored restored);

  // --- replica.cc -------------------------------------------------------------------------------
  void begin_turn(TurnTime now);
  ReplicaReady take_ready(bool may_persist);
  void run_raft(bool persist, WriteBatch& batch);
  void step_aside();
  /// After anything that may have moved the core: notices won and lost leadership.
  void observe_role();
  /// A corrupt record ends the process; a disk that does not read ends what needs it.
  void fail(const Error& error);
  void on_persisted(std::uint64_t sequence);
  void on_disk_failed(const Error& error);

  bool may_lead() const { return !skewed_ && !disk_failed_ && !shutting_down_; }
  bool leading() const { return raft_ && raft_->is_leader() && !disk_failed_; }
  /// Leader that may evaluate, stamp and serve: its no-op and the first entry ever are applied.
  bool serving() const { return leading() && raft_->ready_to_serve() && !node_.cluster.empty(); }
  bool recovering() const { return node_.membership == Membership::recovering; }
  /// Whom to ask; none when unknown.
  NodeId leader() const;

  // --- replica_messages.cc ----------------------------------------------------------------------
  void on_envelope(const Envelope& envelope);
  void dispatch(const Envelope& envelope);
  void step_raft(const Envelope& envelope);
  Envelope envelope(NodeId to, Message message) const;
  void send(NodeId to, Message message) { send_now_.push_back(envelope(to, std::move(message))); }
  void send_probes();
  ProbeReply probe_reply(NodeId to) const;

  // --- replica_bootstrap.cc ---------------------------------------------------------------------
  void on_probe_reply(const Envelope& envelope, const ProbeReply& reply);
  void decide_membership(WriteBatch& batch);
  void propose_own_entries();
  void maybe_end_recovery();

  // --- replica_requests.cc ----------------------------------------------------------------------
  void admit(NodeId peer, RequestId id, Request&& request, Duration remaining);
  std::optional<Error> refuse_at_once(const Request& request, std::size_t bytes) const;
  void route(RequestHandle handle);
  void wait(RequestHandle handle);
  /// Waits, and is routed in this turn, whatever the situation.
  void route_soon(RequestHandle handle);
  /// Routes all that wait, if anything that they can wait for has changed. True when it did.
  bool route_waiting();
  void on_due(RequestHandle handle);
  Error expiry_error(const PendingRequest& request) const;
  void finish(RequestHandle handle, Reply&& reply);
  void answer(NodeId peer, RequestId id, Reply&& reply);
  Error not_leader_error() const;
  void check_session(RequestHandle handle);
  std::optional<Error> session_error(const SessionToken& session) const;
  std::optional<Error> settle_level(Request& request) const;
  bool may_have_issued(const Origin& origin, std::uint64_t number) const;
  Incarnation known_incarnation(NodeId node) const;
  bool too_far_ahead(UnixMillis time) const;

  // --- replica_writes.cc ------------------------------------------------------------------------
  void propose_write(RequestHandle handle);
  std::optional<Stamp> issue_stamp();
  std::optional<Error> take_context(const Request& request);
  bool beyond_proposals(const std::string& key, const KeyState& known) const;
  bool answered_before(RequestHandle handle, const Stamp& stamp);
  Result<KeyState> proposed_state(const std::string& key) const;
  void refuse(RequestHandle handle, const KeyState& known, const Stamp& stamp, UnixMillis now);
  void append(RequestHandle handle, Command command);
  LogIndex propose(Command command);
  Result<Command> command_of(const LogEntry& entry);
  void settle_proposals(LogIndex index, Term term);
  void settle_keys(const WriteKey& command, LogIndex index, Term term);
  void forget_proposals();
  Answer write_answer(const PendingRequest& pending, Evidence evidence) const;
  Evidence write_evidence(LogIndex index, Term term) const;

  // --- replica_acks.cc --------------------------------------------------------------------------
  void note_ack(RequestHandle handle, LogIndex index);
  LogIndex received_index() const;
  bool held_by_all(LogIndex index) const;
  bool acknowledge_writes();
  void judge_semi_sync();
  void acknowledge_early(const PendingAck& ack, bool degraded);
  void finish_write(RequestHandle handle, Answer answer, LogIndex index);
  Error not_on_all(LogIndex index) const;
  void forget_acks();
  void note_matches();

  // --- replica_wait.cc --------------------------------------------------------------------------
  void begin_counting();
  void remember_stamp(LogIndex index);
  LogIndex held_everywhere() const;
  LogIndex point_of(const SessionToken& session) const;
  std::vector<NodeId> holders_of(LogIndex index) const;
  void count_replicas(RequestHandle handle);
  std::vector<NodeId> holders_for(const PendingRequest& pending) const;
  void confirm_count(RequestHandle handle);
  void answer_count(RequestHandle handle, Evidence evidence);
  bool count_again();
  void forget_count(RequestHandle handle);
  void forget_counts();

  // --- replica_reads.cc -------------------------------------------------------------------------
  void start_read(RequestHandle handle);
  void begin_read_round(RequestHandle handle);
  void requeue_reads();
  void on_confirmed(ConfirmedRound confirmed);
  void answer_confirmed_reads();
  /// What the log has agreed on for a read, key by key, and where.
  struct AdoptedState {
    KeyState state;
    LogIndex index;
  };
  using Adopted = std::map<std::string, AdoptedState>;
  void answer_confirmed(RequestHandle handle, Evidence evidence, Adopted adopted = {});
  void adopt(RequestHandle handle, const std::vector<std::string>& keys, Adopted adopted,
             Evidence evidence);
  bool local_reads_allowed() const;
  struct ReadScope {
    bool known = false;   ///< all that is known of a key; else what the log has brought
    bool agreed = false;  ///< what is shown has to be in the log: `unsettled` says where it is not
    bool causal = false;  ///< its causal past has to be applied: `early` says that it is not
    bool early = false;
    const Adopted* adopted = nullptr;
    /// Keys whose shown state the log does not have: another protocol's version, or an expiry.
    std::vector<std::string> unsettled = {};
    std::uint64_t shown_after = 0;  ///< the batch that has to be durable before
    LogIndex shown_at;              ///< the last adopted state that is shown; 0: none
  };
  Reply read(const Request& request, Evidence evidence, ReadScope& scope);
  Result<void> read_into(const Request& request, Answer& answer, ReadScope& scope);
  Result<void> read_many_into(const GetMany& many, UnixMillis now, Answer& answer,
                              ReadScope& scope);
  Result<void> scan_into(const Scan& scan, UnixMillis now, Answer& answer, ReadScope& scope);
  Result<KeyState> state_in(ReadScope& scope, const std::string& key, UnixMillis now) const;
  const KeyState& settle(ReadScope& scope, const std::string& key, const KeyState& state,
                         UnixMillis now) const;
  static bool reads_one_key(const Operation& operation) {
    return std::holds_alternative<Get>(operation) || std::holds_alternative<GetCrdt>(operation);
  }
  ConflictStrategy strategy_of(const std::string& key) const;
  SessionToken session_for(const Request& request, LogIndex index) const;
  Evidence local_evidence() const;
  // replica_lease.cc
  bool may_read_under_lease(const Request& request) const;
  bool read_under_lease();
  std::optional<Answer> leased_answer(const Request& request);
  void settle_leased(MonoTime now);

  // --- replica_freshness.cc ---------------------------------------------------------------------
  void route_timed_reads();
  bool serve_anywhere(RequestHandle handle);
  /// Why this replica's state does not do for a read: what is to be applied first, if that is
  /// known.
  struct Behind {
    std::string what;
    std::optional<LogIndex> needs = std::nullopt;
  };
  std::optional<Behind> behind(const PendingRequest& pending) const;
  std::optional<Duration> age(const PendingRequest& pending) const;
  void show_local(RequestHandle handle, Evidence evidence);
  bool refuse_or_wait(RequestHandle handle, const Behind& missing);
  void await_applied(RequestHandle handle, LogIndex index);
  void ask_index();
  void on_index_query(const Envelope& envelope, const IndexQuery& query);
  void on_index_reply(const Envelope& envelope, const IndexReply& reply);
  void answer_index_queries(const ConfirmedRound& confirmed);
  void serve_applied_reads();

  // --- replica_quorum.cc ------------------------------------------------------------------------
  Result<QuorumSizes> quorum_sizes(Consistency& consistency) const;
  void serve_leaderless(RequestHandle handle);
  void read_here(RequestHandle handle);
  void show(RequestHandle handle, std::uint64_t sequence, Answer&& answer);
  Evidence leaderless_evidence(Path path, std::vector<NodeId> replicas) const;
  bool silent(NodeId id) const;
  std::vector<NodeId> replicas_in_order() const;
  std::vector<NodeId> absent_replicas() const;
  QuorumWrite::Config write_config(const Consistency& level, const QuorumSizes& sizes) const;
  AtomicConfig atomic_config() const;
  Coordination& coordinate(RequestHandle handle, QuorumCore core);
  static bool reads_here(const Request& request, const QuorumSizes& sizes);
  QuorumRead quorum_read(const Consistency& consistency, const QuorumSizes& sizes) const;
  void read_quorum(RequestHandle handle, const QuorumSizes& sizes);
  void write_leaderless(RequestHandle handle, const QuorumSizes& sizes);
  std::optional<Error> stamp_refusal() const;
  std::optional<Error> refuse_stamps();
  Actor quorum_actor() const;
  std::optional<KeyState> written(RequestHandle handle, const KeyState& known, const Stamp& stamp);
  void answer_write(RequestHandle handle, Path path, std::vector<NodeId> replicas);
  void stamp_atomic(std::uint64_t id, AtomicWrite& write);
  void retry_stamps();
  void advance(std::uint64_t id);
  bool carry_out_core(std::uint64_t id, Coordination& at);
  Duration request_time_left(RequestHandle handle);
  void answer_core(Coordination& at);
  void expire_coordination(std::uint64_t id);
  void end_coordination(std::uint64_t id);
  void drop_coordination(std::uint64_t id);
  void on_own_query(std::uint64_t id, QuorumQueryStatus status, const KeyState& state);
  void on_own_stored(std::uint64_t id);
  void on_own_hint(std::uint64_t id, NodeId target);
  void on_own_store_failed(std::uint64_t id);
  static void step_core(QuorumCore& core, const Sender& from, Hlc clock,
                        const QuorumQueryReply& reply);
  void on_quorum_query_reply(const Envelope& envelope, const QuorumQueryReply& reply);
  void on_quorum_store_reply(const Envelope& envelope, const QuorumStoreReply& reply);
  void heard_life(const Sender& sender);
  void look_again(std::uint64_t id, MonoTime at);
  void look_at_coordinations();
  void ask_others_than_silent(Coordination& at);

  // --- replica_quorum_serve.cc ------------------------------------------------------------------
  struct OwnQuery {
    std::uint64_t coordination;
  };
  struct OtherQuery {
    NodeId from;
    QuorumCall call;
  };
  using Asker = std::variant<OwnQuery, OtherQuery>;
  std::optional<QuorumQueryReply> query(const std::string& key, bool majority, const Asker& asker,
                                        Duration remaining);
  std::optional<QuorumQueryReply> query_now(const std::string& key, const Asker& asker);
  std::optional<QuorumQueryReply> answer_query(const Asker& asker, QuorumQueryStatus status,
                                               KeyState state, std::uint64_t sequence);
  void answer_tail_waits();
  void on_quorum_query(const Envelope& envelope, const QuorumQuery& asked);
  void on_quorum_store(const Envelope& envelope, const QuorumStore& store);

  // --- replica_repair.cc ------------------------------------------------------------------------
  void run_repairs();
  std::uint64_t begin_call(RepairCall call);
  std::optional<RepairCall> end_call(RequestId id, RequestId expected, NodeId from);
  void give_up_calls();
  void on_other_query_reply(const Envelope& envelope, const QuorumQueryReply& reply);
  void on_other_store_reply(const Envelope& envelope, const QuorumStoreReply& reply);
  bool send_state(std::uint64_t call, NodeId to, const std::string& key);
  bool too_old(const Envelope& envelope) const;
  bool reachable(NodeId id) const;

  // --- replica_hints.cc -------------------------------------------------------------------------
  Result<void> load_hints();
  void on_missed(const std::string& key, const std::vector<NodeId>& replicas);
  bool note_hint(NodeId target, const std::string& key);
  void remove_hint(NodeId target, const std::string& key);
  void drain_hints();
  void stand_in(std::uint64_t id, Coordination& at, QuorumWrite& write);

  // --- replica_anti_entropy.cc ------------------------------------------------------------------
  /// What the tree and the watch over tombstones have to know of a state.
  struct KeyMark {
    std::uint64_t digest = 0;
    bool tombstone = false;  ///< it holds nothing else
  };
  static KeyMark mark_of(const std::string& key, const KeyState& state);
  void update_tree(const std::string& key, const KeyMark& before, const KeyMark& after);
  void put_leaf_record(const std::string& key, WriteBatch& batch) const;
  std::uint64_t last_change(const std::string& key) const;
  void build_tree();
  Result<void> scan_tree_slice();
  struct LeafKeys {
    std::vector<KeyDigest> keys;
    std::uint64_t durable_after = 0;  ///< the batch that has to be durable before it is shown
  };
  Result<LeafKeys> keys_of_leaf(std::uint32_t leaf, const std::string& after,
                                std::size_t most) const;
  void on_merkle_query(const Envelope& envelope, const MerkleQuery& query);
  void on_merkle_keys_query(const Envelope& envelope, const MerkleKeysQuery& query);
  void on_merkle_digests(const Envelope& envelope, const MerkleDigests& digests);
  void on_merkle_keys(const Envelope& envelope, const MerkleKeys& keys);
  PeerRepair* awaited_exchange(NodeId from, const QuorumCall& call);
  void begin_exchanges();
  void drive(NodeId peer);
  void ask(NodeId peer, PeerExchange& exchange);
  void exchange_key(NodeId peer, PeerExchange& exchange, const KeyDifference& difference);
  void end_exchange(NodeId peer, bool complete);
  void on_exchange_call(const RepairCall& call, bool answered);
  void check_recovery();

  // --- replica_tombstones.cc --------------------------------------------------------------------
  void count_tombstone(const std::string& key, bool before, bool after);
  void watch_tombstones();
  bool round_helps(std::uint64_t digest) const;
  bool has_aged(const TombstoneWatch::Held& held, Hlc clock, MonoTime at) const;
  void begin_tombstone_round(std::uint32_t leaf);
  void ask_tombstones(NodeId peer);
  void on_tombstone_keys(const Envelope& envelope, const MerkleKeys& keys);
  void end_tombstone_round();
  void propose_removal(const std::map<std::string, std::uint64_t>& keys);
  void forget_tombstones();
  bool apply_removal(const RemoveTombstones& command, LogIndex index);

  // --- replica_join.cc --------------------------------------------------------------------------
  Result<KeyState> known_state(const std::string& key) const;
  /// How a state comes: beside the log, with an entry or a snapshot of it, or as part of the causal
  /// vector, with an operation or a transfer: that says that it is in the key's state and not
  /// apart.
  enum class Arrival : std::uint8_t { beside, entry, snapshot, operation, transfer };
  std::optional<KeyState> take_in(const std::string& key, const KeyState& incoming,
                                  LogIndex reached, Arrival arrival = Arrival::beside);
  std::optional<KeyState> take_in(const std::string& key, KeyState stored, const KeyState& incoming,
                                  LogIndex reached, Arrival arrival);
  void note_early(const std::string& key, LogIndex needs);
  void join_early_states();
  bool join_early(const std::string& key);
  Result<void> load_early_states();
  Result<void> scan_known(const Scan& scan, const KeySpace::Visitor& visit) const;
  std::uint64_t shown_after(const std::string& key, const KeyState& state) const;
  bool not_durable_beside_log(const std::string& key) const;
  void after_batch(std::uint64_t sequence, Held held);
  void release_held(std::uint64_t sequence);
  void carry_out(Held held);
  void drop_held();

  // --- replica_states.cc ------------------------------------------------------------------------
  bool defer_state(const std::string& key, KeyState state, bool durable = false);
  StatesRecord put_states(std::uint64_t sequence, WriteBatch& batch);
  Result<void> restore_states(const std::vector<LogEntry>& log);

  // --- replica_forward.cc -----------------------------------------------------------------------
  void forward(RequestHandle handle, NodeId to, std::uint64_t life = 0);
  void send_forward(const PendingRequest& pending);
  void on_forward_due(RequestHandle handle);
  void take_back(RequestHandle handle);
  /// Since this node was first found behind, its way to another one included.
  std::chrono::milliseconds waited(const PendingRequest& pending) const;
  void watch_orphan(RequestHandle handle);
  void take_back_forwards();
  void on_forward(const Envelope& envelope, const Forward& forward);
  void on_forward_reply(const Envelope& envelope, const ForwardReply& reply);

  // --- replica_apply.cc -------------------------------------------------------------------------
  void apply_committed();
  bool apply(const LogEntry& entry);
  static Result<KeyState> state_of(const WriteKey& command, LogIndex index);
  bool apply_write(const WriteKey& command, LogIndex index);
  bool put_row(const IdempotencyRow& row);
  bool apply_floor(Hlc floor);
  bool put_policy(std::string_view prefix, const PolicyRecord& record);
  void apply_init(const InitCluster& command);
  void apply_end_recovery(const EndRecovery& command);
  void stage(WriteBatch batch);
  void touch();
  void clear_installed_marker();

  // --- replica_log.cc ---------------------------------------------------------------------------
  void put_log(const RaftReady& ready, WriteBatch& batch);
  void compact_log();
  void clean_history();
  bool wants_batch(const WriteBatch& batch) const;
  void write(WriteBatch batch, ReplicaReady& out);
  void load_entries(const LogLoad& load);

  // --- replica_snapshot.cc ----------------------------------------------------------------------
  void read_chunk(const ChunkRead& read);
  Result<SnapshotChunk> next_chunk(const ChunkRead& read);
  bool outdated_chunk(const RaftMessage& message);
  void drop_idle_transfers();
  Result<void> verify_chunk(const SnapshotChunk& chunk) const;
  bool install(const SnapshotChunk& chunk);
  bool install_record(const SnapshotChunk::Record& record);
  void finish_install(const SnapshotChunk& chunk);
  void lose_proposals(LogIndex last);

  // --- replica_status.cc ------------------------------------------------------------------------
  ReplicaStatus status() const;
  MemberStatus member_status(NodeId id) const;
  struct Planner;  // node/replica_plan.cc

  // --- Configuration and ports ------------------------------------------------------------------
  ReplicaConfig config_;
  const Store& store_;
  TurnTime now_;
  Random random_;

  // --- Durable state, as it will be with the next batch -----------------------------------------
  NodeRecord node_;
  AppliedRecord applied_;
  std::optional<LogStart> installing_;  ///< marker: a snapshot of this index is being joined
  bool node_dirty_ = false;
  bool applied_dirty_ = false;
  WriteBatch pending_;  ///< applied, in the overlay, not yet handed to the disk
  std::optional<MonoTime> dirty_since_;

  // --- Cores ------------------------------------------------------------------------------------
  HybridLogicalClock clock_;
  ClockOffsets offsets_;
  Bootstrap bootstrap_;
  std::optional<Raft> raft_;
  Overlay overlay_;
  HistoryLog history_{kOnlyGroup};
  KeySpace keys_;
  IdempotencyTable idempotency_;
  PolicyTable policies_;

  // --- Batches ----------------------------------------------------------------------------------
  struct InFlight {
    std::uint64_t sequence;
    std::optional<PersistedMark> mark;
    std::optional<Hlc> bound;
    StatesRecord states;               ///< what the key states in the store have with it
    std::optional<RaftRestored> born;  ///< the batch that makes this node a member
  };
  std::deque<InFlight> in_flight_;
  std::uint64_t next_sequence_ = 1;
  LogIndex durable_applied_;  ///< in the key states of the store
  StatesBehind states_behind_;
  WaitingPays waiting_pays_;
  MonoTime last_batch_{};
  bool force_batch_ = false;             ///< what is pending is waited for
  std::optional<RaftRestored> decided_;  ///< membership, for the next batch
  bool deciding_ = false;                ///< decided, not durable yet
  std::vector<Envelope> send_now_;
  std::vector<Envelope> send_after_;
  std::vector<std::pair<RequestId, Reply>> replies_;

  // --- Log and history in the store -------------------------------------------------------------
  LogSizes log_sizes_;
  LogIndex log_start_;  ///< of the record in the store (or its batch)
  StoredLog stored_log_{kOnlyGroup};
  Hlc cleaned_;  ///< history below this is gone
  std::size_t clean_credit_ = 0;
  MonoTime last_clean_{};

  // --- Applying ---------------------------------------------------------------------------------
  std::deque<LogEntry> to_apply_;
  bool has_versions_ = false;
  std::optional<std::pair<AppliedRecord, ClusterId>> incoming_;  ///< of the snapshot being joined

  // --- Requests ---------------------------------------------------------------------------------
  RequestTable requests_;
  std::vector<RequestHandle> waiting_;
  /// Confirmed, but resting on entries that are not applied yet.
  struct LateRead {
    LogIndex index;
    Evidence evidence;
    RequestHandle request;
    Adopted adopted = {};
  };
  std::vector<LateRead> late_reads_;
  bool route_again_ = false;  ///< something of what waits can go on, whatever the situation
  Situation situation() const;
  Situation situation_;
  bool clock_waited_for_ = false;
  bool bound_arrived_ = false;  ///< in this turn

  // Forwarding.
  std::map<RequestId, RequestHandle> forwards_;
  std::uint64_t next_forward_ = 0;
  ForwardFilter forward_filter_;
  Term forward_floor_;  ///< an earlier life may have carried out requests of terms up to here

  // --- Levels without a leader ------------------------------------------------------------------
  std::map<std::uint64_t, Coordination> coordinations_;
  std::uint64_t next_coordination_ = 1;
  std::set<std::pair<MonoTime, std::uint64_t>> looks_;  ///< when, at which coordination
  std::set<std::uint64_t> stamps_waited_for_;
  LatencyEstimate query_time_;
  PendingTail tail_;
  struct TailWait {
    std::string key;
    LogIndex up_to;  ///< of the log when the query came
    Asker asker;
    MonoTime until;
  };
  std::vector<TailWait> tail_waits_;
  std::map<std::string, LogIndex> early_;  ///< keys with an early state, and what that waits for
  std::set<std::pair<LogIndex, std::string>> early_by_index_;
  std::map<std::uint64_t, std::vector<Held>> held_;  ///< by the batch that it waits for
  /// Hashes of keys that have changed beside the log, by the batch, which is not durable.
  std::map<std::uint64_t, std::vector<std::uint64_t>> beside_log_;

  // --- Repair -----------------------------------------------------------------------------------
  MerkleTree tree_;               ///< of all that is known of every key
  bool leaves_complete_ = false;  ///< every key has its leaf record
  MonoTime tree_slice_at_{};
  Hints hints_;
  TokenBucket repair_bytes_;
  std::map<NodeId, PeerRepair> repairs_;
  std::map<std::uint64_t, RepairCall> repair_calls_;  ///< in rising order of `until`, too
  std::uint64_t next_exchange_ = 1;
  std::vector<std::uint32_t> tombstones_in_leaf_;  ///< keys that hold nothing else
  TombstoneWatch watch_;

  struct Causality;  // node/replica_causal.h
  // --- Peers ------------------------------------------------------------------------------------
  struct Peer {
    Incarnation incarnation;  ///< the highest heard of
    std::optional<MonoTime> heard;
    std::optional<MonoTime> probed;
    bool recovering = false;
    std::uint64_t life = 0;  ///< of its process, as it last said; 0: not known
  };
  std::map<NodeId, Peer> peers_;
  Term heard_term_;  ///< before there is a core to remember it
  MonoTime next_probe_{};
  Duration probe_interval_;
  std::set<NodeId> answered_;  ///< members that answered since this recovery began
  std::unique_ptr<Causality> causal_;

  // --- Leading ----------------------------------------------------------------------------------
  Term led_term_;  ///< 0: not leading
  NodeId seen_leader_;
  Term counted_election_, counted_win_;
  Term init_proposed_;  ///< term in which the first entry was proposed
  std::map<NodeId, std::pair<Incarnation, Term>> ends_proposed_;
  RoundId counted_round_;
  std::map<NodeId, OutgoingSnapshot> outgoing_;
  /// The last transfer to each peer, and the clock when its view was taken.
  std::map<NodeId, std::pair<std::uint64_t, Hlc>> transfers_viewed_;

  // --- Conditions -------------------------------------------------------------------------------
  bool skewed_ = false;
  bool shutting_down_ = false;
  std::optional<Error> disk_failed_;
  std::optional<Error> fatal_;
  ReplicaCounters counters_;
};

}  // namespace parallax
