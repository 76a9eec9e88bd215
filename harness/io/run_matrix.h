// The matrix tried: two rounds on a cluster, then the kept runs that are still needed.
//
// The first round spares the disks, so that what rests on one of them is promised; the second has
// all faults. Bounded in time: the rounds' own time, twice what a run takes to heal and to
// converge, the checkers' limits, and a limit for each kept run.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "harness/io/run_harness.h"
#include "harness/matrix.h"

namespace parallax::harness {

/// Below that the second round would be too short for a fault.
inline constexpr std::chrono::milliseconds kLeastMatrixTime{10'000};

struct MatrixSurroundings {
  /// Its `progress` plays no part.
  RunSurroundings run = {};
  std::string simulator = {};  ///< the path of parallax-sim
  std::string kept = {};       ///< the directory of the kept runs
  /// Which round, and how far it is.
  std::function<void(std::string_view, const Progress&)> progress = {};
  /// What is done when no round is under way.
  std::function<void(const std::string&)> tell = {};
};

/// Errors: bad_parameter, naming the file that is not there.
Result<void> check_kept_runs(const std::string& directory);

/// `time`: of both rounds together. Call it on the thread that lives longest.
Matrix run_matrix(std::chrono::milliseconds time, std::uint64_t seed, Network network,
                  const MatrixSurroundings& surroundings);

/// Runs those kept runs again that `tally` still wants. After an interrupt there are no more, and
/// `tally` knows of it.
void replay_kept_runs(MatrixTally& tally, const MatrixSurroundings& surroundings);

/// Writes matrix.json and matrix.html into `directory`, which is made if it is not there. Errors:
/// io.
Result<void> write_matrix(const Matrix& matrix, const std::string& directory);

}  // namespace parallax::harness
