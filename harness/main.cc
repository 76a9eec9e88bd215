// parallax-harness: clusters under load and faults, and what their levels' promises came to.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <tuple>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "harness/io/run_harness.h"
#include "harness/io/targets.h"
#include "harness/judgement.h"
#include "harness/promise_page.h"
#include "harness/target.h"

namespace parallax::harness {
namespace {

enum ExitCode { kHeld = 0, kViolated = 1, kUndecided = 2, kUsage = 4 };

constexpr const char* kExamples = R"(
Examples:
  parallax-harness run --time 60s --faults kill,partition,clock --out run1
  parallax-harness run --workload causal --level causal --faults all --nodes 5
  parallax-harness run --level "quorum; r=1; w=1" --check regular   a promise that it does not make
  parallax-harness run --endpoints 127.0.0.1:7101,127.0.0.1:7102,127.0.0.1:7103 --faults delay

Exit: 0 all that was promised held, 1 something did not, 2 undecided, or the run broke, 4 wrong usage.)";

volatile std::sig_atomic_t interrupts = 0;

/// The first signal ends the run; a second one has its usual effect.
void watch_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupts = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGHUP, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

struct Arguments {
  RunOptions options;
  std::string workload = "register";
  std::string level;
  std::string read_level;
  std::string faults = "none";
  std::string time = "30s";
  std::string parallaxd;
};

Result<RunOptions> parse(const Arguments& arguments) {
  RunOptions options = arguments.options;
  PARALLAX_ASSIGN(options.workload, parse_workload(arguments.workload));
  PARALLAX_ASSIGN(const TargetInfo* target, find_target(options.target));
  PARALLAX_ASSIGN(options.faults, parse_faults(arguments.faults, target->faults));
  PARALLAX_ASSIGN(options.time, parse_time(arguments.time));
  PARALLAX_ASSIGN(const auto levels,
                  parse_levels(options.target, arguments.level, arguments.read_level));
  std::tie(options.write_level, options.read_level) = levels;
  if (!options.endpoints.empty()) {
    options.nodes = static_cast<std::uint32_t>(options.endpoints.size());
  }
  PARALLAX_TRY(check_options(options));
  return options;
}

int usage_error(const std::string& message) {
  fmt::print(stderr, "parallax-harness: {}\n", message);
  return kUsage;
}

/// One line that is written again and again on a terminal, and now and then elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : quiet_(quiet) {}
  void show(const Progress& progress) {
    const auto now = std::chrono::steady_clock::now();
    const bool new_stage = progress.stage != stage_;
    const double since = std::chrono::duration<double>(now - shown_).count();
    if (quiet_ || (!new_stage && since < (terminal_ ? 0.5 : 5.0))) return;
    const auto& counts = progress.counts;
    const double rate = static_cast<double>(counts.ok - before_) / std::max(since, 0.1);
    stage_ = progress.stage;
    shown_ = now;
    before_ = counts.ok;
    const std::string line = fmt::format(
        "{:10} {:6.1f} s  {:6.0f} ok/s  {} ok, {} failed, {} unknown  {}", progress.stage,
        std::chrono::duration<double>(progress.elapsed).count(), rate, counts.ok, counts.failed,
        counts.unknown, progress.faults.empty() ? "" : "faults: " + progress.faults);
    fmt::print(stderr, "{}{}{}", terminal_ ? "\r\x1b[K" : "", line, terminal_ ? "" : "\n");
    std::fflush(stderr);
  }
  void end() {
    if (terminal_ && !quiet_) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  const bool quiet_;
  const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  std::string_view stage_;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now();
  std::uint64_t before_ = 0;
};

std::string summary(const Run& run) {
  std::map<checker::Outcome, std::size_t> counts;
  for (const auto& operation : run.history.operations) ++counts[operation.outcome];
  using enum checker::Outcome;
  const double all = std::max<double>(1, static_cast<double>(run.history.operations.size()));
  std::string text = fmt::format(
      "{} at {}: {} operations, {} ok, {} mismatches, {} failed, {} unknown ({:.2f} %)\n",
      to_string(run.asked.workload), level_text(run.asked), run.history.operations.size(),
      counts[ok], counts[mismatch], counts[failed], counts[unknown],
      100 * static_cast<double>(counts[unknown]) / all);
  std::map<std::string, std::size_t> kinds;
  for (const FaultWindow& window : run.faults) ++kinds[window.kind];
  for (const auto& [kind, count] : kinds)
    text += fmt::format("  fault {}: {} times\n", kind, count);
  for (const Verdict& verdict : run.verdicts) {
    text += fmt::format("  {:32} {:10} {:12} {:9.1f} ms{}\n", verdict.guarantee,
                        checker::to_string(verdict.verdict),
                        verdict.promised ? "promised" : "not promised",
                        std::chrono::duration<double, std::milli>(verdict.took).count(),
                        verdict.reason.empty() ? "" : "  " + verdict.reason);
  }
  if (run.convergence && run.convergence->after_ns) {
    text += fmt::format("  converged {:.1f} ms after all was healed\n",
                        static_cast<double>(*run.convergence->after_ns) / 1e6);
  }
  for (const Verdict& verdict : run.verdicts) {
    if (verdict.promised && !verdict.witness.empty()) {
      text += fmt::format("\n{}:\n{}\n", verdict.guarantee, verdict.witness);
    }
  }
  return text + run.reason + "\n" + "again: " + run.replay_command + "\n";
}

/// Removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    path_ = (std::filesystem::temp_directory_path() / "parallax-harness.XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

int run(const Arguments& arguments, bool quiet) {
  const auto options = parse(arguments);
  if (!options) return usage_error(options.error().message);
  RunSurroundings surroundings;
  surroundings.parallaxd = arguments.parallaxd;
  if (surroundings.parallaxd.empty()) {
    surroundings.parallaxd =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "parallaxd").string();
  }
  if (const auto program = find_program(options->target); !program) {
    return usage_error(program.error().message);
  }
  if (options->target == "parallax" && options->endpoints.empty() &&
      ::access(surroundings.parallaxd.c_str(), X_OK) != 0) {
    return usage_error(fmt::format("{}: there is no such program; name parallaxd with --parallaxd",
                                   surroundings.parallaxd));
  }
  const TemporaryDirectory directory;
  if (directory.path().empty()) return usage_error("no temporary directory can be made");
  surroundings.directory = directory.path();
  ProgressLine line(quiet);
  surroundings.progress = [&line](const Progress& progress) { line.show(progress); };
  surroundings.interrupted = [] { return interrupts != 0; };
  watch_for_interrupts();
  Run result = run_harness(*options, surroundings);
  line.end();
  if (!options->out.empty()) {
    if (const auto written = write_run(result, options->out); !written) {
      set_broken(result, written.error().message);
    }
  }
  fmt::print("{}", summary(result));
  return result.outcome == RunOutcome::held       ? kHeld
         : result.outcome == RunOutcome::violated ? kViolated
                                                  : kUndecided;
}

}  // namespace
}  // namespace parallax::harness

int main(int argc, char** argv) {
  using namespace parallax::harness;
  CLI::App app{"Runs clusters under load and faults and holds them to what their levels promise"};
  app.set_version_flag("--version", "parallax-harness " PARALLAX_VERSION);
  app.footer(kExamples);
  app.require_subcommand(1);
  Arguments arguments;
  bool quiet = false;
  RunOptions& options = arguments.options;
  CLI::App* run_command = app.add_subcommand("run", "One workload at one level under faults");
  run_command->footer(kExamples);
  run_command->add_option("--target", options.target,
                          "What is run: parallax, etcd, redis, exec:COMMAND");
  run_command->add_option("--nodes", options.nodes, "How many are started, 1 to 9; 3 by default");
  run_command
      ->add_option("--endpoints", options.endpoints, "Instead: HOST:PORT of every running node")
      ->delimiter(',');
  run_command->add_option("--workload", arguments.workload,
                          fmt::format("What clients do: {}", fmt::join(kWorkloads, ", ")));
  run_command->add_option("--level", arguments.level,
                          "Level of all operations, as in a header, or as the target "
                          "calls it; the strongest by default");
  run_command->add_option("--read-level", arguments.read_level, "Another one for reads");
  run_command->add_option(
      "--faults", arguments.faults,
      fmt::format("With commas between: all, none, {}", fmt::join(kFaults, ", ")));
  run_command->add_option("--clients", options.clients, "Threads with one operation each; 10");
  run_command->add_option("--rate", options.rate, "Operations a second in all; 0: no limit");
  run_command->add_option("--time", arguments.time, "Until all is healed: 500ms, 30s, 5m, 1h");
  run_command->add_option("--keys", options.keys, "In use at a time; 5");
  run_command->add_option("--seed", options.seed, "Of clients and faults; 1");
  run_command
      ->add_option("--check", options.check,
                   "Hold the run to these instead of what its levels promise")
      ->delimiter(',');
  run_command->add_option(
      "--out", options.out,
      "A directory for history, faults, results and a page to look at (report.html)");
  run_command->add_option("--parallaxd", arguments.parallaxd, "The program; beside this one");
  run_command->add_flag("--quiet", quiet, "No progress");
  const CLI::App* promises_command =
      app.add_subcommand("promises", "Prints docs/CONSISTENCY.md: what each level promises");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& e) {
    return app.exit(e);
  } catch (const CLI::CallForVersion& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    return usage_error(e.what());
  }
  if (promises_command->parsed()) {
    fmt::print("{}", promise_page());
    return kHeld;
  }
  return run(arguments, quiet);
}
