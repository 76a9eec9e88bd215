// What can be asked of a run, and which of it the levels of its operations promise.
//
// Promises are those of consistency/level.h (LevelInfo::promise) and of docs/API.md, taken together
// for a level that writes and one that reads. Where the two go different ways, only convergence is
// left (docs/ARCHITECTURE.md).
//
// What it does not do: judge (harness/judgement.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "harness/run_options.h"

namespace parallax::harness {

enum class Guarantee : std::uint8_t {
  linearizable,
  sequential,
  causal,  ///< causal convergence
  read_your_writes,
  monotonic_reads,
  monotonic_writes,
  writes_follow_reads,
  regular,   ///< no read shows a stamp below that of a write that had completed before
  prefix,    ///< each node shows states that the log passed through, and never goes back
  bounded,   ///< and none older than the bound
  no_loss,   ///< of counters and sets: what was acknowledged is there at the end, and only once
  unique,    ///< no two increments have the same answer
  converge,  ///< once all is healed, all replicas hold the same
};

struct GuaranteeInfo {
  Guarantee guarantee;
  std::string_view name;   ///< for --check
  std::string_view title;  ///< in reports
};
/// By Guarantee.
inline constexpr std::array kGuarantees{
    GuaranteeInfo{Guarantee::linearizable, "linearizable", "linearizable"},
    GuaranteeInfo{Guarantee::sequential, "sequential", "sequential"},
    GuaranteeInfo{Guarantee::causal, "causal", "causal convergence (CCv)"},
    GuaranteeInfo{Guarantee::read_your_writes, "ryw", "read your writes"},
    GuaranteeInfo{Guarantee::monotonic_reads, "mr", "monotonic reads"},
    GuaranteeInfo{Guarantee::monotonic_writes, "mw", "monotonic writes"},
    GuaranteeInfo{Guarantee::writes_follow_reads, "wfr", "writes follow reads"},
    GuaranteeInfo{Guarantee::regular, "regular", "regular, in the order of stamps"},
    GuaranteeInfo{Guarantee::prefix, "prefix", "consistent prefix"},
    GuaranteeInfo{Guarantee::bounded, "bounded", "bounded staleness"},
    GuaranteeInfo{Guarantee::no_loss, "no-loss", "nothing acknowledged is lost"},
    GuaranteeInfo{Guarantee::unique, "unique", "unique answers"},
    GuaranteeInfo{Guarantee::converge, "converge", "convergence"},
};
const GuaranteeInfo& guarantee_info(Guarantee guarantee);
/// Errors: bad_parameter, naming the word and those that there are.
Result<Guarantee> parse_guarantee(std::string_view name);

/// Those that can be judged of such a run at all, in the order of Guarantee.
std::vector<Guarantee> judgeable(const RunOptions& options);
/// Those of them that its levels promise.
std::vector<Guarantee> promised(const RunOptions& options);
/// Those that the run is held to: RunOptions::check, else what is promised. Errors: bad_parameter,
/// when one of `check` is unknown or cannot be judged of such a run.
Result<std::vector<Guarantee>> held_to(const RunOptions& options);

}  // namespace parallax::harness
