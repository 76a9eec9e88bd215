// The log of a process: one line per event on stderr or in a file,
//
//   2026-01-31T12:00:00.123Z info node=1 event=peer-connected peer=2
//
// so that it can be read by people and cut by tools alike. Values that can hold spaces are quoted.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

#include "base/error.h"
#include "node/config.h"

namespace parallax {

/// Sets up spdlog's default logger for the whole process. Errors: refused, naming the log file.
Result<void> start_logging(const NodeConfig& config);

/// `"text"` with quotes, backslashes and line ends escaped: one value on one line.
std::string quote(std::string_view text);

/// Lets through the first few lines of a kind in each window and counts the rest, so that whoever
/// can make a node log cannot fill its disk. A value; not thread-safe.
class LogLimiter {
 public:
  /// Whether to log now; `suppressed` is how many lines since the last one were not.
  bool allow(std::uint64_t& suppressed);

 private:
  std::chrono::steady_clock::time_point window_{};
  int used_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace parallax
