// One history against every level at once: which hold, and for each that does not, why.
//
//   linearizable > sequential > CCv > CC, and CCv > each session guarantee
//                  sequential > CM  > CC
//
// What holds above holds below; a verdict that was not reached by itself is taken from there. What
// it does not do: judge by the log (log_order.h), by stamps, or staleness.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"

namespace parallax::checker {

enum class Criterion : std::uint8_t {
  linearizable,
  sequential,
  causal_convergence,
  causal_memory,
  causal,
  read_your_writes,
  monotonic_reads,
  monotonic_writes,
  writes_follow_reads,
};
inline constexpr std::size_t kCriteria = 9;
/// "causal convergence (CCv)"
std::string_view to_string(Criterion criterion);

struct CriterionVerdict {
  Verdict verdict = Verdict::undecided;
  std::string reason;   ///< of undecided; of yes or no, if it was taken from another
  std::string witness;  ///< of no: in words
};

struct ClassifyOptions {
  /// What every key holds at the beginning; nothing by default.
  std::optional<std::string> initial;
  Limits limits;  ///< of each search
  /// By Criterion: what is known of the same history. It is not judged again, nor is what follows
  /// from one that holds.
  std::array<std::optional<CriterionVerdict>, kCriteria> known = {};
};

struct Classification {
  std::array<CriterionVerdict, kCriteria> verdicts;  ///< by Criterion
  /// Those that hold, without those that one of them implies. Several, or none.
  std::vector<Criterion> strongest;
  const CriterionVerdict& operator[](Criterion criterion) const {
    return verdicts[static_cast<std::size_t>(criterion)];
  }
  /// A table, then the witnesses.
  std::string text() const;
};

Classification classify(const History& history, const ClassifyOptions& options = {});

}  // namespace parallax::checker
