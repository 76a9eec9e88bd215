// One simulated run: a world, clients, faults and checks, from one seed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "simulation/fault_plan.h"
#include "simulation/leaderless_clients.h"

namespace parallax::simulation {

struct SimulationOptions {
  std::uint64_t seed = 1;
  std::size_t nodes = 3;
  Duration duration = std::chrono::seconds(60);
  std::set<FaultKind> faults = *parse_faults("all");
  std::set<std::size_t> skip;  ///< events of the plan to leave out
  std::uint64_t max_steps = ~std::uint64_t{0};
  /// Only operations of this level ("linearizable" or "prefix"); empty: a mix.
  std::string level;
  /// Once the cluster is there nobody is ever elected again. Faults that only a leader can mend
  /// (wipe, corruption) and those that need one (transfer) are left out.
  bool no_leader = false;
  /// Linearizable reads under leases; else some seeds have them.
  bool lease_reads = false;
  /// The monotonic clock of a node that a partition is about, often the leader, runs slower
  /// meanwhile than leases allow for, which is to show: what is linearizable otherwise is not any
  /// more.
  bool break_drift_bound = false;
  /// Something that a weaker level permits: whether this run shows it.
  std::optional<Permitted> show;
};

struct Outcome {
  bool ok = false;
  std::string broken;                ///< what broke, one line or several
  std::string undecided;             ///< why a history could not be judged; that breaks nothing
  std::optional<std::string> shown;  ///< a counterexample, if one was asked for and there is one
  std::uint64_t hash = 0;
  std::uint64_t steps = 0;
  std::uint64_t operations = 0;
  std::uint64_t answered = 0;
  std::uint64_t faults = 0;  ///< dated events injected
  std::uint64_t crashes = 0;
  std::uint64_t partitions = 0;
  std::size_t planned = 0;  ///< dated events of the plan
  std::uint64_t damage_found = 0;
  Duration simulated{};
};

/// Runs one seed to its end: faults, then healing, convergence, and the verdict of the checker on
/// the history. Never throws. `sink` gets the timeline, line by line. Uses the process-wide
/// assertion handler: one run at a time per process.
Outcome simulate(const SimulationOptions& options,
                 std::function<void(const std::string&)> sink = nullptr);

/// The options of a smaller run that breaks the same property as `options` does: fewer faults,
/// fewer steps, shorter. Returns `options` when that run breaks nothing.
SimulationOptions shrink(const SimulationOptions& options,
                         const std::function<void(const std::string&)>& progress);

/// Arguments of parallax-sim that run exactly this.
std::string replay_arguments(const SimulationOptions& options);

}  // namespace parallax::simulation
