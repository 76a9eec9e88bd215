// The sizes and habits of one run, drawn from its seed: small where rare paths begin, so that they
// are taken often.
#pragma once

#include "base/random.h"
#include "simulation/causal_clients.h"
#include "simulation/clients.h"
#include "simulation/crdt_clients.h"
#include "simulation/fault_plan.h"
#include "simulation/leaderless_clients.h"
#include "simulation/log_clients.h"
#include "simulation/simulation.h"

namespace parallax::simulation {

/// Draws in the order of the calls: one seed, one run. Not thread-safe.
class Habits {
 public:
  /// Both outlive it.
  Habits(const SimulationOptions& options, const FaultPlan& plan)
      : options_(options),
        plan_(plan),
        random_(options.seed),
        lease_random_(options.seed ^ kLeaseSeed),
        log_random_(options.seed ^ kLogSeed) {}

  WorldOptions world();
  ClientOptions clients();
  LeaderlessOptions leaderless();
  CrdtOptions crdts();
  CausalOptions causal();
  LogClientOptions log_clients(const WorldOptions& world);
  /// Parts per million that a node's monotonic clock runs too fast: within the bound of the world.
  std::int64_t monotonic_drift(const WorldOptions& world);
  /// For what the run draws besides.
  Random& random() { return random_; }

 private:
  static constexpr std::uint64_t kLeaseSeed = 0x1ea500;
  static constexpr std::uint64_t kLogSeed = 0x109c11e;
  void choose_leases(WorldOptions& world);
  void choose_log_clients(WorldOptions& world);

  const SimulationOptions& options_;
  const FaultPlan& plan_;
  Random random_;
  // Apart: what they draw moves nothing else.
  Random lease_random_;
  bool lease_reads_ = false;
  Random log_random_;
  bool has_log_clients_ = false;
};

}  // namespace parallax::simulation
