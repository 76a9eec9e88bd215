// Which of many like operations to start next, and what became of them all.
//
// Pure bookkeeping for import and verify: it hands out record numbers, takes results, and decides
// when an operation is tried again and when the whole is given up. An operation whose outcome is
// unknown is handed out again, which is right only because storing the same bytes under the same
// key twice is as good as once; so is reading. So is one that failed for a reason that can pass. A
// failure that would only repeat itself is final at once.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/error.h"

namespace parallax::cli {

class Transfer {
 public:
  struct Options {
    /// How often one operation is handed out again.
    int repeats = 4;
    /// After this many failures with no success between them the rest is not tried.
    std::uint64_t give_up_after = 64;
  };
  /// `already` says which are done, one for each operation.
  Transfer(std::vector<bool> already, Options options);

  /// The next operation to start, as long as there is one.
  std::optional<std::uint64_t> take();
  void succeeded(std::uint64_t operation);
  void failed(std::uint64_t operation, Error error);
  /// Hands out no more.
  void stop() { stopped_ = true; }

  std::uint64_t total() const { return total_; }
  std::uint64_t done() const { return done_; }
  std::uint64_t in_flight() const { return in_flight_; }
  /// Nothing is under way and nothing will be handed out.
  bool over() const;
  bool gave_up() const { return consecutive_failures_ >= options_.give_up_after; }
  /// What failed for good, in the order of the operations.
  const std::map<std::uint64_t, Error>& failures() const { return failures_; }
  /// Operations that were never handed out, or not to an end.
  std::uint64_t not_tried() const { return total_ - done_ - failures_.size() - in_flight_; }

 private:
  Options options_;
  std::uint64_t total_;
  std::uint64_t done_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t consecutive_failures_ = 0;
  bool stopped_ = false;
  std::deque<std::uint64_t> waiting_;
  std::map<std::uint64_t, int> repeated_;
  std::map<std::uint64_t, Error> failures_;
};

}  // namespace parallax::cli
