#include "harness/io/console.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

namespace parallax::harness {
namespace {

volatile std::sig_atomic_t interrupts = 0;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

ExitCode exit_code(RunOutcome outcome) {
  switch (outcome) {
    case RunOutcome::held:
      return kHeld;
    case RunOutcome::violated:
      return kViolated;
    case RunOutcome::undecided:
      break;
  }
  return kUndecided;
}

int usage_error(const std::string& message) {
  fmt::print(stderr, "parallax-harness: {}\n", message);
  return kUsage;
}

void watch_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupts = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGHUP, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() {
  return interrupts != 0;
}

std::string named_or_beside(const std::string& named, std::string_view program) {
  if (!named.empty()) return named;
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / program).string();
}

bool is_program(const std::string& path, std::string_view option) {
  if (::access(path.c_str(), X_OK) == 0) return true;
  usage_error(fmt::format("{}: there is no such program; name it with {}", path, option));
  return false;
}

ProgressLine::ProgressLine(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressLine::show(const Progress& progress, std::string_view what) {
  const std::string stage = fmt::format("{}{}", what, progress.stage);
  const bool new_stage = stage != stage_;
  if (!is_due(new_stage)) return;
  const auto& counts = progress.counts;
  const double since = seconds(std::chrono::steady_clock::now() - shown_);
  // Another run counts from 0.
  const std::uint64_t new_ones = counts.ok - std::min(before_, counts.ok);
  const double rate = static_cast<double>(new_ones) / std::max(since, 0.1);
  stage_ = stage;
  before_ = counts.ok;
  print(fmt::format("{:10} {:6.1f} s  {:6.0f} ok/s  {} ok, {} failed, {} unknown  {}", stage,
                    seconds(progress.elapsed), rate, counts.ok, counts.failed, counts.unknown,
                    progress.faults.empty() ? "" : "faults: " + progress.faults));
}

void ProgressLine::show(const std::string& text) {
  if (!is_due(false)) return;
  print(text);
}

bool ProgressLine::is_due(bool new_stage) const {
  const double since = seconds(std::chrono::steady_clock::now() - shown_);
  return !quiet_ && (new_stage || since >= (terminal_ ? 0.5 : 5.0));
}

void ProgressLine::print(const std::string& line) {
  shown_ = std::chrono::steady_clock::now();
  fmt::print(stderr, "{}{}{}", terminal_ ? "\r\x1b[K" : "", line, terminal_ ? "" : "\n");
  std::fflush(stderr);
}

void ProgressLine::end() {
  if (terminal_ && !quiet_) fmt::print(stderr, "\r\x1b[K");
}

TemporaryDirectory::TemporaryDirectory() {
  path_ = (std::filesystem::temp_directory_path() / "parallax-harness.XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) path_.clear();
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace parallax::harness
