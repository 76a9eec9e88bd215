#include "consistency/checker/classify.h"

#include <algorithm>

#include <fmt/format.h>

#include "consistency/checker/causal.h"
#include "consistency/checker/linearizability.h"
#include "consistency/checker/sequential.h"
#include "consistency/checker/session_guarantees.h"

namespace parallax::checker {
namespace {

constexpr std::array<std::string_view, kCriteria> kNames{
    "linearizable",       "sequential",       "causal convergence (CCv)",
    "causal memory (CM)", "causal (CC)",      "read your writes",
    "monotonic reads",    "monotonic writes", "writes follow reads"};

struct Implies {
  Criterion above, below;
};
/// Each after those that what it concludes from depends on.
constexpr std::array kLattice{
    Implies{Criterion::linearizable, Criterion::sequential},
    Implies{Criterion::sequential, Criterion::causal_convergence},
    Implies{Criterion::sequential, Criterion::causal_memory},
    Implies{Criterion::causal_convergence, Criterion::causal},
    Implies{Criterion::causal_memory, Criterion::causal},
    Implies{Criterion::causal_convergence, Criterion::read_your_writes},
    Implies{Criterion::causal_convergence, Criterion::monotonic_reads},
    Implies{Criterion::causal_convergence, Criterion::monotonic_writes},
    Implies{Criterion::causal_convergence, Criterion::writes_follow_reads}};

CriterionVerdict judge_linearizable(const History& history, const ClassifyOptions& options) {
  const LinearizabilityResult result =
      check_linearizability(history, {.initial = options.initial, .limits = options.limits});
  return {result.verdict, result.reason,
          result.counterexample ? result.counterexample->text : std::string()};
}

/// Of any result with a verdict, a reason and a witness.
CriterionVerdict take(const auto& result) {
  return {result.verdict, result.reason, result.witness ? result.witness->text : std::string()};
}

void conclude(std::array<CriterionVerdict, kCriteria>& verdicts) {
  const auto at = [&](Criterion c) -> CriterionVerdict& {
    return verdicts[static_cast<std::size_t>(c)];
  };
  for (const auto& [above, below] : kLattice) {
    if (at(above).verdict == Verdict::yes && at(below).verdict == Verdict::undecided) {
      at(below) = {Verdict::yes, fmt::format("because it is {}", to_string(above)), {}};
    }
  }
  for (auto rule = kLattice.rbegin(); rule != kLattice.rend(); ++rule) {
    CriterionVerdict& above = at(rule->above);
    if (at(rule->below).verdict == Verdict::no && above.verdict == Verdict::undecided) {
      above = {Verdict::no, fmt::format("because it is not {}", to_string(rule->below)),
               at(rule->below).witness};
    }
  }
}

bool implies(Criterion above, Criterion below) {
  return std::any_of(kLattice.begin(), kLattice.end(), [&](const Implies& rule) {
    return rule.above == above && (rule.below == below || implies(rule.below, below));
  });
}

bool follows_from_known(Criterion criterion, const ClassifyOptions& options) {
  for (std::size_t i = 0; i < kCriteria; ++i) {
    const auto& known = options.known[i];
    if (known && known->verdict == Verdict::yes && implies(static_cast<Criterion>(i), criterion)) {
      return true;
    }
  }
  return false;
}

/// The session guarantees are judged all at once.
CriterionVerdict judge(Criterion criterion, const History& history, const ClassifyOptions& options,
                       std::optional<GuaranteeResults>& guarantees) {
  const CausalOptions causal{.initial = options.initial, .limits = options.limits};
  switch (criterion) {
    case Criterion::linearizable:
      return judge_linearizable(history, options);
    case Criterion::sequential:
      return take(
          check_sequential(history, {.initial = options.initial, .limits = options.limits}));
    case Criterion::causal_convergence:
      return take(check_causal(history, CausalModel::ccv, causal));
    case Criterion::causal_memory:
      return take(check_causal(history, CausalModel::cm, causal));
    case Criterion::causal:
      return take(check_causal(history, CausalModel::cc, causal));
    case Criterion::read_your_writes:
    case Criterion::monotonic_reads:
    case Criterion::monotonic_writes:
    case Criterion::writes_follow_reads:
      break;
  }
  if (!guarantees) guarantees = check_session_guarantees(history, {.initial = options.initial});
  return take((*guarantees)[static_cast<std::size_t>(criterion) -
                            static_cast<std::size_t>(Criterion::read_your_writes)]);
}

}  // namespace

std::string_view to_string(Criterion criterion) {
  return kNames[static_cast<std::size_t>(criterion)];
}

Classification classify(const History& history, const ClassifyOptions& options) {
  Classification result;
  const auto at = [&](Criterion c) -> CriterionVerdict& {
    return result.verdicts[static_cast<std::size_t>(c)];
  };
  std::optional<GuaranteeResults> guarantees;
  for (std::size_t i = 0; i < kCriteria; ++i) {
    const auto criterion = static_cast<Criterion>(i);
    if (options.known[i]) {
      at(criterion) = *options.known[i];
    } else if (!follows_from_known(criterion, options)) {
      at(criterion) = judge(criterion, history, options, guarantees);
    }
  }
  conclude(result.verdicts);
  for (std::size_t i = 0; i < kCriteria; ++i) {
    const auto criterion = static_cast<Criterion>(i);
    if (at(criterion).verdict != Verdict::yes) continue;
    const bool implied =
        std::any_of(result.strongest.begin(), result.strongest.end(),
                    [&](Criterion stronger) { return implies(stronger, criterion); });
    if (!implied) result.strongest.push_back(criterion);
  }
  return result;
}

std::string Classification::text() const {
  std::string text = "Strongest that holds:";
  for (std::size_t i = 0; i < strongest.size(); ++i) {
    text += fmt::format("{} {}", i == 0 ? "" : ",", to_string(strongest[i]));
  }
  text += strongest.empty() ? " none\n" : "\n";
  for (std::size_t i = 0; i < kCriteria; ++i) {
    text += fmt::format("  {:26} {:10} {}\n", kNames[i], to_string(verdicts[i].verdict),
                        verdicts[i].reason);
  }
  for (std::size_t i = 0; i < kCriteria; ++i) {
    if (verdicts[i].witness.empty() || !verdicts[i].reason.empty()) continue;
    text += fmt::format("\nNot {}:\n{}", kNames[i], verdicts[i].witness);
  }
  return text;
}

}  // namespace parallax::checker
