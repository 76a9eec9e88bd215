// What the commands of parallax-harness have in common: a progress line, a directory that is
// removed again, signals that end a run in good order.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "harness/io/run_harness.h"

namespace parallax::harness {

enum ExitCode { kHeld = 0, kViolated = 1, kUndecided = 2, kUsage = 4 };
ExitCode exit_code(RunOutcome outcome);
/// Says so on stderr.
int usage_error(const std::string& message);

/// From now on the first signal that asks for an end shows as interrupted(); a second one has its
/// usual effect.
void watch_for_interrupts();
bool interrupted();

/// The path that an option has named; without one that of `program` beside this one.
std::string named_or_beside(const std::string& named, std::string_view program);
/// Whether there is a program; if not, says so and how to name it.
bool is_program(const std::string& path, std::string_view option);

/// One line that is written again and again on a terminal, and now and then elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  /// `what` goes before it; may be empty.
  void show(const Progress& progress, std::string_view what = {});
  /// A line without rates.
  void show(const std::string& text);
  void end();

 private:
  /// Whether it is time for another line.
  bool is_due(bool new_stage) const;
  void print(const std::string& line);

  const bool quiet_;
  const bool terminal_;
  std::string stage_;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now();
  std::uint64_t before_ = 0;
};

/// Removed with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  /// Empty when none could be made.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace parallax::harness
