#include "consistency/checker/model.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "base/assert.h"
#include "consistency/checker/sets.h"

namespace parallax::checker {
namespace {

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What an operation with an effect comes to: `after` if it can be, else what its outcome allows.
Next settle(State before, Next after, const Operation& operation) {
  if (operation.outcome == Outcome::unknown) return after.value_or(before);
  if (after && operation.result != kNothing && operation.result != *after) return std::nullopt;
  return after;
}

}  // namespace

Next step_read(State state, const Operation& read) {
  if (read.result == kNothing || read.result == state) return state;
  return std::nullopt;
}

Next step_write(State, const Operation& write) {
  return write.value;
}

Next step_remove(State, const Operation&) {
  return kAbsent;
}

Next step_cas(State state, const Operation& cas) {
  const bool matches = state == cas.expected;
  if (cas.outcome == Outcome::mismatch) {
    return matches ? std::nullopt : step_read(state, cas);
  }
  if (matches) return cas.value;
  return cas.outcome == Outcome::unknown ? Next{state} : std::nullopt;
}

Next step_increment(Texts& texts, State state, const Operation& increment) {
  const auto before = state == kAbsent ? 0 : parse_number(texts[state]);
  const auto by = increment.value == kNothing ? 1 : parse_number(texts[increment.value]);
  std::int64_t sum = 0;
  if (!before || !by || __builtin_add_overflow(*before, *by, &sum)) {
    return settle(state, std::nullopt, increment);
  }
  return settle(state, texts.intern(std::to_string(sum)), increment);
}

Next step_append(Texts& texts, State state, const Operation& append) {
  std::string sum{texts[state]};
  sum += texts[append.value];
  return settle(state, texts.intern(sum), append);
}

Next step_add(Texts& texts, State state, const Operation& add) {
  auto members = parse_members(state == kAbsent ? "[]" : texts[state]);
  if (!members) return settle(state, std::nullopt, add);
  const std::string member(texts[add.value]);
  const auto at = std::lower_bound(members->begin(), members->end(), member);
  if (at == members->end() || *at != member) members->insert(at, member);
  return settle(state, texts.intern(members_text(*members)), add);
}

Next step(Texts& texts, State state, const Operation& operation) {
  switch (operation.kind) {
    case OperationKind::read:
      return step_read(state, operation);
    case OperationKind::write:
      return step_write(state, operation);
    case OperationKind::cas:
      return step_cas(state, operation);
    case OperationKind::remove:
      return step_remove(state, operation);
    case OperationKind::increment:
      return step_increment(texts, state, operation);
    case OperationKind::append:
      return step_append(texts, state, operation);
    case OperationKind::add:
      return step_add(texts, state, operation);
    case OperationKind::txn:
    case OperationKind::scan:
      break;
  }
  PARALLAX_UNREACHABLE("no model of one key has a {}", to_string(operation.kind));
}

bool is_pure(const Operation& operation) {
  return operation.kind == OperationKind::read || operation.outcome == Outcome::mismatch ||
         (operation.kind == OperationKind::cas && operation.value == operation.expected);
}

}  // namespace parallax::checker
