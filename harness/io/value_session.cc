#include "harness/io/value_session.h"

#include <charconv>
#include <utility>

#include "consistency/checker/sets.h"

namespace parallax::harness {

using checker::OperationKind;
using checker::Outcome;

namespace {

/// Keys of which a client remembers the value.
constexpr std::size_t kMostKnown = 10'000;

}  // namespace

Performed ValueSession::perform(const Step& step) {
  Step carried = step;
  const auto found = known_.find(step.key);
  const bool looks = step.kind == OperationKind::cas && found == known_.end();
  if (looks) {
    carried.kind = OperationKind::read;
    carried.level = reads_;
  }
  const bool compares = carried.kind == OperationKind::cas;
  const std::optional<std::string> expected = compares ? found->second : std::nullopt;
  Performed performed = carry_out(carried, expected);
  if (looks) performed.level = reads_;
  if (compares) performed.expected = expected;

  const bool wrote = carried.kind == OperationKind::write || compares;
  if (performed.outcome == Outcome::ok && wrote) {
    if (known_.size() >= kMostKnown) known_.clear();
    known_[step.key] = step.value;
  } else if (performed.shows && step.shape == Shape::text) {
    if (known_.size() >= kMostKnown) known_.clear();
    known_[step.key] = performed.shown;
  } else if (wrote) {
    known_.erase(step.key);
  }
  return performed;
}

std::optional<std::string> grown(const Step& step, const std::optional<std::string>& before) {
  if (step.kind == OperationKind::append) return before.value_or("") + step.value;
  if (step.kind == OperationKind::increment) {
    std::int64_t sum = 0;
    std::int64_t by = 0;
    const auto read = [](const std::string& text, std::int64_t& number) {
      return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{};
    };
    if (!read(before.value_or("0"), sum) || !read(step.value, by)) return std::nullopt;
    return std::to_string(sum + by);
  }
  auto members = checker::parse_members(before.value_or("[]"));
  if (!members) return std::nullopt;
  members->push_back(step.value);
  return checker::members_text(*members);
}

Performed answered(const Step& step, Outcome outcome) {
  return {.kind = step.kind, .outcome = outcome, .node = step.node};
}

Performed showing(const Step& step, std::optional<std::string> value, Outcome outcome) {
  Performed performed = answered(step, outcome);
  performed.shows = true;
  performed.shown = std::move(value);
  return performed;
}

Performed failed(const Step& step, bool certain) {
  const bool nothing_happened = certain || step.kind == OperationKind::read;
  return {.kind = step.kind, .outcome = nothing_happened ? Outcome::failed : Outcome::unknown};
}

}  // namespace parallax::harness
