// Systems that a run can be about beside Parallax: etcd, Redis, and whatever a command speaks for.
//
// A target has its own words for what a read may show. Each stands for the level of Parallax that
// comes nearest to it, so that workloads and checkers need not know whose system it is: Redis, say,
// acknowledges as `ack=leader` does. A target has the faults that can be done to it from outside.
//
// Sources: etcd.io/docs/v3.4 ("API guarantees"); redis.io ("Replication", "High availability with
// Redis Sentinel").
//
// What it does not do: start or ask anything (harness/io/targets.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "harness/run_options.h"

namespace parallax::harness {

/// How a target calls a level.
struct TargetLevel {
  std::string_view word;
  std::string_view what;  ///< for messages
  Consistency like;       ///< the level of Parallax that comes nearest
  bool writes = true;     ///< there are writes at it, not reads alone
};

struct TargetInfo {
  std::string_view name;            ///< of exec without its command
  std::string_view program;         ///< empty: none of ours to look for
  std::string_view package;         ///< Debian's, that has it
  std::vector<TargetLevel> levels;  ///< the first is the default; empty: those of Parallax
  std::vector<Fault> faults;        ///< that it can have
  bool endpoints = false;           ///< it can be run against where it runs already
  bool stamps = false;              ///< answers tell versions that have one order
  bool digests = false;             ///< nodes can be compared
};

/// What follows "exec:"; nothing of other targets.
std::optional<std::string> exec_command(std::string_view target);

/// Errors: bad_parameter, naming those that there are.
Result<const TargetInfo*> find_target(std::string_view target);
/// Of one that find_target() knows.
const TargetInfo& target_info(std::string_view target);

/// Levels of writes and of reads. Empty texts: the target's default; of reads: that of writes.
/// Errors: those of parse_consistency(); bad_parameter, naming the words that the target has.
Result<std::pair<Consistency, Consistency>> parse_levels(std::string_view target,
                                                         std::string_view writes,
                                                         std::string_view reads);
/// As the target calls it.
std::string level_word(std::string_view target, const Consistency& level);

/// What "all" stands for.
std::vector<Fault> possible_faults(const TargetInfo& target, Network network);

/// What does not go together with the target. Errors: bad_parameter, naming what would.
Result<void> check_target(const RunOptions& options);

}  // namespace parallax::harness
