// The requests that a replica has not answered yet, with one ordered structure for their times.
//
// A request lives in a slot of a vector; its handle names the slot and how often that was used, so
// that whoever still holds the handle of an answered request finds nothing. No request is ever
// searched for by walking over all of them.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "client/protocol.h"

namespace parallax {

struct RequestHandle {
  std::uint32_t slot = 0;
  std::uint32_t use = 0;
  friend bool operator==(const RequestHandle&, const RequestHandle&) = default;
};

struct PendingRequest {
  enum class Stage : std::uint8_t {
    waiting,      ///< for a leader, for this node's readiness, for the clock's bound
    reading,      ///< its read round is under way, or its index is not applied yet
    appended,     ///< its entry is in the log; the outcome is not known
    counting,     ///< until so many members have acknowledged what it is about
    spreading,    ///< its entry is committed; not all members are known to have it
    forwarded,    ///< another node has been asked
    coordinated,  ///< replicas are asked, or store, for it (node/replica_quorum.cc)
    durable,      ///< decided; what it shows is on its way to the disk
    behind,       ///< this node lacks what its session has seen (node/replica_causal_serve.cc)
    stored,       ///< a causal write, which is on its way to the disk
  };
  Request request;
  NodeId peer;   ///< who forwarded it to us; none: a client of this node
  RequestId id;  ///< the client's, or the forwarding peer's
  MonoTime deadline;
  MonoTime wake;  ///< when to look at it again; at most `deadline`
  Stage stage = Stage::waiting;
  bool queued = false;  ///< in the queue of those that wait
  std::size_t bytes = 0;

  bool session_checked = false;
  std::optional<MonoTime> behind_since;  ///< when it first was; it may have been passed on since
  /// behind: the causal operation that it waits for first; none: what it waits for is no such one.
  std::optional<std::pair<Origin, std::uint64_t>> awaits;
  /// What a write came to, once that is decided: shown when its entry is applied, or, for a refusal
  /// that needs no entry, behind a read round.
  struct Outcome {
    std::optional<Stamp> stamp;
    std::optional<Error> refusal;
    std::optional<std::int64_t> number;
    VersionVector context;
    std::optional<CrdtValue> crdt = std::nullopt;
  };
  Outcome outcome;
  /// Levels that any replica serves (node/replica_freshness.cc).
  struct Fresh {
    std::uint64_t ask = 0;  ///< the question to the leader that it waits for; 0: none
    MonoTime ask_sent;      ///< when that left
    LogIndex confirmed;     ///< what the leader has named since the read came; 0: nothing yet ...
    MonoTime asked_at;      ///< ... when asked at this time, after the read came
    LogIndex awaits;        ///< it is looked at again once so much is applied; 0: it is not
    std::optional<MonoTime> give_up_at;  ///< reject: when waiting for an answer ends
  };
  Fresh fresh;
  LogIndex refused_after;          ///< reading: the refusal rests on entries up to here ...
  Term refused_in;                 ///< ... which this leadership has proposed
  LogIndex spread;                 ///< spreading, counting: the entry
  std::vector<NodeId> holders;     ///< a count: who had it when its last read round began
  bool replayed = false;           ///< spreading: as Answer::replayed
  std::uint64_t coordination = 0;  ///< coordinated
  // Forwarding.
  RequestId forward_id;  ///< forwarded
  NodeId sent_to;
  Term sent_term;                    ///< forwarded: the leadership that it is bound to ...
  std::uint64_t sent_life = 0;       ///< ... or the process; 0: to a leader
  std::optional<MonoTime> orphaned;  ///< forwarded: since when that leadership is over
  NodeId refused_by;                 ///< answered that it cannot, definitely ...
  Term refused_term;                 ///< ... in this term of ours: no use to ask again at once
};

/// Not thread-safe; belongs to one replica.
class RequestTable {
 public:
  RequestHandle add(PendingRequest&& request);
  /// Nothing when it has been answered. Valid until the next add() or erase().
  PendingRequest* find(RequestHandle handle);
  void erase(RequestHandle handle);
  /// Moves the time at which it comes out of due(); never past its deadline.
  void wake_at(RequestHandle handle, MonoTime at);
  /// One request whose time has come, the earliest first.
  std::optional<RequestHandle> due(MonoTime now) const;

  std::size_t size() const { return timers_.size(); }
  /// Keys and values of all that are here.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Slot {
    std::uint32_t use = 0;
    std::optional<PendingRequest> request;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::set<std::pair<MonoTime, std::uint32_t>> timers_;  ///< when, which slot
  std::size_t bytes_ = 0;
};

}  // namespace parallax
