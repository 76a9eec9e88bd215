#include "harness/io/mutants_command.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "harness/mutant_page.h"

namespace parallax::harness {
namespace {

enum ExitCode { kAllCaught = 0, kOneSurvived = 1, kBroken = 2, kUsage = 4 };

}  // namespace

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
  command->add_option("--time", arguments.limit, "In which each must be caught; 60s");
  command->add_flag("--no-controls", arguments.no_controls, "Not the same runs without the bug");
  return command;
}

int mutants_command(const MutantsArguments& arguments, const RunSurroundings& surroundings,
                    bool quiet) {
  MutantsAsked asked = arguments.asked;
  const auto fail = [](const Error& error) {
    fmt::print(stderr, "parallax-harness: {}\n", error.message);
    return error.code == ErrorCode::bad_parameter ? kUsage : kBroken;
  };
  const auto limit = parse_time(arguments.limit);
  if (!limit) return fail(limit.error());
  asked.limit = *limit;
  asked.controls = !arguments.no_controls;
  const auto results = run_mutants(asked, surroundings, [quiet](const std::string& line) {
    if (!quiet) fmt::print(stderr, "{}\n", line);
  });
  if (!results) return fail(results.error());
  fmt::print("{}", mutants_summary(*results));
  if (!std::all_of(results->begin(), results->end(), control_held)) return kBroken;
  return std::all_of(results->begin(), results->end(), caught) ? kAllCaught : kOneSurvived;
}

}  // namespace parallax::harness
