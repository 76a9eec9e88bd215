#include "harness/judge.h"

#include <fmt/format.h>

#include "consistency/checker/counterexample.h"
#include "consistency/checker/linearizability.h"
#include "consistency/checker/stamp_order.h"

namespace parallax::harness {
namespace {

using checker::Verdict;

Judgement judge_linearizable(const Recorded& recorded, const checker::Limits& limits) {
  auto result = checker::check_linearizability(recorded.history,
                                               {.initial = recorded.initial, .limits = limits});
  Judgement judgement{.verdict = result.verdict, .reason = std::move(result.reason)};
  if (result.counterexample) {
    judgement.witness = std::move(result.counterexample->operations);
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
    judgement.witness = {result.witness->earlier, result.witness->read};
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

}  // namespace

const std::vector<CheckedLevel>& checked_levels() {
  static const std::vector<CheckedLevel> levels{
      {"linearizable", "one order, within the operations' times, explains all answers",
       judge_linearizable},
      {"atomic", "the same", judge_linearizable},
      {"quorum", "no read shows a stamp below that of a write completed before it", judge_quorum},
      {"stamp-atomic", "nor below that of what was read before it", judge_stamp_atomic},
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
