// The sizes and habits of one run, drawn from its seed: small where rare paths begin, so that they
// are taken often.
#pragma once

#include "base/random.h"
#include "simulation/causal_clients.h"
#include "simulation/clients.h"
#include "simulation/crdt_clients.h"
#include "simulation/fault_plan.h"
#include "simulation/leaderless_clients.h"
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
        lease_random_(options.seed ^ kLeaseSeed) {}

  WorldOptions world();
  ClientOptions clients();
  LeaderlessOptions leaderless();
  CrdtOptions crdts();
  CausalOptions causal();
  /// Parts per million that a node's monotonic clock runs too fast: within the bound of the world.
  std::int64_t monotonic_drift(const WorldOptions& world);
  /// For what the run draws besides.
  Random& random() { return random_; }

 private:
  static constexpr std::uint64_t kLeaseSeed = 0x1ea500;
  void choose_leases(WorldOptions& world);

  const SimulationOptions& options_;
  const FaultPlan& plan_;
  Random random_;
  bool lease_reads_ = false;
  Random lease_random_;  ///< apart: what it draws moves nothing else
};

}  // namespace parallax::simulation
