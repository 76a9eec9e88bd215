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
      : options_(options), plan_(plan), random_(options.seed) {}

  WorldOptions world();
  ClientOptions clients();
  LeaderlessOptions leaderless();
  CrdtOptions crdts();
  CausalOptions causal();
  /// For what the run draws besides.
  Random& random() { return random_; }

 private:
  const SimulationOptions& options_;
  const FaultPlan& plan_;
  Random random_;
};

}  // namespace parallax::simulation
