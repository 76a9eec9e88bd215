// One replica of a group: the pure composition of the protocol cores above one store.
//
// It owns the hybrid clock, the bootstrap, the Raft core and the overlay of changes not yet in the
// store; it turns requests into log entries and read rounds, applies committed entries, and says in
// ReplicaReady what is to be done. It reads its store, and writes only through the batches that it
// hands out. Time comes in with begin_turn().
//
// Invariants:
//   - log order is stamp order: a leader stamps only after its term's no-op is applied, above
//     everything that it has observed, and never above the durable clock bound;
//   - apply is a join of the entry's versions, in log order, each entry once;
//   - an answer shows only state that is committed in the log (so durable on a majority);
//   - a write whose entry was replaced by another term's is answered "definite", one whose fate is
//     unknown at the deadline "indefinite".
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "client/protocol.h"
#include "clock/clock_offsets.h"
#include "clock/hybrid_logical_clock.h"
#include "node/idempotency_table.h"
#include "node/latency_histogram.h"
#include "replication/leader_follower/bootstrap.h"
#include "replication/leader_follower/raft.h"
#include "replication/quorum/hints.h"
#include "storage/overlay.h"
#include "storage/records.h"

namespace parallax {

struct Plan;  // node/plan.h

struct ReplicaConfig {
  NodeId id;
  std::vector<NodeId> members;  ///< itself included
  std::uint64_t seed = 0;       ///< election timeouts and the cluster id of a first leader
  std::uint64_t life = 1;       ///< of this process, never 0
  Duration election_timeout_min = limits::kElectionTimeoutMin;
  Duration election_timeout_max = limits::kElectionTimeoutMax;
  Duration heartbeat_interval = limits::kHeartbeatInterval;
  std::chrono::milliseconds max_clock_skew = limits::kDefaultMaxClockSkew;
  std::chrono::milliseconds history_retention = limits::kDefaultHistoryRetention;
  std::uint64_t log_keep_entries =
      limits::kLogKeepEntries;  ///< applied entries kept for slow peers
  std::size_t log_keep_bytes = limits::kLogKeepBytes;
  std::chrono::milliseconds semi_sync_timeout = limits::kSemiSyncTimeout;
  /// Linearizable reads under the leader's lease (replication/leader_follower/lease.h), and the
  /// bound on the rates of monotonic clocks that it rests on; the same on every node.
  bool lease_reads = false;
  std::uint32_t clock_drift_ppm = limits::kClockDriftPpm;
  std::size_t max_requests = limits::kMaxRequestsInFlight;
  // Sizes that decide how often rare paths are taken; the simulator makes them small.
  std::size_t log_cache_bytes = limits::kLogCacheBytes;
  std::size_t max_append_bytes = limits::kMaxAppendBytes;
  std::size_t max_inflight_appends = limits::kMaxInflightAppends;
  std::size_t snapshot_chunk_bytes = limits::kSnapshotChunkBytes;
  /// Records of key states that are kept in memory, lest they are looked for in the store.
  std::size_t recent_bytes = 8 << 20;
  /// A state that the log or an origin's log holds, too, is written so long after its change, or
  /// when more than these bytes wait.
  Duration states_wait = limits::kStatesWait;
  std::size_t states_wait_bytes = limits::kStatesWaitBytes;
  std::size_t causal_log_bytes = limits::kCausalLogBytes;
  std::size_t causal_batch_bytes = limits::kCausalBatchBytes;
  IdempotencyTable::Limits idempotency = {};  ///< the same on every node: the log rests on it
  // Repair.
  std::chrono::milliseconds anti_entropy_interval = limits::kAntiEntropyInterval;
  TokenBucket::Rate anti_entropy_bytes = {.per_second = limits::kAntiEntropyBytesPerSecond,
                                          .burst = limits::kAntiEntropyBurstBytes};
  HintBounds hints = {
      .expiry_ms = std::chrono::milliseconds(limits::kHintExpiry).count(),
      .most = limits::kMaxHints,
      .most_bytes = limits::kMaxHintBytes,
      .most_in_flight = limits::kMaxHintsInFlight,
      .drain = {.per_second = limits::kHintsPerSecond, .burst = limits::kHintsPerSecond / 10}};
  /// Above twice the longest time that a request may take; the same on every node.
  std::chrono::milliseconds tombstone_grace = limits::kTombstoneGrace;
};

/// Both clocks, read once per turn.
struct TurnTime {
  MonoTime monotonic;
  UnixMillis physical;
};

/// What a turn asks for, in this order.
struct ReplicaReady {
  std::vector<Envelope> send_now;   ///< 1. at once, before the batch is durable
  std::optional<WriteBatch> batch;  ///< 2. written with sync, as `sequence`
  std::uint64_t sequence = 0;
  std::vector<Envelope> send_after;  ///< 3. once that batch and all before are durable
  std::vector<std::pair<RequestId, Reply>> replies;  ///< 4. at once: they show committed state only
  /// Some reads were answered under the leader's lease: they are shown only after settle_leased().
  bool leased = false;
};

/// One member as another sees it, for /v1/cluster.
struct MemberStatus {
  NodeId id;
  std::string role;                       ///< leader, follower, candidate, recovering, unknown
  bool up = false;                        ///< heard from within an election timeout
  std::optional<LogIndex> match_index;    ///< durable there: at the leader, and of the node itself
  std::optional<LogIndex> applied_index;  ///< likewise; of others as of their last heartbeat
  std::optional<std::int64_t> clock_offset_ms;
  std::optional<std::int64_t> lag_ms;  ///< at the leader: since its match index last was the end
  std::size_t hints = 0;  ///< keys whose writes it has missed, kept here until it has them
};

struct ReplicaStatus {
  NodeId id;
  ClusterId cluster;
  Membership membership = Membership::none;
  Role role = Role::follower;
  Term term;
  NodeId leader;
  LogIndex commit_index;
  LogIndex applied_index;
  LogIndex durable_index;
  LogIndex log_start;
  LogIndex last_index;
  bool ready = false;  ///< knows a leader, and has caught up with what it knows to be committed
  bool installing_snapshot = false;
  bool semi_sync_degraded = false;  ///< semi-sync writes are acknowledged by this leader alone
  bool lease_reads =
      false;  ///< this node, when it leads, may answer linearizable reads by its lease
  Hlc clock;
  bool tree_complete = false;  ///< all keys are in the hash tree: anti-entropy can go on
  std::size_t hints = 0;       ///< over all members
  OriginVector causal;         ///< causal operations that are applied here, perhaps not durably
  OriginVector stable;         ///< those that every member has, durably, as far as is known here
  std::vector<MemberStatus> members;
};

/// Counters since the start of the process; only ever rise.
struct ReplicaCounters {
  std::uint64_t elections_started = 0;
  std::uint64_t elections_won = 0;
  std::uint64_t entries_applied = 0;
  std::uint64_t read_rounds = 0;
  std::uint64_t requests_forwarded = 0;
  std::uint64_t snapshots_sent = 0;
  std::uint64_t snapshots_installed = 0;
  std::uint64_t stamps_refused_for_skew = 0;
  std::uint64_t semi_sync_degradations = 0;  ///< times that no follower answered semi-sync writes
  std::uint64_t hints_queued = 0;
  std::uint64_t hints_handed_over = 0;
  std::uint64_t hints_refused = 0;  ///< no room: left to anti-entropy
  std::uint64_t hints_expired = 0;
  std::uint64_t anti_entropy_rounds = 0;  ///< exchanges with a peer that came to their end
  std::uint64_t anti_entropy_bytes = 0;   ///< digests and lists of keys received in them
  std::uint64_t keys_compared_unequal = 0;
  std::uint64_t keys_sent = 0;      ///< whole states handed over by anti-entropy
  std::uint64_t keys_received = 0;  ///< whole states asked for by it
  std::uint64_t tombstones_removed = 0;
  /// From asking another replica to its answer, as a coordinator without a leader: stores of writes
  /// whose state is durable there, and what queries were told. Answers that come when nobody waits
  /// for them any more are not in it.
  LatencyHistogram peer_stores = {};
  /// Of stores, without the time that the replica took to make it durable: the ways there and back.
  LatencyHistogram peer_ways = {};
  LatencyHistogram peer_queries = {};
};

/// Not thread-safe; one thread owns it. `store` must outlive it.
class Replica {
 public:
  /// Reads what the store holds. Errors: refused (another node's directory, a newer format),
  /// corrupt, io. With `lost_disk` an empty store is known to have held data: the node starts as
  /// recovering whatever its peers say.
  static Result<std::unique_ptr<Replica>> open(ReplicaConfig config, const Store& store,
                                               TurnTime now, bool lost_disk = false);
  ~Replica();

  // --- Inputs ---------------------------------------------------------------------------------
  /// First in every turn.
  void begin_turn(TurnTime now);
  /// Answered exactly once, in some later ReplicaReady::replies, at the latest soon after its
  /// timeout.
  void on_request(RequestId id, Request&& request);
  void on_envelope(const Envelope& envelope);
  /// The batch `sequence` is durable. They come in order.
  void on_persisted(std::uint64_t sequence);
  /// The disk refused a batch: from now on nothing is acknowledged, stamped or voted, requests get
  /// read_only, and leadership is left to others. A store that is damaged (corrupt) ends all: see
  /// fatal().
  void on_disk_failed(const Error& error);
  /// Errors: not_leader, bad_parameter.
  Result<void> transfer_leadership(NodeId to);
  /// No new requests (shutting_down); leadership is handed over, and key states wait no more.
  void begin_shutdown();

  /// Last in every turn: a time behind all its inputs. A process may have slept since
  /// begin_turn(): what is judged by its age is judged by this.
  void end_inputs(MonoTime now);

  // --- Outputs --------------------------------------------------------------------------------
  /// Messages and answers that waited for what has become durable since the last turn. They need
  /// nothing of the turn to come, and may leave before its work.
  ReplicaReady take_released();
  /// `may_persist` false while too many batches are in flight: then only what needs no batch.
  ReplicaReady take_ready(bool may_persist);
  /// With a time read after take_ready() has returned: what was read under the lease goes into
  /// `ready` if the lease still holds, or is read again behind a read round.
  void settle_leased(MonoTime now, ReplicaReady& ready);
  /// A corrupt record was found: the process must stop; the store is to be set aside and the node
  /// comes back as recovering.
  const std::optional<Error>& fatal() const;

  ReplicaStatus status() const;
  /// What it would do about `request`, which has been checked as one to be carried out. Errors:
  /// those with which it would refuse it.
  Result<Plan> plan(Request request) const;
  const ReplicaCounters& counters() const;
  const Raft* raft() const;  ///< nullptr before membership is decided
  /// Reads of this replica's own state, durable or not, for checks.
  const ReadView& state() const;
  /// Whether begin_shutdown() has got as far as it can: no leadership, no pending requests.
  bool quiet() const;

 private:
  struct Impl;
  explicit Replica(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace parallax
