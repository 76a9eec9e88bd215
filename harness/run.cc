#include "harness/run.h"

#include <fmt/format.h>

namespace parallax::harness {

std::string_view to_string(RunOutcome outcome) {
  constexpr std::array<std::string_view, 3> kNames{"held", "violated", "undecided"};
  return kNames[static_cast<std::size_t>(outcome)];
}

std::map<std::string, std::size_t> count_by_kind(const std::vector<FaultWindow>& faults) {
  std::map<std::string, std::size_t> counts;
  for (const FaultWindow& window : faults) ++counts[window.kind];
  return counts;
}

std::string counts_text(const std::vector<FaultWindow>& faults) {
  std::string text;
  for (const auto& [kind, count] : count_by_kind(faults)) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, kind);
  }
  return text.empty() ? "none" : text;
}

}  // namespace parallax::harness
