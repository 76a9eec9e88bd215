// The command line as a whole: what every verb takes, all the verbs, and how words become one of
// them.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "client/cli/commands.h"

namespace parallax::cli {

/// One use of the program. Not thread-safe.
class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// The definition; for completion, and for tests of it.
  CLI::App& app() { return *app_; }
  /// Understands `arguments` (without the program's name) and nothing else. True: run() may be
  /// called. False: the program is to end with `code`, and what there is to say has been said.
  bool parse(std::vector<std::string> arguments, int& code);
  /// Does what was asked for.
  ExitCode run();

 private:
  void add_level_options();
  Result<void> complete();

  std::unique_ptr<CLI::App> app_;
  GlobalOptions global_;
  std::string endpoints_;
  std::string consistency_;
  /// By LevelParameter.
  std::array<std::optional<std::string>, kLevelParameters.size()> level_parameters_;
  bool sloppy_ = false;
  std::string session_file_;
  std::int64_t timeout_ms_ = 0;
  VerbAction chosen_;
};

}  // namespace parallax::cli
