// Many seeds on several processes. A run uses process-wide state (the assertion handler, canaries,
// coverage marks), so each worker is a process of its own.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/coverage.h"
#include "simulation/simulation.h"

namespace parallax::simulation {

struct RangeTotals {
  std::uint64_t seeds = 0;
  std::uint64_t operations = 0;
  std::uint64_t answered = 0;
  std::uint64_t faults = 0;
  std::uint64_t crashes = 0;
  std::uint64_t partitions = 0;
  std::uint64_t damage_found = 0;
  double simulated_seconds = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(Mark::count)> marks{};
  /// The lowest seed that broke something, of those that ran.
  std::optional<std::uint64_t> broken_seed;
  std::uint64_t broken = 0;     ///< seeds that broke something
  std::uint64_t undecided = 0;  ///< seeds with a history that no checker could judge
};

struct RangeOptions {
  SimulationOptions run;  ///< its seed is set for each
  std::uint64_t first = 1;
  std::uint64_t last = 1;  ///< included
  std::size_t workers = 1;
  bool stop_at_first = true;
  std::optional<Duration> real_time;  ///< no new seed after this
};

/// Runs every seed of the range; `progress` is told the totals now and then. POSIX only: forks.
RangeTotals run_range(const RangeOptions& options,
                      const std::function<void(const RangeTotals&)>& progress);

}  // namespace parallax::simulation
