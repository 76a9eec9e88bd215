#include "harness/io/mutants_command.h"

#include <algorithm>

#include <fmt/format.h>

#include "harness/io/console.h"
#include "harness/mutant_page.h"

namespace parallax::harness {
CLI::App* add_mutants_command(CLI::App& app, MutantsArguments& arguments) {
  CLI::App* command = app.add_subcommand(
      "mutants", "Nodes with deliberate bugs, each in the run that must find it (test builds)");
  command->footer(
      "Exit: 0 all were caught and the same runs hold without the bugs, 1 one was not caught, 2 a "
      "run\ncould not be made, or one does not hold without the bug, 4 wrong usage.");
  command
      ->add_option("--only", arguments.asked.only,
                   "Names, with commas between; all, as docs/MUTANTS.md lists them")
      ->delimiter(',');
  command->add_option("--out", arguments.asked.out,
                      "A directory for mutants.json, mutants.md and the runs that caught them");
  command->add_option("--seed", arguments.asked.seed, "Of the first round of each; 1");
  command->add_option("--time", arguments.limit, "In which each must be caught; 120s");
  command->add_flag("--no-controls", arguments.no_controls, "Not the same runs without the bug");
  command->add_option("--parallaxd", arguments.parallaxd, "The program; beside this one");
  command->add_flag("--quiet", arguments.quiet, "No progress");
  return command;
}

int mutants_command(const MutantsArguments& arguments) {
  MutantsAsked asked = arguments.asked;
  const auto limit = parse_time(arguments.limit);
  if (!limit) return usage_error(limit.error().message);
  asked.limit = *limit;
  asked.controls = !arguments.no_controls;
  MutantsSurroundings surroundings;
  surroundings.run.parallaxd = named_or_beside(arguments.parallaxd, "parallaxd");
  if (!is_program(surroundings.run.parallaxd, "--parallaxd")) return kUsage;
  const TemporaryDirectory directory;
  if (directory.path().empty()) return usage_error("no temporary directory can be made");
  surroundings.run.directory = directory.path();
  ProgressLine line(arguments.quiet);
  surroundings.progress = [&line](std::string_view what, const Progress& progress) {
    line.show(progress, what);
  };
  surroundings.run.interrupted = interrupted;
  watch_for_interrupts();
  const auto results = run_mutants(asked, surroundings);
  line.end();
  if (!results) {
    usage_error(results.error().message);
    return results.error().code == ErrorCode::bad_parameter ? kUsage : kUndecided;
  }
  fmt::print("{}", mutants_summary(*results));
  if (!std::all_of(results->begin(), results->end(), control_held)) return kUndecided;
  return std::all_of(results->begin(), results->end(), caught) ? kHeld : kViolated;
}

}  // namespace parallax::harness
