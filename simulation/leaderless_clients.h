// Clients of the levels without a leader, on keys of their own, and what is held against their
// answers:
//
//   atomic-i    atomic alone: linearizable, by the checker and by stamps
//   quorum-i    r and w at random; with i even r + w > n always
//   eventual-i  eventual and weak
//   mixed-i     any level, with or without the leader: linearizable operations alone, and atomic
//               operations alone, are linearizable when the writes of other levels may happen at
//               any time after they begin, or never
//
// By stamps, while it runs: no read returns less than a write completed before it began, where the
// sets of replicas of both must meet, or where the read waits for the log's pending tail and the
// other one went through the log; what a node has shown of its own store it goes on showing; what
// was refused for good is never read.
//
// At the end: every acknowledged durable write is there, or a version that is there replaces it, in
// its own context. Exempt: writes acknowledged only by nodes that have lost their disks since.
//
// A promise that a level does not make can be held against it, too: `counterexample`.
//
// Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "simulation/checks.h"
#include "simulation/permitted.h"
#include "simulation/recorder.h"
#include "simulation/world.h"
#include "storage/version.h"

namespace parallax::simulation {

struct LeaderlessOptions {
  std::uint64_t seed = 1;
  std::size_t clients = 3;
  std::size_t keys = 2;  ///< of each family
  Duration think{};      ///< mean pause between two operations of one client
  double reads = 0.5;
  double deletes = 0.05;
  double expiring = 0.0;    ///< of the puts
  double contexts = 0.2;    ///< of the puts: replacing only what some client has seen
  double conditions = 0.5;  ///< of the linearizable puts and deletes
  double ranges = 0.2;      ///< of the linearizable reads: all mixed keys at once
  double chained = 0.3;     ///< of the answers: they are followed at once by the next, to their key
  double deaths = 0.0;      ///< of the weak writes: the node dies as soon as it has acknowledged
  bool led = true;          ///< linearizable operations among the others
};

class LeaderlessClients {
 public:
  LeaderlessClients(World& world, const Checks& checks, Trace* trace, LeaderlessOptions options);

  void start();
  /// How a node is made to die.
  void on_death(std::function<void(NodeId)> die) { die_ = std::move(die); }
  /// No new operations; what is under way goes on.
  void stop() { stopped_ = true; }
  bool idle() const { return under_way_ == 0; }

  /// The node is up again.
  void after_start(NodeId id);
  /// When all replicas are equal.
  void check_end(World& world) const;
  /// The first contradiction that the checker finds in a history that must have none; empty: none.
  std::string judge() const;
  /// How this run shows what is permitted; nothing when it does not.
  std::optional<std::string> counterexample(Permitted permitted) const;

  std::vector<std::string> keys() const;
  std::uint64_t issued() const { return issued_; }
  std::uint64_t answered() const { return answered_; }

 private:
  enum class Family : std::uint8_t { atomic, quorum, eventual, mixed };
  /// A place in the order in which things happen here.
  using Moment = std::uint64_t;
  using Losses = std::vector<std::pair<NodeId, std::uint64_t>>;

  struct Asked {
    std::size_t client;
    Request request;
    Family family;
    std::size_t key;
    NodeId at;
    Moment began;
    Losses losses;  ///< of all nodes, as it began
    std::optional<std::size_t> record;
  };
  /// What later operations may not fall behind.
  struct Bound {
    Moment completed;
    Stamp stamp;
    std::size_t holders;  ///< so many replicas had it; 0: it is in the log
    Losses losses;        ///< of those, as it began; empty: a majority had it
  };
  struct Written {
    std::string key;
    Stamp stamp;
    Actor actor;
    Consistency consistency;
    Losses losses;             ///< of those that had it, as it began; empty: a majority had it
    std::uint64_t disks_lost;  ///< of all nodes, as it began
    Moment began;
    Moment completed;
    NodeId at;
    bool durable() const { return consistency.level != Level::weak; }
  };
  struct Seen {
    Stamp stamp;
    std::string value;
    VersionVector context;
  };
  struct WeakWrite {
    Stamp stamp;
    Actor actor;
  };
  struct ShownBy {
    Moment completed;
    Stamp stamp;
    std::uint64_t losses;
    std::uint64_t life;
  };

  std::string key(Family family, std::size_t i) const;
  void next(std::size_t client);
  void issue(std::size_t client, Family family, std::size_t key);
  Consistency draw_level(Family family, std::size_t key);
  void draw_operation(Request& request, const std::string& key);
  void record(Asked& asked);
  void finish(const Asked& asked, const Reply& reply);
  void complete(const Asked& asked, const Reply& reply);
  /// What an answer says of a key; no stamp: that nothing ever was there.
  struct Said {
    std::string key;
    std::optional<Stamp> stamp;
  };
  static std::vector<Said> said(const Asked& asked, const Answer& answer);
  void check_in_log(const Asked& asked, const Said& said) const;
  void check_bounds(const Asked& asked, const Said& said) const;
  void check_shown(const Asked& asked, const Answer& answer);
  void note_bound(const Asked& asked, const Said& said, const std::vector<NodeId>& replicas);
  void note_write(const Asked& asked, const Answer& answer);
  void note_seen(const Asked& asked, const Answer& answer);
  Losses losses_of(const std::vector<NodeId>& nodes, const Losses& then) const;
  bool all_lost(const Losses& then) const;
  std::optional<std::string> lost_with_disk(Level level) const;
  std::size_t majority() const;
  Recorder& recorder_of(const Asked& asked);

  World& world_;
  const Checks& checks_;
  Trace* trace_;
  LeaderlessOptions options_;
  Random random_;
  Recorder atomic_;
  Recorder quorum_strict_;
  Recorder quorum_loose_;
  Recorder eventual_;
  Recorder mixed_linearizable_;  ///< others' writes with outcomes unknown
  Recorder mixed_atomic_;        ///< likewise
  std::map<std::string, std::deque<Bound>> bounds_;
  std::map<std::pair<NodeId, std::string>, ShownBy> shown_;
  std::map<std::pair<NodeId, std::string>, WeakWrite> weak_;  ///< the last weak write at a node
  std::optional<std::string> weak_lost_;                      ///< how one got lost
  std::map<std::string, Seen> seen_;
  std::map<Stamp, std::string> values_;  ///< of versions that somebody has seen
  std::vector<Written> written_;         ///< acknowledged
  std::set<std::string> refused_;        ///< values of writes that have not happened
  Moment moment_ = 0;
  std::uint64_t issued_ = 0;
  std::uint64_t answered_ = 0;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
  std::function<void(NodeId)> die_;
};

}  // namespace parallax::simulation
