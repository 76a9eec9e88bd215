// What replicas say to each other: plain structs, one per kind, visited exhaustively.
//
// The wire form is replication/codec.h. Nothing here knows about sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "clock/clock_offsets.h"
#include "clock/origin_vector.h"
#include "clock/stamp.h"
#include "storage/records.h"

namespace parallax {

// --- Leader-follower (Raft; section numbers are those of Ongaro's dissertation, 2014) ------------

/// Asks for a vote (3.4), or whether one would be given (pre-vote, 9.6).
struct VoteRequest {
  Term term;  ///< the candidate's term; with pre_vote the term it would campaign in
  LogIndex last_index;
  Term last_term;
  bool pre_vote = false;
  bool transfer = false;  ///< started by TimeoutNow: voters do not hold it back (3.10)
  friend bool operator==(const VoteRequest&, const VoteRequest&) = default;
};

struct VoteReply {
  Term term;  ///< granted: the term asked for; refused: the voter's term
  bool granted = false;
  bool pre_vote = false;
  friend bool operator==(const VoteReply&, const VoteReply&) = default;
};

/// Entries behind prev (3.5). May be empty, as a probe.
struct AppendEntries {
  Term term;
  LogIndex prev_index;
  Term prev_term;
  LogIndex commit;
  std::vector<LogEntry> entries;
  friend bool operator==(const AppendEntries&, const AppendEntries&) = default;
};

struct AppendReply {
  Term term;
  bool accepted = false;
  LogIndex match;          ///< accepted: durable here and equal to the leader's log up to this
  LogIndex rejected_prev;  ///< refused: prev_index of the request
  LogIndex hint_index;     ///< refused: the highest entry here that can match, and its term
  Term hint_term;
  friend bool operator==(const AppendReply&, const AppendReply&) = default;
};

/// A mark of the receiver's monotonic time with the life of the process that it belongs to.
struct FreshnessMark {
  std::uint64_t life = 0;  ///< 0: no mark
  MonoTime at{};
  friend bool operator==(const FreshnessMark&, const FreshnessMark&) = default;
};

/// Keeps leadership known, carries the commit index, and asks for a confirmation of leadership
/// (a read round, 6.4). Separate from AppendEntries, so that rounds never wait for a disk.
struct Heartbeat {
  Term term;
  RoundId round;
  LogIndex commit;       ///< never above what `receiver` is known to hold
  Incarnation receiver;  ///< whose acknowledgements `commit` rests on; another one ignores it
  /// The receiver's mark, given back once a majority has confirmed a later round: whoever has
  /// applied mark_commit is at most (its own time now - mark.at) behind.
  FreshnessMark mark;
  LogIndex mark_commit;
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct HeartbeatReply {
  Term term;
  RoundId round;
  FreshnessMark mark;           ///< the sender's time when it answered
  bool recovery_ready = false;  ///< a recovering node has joined what a majority holds
  LogIndex applied;             ///< by the sender; for people alone, no decision rests on it
  /// For so long, by its own clock, the sender helps nobody else to leadership (lease.h); 0: it
  /// promises nothing.
  Duration hold{};
  friend bool operator==(const HeartbeatReply&, const HeartbeatReply&) = default;
};

/// The leader asks the receiver to campaign at once (leadership transfer, 3.10).
struct TimeoutNow {
  Term term;
  friend bool operator==(const TimeoutNow&, const TimeoutNow&) = default;
};

/// Part of a snapshot (5, in chunks): records of the replicated state at `index`. They are joined
/// into the receiver's store, never written over it.
struct SnapshotChunk {
  Term term;
  std::uint64_t transfer = 0;  ///< unique per leader and transfer
  std::uint64_t sequence = 0;  ///< 0, 1, ... without gaps
  bool last = false;
  LogIndex index;  ///< applied by the sender when the snapshot was taken
  Term index_term;
  struct Record {
    std::string key;
    Bytes value;
    friend bool operator==(const Record&, const Record&) = default;
  };
  std::vector<Record> records;  ///< store records without their framing's trust: checked again
  friend bool operator==(const SnapshotChunk&, const SnapshotChunk&) = default;
};

struct SnapshotReply {
  Term term;
  std::uint64_t transfer = 0;
  /// Chunks durable here, counted from 0. Nothing (0) tells the leader to begin again.
  std::uint64_t received = 0;
  bool done = false;  ///< the whole snapshot is installed
  friend bool operator==(const SnapshotReply&, const SnapshotReply&) = default;
};

// --- Empty store (docs/ARCHITECTURE.md) ----------------------------------------------------------

/// "Who are you all, and what do you hold?" Asked by nodes without a marker and recovering ones.
struct Probe {
  std::uint64_t life = 0;  ///< of the asking process, to be given back
  friend bool operator==(const Probe&, const Probe&) = default;
};

struct ProbeReply {
  Membership membership = Membership::none;
  Term term;                      ///< the highest heard of
  bool has_log = false;           ///< holds at least one log entry, or had one
  bool has_versions = false;      ///< holds at least one version
  bool applied_first = false;     ///< has applied entry 1: the cluster exists
  Incarnation heard_of_receiver;  ///< the highest incarnation of the asker that it knows
  /// Of the Probe that this answers. A copy that outlived its asker must not tell the next life of
  /// that node, its disk lost meanwhile, that the cluster is only beginning.
  std::uint64_t life = 0;
  friend bool operator==(const ProbeReply&, const ProbeReply&) = default;
};

// --- Forwarding ----------------------------------------------------------------------------------

/// A client's request passed on to the node that can serve it. The payload is node/operation_codec.
///
/// The network may double it, and a copy may arrive in a later life of its receiver. `term` names
/// the one leadership that may carry it out, or `life` the one process, where the level knows no
/// leader: a receiver that has forgotten whether it did says nothing.
struct Forward {
  RequestId id;          ///< of the sender; never used again, also not for another try
  Term term;             ///< in which the sender takes the receiver for the leader
  Duration remaining{};  ///< until the client's deadline
  Bytes request;
  std::uint64_t life = 0;  ///< of the receiver's process, for levels without a leader
  friend bool operator==(const Forward&, const Forward&) = default;
};

struct ForwardReply {
  RequestId id;
  Bytes reply;
  friend bool operator==(const ForwardReply&, const ForwardReply&) = default;
};

// --- Quorum (DeCandia et al. 2007; Attiya, Bar-Noy and Dolev 1995)
// -----------------------------------------------------------

/// What an answer is given back with. A late answer to an earlier life of the asking process names
/// another life and is void: a query must not be answered with what was there before it was asked.
struct QuorumCall {
  std::uint64_t life = 0;  ///< of the asking process
  RequestId id;            ///< unique in that life, for one key and one round
  friend bool operator==(const QuorumCall&, const QuorumCall&) = default;
};

/// "What do you hold of this key?"
struct QuorumQuery {
  QuorumCall call;
  std::string key;
  /// Of a majority query: while its log holds an entry for the key that is not applied, the
  /// receiver waits until what its log held at the arrival is applied or truncated.
  bool majority = false;
  Duration remaining{};  ///< the longest wait; then the answer is "unresolved"
  friend bool operator==(const QuorumQuery&, const QuorumQuery&) = default;
};

enum class QuorumQueryStatus : std::uint8_t {
  held = 0,        ///< the state that is durable here, or committed
  unresolved = 1,  ///< the pending tail did not get clear in time: ask another
  refused = 2,     ///< it may not answer (it recovers, its disk has failed)
};

/// The whole KeyState, never a part (clock/dotted_version_vector_set.h says why).
struct QuorumQueryReply {
  QuorumCall call;
  QuorumQueryStatus status = QuorumQueryStatus::held;
  KeyState state;  ///< with held; empty: nothing of the key was ever here
  friend bool operator==(const QuorumQueryReply&, const QuorumQueryReply&) = default;
};

/// "Join this and make it durable": a write, a write-back, a repair, a hint that found its target.
struct QuorumStore {
  QuorumCall call;
  std::string key;
  KeyState state;             ///< whole, never empty
  NodeId hint_for = kNoNode;  ///< the receiver stands in for this replica and owes it the state
  friend bool operator==(const QuorumStore&, const QuorumStore&) = default;
};

struct QuorumStoreReply {
  QuorumCall call;
  bool stored = false;  ///< durable here; false: it is not, and this request will not make it so
  NodeId hint_for = kNoNode;  ///< of the request: the hint is durable, too
  /// From having joined it to being durable, or the longest that can be said. Told for measurements
  /// alone.
  using Held = std::chrono::duration<std::uint32_t, std::micro>;
  Held held{};
  friend bool operator==(const QuorumStoreReply&, const QuorumStoreReply&) = default;
};

// --- Reads at followers (Ongaro 2014, section 6.4) -----------------------------------------------

/// "What is committed?" Asked of the leader, which answers behind a read round that begins after
/// the question has come.
struct IndexQuery {
  QuorumCall call;
  friend bool operator==(const IndexQuery&, const IndexQuery&) = default;
};

struct IndexReply {
  QuorumCall call;
  bool confirmed = false;  ///< false: it does not lead, or not yet
  LogIndex index;          ///< of the round: all that was committed when it began; with confirmed
  friend bool operator==(const IndexReply&, const IndexReply&) = default;
};

// --- Anti-entropy (DeCandia et al. 2007, section 4.7; replication/quorum/merkle_exchange.h)
// -----------------------------------------------------------

/// "What are the digests of these nodes' children?"
struct MerkleQuery {
  QuorumCall call;
  std::uint32_t level = 0;           ///< of the hash tree, above the leaves'
  std::vector<std::uint32_t> nodes;  ///< of that level
  friend bool operator==(const MerkleQuery&, const MerkleQuery&) = default;
};

struct MerkleDigests {
  QuorumCall call;
  std::uint32_t level = 0;             ///< of the query
  std::vector<std::uint32_t> nodes;    ///< of the query
  std::vector<std::uint64_t> digests;  ///< of all children of each; none: the tree is being built
  friend bool operator==(const MerkleDigests&, const MerkleDigests&) = default;
};

/// "Which keys does this leaf have, behind that one?"
struct MerkleKeysQuery {
  QuorumCall call;
  std::uint32_t leaf = 0;
  std::string after;  ///< empty: from the first
  friend bool operator==(const MerkleKeysQuery&, const MerkleKeysQuery&) = default;
};

struct KeyDigest {
  std::string key;
  std::uint64_t digest = 0;
  friend bool operator==(const KeyDigest&, const KeyDigest&) = default;
};

struct MerkleKeys {
  QuorumCall call;
  std::uint32_t leaf = 0;
  std::string after;            ///< of the query
  std::vector<KeyDigest> keys;  ///< in byte order
  bool complete = false;        ///< there are no more behind the last one
  friend bool operator==(const MerkleKeys&, const MerkleKeys&) = default;
};

// --- Causal (Lloyd et al. 2011; replication/causal/causal.h) -------------------------------------

/// An origin's operations, durable there, in their order; nobody has asked for them.
struct CausalOperations {
  std::vector<SharedOperation> operations;
  friend bool operator==(const CausalOperations&, const CausalOperations&) = default;
};

/// "What do you have of this origin's operations behind that one?"
struct CausalFetch {
  QuorumCall call;
  Origin origin;
  std::uint64_t after = 0;
  friend bool operator==(const CausalFetch&, const CausalFetch&) = default;
};

/// Operations from the one behind CausalFetch::after on, without gaps: as many as a message takes.
struct CausalFetched {
  QuorumCall call;
  bool trimmed = false;  ///< the first one is not in the log any more: a transfer must bring it
  std::vector<SharedOperation> operations;
  friend bool operator==(const CausalFetched&, const CausalFetched&) = default;
};

/// What the sender has durably applied. It acknowledges operations, and says what it could relay.
struct CausalStatus {
  OriginVector applied;
  /// The highest incarnation of each node that it has heard of: it takes nothing from older ones.
  std::map<NodeId, Incarnation> heard;
  std::uint64_t life = 0;  ///< of the sender's process: for requests that are passed on to it
  friend bool operator==(const CausalStatus&, const CausalStatus&) = default;
};

/// "What are your key states behind this key?" Asked by a node that lacks what no log has any more.
struct CausalTransferQuery {
  QuorumCall call;
  std::string after;  ///< empty: from the first
  friend bool operator==(const CausalTransferQuery&, const CausalTransferQuery&) = default;
};

struct CausalTransferPage {
  struct State {
    std::string key;
    KeyState state;  ///< whole
    friend bool operator==(const State&, const State&) = default;
  };
  QuorumCall call;
  /// The states hold all operations up to here ...
  OriginVector applied;
  /// ... whose last ones have these stamps, by actor ...
  VersionVector stamps;
  /// ... and none beyond this.
  OriginVector ceiling;
  std::vector<State> states;  ///< by key, rising
  bool complete = false;      ///< there are no more behind the last one
  friend bool operator==(const CausalTransferPage&, const CausalTransferPage&) = default;
};

using Message =
    std::variant<VoteRequest, VoteReply, AppendEntries, AppendReply, Heartbeat, HeartbeatReply,
                 TimeoutNow, SnapshotChunk, SnapshotReply, Probe, ProbeReply, Forward, ForwardReply,
                 QuorumQuery, QuorumQueryReply, QuorumStore, QuorumStoreReply, MerkleQuery,
                 MerkleDigests, MerkleKeysQuery, MerkleKeys, CausalOperations, CausalFetch,
                 CausalFetched, CausalStatus, CausalTransferQuery, CausalTransferPage, IndexQuery,
                 IndexReply>;

/// "append-entries", for logs, traces and metrics.
std::string_view message_name(const Message& message);
/// One line with what the message says, for people: traces and test scripts.
std::string describe(const Message& message);

/// Who sent a message: the part of the envelope that the cores judge.
struct Sender {
  NodeId id;
  Incarnation incarnation;
  bool recovering = false;
};

/// A message with what every message carries.
struct Envelope {
  NodeId from;
  NodeId to;
  GroupId group = kOnlyGroup;
  Incarnation incarnation;  ///< of the sender; messages of an older one than heard are void
  bool recovering = false;  ///< the sender's word counts toward no majority
  Hlc clock;                ///< everything that the sender's clock issued or observed
  ClockSample physical;
  Message message;
  friend bool operator==(const Envelope&, const Envelope&) = default;
};

}  // namespace parallax
