// One round of queries: asks replicas what they hold of a key until `required` have said so, and
// joins what they say.
//
// Sources: DeCandia et al., "Dynamo" (SOSP 2007), section 4.5, for the read quorum; Dean and
// Barroso, "The Tail at Scale" (CACM 2013), for the one extra request when an answer takes longer
// than most.
//
// It asks no more replicas than it needs, another for each that cannot help, and one extra when the
// time for that has come. The node that asks answers, too: step() takes its own word like any
// other, once what it says is durable.
#pragma once

#include <optional>
#include <vector>

#include "replication/quorum/tally.h"
#include "storage/version.h"

namespace parallax {

/// A value, stepped with replies and time.
class QueryRound {
 public:
  struct Config {
    std::vector<NodeId> replicas;  ///< all of them, in the order in which they are best asked
    std::size_t required = 0;      ///< 1 to all
    /// When the extra replica is asked, counted from the start: the observed 95th percentile
    /// (latency_estimate.h). Absent: never.
    std::optional<Duration> speculate_after = std::nullopt;
  };
  QueryRound(const Config& config, MonoTime now);

  // --- Inputs ---------------------------------------------------------------------------------
  /// `clock`: what the reply's envelope carried.
  void step(const Sender& from, Hlc clock, const QuorumQueryReply& reply);
  /// Its link is down, it is known to recover: nothing will come.
  void on_no_answer(NodeId replica) { tally_.no(replica); }
  /// Any message of a replica: what an earlier life of it said does not count any more.
  void heard(const Sender& sender);
  void tick(MonoTime now);

  // --- Outputs --------------------------------------------------------------------------------
  /// Whom to query now; each is named once.
  std::vector<NodeId> take_asks();
  /// When tick() has something to do; nothing: never.
  std::optional<MonoTime> next_tick() const;

  bool enough() const { return tally_.enough(); }
  bool hopeless() const { return tally_.hopeless(); }
  /// Whether a replica that was asked may still answer.
  bool waiting() const { return tally_.waiting(); }
  std::size_t required() const { return tally_.required(); }

  struct Held {
    Sender from;
    KeyState state;
    Hlc clock;
  };
  /// Everything that counts, in the order of arrival.
  const std::vector<Held>& held() const { return held_; }
  /// Who has answered, sorted.
  std::vector<NodeId> replicas() const;
  /// What they know together.
  const KeyState& joined() const { return joined_; }
  /// The highest reading that they carried.
  Hlc clock() const;
  /// Whether all of them hold the same.
  bool agree() const;
  std::size_t unresolved() const { return unresolved_; }
  bool speculated() const { return speculated_; }

 private:
  Tally tally_;
  std::optional<MonoTime> speculate_at_;
  bool speculated_ = false;
  bool extra_asked_ = false;
  std::size_t unresolved_ = 0;
  std::vector<Held> held_;
  KeyState joined_;
};

}  // namespace parallax
