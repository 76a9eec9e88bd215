// Carries a Transfer out: keeps a number of asynchronous operations under way, shows progress, and
// stops in good order when interrupted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "client/cli/output.h"
#include "client/cli/transfer.h"

namespace parallax::cli {

struct TransferLoop {
  std::string verb;  ///< on the progress line: "importing"
  std::size_t in_flight = 32;
  /// Starts one operation; `done` may be called on any thread, once.
  std::function<void(std::uint64_t operation, std::function<void(Result<void>)> done)> start;
  /// Called on the loop's thread after each success. Its error ends the whole, keeping what is
  /// done.
  std::function<Result<void>(std::uint64_t operation)> succeeded;
};

struct TransferEnd {
  bool interrupted = false;
  Result<void> loop = {};  ///< an error of `succeeded`
};

/// Returns once nothing is under way. SIGINT and SIGTERM stop it handing out more; a second one
/// ends the process. One loop at a time in a process.
TransferEnd run_transfer(Transfer& transfer, const TransferLoop& loop, ProgressDisplay& display);

}  // namespace parallax::cli
