// parallax-sim: whole clusters in one process, from seeds.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "base/canary_switch.h"
#include "simulation/seed_range.h"
#include "simulation/simulation.h"

namespace {

using namespace parallax;
using namespace parallax::simulation;

constexpr const char* kFooter = R"(
Examples:
  parallax-sim --seeds 1..2000          the standard range, on all cores
  parallax-sim --minutes 5              fresh seeds for five minutes
  parallax-sim --seed 17 --replay       what happens in seed 17, event by event
  parallax-sim --seed 17 --shrink       the smallest run that still breaks
  parallax-sim --seeds 1..100 --faults crash,partition --nodes 5
  parallax-sim --seeds 1..100 --no-leader
  parallax-sim --seed 3 --show eventual-stale-read

Exit: 0 nothing broke, 1 a property broke, 2 wrong usage.)";

struct Arguments {
  SimulationOptions run;
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  bool range = false;
  double minutes = 0;
  bool replay = false;
  bool shrink = false;
  bool expect_broken = false;
  bool require_marks = false;
  bool hash = false;
  std::size_t jobs = 1;
  std::string trace_file;
};

class Progress {
 public:
  explicit Progress(const Arguments& arguments) : arguments_(arguments) {}

  void operator()(const RangeTotals& totals) {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - begun_).count();
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    if (now - told_ < (terminal ? std::chrono::milliseconds(200) : std::chrono::seconds(10)))
      return;
    told_ = now;
    const std::string of =
        arguments_.minutes > 0 ? "" : fmt::format(" of {}", arguments_.last - arguments_.first + 1);
    fmt::print(stderr,
               "{}{}{} seeds, {:.1f} seeds/s, {:.0f} simulated s/s, {} faults, {} operations{}",
               terminal ? "\r" : "", totals.seeds, of, static_cast<double>(totals.seeds) / seconds,
               totals.simulated_seconds / seconds, totals.faults, totals.operations,
               terminal ? "\033[K" : "\n");
    std::fflush(stderr);
  }
  void end() const {
    if (::isatty(STDERR_FILENO) == 1) fmt::print(stderr, "\n");
  }
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }

 private:
  const Arguments& arguments_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point told_ = begun_;
};

std::string canary_arguments() {
#ifdef PARALLAX_TEST_BUILD
  for (const CanaryInfo& info : kCanaries) {
    if (canary(info.canary)) return fmt::format(" --canary {}", info.name);
  }
#endif
  return "";
}

/// Tells what broke, how to see it again, and writes the timeline to a file.
void tell_failure(const Arguments& arguments, const SimulationOptions& run) {
  const std::string path = arguments.trace_file.empty()
                               ? fmt::format("parallax-sim-{}.trace", run.seed)
                               : arguments.trace_file;
  std::ofstream file(path);
  const Outcome outcome = simulate(run, [&](const std::string& line) { file << line << '\n'; });
  file << "BROKEN " << outcome.broken << '\n';
  fmt::print("seed {} breaks: {}\n", run.seed, outcome.broken);
  fmt::print("replay: parallax-sim {}{} --replay\n", replay_arguments(run), canary_arguments());
  fmt::print("smaller: parallax-sim {}{} --shrink\n", replay_arguments(run), canary_arguments());
  fmt::print("trace: {}{}\n", path, file ? "" : " (could not be written)");
}

int run_one(const Arguments& arguments) {
  if (arguments.shrink) {
    if (simulate(arguments.run).ok) {
      fmt::print("seed {} breaks nothing: there is nothing to shrink\n", arguments.run.seed);
      return 0;
    }
    const SimulationOptions smaller = simulation::shrink(
        arguments.run,
        [](const std::string& step) { fmt::print(stderr, "still breaks {}\n", step); });
    tell_failure(arguments, smaller);
    return 1;
  }
  std::function<void(const std::string&)> sink;
  if (arguments.replay) sink = [](const std::string& line) { fmt::print("{}\n", line); };
  const Outcome outcome = simulate(arguments.run, sink);
  if (!outcome.ok && !arguments.replay) {
    tell_failure(arguments, arguments.run);
    return 1;
  }
  if (!outcome.ok) fmt::print("BROKEN {}\n", outcome.broken);
  if (!outcome.undecided.empty()) fmt::print("undecided: {}\n", outcome.undecided);
  if (arguments.run.show) {
    fmt::print("{}: {}\n", permitted_name(*arguments.run.show),
               outcome.shown ? *outcome.shown : "not shown");
  }
  fmt::print(
      "seed {}: {}, trace {:016x}, {} events, {} operations ({} answered), {} faults, {:.0f} s\n",
      arguments.run.seed, outcome.ok ? "nothing broke" : "broken", outcome.hash, outcome.steps,
      outcome.operations, outcome.answered, outcome.faults,
      std::chrono::duration<double>(outcome.simulated).count());
  return outcome.ok && (!arguments.run.show || outcome.shown) ? 0 : 1;
}

/// For comparing builds: one hash per seed, over the timeline as it would be printed (FNV-1a) and
/// what never gets into its lines. In order, in this process.
int tell_hashes(const Arguments& arguments) {
  bool ok = true;
  SimulationOptions run = arguments.run;
  for (run.seed = arguments.first; run.seed <= arguments.last; ++run.seed) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    const auto fold = [&hash](const std::string& line) {
      for (char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
      hash = (hash ^ '\n') * 0x100000001b3u;
    };
    const Outcome outcome = simulate(run, fold);
    fold(fmt::format("{:x} {} {} {}", outcome.hash, outcome.steps, outcome.answered, outcome.ok));
    fmt::print("seed {} hash {:016x}\n", run.seed, hash);
    if (outcome.ok) continue;
    ok = false;
    fmt::print("seed {} breaks: {}\n", run.seed, outcome.broken);
  }
  return ok ? 0 : 1;
}

/// The marks as a table; false when one that has to be was never reached.
bool tell_marks(const RangeTotals& totals) {
  bool all = true;
  for (std::size_t i = 0; i < totals.marks.size(); ++i) {
    const bool missed = i < kRequiredMarks && totals.marks[i] == 0;
    all = all && !missed;
    fmt::print("{:>12} {}{}\n", totals.marks[i], kMarkNames[i], missed ? "   NEVER REACHED" : "");
  }
  return all;
}

/// Of all seeds, beside one: more, and the simulator shows too little.
constexpr double kMostUndecided = 0.01;

int run_many(const Arguments& arguments) {
  RangeOptions range;
  range.run = arguments.run;
  range.first = arguments.first;
  range.last = arguments.last;
  range.workers = arguments.jobs;
  if (arguments.minutes > 0) {
    range.real_time = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double, std::ratio<60>>(arguments.minutes));
  }
  Progress progress(arguments);
  const RangeTotals totals = run_range(range, std::ref(progress));
  progress.end();
  if (arguments.expect_broken) {
    fmt::print("{} after {} seeds\n", totals.broken_seed ? "found" : "NOT FOUND", totals.seeds);
    return totals.broken_seed ? 0 : 1;
  }
  if (totals.broken_seed) {
    SimulationOptions run = arguments.run;
    run.seed = *totals.broken_seed;
    tell_failure(arguments, run);
    return 1;
  }
  fmt::print(
      "{} seeds, {:.0f} simulated s ({:.0f} per s), {} operations, {} faults ({} crashes, "
      "{} partitions, {} damaged records found): nothing broke{}\n",
      totals.seeds, totals.simulated_seconds, totals.simulated_seconds / progress.seconds(),
      totals.operations, totals.faults, totals.crashes, totals.partitions, totals.damage_found,
      totals.undecided == 0 ? "" : fmt::format(", {} undecided", totals.undecided));
  if (static_cast<double>(totals.undecided) >
      kMostUndecided * static_cast<double>(totals.seeds) + 1) {
    fmt::print("too many could not be judged: one in a hundred at most\n");
    return 1;
  }
  return !arguments.require_marks || tell_marks(totals) ? 0 : 1;
}

/// The first seeds that show what is asked for.
int look_for_shown(const Arguments& arguments) {
  SimulationOptions run = arguments.run;
  for (run.seed = arguments.first; run.seed <= arguments.last; ++run.seed) {
    const Outcome outcome = simulate(run);
    if (!outcome.shown) continue;
    fmt::print("{}\n{}\n", replay_arguments(run), *outcome.shown);
    return 0;
  }
  fmt::print("none of these seeds shows it\n");
  return 1;
}

[[noreturn]] void usage_error(const std::string& message) {
  fmt::print(stderr, "parallax-sim: {}\n", message);
  std::exit(2);
}

std::vector<std::string> permitted_names() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Permitted::count); ++i) {
    names.emplace_back(permitted_name(static_cast<Permitted>(i)));
  }
  return names;
}

void parse_range(const std::string& text, Arguments& arguments) {
  unsigned long long first = 0;
  unsigned long long last = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%llu..%llu%n", &first, &last, &used) != 2 ||
      static_cast<std::size_t>(used) != text.size() || last < first) {
    usage_error(fmt::format("--seeds takes FIRST..LAST, not '{}'", text));
  }
  arguments.first = first;
  arguments.last = last;
  arguments.range = true;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  std::string seeds;
  std::string faults = "all";
  std::string canary_name;
  std::string shown;
  std::vector<std::size_t> skip;
  double seconds = 60;
  arguments.jobs = std::max(1u, std::thread::hardware_concurrency());

  CLI::App app{"Runs simulated clusters from seeds and checks them after every step."};
  app.footer(kFooter);
  app.set_version_flag("--version", "parallax-sim " PARALLAX_VERSION);
  auto* seed = app.add_option("--seed", arguments.run.seed, "one seed");
  auto* range = app.add_option("--seeds", seeds, "FIRST..LAST, both included")->excludes(seed);
  app.add_option("--minutes", arguments.minutes, "fresh seeds for so long")
      ->excludes(seed)
      ->excludes(range);
  app.add_option("--nodes", arguments.run.nodes, "size of the cluster")->check(CLI::Range(1, 9));
  app.add_option("--faults", faults, "kinds, by commas; all, none");
  app.add_option("--level", arguments.run.level, "only operations of this level")
      ->check(CLI::IsMember({"linearizable", "prefix"}));
  app.add_flag("--no-leader", arguments.run.no_leader,
               "nobody leads once the cluster has begun: levels without a leader alone");
  app.add_flag("--lease-reads", arguments.run.lease_reads,
               "linearizable reads under leases in every seed, else in some");
  app.add_flag("--break-drift-bound", arguments.run.break_drift_bound,
               "nodes that are cut off have a slower monotonic clock than leases allow for: reads "
               "get stale");
  app.add_option("--show", shown,
                 "something that a weaker level permits: exit 0 with the counterexample if the "
                 "seed, or one of the seeds, shows it")
      ->check(CLI::IsMember(permitted_names()));
  app.add_option("--steps", arguments.run.max_steps, "end a run after so many events");
  app.add_option("--seconds", seconds, "simulated time of the faulty part")
      ->check(CLI::Range(1.0, 86'400.0));
  app.add_option("--skip", skip, "positions of planned faults to leave out")->delimiter(',');
  app.add_option("--jobs", arguments.jobs, "processes")->check(CLI::Range(1, 64));
  app.add_option("--trace", arguments.trace_file, "file for the timeline of a failure");
  app.add_option("--canary", canary_name, "switch on a deliberate bug (test builds)");
  app.add_flag("--expect-broken", arguments.expect_broken,
               "with --seeds: exit 0 if something breaks, 1 if nothing does");
  app.add_flag("--require-marks", arguments.require_marks,
               "with --seeds: print how often rare paths were taken; exit 1 if one never was "
               "(test builds)");
  app.add_flag(
      "--hash", arguments.hash,
      "with --seed or --seeds: print a hash of each timeline, the same with every compiler "
      "and build type");
  app.add_flag("--replay", arguments.replay, "print the timeline of --seed");
  app.add_flag("--shrink", arguments.shrink, "find a smaller run of --seed that still breaks");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Result<std::set<FaultKind>> kinds = parse_faults(faults);
  if (!kinds) usage_error("--faults: " + kinds.error().message);
  arguments.run.faults = *kinds;
  arguments.run.skip = {skip.begin(), skip.end()};
  arguments.run.duration =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  if (!canary_name.empty()) {
    if (const auto on = switch_canary_on(canary_name); !on) usage_error(on.error().message);
  }
  for (std::size_t i = 0; i < permitted_names().size(); ++i) {
    if (permitted_names()[i] == shown) arguments.run.show = static_cast<Permitted>(i);
  }
  if (!seeds.empty()) parse_range(seeds, arguments);
  if (arguments.minutes > 0) {
    arguments.range = true;
    arguments.first =
        static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    arguments.last = ~std::uint64_t{0} - arguments.jobs;
  }
  if (arguments.hash) {
    if (arguments.minutes > 0 || arguments.replay || arguments.shrink) {
      usage_error("--hash takes --seed or --seeds, and neither --replay nor --shrink");
    }
    if (!arguments.range) arguments.first = arguments.last = arguments.run.seed;
    return tell_hashes(arguments);
  }
  if (!arguments.range) return run_one(arguments);
  if (arguments.replay || arguments.shrink) usage_error("--replay and --shrink take one --seed");
  if (arguments.run.show) return look_for_shown(arguments);
  return run_many(arguments);
}
