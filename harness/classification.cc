#include "harness/classification.h"

#include <algorithm>

#include "consistency/checker/classify.h"

namespace parallax::harness {
namespace {

using checker::Criterion;

const Verdict* verdict_of(const Run& run, Criterion criterion) {
  if (run.asked.workload == Workload::mixed_level) return nullptr;
  const auto found = std::find_if(
      run.verdicts.begin(), run.verdicts.end(),
      [&](const Verdict& verdict) { return verdict.guarantee == checker::to_string(criterion); });
  return found == run.verdicts.end() ? nullptr : &*found;
}

}  // namespace

LevelsReached classify_run(const Run& run) {
  checker::ClassifyOptions options;
  options.limits.max_steps /= kFewerSteps;
  for (std::size_t i = 0; i < checker::kCriteria; ++i) {
    const Verdict* const known = verdict_of(run, static_cast<Criterion>(i));
    if (known == nullptr) continue;
    options.known[i] = checker::CriterionVerdict{known->verdict, known->reason, known->witness};
  }
  checker::Classification found = checker::classify(run.history, options);
  LevelsReached reached;
  for (const Criterion criterion : found.strongest) {
    reached.strongest.emplace_back(checker::to_string(criterion));
  }
  for (std::size_t i = 0; i < checker::kCriteria; ++i) {
    const auto criterion = static_cast<Criterion>(i);
    checker::CriterionVerdict& judged = found.verdicts[i];
    Verdict verdict{.guarantee = std::string(checker::to_string(criterion)),
                    .verdict = judged.verdict,
                    .reason = std::move(judged.reason),
                    .witness = std::move(judged.witness)};
    const Verdict* const known = verdict_of(run, criterion);
    if (known != nullptr && known->verdict == verdict.verdict) {
      verdict.operations = known->operations;
    }
    reached.levels.push_back(std::move(verdict));
  }
  return reached;
}

}  // namespace parallax::harness
