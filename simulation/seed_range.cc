#include "simulation/seed_range.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

namespace parallax::simulation {
namespace {

/// What a worker says of one seed. Sent whole through a pipe: below PIPE_BUF it is never torn.
struct SeedReport {
  std::uint64_t seed;
  std::uint64_t ok;
  std::uint64_t undecided;
  std::uint64_t operations, answered, faults, crashes, partitions, damage_found;
  double simulated_seconds;
  std::array<std::uint64_t, static_cast<std::size_t>(Mark::count)> marks;
};
static_assert(sizeof(SeedReport) < 4096);

std::array<std::uint64_t, static_cast<std::size_t>(Mark::count)> take_marks() {
#ifdef PARALLAX_TEST_BUILD
  return std::exchange(g_marks, {});
#else
  return {};
#endif
}

[[noreturn]] void work(const RangeOptions& options, std::size_t worker, int out) {
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t seed = options.first + worker; seed <= options.last; seed += options.workers) {
    if (options.real_time && std::chrono::steady_clock::now() - begun > *options.real_time) break;
    SimulationOptions run = options.run;
    run.seed = seed;
    const Outcome outcome = simulate(run);
    SeedReport report{};
    report.seed = seed;
    report.ok = outcome.ok ? 1 : 0;
    report.undecided = outcome.undecided.empty() ? 0 : 1;
    report.operations = outcome.operations;
    report.answered = outcome.answered;
    report.faults = outcome.faults;
    report.crashes = outcome.crashes;
    report.partitions = outcome.partitions;
    report.damage_found = outcome.damage_found;
    report.simulated_seconds = std::chrono::duration<double>(outcome.simulated).count();
    report.marks = take_marks();
    if (::write(out, &report, sizeof report) != sizeof report) break;  // nobody listens any more
    if (!outcome.ok && options.stop_at_first) break;
  }
  std::_Exit(0);
}

void add(RangeTotals& totals, const SeedReport& report) {
  ++totals.seeds;
  totals.operations += report.operations;
  totals.answered += report.answered;
  totals.faults += report.faults;
  totals.crashes += report.crashes;
  totals.partitions += report.partitions;
  totals.damage_found += report.damage_found;
  totals.simulated_seconds += report.simulated_seconds;
  for (std::size_t i = 0; i < report.marks.size(); ++i) totals.marks[i] += report.marks[i];
  totals.undecided += report.undecided;
  if (report.ok != 0) return;
  ++totals.broken;
  totals.broken_seed = std::min(totals.broken_seed.value_or(report.seed), report.seed);
}

}  // namespace

RangeTotals run_range(const RangeOptions& options,
                      const std::function<void(const RangeTotals&)>& progress) {
  int ends[2];
  PARALLAX_ASSERT(::pipe(ends) == 0, "no pipe for the workers");
  std::fflush(nullptr);
  std::vector<pid_t> workers;
  for (std::size_t worker = 0; worker < options.workers; ++worker) {
    const pid_t child = ::fork();
    PARALLAX_ASSERT(child >= 0, "no worker {}", worker);
    if (child == 0) {
      ::close(ends[0]);
      work(options, worker, ends[1]);
    }
    workers.push_back(child);
  }
  ::close(ends[1]);
  RangeTotals totals;
  SeedReport report;
  for (;;) {
    pollfd poll{ends[0], POLLIN, 0};
    if (::poll(&poll, 1, 500) > 0) {
      if (::read(ends[0], &report, sizeof report) != sizeof report) break;  // all have ended
      add(totals, report);
      if (report.ok == 0 && options.stop_at_first) break;
    }
    progress(totals);
  }
  ::close(ends[0]);
  for (pid_t child : workers) {
    if (totals.broken > 0 && options.stop_at_first) ::kill(child, SIGTERM);
    int status = 0;
    ::waitpid(child, &status, 0);
    const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    PARALLAX_ASSERT(ended_well || totals.broken > 0, "a worker died with status {}", status);
  }
  progress(totals);
  return totals;
}

}  // namespace parallax::simulation
