#include "harness/io/recorder.h"

#include <utility>

#include "harness/target.h"

namespace parallax::harness {

using checker::Operation;
using checker::OperationKind;
using checker::Outcome;

std::int64_t Recorder::now() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() -
                                                              start_)
      .count();
}

std::size_t Recorder::begin(std::uint32_t client, const Step& step) {
  const std::lock_guard lock(mutex_);
  Operation operation;
  operation.kind = step.kind;
  operation.outcome = Outcome::unknown;
  operation.client = client;
  operation.key = history_.texts.intern(step.key);
  if (step.kind != OperationKind::read) operation.value = history_.texts.intern(step.value);
  operation.level = history_.texts.intern(level_word(target_, step.level));
  operation.call_ns = now();
  history_.operations.push_back(operation);
  return history_.operations.size() - 1;
}

void Recorder::end(std::size_t place, const Performed& performed) {
  const std::int64_t at = now();
  const std::lock_guard lock(mutex_);
  Operation& operation = history_.operations[place];
  operation.kind = performed.kind;
  if (performed.level)
    operation.level = history_.texts.intern(level_word(target_, *performed.level));
  if (performed.kind == OperationKind::read) operation.value = checker::kNothing;
  operation.outcome = performed.outcome;
  if (performed.outcome != Outcome::unknown) operation.return_ns = at;
  operation.node = NodeId{performed.node};
  const auto text = [this](const std::optional<std::string>& value) {
    return value ? history_.texts.intern(*value) : checker::kAbsent;
  };
  if (performed.kind == OperationKind::cas) operation.expected = text(performed.expected);
  if (performed.shows) operation.result = text(performed.shown);
  if (!performed.stamp.empty()) operation.stamp = history_.texts.intern(performed.stamp);
  switch (performed.outcome) {
    case Outcome::ok:
    case Outcome::mismatch:
      ++counts_.ok;
      break;
    case Outcome::failed:
      ++counts_.failed;
      break;
    case Outcome::unknown:
      ++counts_.unknown;
      break;
  }
}

Recorder::Counts Recorder::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::size_t Recorder::size() const {
  const std::lock_guard lock(mutex_);
  return history_.operations.size();
}

checker::History Recorder::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(history_, {});
}

}  // namespace parallax::harness
