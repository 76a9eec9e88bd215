// The subcommand `mutants` of parallax-harness.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "harness/io/run_mutants.h"

namespace parallax::harness {

struct MutantsArguments {
  MutantsAsked asked;
  std::string limit = "60s";
  bool no_controls = false;
  std::string parallaxd;
  bool quiet = false;
};

/// Binds its options to `arguments`, which must outlive the parsing.
CLI::App* add_mutants_command(CLI::App& app, MutantsArguments& arguments);

/// Runs it and prints what came of it. The exit code: 0 all were caught and their controls held, 1
/// one was not caught, 2 a run could not be made, or a control did not hold, 4 wrong usage.
int mutants_command(const MutantsArguments& arguments);

}  // namespace parallax::harness
