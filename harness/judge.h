// What the checker of a level says of a recorded history.
//
// The operations' own levels play no part: the whole history is held to one level.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consistency/checker/classify.h"
#include "consistency/checker/history.h"
#include "consistency/checker/staleness.h"
#include "consistency/checker/verdict.h"
#include "harness/recorded.h"

namespace parallax::harness {

struct Judgement {
  checker::Verdict verdict = checker::Verdict::undecided;
  std::string reason;  ///< of undecided
  /// Of no: the operations that contradict each other, and that in words.
  checker::History witness = {};
  std::string text = {};
};

/// A level for which there is a checker.
struct CheckedLevel {
  std::string_view name;
  std::string_view what;  ///< for --help
  Judgement (*judge)(const Recorded& recorded, const checker::Limits& limits);
};

/// The level of that name, or nullptr. "linearizable" is the first of all.
const CheckedLevel* find_level(std::string_view name);
const std::vector<CheckedLevel>& checked_levels();

/// Undecided without a look if the model does not have what the history has.
Judgement judge(const Recorded& recorded, const CheckedLevel& level,
                const checker::Limits& limits = {});

/// Of all levels that no stamps or log are needed for, whichever is asked: `level` has been judged,
/// so that it need not be again where it is one of them.
checker::Classification classify(const Recorded& recorded, const CheckedLevel& level,
                                 const Judgement& judged, const checker::Limits& limits = {});

/// How old what reads returned was, in one line.
std::string describe(const checker::Staleness& staleness);

}  // namespace parallax::harness
