// A quorum read: what r replicas hold, joined, and who of them is behind.
//
// Source: DeCandia et al., "Dynamo" (SOSP 2007), sections 4.5 (read quorum) and 5 (read repair);
// the shape is that of Riak's get core: add a reply, enough?, the response, the final action.
//
// Rules:
//   - the answer is the join of the first r replies that count, so it is at least as new as each;
//   - whoever is behind what the replies know together is sent the whole joined state. With
//     asynchronous repair that comes after the answer, once nobody who was asked can still add to
//     it; with blocking repair the answer waits until r replicas hold what it shows, so that no
//     later read of r with 2r > n shows less;
//   - it has failed once r replies cannot be had any more, without waiting for the deadline. A
//   failed
//     read is definite: nothing was to happen.
// Log indexes are nothing to be behind in (state_content.h).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "replication/quorum/query_round.h"

namespace parallax {

struct ReadOutcome {
  bool answered = false;
  KeyState state;       ///< answered: what the replies know together
  bool agreed = false;  ///< answered: every reply held just that
  std::size_t required = 0;
  std::size_t received = 0;
  std::size_t unresolved = 0;    ///< replicas whose pending tail did not get clear
  std::vector<NodeId> replicas;  ///< who replied, sorted
  friend bool operator==(const ReadOutcome&, const ReadOutcome&) = default;
};

/// `shown` is the answer. What it rests on: the replies of `query` so far.
ReadOutcome answered(const QueryRound& query, const KeyState& shown, bool agreed);
/// The replies so far do not make an answer.
ReadOutcome unanswered(const QueryRound& query);

/// Join this into the replica's store: a QuorumStore, or for the node itself its own store.
struct Repair {
  NodeId to;
  KeyState state;
  friend bool operator==(const Repair&, const Repair&) = default;
};

/// A value, stepped with replies and time. The outcome, once there, stays what it is.
class QuorumRead {
 public:
  struct Config {
    QueryRound::Config query;
    bool blocking_repair = false;
  };
  QuorumRead(const Config& config, MonoTime now);

  // --- Inputs ---------------------------------------------------------------------------------
  /// Of others, and what this node holds durably (`from` itself).
  void step(const Sender& from, Hlc clock, const QuorumQueryReply& reply);
  /// Of a repair; of this node itself: its own is durable.
  void step(const Sender& from, const QuorumStoreReply& reply);
  void on_no_answer(NodeId replica);
  void heard(const Sender& sender);
  void tick(MonoTime now) { query_.tick(now); }
  /// The client's deadline has passed, or the owner will wait no longer for late replies.
  void expire();

  // --- Outputs --------------------------------------------------------------------------------
  /// Whom to query now; each is named once.
  std::vector<NodeId> take_asks() { return query_.take_asks(); }
  std::optional<MonoTime> next_tick() const { return query_.next_tick(); }
  std::vector<Repair> take_repairs();
  const std::optional<ReadOutcome>& outcome() const { return outcome_; }
  /// Nothing more comes of it.
  bool finished() const { return finished_; }
  const QueryRound& query() const { return query_; }

 private:
  void advance();
  void begin_blocking();
  void answer();
  void finish();
  void fail();
  void repair(NodeId replica, const KeyState& state);

  QueryRound query_;
  bool blocking_repair_;
  std::vector<NodeId> replicas_;
  std::optional<KeyState> shown_;  ///< decided: what the answer is
  bool agreed_ = false;
  std::vector<NodeId> counted_;      ///< whose replies are in shown_
  std::optional<Tally> repaired_;    ///< blocking: who holds shown_
  std::map<NodeId, KeyState> sent_;  ///< repairs
  std::vector<Repair> repairs_;
  std::optional<ReadOutcome> outcome_;
  bool finished_ = false;
};

}  // namespace parallax
