// Clients that issue operations, record what they saw, and hold every answer against the reference.
#pragma once

#include <map>
#include <set>
#include <string>

#include "simulation/checks.h"
#include "simulation/recorder.h"
#include "simulation/world.h"

namespace parallax::simulation {

struct ClientOptions {
  std::uint64_t seed = 1;
  std::size_t clients = 6;
  std::size_t keys = 4;
  Duration think{};  ///< mean pause between two operations of one client
  double reads = 0.5;
  double deletes = 0.05;
  double prefix_reads = 0.2;  ///< of the reads
  double ranges = 0.1;        ///< of the reads: several keys at once
  double conditions = 0.2;    ///< of the puts and deletes
  double increments = 0.1;    ///< of all: on keys of their own
  double expiring = 0.1;      ///< of the puts
  double retried = 0.3;      ///< of the writes: with an idempotency key, until the outcome is known
  double contexts = 0.05;    ///< of the puts: replacing only what the client has seen
  double policies = 0.005;   ///< of all: a policy is set
  bool judge_stamps = true;  ///< at every answer; else only the checker judges, by values
};

class Clients {
 public:
  Clients(World& world, const Checks& checks, Trace* trace, ClientOptions options);

  void start();
  /// No new operations; what is under way goes on.
  void stop() { stopped_ = true; }
  bool idle() const { return under_way_ == 0; }

  /// What was refused for good is nowhere in the log; counters hold what was added.
  void check_end(World& world) const;

  /// Linearizable operations, as clients saw them.
  const checker::History& history() const { return recorder_.history(); }
  std::uint64_t issued() const { return issued_; }
  std::uint64_t answered() const { return answered_; }
  std::string key(std::size_t i) const { return fmt::format("key-{}", i); }
  std::string counter(std::size_t i) const { return fmt::format("count-{}", i); }
  Random& random() { return random_; }

 private:
  /// One operation of a client, over all its attempts.
  struct Attempted {
    std::size_t client;
    Request request;
    NodeId at;
    std::optional<std::size_t> record;  ///< in the history
    std::optional<Stamp> floor;         ///< the key was at least here when it began
    bool unknown = false;               ///< an attempt before may have happened
    MonoTime begun;
  };

  void next(std::size_t client);
  void issue(std::size_t client);
  Operation draw_operation();
  void draw_terms(Request& request);
  void submit(Attempted operation);
  void finish(Attempted operation, const Reply& reply);
  void check_answer(const Attempted& operation, const Answer& answer);
  std::optional<std::size_t> record(std::size_t client, const Request& request, NodeId at);
  void complete(const Attempted& operation, const Reply& reply);

  World& world_;
  const Checks& checks_;
  Trace* trace_;
  ClientOptions options_;
  Random random_;
  Recorder recorder_;
  /// Per key: the highest stamp of linearizable operations that have completed.
  std::map<std::string, Stamp> completed_;
  /// Per key: a version that somebody has seen, with its value and context, for conditions.
  struct Seen {
    Stamp stamp;
    std::string value;
    VersionVector context;
  };
  std::map<std::string, Seen> seen_;
  /// Per counter: what was added for certain, and what perhaps.
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> added_;
  /// Values that clients were told are not written: nobody may ever read them.
  std::set<std::string> refused_;
  std::uint64_t issued_ = 0;
  std::uint64_t answered_ = 0;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
};

}  // namespace parallax::simulation
