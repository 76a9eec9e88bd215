// The vector-clock causal protocol of one node, as a pure value that is stepped: writes are
// accepted anywhere, at once, and are seen everywhere behind all that their writer had seen.
//
// Sources: Lloyd et al., "Don't Settle for Eventual" (COPS, SOSP 2011), for causal+; Ladin et al.,
// "Providing High Availability Using Lazy Replication" (ACM TOCS 1992), for delivery by vectors and
// gossip; Petersen et al., "Flexible Update Propagation" (Bayou, SOSP 1997), for a log per origin,
// truncated at will, with a transfer of the whole state behind it; Almeida et al. (DAIS 2014) for
// the states that versions are joined into (clock/dotted_version_vector_set.h).
//
// An origin is one incarnation of a node. It numbers its writes 1, 2, 3 ...; an operation names
// what its writer had seen of other origins. Every node applies all operations, an origin's in
// their order and each behind what it depends on (delivery.h), and keeps them in a log per origin
// (origin_log.h) until every member has durably applied them, or there is no room.
//
//   CausalOperations     an origin's new operations, once durable there, to everybody, ahead of
//                        acknowledgements as far as the receiver's credit goes; not oftener than
//                        every push_interval while more are on their way to the disk
//   CausalStatus         what a node has durably applied: gossip, acknowledgement and credit in
//                        one; ten a second while anything changes, and when credit runs low
//   CausalFetch(ed)      whoever lacks for a while what others have asks one of them: the origin if
//                        it is there, else anybody. That is retransmission, and relay of what a
//                        dead origin left behind; a batch per round trip, nothing kept per peer
//   CausalTransfer...    whoever lacks what no log has any more is brought key states
//
// --- Transfers, and why the jump is safe --------------------------------------------------------
//
// Two vectors bound what a node's key states contain. They hold all operations up to `applied`, and
// none beyond the join of `applied` and `ceiling`. Normally there is no ceiling.
//
// The sender of a page reads its states *after* it takes `applied` and *before* it takes `ceiling`,
// in one turn; so both bounds hold for the page, whatever it applies between pages. The receiver
// joins the states, with the ceiling in the same batch. Joins keep both bounds: what was there
// stays there, or is covered by what has come. With the last page its vector jumps to the first
// page's `applied`, V: every key was read at or after V, so all operations up to V are here. A jump
// to what a later page says would be wrong: keys read before do not have what came after.
//   Operations that the receiver applies meanwhile are joined like ever. Those up to V that it
// still gets from logs are let go of, behind the jump; those beyond V are applied behind it, also
// when a page has brought their effect already: the join changes nothing, and the log needs them.
//
// What must not be shown: the states are no causal cut as long as something in them is beyond
// `applied`. A page can hold an operation beyond V without what it depends on, and even a state
// from which it has removed an earlier version that belongs to V. So from the first page that goes
// beyond it until `applied` has caught up with the ceiling, consistent() is false, and the owner
// serves no causal read and no causal write (it lets them wait, or passes them on). A crash in
// between leaves the ceiling on the disk. The sender may itself be inconsistent: what it passes on
// is its own ceiling.
//   A ceiling is for the transfers here. State that repair or anti-entropy bring early raises none:
// the owner keeps it apart until covers() says of its context that every causal version that it
// knows of is applied here, and with it what that depends on. An origin's stamps rise with its
// numbers, so stamps are enough to judge a context by.
//
// --- Lost disks ---------------------------------------------------------------------------------
//
// A node that lost its disk comes back as a new incarnation, and its new origin counts from 1. What
// of the old origin survives is what some survivor applied. Tokens may name more: operations that
// are gone. The old origin counts as covered where everything is applied that survives, and what
// that is has to be known: a survivor that is cut off may hold more than the majority that ended
// the recovery. So all members must have spoken. In detail, covers() takes a number of an ended
// origin for done once
//   - every member has sent a status, not recovering, that has heard of every incarnation that this
//     node has heard of (the entry that ends a recovery is one way to hear: heard());
//   - this node has applied as much of that origin as each of them says.
// Why that is final: whoever has heard of an incarnation takes nothing from earlier ones, drops
// what it has buffered (it may be from them), and remembers so on its disk before it says so. A
// message with more would have to come from a member whose status did not say so, or from an
// incarnation that somebody has heard is over. A node without memory (a disk just lost) takes
// nothing in until a majority names its incarnation: who counts its silence has heard of it.
//   A state that repair brings may know of lost operations. What those depended on is lost, too, or
// was durable at a member before the incarnation was over; then its statuses since say so. Such a
// state may be shown once all is applied here that any member says it has applied.
//
// --- How it is composed -------------------------------------------------------------------------
//
// In every turn: tick(), step() for every message, propose() for local writes, then take_ready(),
// carried out in the order that CausalReady's fields say. Rules for the owner:
//   - Numbers, key states and record go into one batch: the operations of `apply` are joined into
//     their keys' states (with DottedVersionVectorSet::add, in order), those of `append` were when
//     they were proposed; both are put into the log (storage/causal_codec.h); `record` under
//     records::causal_key(). So what is durable of `applied` is what is durable of the states; or
//     the owner keeps states back, says how far those are that it has written, and joins what the
//     log has behind that once more after a restart.
//   - Durable before shown: a local write is acknowledged, and a read that shows this state
//     answered, once the batch is durable that holds it. Nothing of an operation leaves before:
//     the core sends by on_persisted(). An operation that was not durable in a crash has been seen
//     by nobody, and its number is used again.
//   - A read or write of a session waits until covers(what it rests on) and consistent()
//     (consistency/session_guarantees.h says what that is). A reply's token is joined with
//     applied().
//   - Restart: CausalRestored from causal_key() and causal_log_range(); fault() first. Nothing
//     else is durable: statuses, credit and transfers begin anew.
//   - Recovery: with an empty store and a new incarnation the core starts from nothing, like any
//     other that is behind. The owner ends the recovery when joined() is a majority. It must not
//     wait for consistent(): a ceiling may name what is lost, and that is not known while anybody
//     recovers.
//
// What it does not do: it keeps no states, no clock, no tokens; it does not choose what a version
// replaces; membership is fixed.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"
#include "replication/causal/delivery.h"
#include "replication/causal/origin_log.h"
#include "replication/message.h"

namespace parallax {

struct CausalConfig {
  NodeId id;
  Incarnation incarnation;
  std::vector<NodeId> members;  ///< itself included
  std::uint64_t life = 1;       ///< of this process, never 0
  /// The same at all members: it is the credit that a sender has.
  Delivery::Bounds buffer = {limits::kCausalBufferOperations, limits::kCausalBufferBytes};
  std::size_t batch_bytes = limits::kCausalBatchBytes;
  std::size_t log_bytes = limits::kCausalLogBytes;
  std::size_t cache_bytes = limits::kCausalCacheBytes;
  std::size_t max_removals = limits::kMaxCausalRemovals;
  /// So long after the last message own operations wait for later ones that are on their way to
  /// the disk: until the first turn behind that, which those bring at the latest.
  Duration push_interval = limits::kCausalPushInterval;
  Duration status_interval = limits::kCausalStatusInterval;
  Duration idle_status_interval = limits::kCausalIdleStatusInterval;
  Duration patience = limits::kCausalPatience;
  Duration answer_timeout = limits::kCausalAnswerTimeout;
  Duration transfer_hold = limits::kCausalTransferHold;
};

/// What a store held when the process started.
struct CausalRestored {
  struct Logged {
    Origin origin;
    std::uint64_t number = 0;
    std::size_t bytes = 0;  ///< CausalOperation::bytes()
    Hlc reading{};          ///< of its stamp
  };
  CausalRecord record;
  std::vector<Logged> log;  ///< all that the store has, in the order of its keys
  bool recovering = false;
};
/// Whether a store can hold that. Empty: yes; otherwise what is wrong: the store is corrupt.
std::string fault(const CausalRestored& restored);

struct CausalMessage {
  NodeId to;
  Message message;
};

/// Please read operations of `origin` behind `after` from the store, no more bytes than that but
/// one in any case, and hand them to on_loaded().
struct CausalLoad {
  NodeId peer;
  QuorumCall call;
  Origin origin;
  std::uint64_t after = 0;
  std::size_t max_bytes = 0;
};

/// Please read key states behind `after` and hand them to on_page(), in this turn: from a view that
/// has everything handed out until now.
struct CausalPageRead {
  NodeId peer;
  QuorumCall call;
  std::string after;
  OriginVector applied;  ///< when it was asked for
  VersionVector stamps;
};

/// Operations of an origin, both included.
struct CausalRange {
  Origin origin;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend bool operator==(const CausalRange&, const CausalRange&) = default;
};

/// What a turn asks for. Carry it out in this order.
struct CausalReady {
  /// 1. Leave at once: they rest on what is durable already.
  std::vector<CausalMessage> send_now;

  /// 2. Into the turn's one batch: states to join whole, then operations to join and put, in order;
  ///    own operations to put; records to remove; the record.
  std::vector<CausalTransferPage::State> install;
  bool page = false;  ///< one of a transfer is here: logs may be skipped, operations and all
  std::vector<SharedOperation> apply;
  std::vector<SharedOperation> append;
  std::vector<CausalRange> remove;
  std::optional<CausalRecord> record;

  /// 3. Leave once that batch, and every one before it, is durable.
  std::vector<CausalMessage> send_after;

  /// 4. Things to read.
  std::vector<CausalLoad> loads;
  std::vector<CausalPageRead> page_reads;

  bool needs_write() const { return record.has_value() || !remove.empty(); }
};

/// What a batch that was taken covers, for on_persisted().
struct CausalMark {
  OriginVector applied;
  VersionVector stamps;
};

/// Not thread-safe; one owner steps it.
class Causal {
 public:
  /// `restored` must be without fault(). Asserts that the node is a member.
  Causal(CausalConfig config, const CausalRestored& restored, MonoTime now);

  // --- Inputs ---------------------------------------------------------------------------------
  void tick(MonoTime now) { now_ = now; }
  /// Any of CausalOperations ... CausalTransferPage; others are not for it. Those of strangers, and
  /// of incarnations that are over, are dropped.
  void step(const Sender& from, const Message& message);
  /// There is, or was, this incarnation of a node: from any message, or from the log's entry that
  /// ended its recovery.
  void heard(NodeId node, Incarnation incarnation);
  /// A local write, whose version the owner joins now. Its actor is origin()'s, its stamp above all
  /// of its origin. `dependencies`: what its writer has seen, which covers() and consistent() must
  /// allow. It depends on what it replaces besides: else a node would show the key without what its
  /// context says is there. Returns its number.
  std::uint64_t propose(std::string key, Version version, const OriginVector& dependencies);
  /// The batch with this mark is durable.
  void on_persisted(const CausalMark& mark);
  /// The key states that are stored have all of that. The logs are not trimmed beyond it; only a
  /// transfer may go past it. An owner that never says so writes every state with its batch.
  void on_states_written(OriginVector vector) { in_states_ = std::move(vector); }
  void on_loaded(const CausalLoad& load, std::vector<SharedOperation> operations);
  /// The page with this call has come, and waits at the owner: it is not to be asked for again.
  void await_page(const QuorumCall& call) {
    if (transfer_ && transfer_->asked == call) {
      transfer_->deadline = now_ + config_.answer_timeout;
    }
  }
  /// States behind `read.after`, by key; complete: to the last one.
  void on_page(const CausalPageRead& read, std::vector<CausalTransferPage::State> states,
               bool complete);
  /// The log's entry that ends this node's recovery was applied.
  void end_recovery() { recovering_ = false; }

  // --- Outputs --------------------------------------------------------------------------------
  /// The work since the last call. `may_persist` false: only what does not need the disk.
  CausalReady take_ready(bool may_persist = true);
  CausalMark persisted_mark() const { return {taken_, taken_stamps_}; }

  // --- State ----------------------------------------------------------------------------------
  Origin origin() const { return self_; }
  /// What is in the states, those of the last CausalReady included.
  const OriginVector& applied() const { return delivery_.applied(); }
  /// What of that is durable.
  const OriginVector& durable() const { return durable_; }
  /// Whether everything up to there is in the states, or lost with a disk.
  bool covers(const OriginVector& vector) const;
  /// Whether that is so of all causal versions that this context of a key covers.
  bool covers(const VersionVector& context) const;
  /// Whether that is so by what is durable: what a crash now would leave covers it, too.
  bool covers_durably(const VersionVector& context) const;
  /// Whether the states are a causal cut.
  bool consistent() const;
  /// What every member has durably applied, as far as is known: the stable cut. It may fall when
  /// one has lost its disk.
  OriginVector stable() const;
  /// Members whose word counts and of whose durable vector, as it was when this process first heard
  /// it, everything is durable here; itself not included. Sorted.
  std::vector<NodeId> joined() const;
  /// The highest incarnation of `node` that is known here, by whomever; empty: none.
  Incarnation heard_of(NodeId node) const {
    const auto found = heard_.find(node);
    return found == heard_.end() ? Incarnation{} : found->second;
  }
  /// Whether a peer has said that it has durably applied everything up to there.
  bool peer_covers(NodeId id, const OriginVector& vector) const;
  /// `of` without incarnations that are over and of which every member has all that survives:
  /// what a token has to say. So a token is bounded by the members, however many disks were lost.
  OriginVector told(const OriginVector& of) const;
  /// Of all logs, in bytes.
  std::uint64_t log_bytes() const;
  std::size_t waiting(const Origin& origin) const { return delivery_.waiting(origin); }
  bool transferring() const { return transfer_.has_value(); }
  /// Nothing when the origin is not known here.
  const OriginLog* log(const Origin& origin) const;

  struct Counters {
    std::uint64_t fetches = 0;        ///< asked
    std::uint64_t relayed = 0;        ///< operations given to whoever asked
    std::uint64_t transfers = 0;      ///< that ended with a jump
    std::uint64_t trimmed_early = 0;  ///< operations let go of that some peer lacks
    std::uint64_t turned_away = 0;    ///< operations beyond the credit, or known already
  };
  const Counters& counters() const { return counters_; }
  /// Asserts the invariants; for tests.
  void check() const;

 private:
  struct Peer {
    MonoTime heard_at{};
    bool heard = false;       ///< in this process
    bool recovering = false;  ///< as of its last status
    bool reported = false;    ///< a status has come
    bool names_me = false;    ///< it has heard of this incarnation
    OriginVector applied;     ///< durably
    std::map<NodeId, Incarnation> has_heard;
    std::optional<OriginVector> first;  ///< of its first status as a full member
    std::uint64_t pushed = 0;           ///< own operations up to here are on their way
    std::optional<MonoTime> pushed_at;  ///< the last of them
    bool status_due = true;
    std::optional<CausalStatus> sent;  ///< the last status
    MonoTime sent_at{};
    OriginVector held;  ///< it is being brought what is up to here
    MonoTime held_until{};
  };
  /// Of one origin: what others have and this node lacks.
  struct Fetch {
    MonoTime since{};  ///< of the last progress
    std::uint64_t reached = 0;
    bool at_once = false;
    std::size_t attempts = 0;
    std::set<NodeId> trimmed;  ///< who does not have it in the log any more
    struct Asked {
      NodeId peer;
      QuorumCall call;
      MonoTime deadline;
    };
    std::optional<Asked> asked;
  };
  struct Transfer {
    NodeId peer;
    bool begun = false;  ///< a page has come
    OriginVector base;   ///< of the first page
    VersionVector stamps;
    std::string after;
    std::optional<QuorumCall> asked;
    MonoTime deadline{};
    int failures = 0;
  };
  // causal.cc
  void step_status(const Sender& from, const CausalStatus& status);
  void offer(const std::vector<SharedOperation>& operations);
  void admit();
  bool admitted() const;
  bool done_with(const Origin& origin) const;
  bool everywhere(const Origin& origin) const;
  bool all_have_spoken() const;
  bool has_all_that_is_known() const;
  void deliver(CausalReady& ready);
  CausalRecord record() const;
  void settle_ceiling();

  // causal_sending.cc
  void send_operations();
  void supply(NodeId peer, const CausalFetch& fetch);
  void send_statuses();
  bool credit_low(NodeId id, const Peer& peer) const;
  const OriginVector& may_be_trimmed() const { return in_states_ ? *in_states_ : durable_; }
  void trim();
  void trim_to_size();
  std::uint64_t cached_bytes() const;
  void evict();

  // causal_catch_up.cc
  void step_fetched(const Sender& from, const CausalFetched& fetched);
  void step_page(const Sender& from, const CausalTransferPage& page);
  void request_fetches();
  NodeId whom_to_ask(const Origin& origin, const Fetch& fetch) const;
  void begin_transfer(const Fetch& fetch);
  void request_page();
  void install_page(CausalReady& ready);
  void jump(const Transfer& transfer);
  bool present(const Peer& peer) const;
  QuorumCall next_call() { return {.life = config_.life, .id = RequestId{++last_call_}}; }

  CausalConfig config_;
  Origin self_;
  MonoTime now_{};

  // Durable.
  Delivery delivery_;
  std::map<Origin, OriginLog> logs_;
  VersionVector stamps_;  ///< of what is applied
  OriginVector ceiling_;
  std::map<NodeId, Incarnation> heard_;
  OriginVector durable_;
  VersionVector durable_stamps_;
  std::optional<OriginVector> in_states_;

  // Volatile.
  bool recovering_;
  OriginVector taken_;
  VersionVector taken_stamps_;
  bool record_changed_ = false;
  std::map<NodeId, Peer> peers_;
  std::map<Origin, Fetch> fetches_;
  std::optional<Transfer> transfer_;
  std::optional<CausalTransferPage> page_;  ///< to be installed
  std::vector<CausalPageRead> page_queries_;
  OriginVector depended_on_;  ///< by own operations of this process
  Hlc last_stamp_;
  std::uint64_t last_call_ = 0;
  MonoTime next_trim_{};
  std::vector<CausalRange> garbage_;  ///< in the store, below the logs' starts
  CausalReady ready_;
  Counters counters_;
};

}  // namespace parallax
