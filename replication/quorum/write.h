// A quorum write: one version, made durable here first, then on w replicas in all.
//
// Source: DeCandia et al., "Dynamo" (SOSP 2007), sections 4.5 and 4.6; the shape (a value that
// takes results and says when it has enough, what to answer and what is left to do) is that of
// Riak's put core. No I/O, no clock.
//
// Rules:
//   - a node makes its own version durable before it sends it: an actor's versions reach every
//     replica in whole states that its own store holds, also after a crash in between;
//   - w durable acknowledgements, its own among them, and the write is acknowledged;
//   - once w cannot be reached any more it has failed, without waiting for the deadline;
//   - a failure is definite only when no replica, this one included, has or will have the version.
//     From the moment the batch is handed to the disk that cannot be said any more.
// What it does not do: it does not stamp, and keeps no state of the key. The owner sends whole
// KeyStates of its own store.
#pragma once

#include <optional>
#include <vector>

#include "replication/quorum/tally.h"

namespace parallax {

struct WriteOutcome {
  bool acknowledged = false;
  /// Of a failure: whether somebody may have the version.
  Certainty certainty = Certainty::indefinite;
  std::size_t required = 0;
  std::size_t received = 0;
  std::vector<NodeId> replicas;  ///< whose acknowledgements count, in the order of Config::replicas
  friend bool operator==(const WriteOutcome&, const WriteOutcome&) = default;
};

/// A value, stepped with acknowledgements. The outcome, once there, stays what it is; steps after
/// it serve missing() alone.
class QuorumWrite {
 public:
  struct Config {
    NodeId self;                      ///< one of `replicas`
    std::vector<NodeId> replicas;     ///< all of them
    std::size_t w = 0;                ///< 1 to all
    bool sloppy = false;              ///< a durable hint counts for the replica that it is for
    std::vector<NodeId> absent = {};  ///< known not to count: they recover
  };
  explicit QuorumWrite(const Config& config);

  // --- Inputs ---------------------------------------------------------------------------------
  /// Whether the version is to be put into this node's batch. False: there is an outcome already,
  /// definite, because too few replicas are left from the start.
  bool start();
  /// The batch that holds the version is durable here.
  void on_persisted();
  /// This node did not put the version into any batch after all.
  void on_refused();
  /// The disk refused the batch: nothing is promised either way.
  void on_disk_failed();
  void step(const Sender& from, const QuorumStoreReply& reply);
  /// Sloppy: a durable hint for `target`, here.
  void on_own_hint(NodeId target);
  /// Its link is down: no acknowledgement will come.
  void on_no_answer(NodeId replica);
  void heard(const Sender& sender);
  /// The client's deadline has passed.
  void expire();

  // --- Outputs --------------------------------------------------------------------------------
  /// To whom the state goes now; each is named once, and nobody before it is durable here.
  std::vector<NodeId> take_targets();
  const std::optional<WriteOutcome>& outcome() const { return outcome_; }
  /// Whether an acknowledgement may still come.
  bool waiting() const;
  /// The final action, when waiting() is over or the owner's patience is: replicas that nobody is
  /// known to have served. They get hints.
  std::vector<NodeId> missing() const;

 private:
  enum class Own : std::uint8_t { idle, persisting, durable, refused, failed };
  void decide();
  void fail(Certainty certainty);

  NodeId self_;
  bool sloppy_;
  Tally tally_;
  Own own_ = Own::idle;
  std::vector<NodeId> targets_;
  std::optional<WriteOutcome> outcome_;
};

}  // namespace parallax
