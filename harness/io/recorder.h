// The history of a run while it is made: what every client asked for and was told, on one monotonic
// clock. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "consistency/checker/history.h"
#include "harness/workload.h"

namespace parallax::harness {

/// What one operation came to, in full.
struct Performed {
  checker::OperationKind kind = checker::OperationKind::read;  ///< as it was carried out
  checker::Outcome outcome = checker::Outcome::unknown;
  /// Of a cas: what it expected; absent: no value.
  std::optional<std::string> expected = std::nullopt;
  /// Where it was carried out at another level than its step's.
  std::optional<Consistency> level = std::nullopt;
  bool shows = false;  ///< whether `shown` is known
  /// A read's value, an increment's answer, what a mismatch saw; absent: there was no value.
  std::optional<std::string> shown = std::nullopt;
  std::uint32_t node = 0;  ///< who answered; 0: nobody
  std::string stamp = {};
  std::size_t verified = 0;  ///< answers that were held against their evidence
  std::string refused = {};  ///< why one is not what it says; empty: all are
};

class Recorder {
 public:
  /// `target`: whose words levels are recorded in.
  explicit Recorder(std::string target) : target_(std::move(target)) {}

  /// Nanoseconds since this was made.
  std::int64_t now() const;

  /// A place for an operation that begins now; its outcome is unknown until end().
  std::size_t begin(std::uint32_t client, const Step& step);
  void end(std::size_t place, const Performed& performed);

  struct Counts {
    std::uint64_t ok = 0;       ///< mismatches, too
    std::uint64_t failed = 0;   ///< did not happen
    std::uint64_t unknown = 0;  ///< ended without anybody knowing
  };
  Counts counts() const;
  /// Operations that were begun.
  std::size_t size() const;
  /// Leaves nothing here.
  checker::History take();

 private:
  const std::string target_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;
  checker::History history_;
  Counts counts_;
};

}  // namespace parallax::harness
