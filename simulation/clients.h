// Clients that issue operations, record what they saw, and hold every answer against the reference.
#pragma once

#include <map>
#include <set>
#include <string>

#include "consistency/checker/history.h"
#include "simulation/checks.h"
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
};

class Clients {
 public:
  Clients(World& world, const Checks& checks, Trace* trace, ClientOptions options);

  void start();
  /// No new operations; what is under way goes on.
  void stop() { stopped_ = true; }
  bool idle() const { return under_way_ == 0; }

  /// What was refused for good is nowhere in the log.
  void check_refused() const;

  /// Linearizable operations, as clients saw them.
  const checker::History& history() const { return history_; }
  std::uint64_t issued() const { return issued_; }
  std::uint64_t answered() const { return answered_; }
  std::string key(std::size_t i) const { return fmt::format("key-{}", i); }
  Random& random() { return random_; }

 private:
  void next(std::size_t client);
  void issue(std::size_t client);
  void finish(std::size_t client, const Request& request, NodeId at, std::size_t record,
              std::optional<Stamp> floor, const Reply& reply);
  std::size_t record(std::size_t client, const Request& request, NodeId at);
  void complete(std::size_t record, const Request& request, const Reply& reply);

  World& world_;
  const Checks& checks_;
  Trace* trace_;
  ClientOptions options_;
  Random random_;
  checker::History history_;
  /// Per key: the highest stamp of linearizable operations that have completed.
  std::map<std::string, Stamp> completed_;
  /// Values that clients were told are not written: nobody may ever read them.
  std::set<std::string> refused_;
  std::uint64_t issued_ = 0;
  std::uint64_t answered_ = 0;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
};

}  // namespace parallax::simulation
