#include "consistency/policy.h"

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

}  // namespace parallax
