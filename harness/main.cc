// parallax-harness: clusters under load and faults, and what their levels' promises came to.
#include <map>
#include <tuple>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/findings_text.h"
#include "harness/io/console.h"
#include "harness/io/mutants_command.h"
#include "harness/io/namespaces.h"
#include "harness/io/run_matrix.h"
#include "harness/io/targets.h"
#include "harness/matrix_text.h"
#include "harness/promise_page.h"
#include "harness/target.h"

namespace parallax::harness {
namespace {

constexpr const char* kExamples = R"(
Examples:
  parallax-harness run --time 60s --faults kill,partition,clock --out run1
  parallax-harness run --workload causal --level causal --faults all --nodes 5
  parallax-harness run --level "quorum; r=1; w=1" --check regular   a promise that it does not make
  parallax-harness run --endpoints 127.0.0.1:7101,127.0.0.1:7102,127.0.0.1:7103 --faults delay

Exit: 0 all that was promised held, 1 something did not, 2 undecided, or the run broke, 4 wrong usage.)";

constexpr const char* kNetworkHelp =
    "Where links are cut and packets lost: faults (nodes do it, by default), or namespaces (the "
    "kernel does, in a network that is made for the nodes; there is the fault rate, too; needs "
    "root, ip, tc and nft)";

struct Arguments {
  RunOptions options;
  std::string workload = "register";
  std::string level;
  std::string read_level;
  std::string faults = "none";
  std::string network = "faults";
  std::string time = "30s";
  std::string parallaxd;
};

/// Errors: bad_parameter, when there is no making it here.
Result<void> check_network(Network network) {
  if (network == Network::namespaces) return check_namespaces();
  return {};
}

Result<RunOptions> parse(const Arguments& arguments) {
  RunOptions options = arguments.options;
  PARALLAX_ASSIGN(options.workload, parse_workload(arguments.workload));
  PARALLAX_ASSIGN(const TargetInfo* target, find_target(options.target));
  PARALLAX_ASSIGN(options.network, parse_network(arguments.network));
  PARALLAX_ASSIGN(options.faults,
                  parse_faults(arguments.faults, possible_faults(*target, options.network)));
  PARALLAX_ASSIGN(options.time, parse_time(arguments.time));
  PARALLAX_ASSIGN(const auto levels,
                  parse_levels(options.target, arguments.level, arguments.read_level));
  std::tie(options.write_level, options.read_level) = levels;
  if (!options.endpoints.empty()) {
    options.nodes = static_cast<std::uint32_t>(options.endpoints.size());
  }
  PARALLAX_TRY(check_options(options));
  PARALLAX_TRY(check_network(options.network));
  return options;
}

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
  for (const auto& [kind, count] : count_by_kind(run.faults))
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
  text += findings_text(run);
  for (const Verdict& verdict : run.verdicts) {
    if (verdict.promised && !verdict.witness.empty()) {
      text += fmt::format("\n{}:\n{}\n", verdict.guarantee, verdict.witness);
    }
  }
  return text + run.reason + "\n" + "again: " + run.replay_command + "\n";
}

int run(const Arguments& arguments, bool quiet) {
  const auto options = parse(arguments);
  if (!options) return usage_error(options.error().message);
  RunSurroundings surroundings;
  surroundings.parallaxd = named_or_beside(arguments.parallaxd, "parallaxd");
  if (const auto program = find_program(options->target); !program) {
    return usage_error(program.error().message);
  }
  if (options->target == "parallax" && options->endpoints.empty() &&
      !is_program(surroundings.parallaxd, "--parallaxd")) {
    return kUsage;
  }
  const TemporaryDirectory directory;
  if (directory.path().empty()) return usage_error("no temporary directory can be made");
  surroundings.directory = directory.path();
  ProgressLine line(quiet);
  surroundings.progress = [&line](const Progress& progress) { line.show(progress); };
  surroundings.interrupted = interrupted;
  watch_for_interrupts();
  Run result = run_harness(*options, surroundings);
  line.end();
  if (!options->out.empty()) {
    if (const auto written = write_run(result, options->out); !written) {
      set_broken(result, written.error().message);
    }
  }
  fmt::print("{}", summary(result));
  return exit_code(result.outcome);
}

struct MatrixArguments {
  std::string time;
  bool is_short = false;
  std::uint64_t seed = 1;
  std::string network = "faults";
  std::string out;
  std::string kept = "tests/data/permitted";
  std::string parallaxd;
  std::string simulator;
  bool quiet = false;
};

int matrix(MatrixArguments arguments) {
  if (arguments.time.empty()) arguments.time = arguments.is_short ? "70s" : "450s";
  const auto time = parse_time(arguments.time);
  if (!time) return usage_error(time.error().message);
  if (*time < kLeastMatrixTime) {
    return usage_error(fmt::format("--time {}: it must be {}s or more", arguments.time,
                                   kLeastMatrixTime.count() / 1'000));
  }
  const auto network = parse_network(arguments.network);
  if (!network) return usage_error(network.error().message);
  if (const auto possible = check_network(*network); !possible) {
    return usage_error(possible.error().message);
  }
  MatrixSurroundings surroundings{.kept = arguments.kept};
  surroundings.simulator = named_or_beside(arguments.simulator, "parallax-sim");
  surroundings.run.parallaxd = named_or_beside(arguments.parallaxd, "parallaxd");
  if (!is_program(surroundings.run.parallaxd, "--parallaxd") ||
      !is_program(surroundings.simulator, "--simulator")) {
    return kUsage;
  }
  if (const auto there = check_kept_runs(surroundings.kept); !there) {
    return usage_error(there.error().message);
  }
  const TemporaryDirectory directory;
  if (directory.path().empty()) return usage_error("no temporary directory can be made");
  surroundings.run.directory = directory.path();
  ProgressLine line(arguments.quiet);
  surroundings.progress = [&line](std::string_view what, const Progress& progress) {
    line.show(progress, what);
  };
  surroundings.tell = [&line](const std::string& text) { line.show(text); };
  surroundings.run.interrupted = interrupted;
  watch_for_interrupts();
  const Matrix result = run_matrix(*time, arguments.seed, *network, surroundings);
  line.end();
  fmt::print("{}", matrix_text(result));
  if (!arguments.out.empty()) {
    if (const auto written = write_matrix(result, arguments.out); !written) {
      usage_error(written.error().message);
      return kUndecided;
    }
  }
  return exit_code(result.outcome);
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
  run_command->add_option("--network", arguments.network, kNetworkHelp);
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
  run_command->add_flag("--tighten", options.tighten,
                        "Look unknown outcomes up in the nodes' log after the run");
  run_command->add_option("--parallaxd", arguments.parallaxd, "The program; beside this one");
  run_command->add_flag("--quiet", quiet, "No progress");
  MatrixArguments of_matrix;
  CLI::App* matrix_command = app.add_subcommand(
      "matrix", "Every level against every guarantee, and pairs of levels, under faults");
  matrix_command->add_option("--time", of_matrix.time, "Under load in all; 450s, or 70s if short");
  matrix_command->add_flag("--short", of_matrix.is_short, "A look, in less than three minutes");
  matrix_command->add_option("--seed", of_matrix.seed, "Of clients and faults; 1");
  matrix_command->add_option("--network", of_matrix.network, kNetworkHelp);
  matrix_command->add_option("--out", of_matrix.out,
                             "A directory for the histories, matrix.json and matrix.html");
  matrix_command->add_option("--kept", of_matrix.kept,
                             "Where the simulator's kept runs are; tests/data/permitted");
  matrix_command->add_option("--parallaxd", of_matrix.parallaxd, "The program; beside this one");
  matrix_command->add_option("--simulator", of_matrix.simulator, "parallax-sim; beside this one");
  matrix_command->add_flag("--quiet", of_matrix.quiet, "No progress");
  MutantsArguments of_mutants;
  const CLI::App* mutants = add_mutants_command(app, of_mutants);
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
  if (matrix_command->parsed()) return matrix(of_matrix);
  if (mutants->parsed()) return mutants_command(of_mutants);
  return run(arguments, quiet);
}
