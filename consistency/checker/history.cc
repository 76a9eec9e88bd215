#include "consistency/checker/history.h"

#include <array>

namespace parallax::checker {
namespace {

constexpr std::array<std::string_view, 9> kKindNames{
    "read", "write", "cas", "delete", "increment", "append", "add", "txn", "scan"};

}  // namespace

std::string_view to_string(OperationKind kind) {
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::optional<OperationKind> parse_operation_kind(std::string_view name) {
  for (std::size_t i = 0; i < kKindNames.size(); ++i) {
    if (kKindNames[i] == name) return static_cast<OperationKind>(i);
  }
  return std::nullopt;
}

}  // namespace parallax::checker
