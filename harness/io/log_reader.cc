#include "harness/io/log_reader.h"

#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "harness/io/child_process.h"
#include "harness/io/files.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;

/// A log is some ten thousand entries.
constexpr auto kMostToPrint = 60s;

Error failed(std::uint32_t node, ErrorCode code, std::string_view what) {
  return definite(code, fmt::format("the log of node {} cannot be read: {}", node, what));
}

Result<LogDump> read_log(const System& system, const std::string& program, std::uint32_t node) {
  const std::string path = system.data_dir(node) + ".entries";
  PARALLAX_ASSIGN(ChildProcess printing,
                  ChildProcess::start({program, "--dump-log", system.data_dir(node)}, path));
  const auto deadline = std::chrono::steady_clock::now() + kMostToPrint;
  while (printing.running()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return failed(node, ErrorCode::io,
                    fmt::format("it was not printed within {} s", kMostToPrint.count()));
    }
    std::this_thread::sleep_for(2ms);
  }
  const std::string text = read_text(path);
  if (printing.code() != 0) {
    constexpr std::size_t kEnough = 500;
    return failed(node, ErrorCode::io,
                  fmt::format("exit {}: {}", printing.code(), end_of(text, kEnough)));
  }
  auto log = read_log_dump(text);
  if (!log) return failed(node, ErrorCode::corrupt, log.error().message);
  return log;
}

}  // namespace

Result<std::vector<LogDump>> stop_and_read_logs(System& system, const std::string& program) {
  for (std::uint32_t node = 1; node <= system.size(); ++node) system.kill(node);
  std::vector<LogDump> logs;
  for (std::uint32_t node = 1; node <= system.size(); ++node) {
    PARALLAX_ASSIGN(LogDump log, read_log(system, program, node));
    logs.push_back(std::move(log));
  }
  return logs;
}

}  // namespace parallax::harness
