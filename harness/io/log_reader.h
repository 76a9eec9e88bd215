// The logs of a run's nodes, once it is over: stops them for good and has each log printed
// (parallaxd --dump-log).
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "harness/io/system.h"
#include "harness/log_dump.h"

namespace parallax::harness {

/// Kills every node of `system`, all of which were started here, before the first log is looked
/// at. `program` is the path of parallaxd. On the thread that started them. Errors: io, corrupt,
/// naming the node.
Result<std::vector<LogDump>> stop_and_read_logs(System& system, const std::string& program);

}  // namespace parallax::harness
