// A whole run: a cluster, clients, faults, healing, convergence, verdicts.
//
// Bounded in time: the run's own time, then at most two minutes for healing, convergence and last
// reads (a long run's last reads have a tenth of its time), then the checkers' limits. Whatever
// happens, no process that was started is left.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/io/recorder.h"
#include "harness/judgement.h"
#include "harness/log_dump.h"
#include "harness/run.h"

namespace parallax::harness {

/// How far a run is.
struct Progress {
  /// "starting", "running", "healing", "converging", "last reads", "reading logs", "judging"
  std::string_view stage;
  Duration elapsed{};  ///< of the stage
  Recorder::Counts counts;
  std::string faults;  ///< under way; empty: none
};

struct RunSurroundings {
  std::string parallaxd;  ///< the program's path
  std::string directory;  ///< for the nodes' data and logs; must be there and empty
  /// More than every node is started with anyhow.
  std::vector<std::string> node_arguments = {};
  /// Both are called about ten times a second, by the thread that runs.
  std::function<void(const Progress&)> progress;
  std::function<bool()> interrupted;
  /// Clients stop at so many operations, and the run counts as broken.
  std::size_t most_operations = kMostOperations;
};

/// What the clients of a run do.
struct Load {
  /// Called once; every key it makes begins with the prefix that it is given.
  std::function<std::unique_ptr<Generator>(std::string)> generator;
  /// By Step::part: the levels that a client's session of that part is for.
  std::vector<RunOptions> parts;
};

struct Recording {
  checker::History history;
  std::vector<FaultWindow> faults;  ///< by begin
  Evidences evidences;
  Recorder::Counts counts;
  Result<std::vector<LogDump>> logs;  ///< of all nodes, if the run is to be tightened
  Result<void> ended;                 ///< what broke it; shutting_down: it was interrupted
};

/// A cluster under `load` and the faults of `options`, healed at the end, and what was recorded of
/// it. On which thread, and bounds, as run_harness().
Recording record(const RunOptions& options, const Load& load, const RunSurroundings& surroundings);

/// Nanoseconds of the steady clock.
std::int64_t steady_now();

/// Call it on the thread that lives longest (io/child_process.h). `options` must have passed
/// check_options(). A run that broke says so in its outcome.
Run run_harness(const RunOptions& options, const RunSurroundings& surroundings);

/// Writes history.jsonl, faults.jsonl, results.json and report.html (harness/report/report.h) into
/// `directory`, which is made if it is not there. Errors: io.
Result<void> write_run(const Run& run, const std::string& directory);

}  // namespace parallax::harness
