// The causal part of a replica: what composes the core (replication/causal/causal.h) into its
// turns, and serves the levels `causal` and `session`.
//
//   replica_causal.cc        the turn: messages in, one pass over the core, what it asks for
//   replica_causal_early.cc  states that come ahead of their causal past; what may be forgotten
//   replica_causal_serve.cc  requests: what they wait for, what they show
//
// What a causal answer shows of a key is its state as prefix reads see it, without the early state:
// that holds all operations up to the core's vector. A state that comes beside the log (quorum
// writes, repair) with operations beyond the vector is kept as the key's early state until the
// vector is there. Two ways bring such operations into the key's state itself, because something
// else rests on it: entries of the log and its snapshots, and a recovery, behind which nobody
// serves yet. So a read or write looks at the context of each key that it shows, too, and waits
// until everything causal in it is applied here. That can only happen to keys that are written at
// causal levels and adopted by the log, as a write depends on what it replaces.
//
// Durable before shown: an answer leaves once the last batch is durable that changed what it shows,
// or with which the vector came to cover it, and its token says no more than what is durable then.
// A number that a crash takes back is in nobody's token.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "node/replica_impl.h"
#include "replication/causal/causal.h"
#include "storage/causal_codec.h"

namespace parallax {

/// Not thread-safe; belongs to one replica, which outlives it.
struct Replica::Impl::Causality {
  explicit Causality(Impl& at) : at_(at) {}

  // --- replica_causal.cc ------------------------------------------------------------------------
  /// From what the store holds, as it will be with the next batch. Errors: corrupt, io.
  Result<void> start();
  /// Another incarnation: nothing that the core has said or heard is of the new one.
  void draw_again();
  bool running() const { return core_.has_value(); }
  /// First in every turn.
  void tick();
  /// From any envelope, or the log: there is this incarnation.
  void heard(NodeId node, Incarnation incarnation);
  void step(const Envelope& envelope);
  void end_recovery();
  /// Whether this node has what a majority of the others had when it began to recover.
  bool joined() const;
  /// One pass over the core: everything that it asks for goes into the pending batch. `persist`:
  /// that one may be taken in this turn.
  void run(bool persist);
  /// `batch` is about to be handed out, as `sequence`: the record goes with it.
  void on_batch(std::uint64_t sequence, WriteBatch& batch);
  /// Batch `sequence` is durable, with which the key states in the store have all `states`.
  void on_persisted(std::uint64_t sequence, const OriginVector& states);
  /// The operations whose effects are staged, those of an earlier incarnation included.
  const OriginVector& staged();
  /// Those that are applied and not among `done`, of each origin in order.
  Result<std::vector<SharedOperation>> applied_since(const OriginVector& done) const;
  /// Nothing while it is starting.
  const Causal* core() const { return core_ ? &*core_ : nullptr; }

  // --- replica_causal_early.cc ------------------------------------------------------------------
  /// Whether a state with this context has to be kept apart until the vector has come to it.
  bool is_early(const VersionVector& context) const;
  /// The key's early state, with this context, waits for the vector and not for the log any more.
  void wait_for_past(const std::string& key, const VersionVector& context);
  /// It waits for the log again, or is gone.
  void forget_early(const std::string& key);
  void join_early_states();
  /// Whether no operation that this context covers can come here any more, or be given to others.
  bool may_forget(const VersionVector& context) const;

  // --- replica_causal_serve.cc ------------------------------------------------------------------
  void serve(RequestHandle handle);
  /// Whether all causal operations are applied that a key's state rests on.
  bool covers(const KeyState& state) const { return core_->covers(state.context()); }
  /// Whether the vector has come to what its session rests on.
  bool may_serve(const Request& request) const { return may_serve(request, needed(request)); }
  /// Another node that has that, as far as is known; none.
  NodeId who_is_there(const Request& request) const {
    return who_is_there(needed(request), kNoNode);
  }
  /// The batch after which an answer may leave that shows this state: the one with the vector that
  /// covers it, where that has come later than the state; 0: at once.
  std::uint64_t shown_after(const KeyState& state) const;
  /// The disk takes nothing any more: who waits to write is told so.
  void on_disk_failed();
  /// The request is answered, or looked at again: it waits for nothing here.
  void forget_waiting(RequestHandle handle);
  /// Why the deadline of a request has passed that waited.
  Error late_error(const PendingRequest& pending) const;

 private:
  // replica_causal.cc
  void carry_out(CausalReady ready);
  bool join_operation(const CausalOperation& operation);
  void put_operations(std::vector<SharedOperation> operations);
  void put_segment(const Origin& origin, CausalSegment segment);
  void remove_segments(const CausalRange& range);
  void answer_from_failed_disk();
  void stage(WriteBatch batch);
  void send_after(CausalMessage message);
  Result<std::vector<SharedOperation>> operations(const CausalLoad& load) const;
  void read_page(const CausalPageRead& read);
  void step_held_page();
  void tell_incarnations();
  OriginVector vector_of_batch(std::uint64_t sequence) const;

  // replica_causal_serve.cc
  OriginVector needed(const Request& request) const;
  bool has_come_to(const OriginVector& needed) const;
  bool may_serve(const Request& request, const OriginVector& needed) const;
  void serve_waiting();
  void wake_all();
  void await(RequestHandle handle, const OriginVector& needed);
  void behind(RequestHandle handle, const OriginVector& needed);
  bool may_be_passed_on(const PendingRequest& pending) const;
  NodeId who_is_there(const OriginVector& needed, NodeId but) const;
  bool over(const Origin& origin) const {
    return core_->heard_of(origin.node) > origin.incarnation;
  }
  void read(RequestHandle handle, const OriginVector& needed);
  void write(RequestHandle handle, const OriginVector& needed);
  Evidence evidence(const PendingRequest& pending) const;
  SessionToken session(const Request& request, const OriginVector& shown) const;

  Impl& at_;
  std::optional<Causal> core_;
  /// The segments of the log that are in the store, or on their way, by their last numbers.
  std::map<Origin, std::set<std::uint64_t>> segments_;
  /// The last batch with anything causal in it, and the last one that is durable.
  std::uint64_t changed_in_ = 0;
  std::uint64_t durable_ = 0;
  OriginVector staged_;                 ///< as staged() said last
  std::optional<CausalRecord> record_;  ///< of the states that are staged, for the next batch
  /// What batches cover that are handed out and not durable.
  std::deque<std::pair<std::uint64_t, CausalMark>> marks_;
  struct HeldPage {
    Envelope envelope;
    LogIndex needs;
  };
  std::optional<HeldPage> held_page_;  ///< of a transfer, ahead of the log here

  /// Requests that wait for an operation of an origin that goes on, by its number; with the slot,
  /// so that those that end are found.
  using Awaiting = std::map<std::pair<std::uint64_t, std::uint32_t>, RequestHandle>;
  std::map<Origin, Awaiting> awaited_;
  std::vector<RequestHandle> waiting_;  ///< for anything else
  bool woken_ = false;                  ///< what these wait for may have come
  bool told_ = false;                   ///< another may have said that it has what somebody awaits
  bool proposed_ = false;               ///< since the core was last asked
  bool stirred_ = true;                 ///< the core has something to say
  MonoTime next_run_{};  ///< else it is asked then: what it sends by time is not in a hurry

  /// Early states that wait for one operation each, by its actor and stamp.
  std::map<Actor, std::set<std::pair<Hlc, std::string>>> early_;
  std::map<std::string, std::pair<Actor, Hlc>> early_keys_;
};

}  // namespace parallax
