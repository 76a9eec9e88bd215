#include "harness/judge.h"

#include <array>
#include <span>

#include <fmt/format.h>

#include "consistency/checker/causal.h"
#include "consistency/checker/counterexample.h"
#include "consistency/checker/linearizability.h"
#include "consistency/checker/session_guarantees.h"
#include "consistency/checker/stamp_order.h"

namespace parallax::harness {
namespace {

using checker::Verdict;

Judgement judge_linearizable(const Recorded& recorded, const checker::Limits& limits) {
  auto result = checker::check_linearizability(recorded.history,
                                               {.initial = recorded.initial, .limits = limits});
  Judgement judgement{.verdict = result.verdict, .reason = std::move(result.reason)};
  if (result.counterexample) {
    judgement.witness = {recorded.history.texts, std::move(result.counterexample->operations)};
    judgement.text = std::move(result.counterexample->text);
    if (recorded.format != Format::parallax) {
      judgement.text +=
          "\n(The log has no times, only an order: 1 ns is from one event to the next.)\n";
    }
  }
  return judgement;
}

Judgement judge_stamps(const Recorded& recorded, checker::StampRule rule) {
  auto result = checker::check_stamp_order(recorded.history, rule);
  Judgement judgement{.verdict = result.verdict, .reason = std::move(result.reason)};
  if (result.witness) {
    judgement.witness = {recorded.history.texts, {result.witness->earlier, result.witness->read}};
    judgement.text = result.witness->text + "\n";
    if (result.too_old > 1) {
      judgement.text += fmt::format("{} of {} reads are too old.\n", result.too_old, result.reads);
    }
  }
  return judgement;
}

Judgement judge_quorum(const Recorded& recorded, const checker::Limits&) {
  return judge_stamps(recorded, checker::StampRule::regular);
}

Judgement judge_stamp_atomic(const Recorded& recorded, const checker::Limits&) {
  return judge_stamps(recorded, checker::StampRule::atomic);
}

/// `result` of a checker that gives a Witness.
template <class Result>
Judgement judged(Result result) {
  Judgement judgement{.verdict = result.verdict, .reason = std::move(result.reason)};
  if (result.witness) {
    judgement.witness = std::move(result.witness->part);
    judgement.text =
        fmt::format("{}\n{}", result.witness->pattern, std::move(result.witness->text));
  }
  return judgement;
}

/// Causal convergence: of the three senses the one that the level promises.
Judgement judge_causal(const Recorded& recorded, const checker::Limits& limits) {
  return judged(checker::check_causal(recorded.history, checker::CausalModel::ccv,
                                      {.initial = recorded.initial, .limits = limits}));
}

/// The four guarantees, each by itself: one that is violated, or what the others come to.
Judgement judge_guarantees(const Recorded& recorded, std::span<const checker::Guarantee> asked) {
  auto results = checker::check_session_guarantees(recorded.history, {recorded.initial});
  Judgement worst{.verdict = Verdict::yes};
  for (const checker::Guarantee guarantee : asked) {
    Judgement judgement = judged(std::move(results[static_cast<std::size_t>(guarantee)]));
    const std::string name(checker::to_string(guarantee));
    if (judgement.verdict == Verdict::no) {
      judgement.text = name + ": " + judgement.text;
      return judgement;
    }
    if (judgement.verdict == Verdict::yes || worst.verdict == Verdict::undecided) continue;
    judgement.reason = name + ": " + judgement.reason;
    worst = std::move(judgement);
  }
  return worst;
}

Judgement judge_session(const Recorded& recorded, const checker::Limits&) {
  return judge_guarantees(recorded, checker::kGuarantees);
}

template <checker::Guarantee kOne>
Judgement judge_guarantee(const Recorded& recorded, const checker::Limits&) {
  return judge_guarantees(recorded, std::array{kOne});
}

}  // namespace

const std::vector<CheckedLevel>& checked_levels() {
  using checker::Guarantee;
  static const std::vector<CheckedLevel> levels{
      {"linearizable", "one order, within the operations' times, explains all answers",
       judge_linearizable},
      {"atomic", "the same", judge_linearizable},
      {"quorum", "no read shows a stamp below that of a write completed before it", judge_quorum},
      {"stamp-atomic", "nor below that of what was read before it", judge_stamp_atomic},
      {"causal", "whoever sees an operation sees all that it follows, and all agree on one order",
       judge_causal},
      {"session", "the four session guarantees, each by itself", judge_session},
      {"ryw", "read your writes", judge_guarantee<Guarantee::read_your_writes>},
      {"mr", "monotonic reads", judge_guarantee<Guarantee::monotonic_reads>},
      {"mw", "monotonic writes", judge_guarantee<Guarantee::monotonic_writes>},
      {"wfr", "writes follow reads", judge_guarantee<Guarantee::writes_follow_reads>},
  };
  return levels;
}

const CheckedLevel* find_level(std::string_view name) {
  for (const CheckedLevel& level : checked_levels()) {
    if (level.name == name) return &level;
  }
  return nullptr;
}

Judgement judge(const Recorded& recorded, const CheckedLevel& level,
                const checker::Limits& limits) {
  for (const checker::Operation& operation : recorded.history.operations) {
    if (operation.kind >= checker::OperationKind::txn || recorded.model->has(operation.kind)) {
      continue;
    }
    return {.reason =
                fmt::format("client {} has a {}, which is not in the model {}", operation.client,
                            checker::to_string(operation.kind), recorded.model->name)};
  }
  return level.judge(recorded, limits);
}

checker::Classification classify(const Recorded& recorded, const CheckedLevel& level,
                                 const Judgement& judged, const checker::Limits& limits) {
  using checker::Criterion;
  static const std::vector<std::pair<std::string_view, Criterion>> same{
      {"linearizable", Criterion::linearizable}, {"atomic", Criterion::linearizable},
      {"causal", Criterion::causal_convergence}, {"ryw", Criterion::read_your_writes},
      {"mr", Criterion::monotonic_reads},        {"mw", Criterion::monotonic_writes},
      {"wfr", Criterion::writes_follow_reads}};
  checker::ClassifyOptions options{.initial = recorded.initial, .limits = limits};
  for (const auto& [name, criterion] : same) {
    if (name != level.name) continue;
    options.known[static_cast<std::size_t>(criterion)] =
        checker::CriterionVerdict{judged.verdict, judged.reason, judged.text};
  }
  return checker::classify(recorded.history, options);
}

std::string describe(const checker::Staleness& staleness) {
  using checker::describe_duration;
  std::string text = fmt::format(
      "of {} reads {} are stale: p50 {}, p99 {}, max {}; delta {}; of {} keys {} are 1-atomic, {} "
      "2-atomic, {} neither",
      staleness.reads, staleness.stale_reads, describe_duration(staleness.p50_ns),
      describe_duration(staleness.p99_ns), describe_duration(staleness.max_ns),
      describe_duration(staleness.delta_ns), staleness.keys, staleness.keys_1_atomic,
      staleness.keys_2_atomic, staleness.keys_beyond_2);
  if (staleness.impossible_reads > 0) {
    text += fmt::format("; {} reads of what nobody had written", staleness.impossible_reads);
  }
  if (staleness.keys_left_out > 0) {
    text += fmt::format("; {} more keys are not of unique values", staleness.keys_left_out);
  }
  return text;
}

}  // namespace parallax::harness
