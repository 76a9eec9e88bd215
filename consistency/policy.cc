#include "consistency/policy.h"

#include <algorithm>

#include "base/assert.h"
#include "consistency/quoted.h"

namespace parallax {
namespace {

template <class Choices, class Choice>
std::string_view name_in(const Choices& choices, Choice wanted) {
  for (const auto& [choice, name] : choices) {
    if (choice == wanted) return name;
  }
  PARALLAX_UNREACHABLE("a choice without a name: {}", static_cast<int>(wanted));
}

template <class Choices>
auto parse_in(const Choices& choices, std::string_view what, std::string_view text)
    -> Result<decltype(choices.front().first)> {
  std::string valid;
  for (const auto& [choice, name] : choices) {
    if (name == text) return choice;
    if (!valid.empty()) valid += ", ";
    valid += name;
  }
  return definite(ErrorCode::bad_parameter,
                  fmt::format("{} is no {}; use one of {}", quoted(text), what, valid));
}

}  // namespace

std::string_view mixing_name(Mixing mixing) {
  return name_in(kMixings, mixing);
}

std::string_view conflict_name(ConflictStrategy strategy) {
  return name_in(kConflictStrategies, strategy);
}

Result<Mixing> parse_mixing(std::string_view text) {
  return parse_in(kMixings, "mixing", text);
}

Result<ConflictStrategy> parse_conflict(std::string_view text) {
  return parse_in(kConflictStrategies, "conflict strategy", text);
}

bool is_unordered(Level level) {
  return std::find(kUnorderedLevels.begin(), kUnorderedLevels.end(), level) !=
         kUnorderedLevels.end();
}

std::string unordered_level_names() {
  std::string names;
  for (const Level level : kUnorderedLevels) {
    if (!names.empty()) names += ", ";
    names += level_info(level).name;
  }
  return names;
}

std::optional<Error> policy_error(const Policy& policy) {
  if (policy.conflict == ConflictStrategy::last_writer) return std::nullopt;
  const Level level = policy.default_consistency.value_or(Consistency{}).level;
  if (is_unordered(level)) return std::nullopt;
  return definite(
      ErrorCode::bad_parameter,
      fmt::format("conflict '{}' does not go with the default_consistency '{}'; use "
                  "one of {}",
                  conflict_name(policy.conflict), level_info(level).name, unordered_level_names()));
}

}  // namespace parallax
