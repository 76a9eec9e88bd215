// What `parallaxd --dump-log` prints of a stopped node's log (node/log_dump.h), read back.
//
// What it does not do: run the program, or judge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace parallax::harness {

/// A version that an entry writes. Deletions, and what is no UTF-8, are left out: no workload has
/// them.
struct LoggedWrite {
  std::uint64_t index = 0;
  std::uint64_t term = 0;
  std::string key;
  std::string value;
  std::string stamp;
  friend bool operator==(const LoggedWrite&, const LoggedWrite&) = default;
};

struct LogDump {
  NodeId node;
  std::uint64_t start = 0;    ///< the last entry that was compacted; 0: the log is whole
  std::uint64_t applied = 0;  ///< entries up to here are committed
  std::uint64_t last = 0;
  std::vector<LoggedWrite> writes;  ///< by index
  friend bool operator==(const LogDump&, const LogDump&) = default;
};

/// Errors: corrupt, naming the line (from 1) and what is wrong.
Result<LogDump> read_log_dump(std::string_view lines);

}  // namespace parallax::harness
