#include "consistency/level.h"

#include "base/assert.h"
#include "consistency/quoted.h"

namespace parallax {
namespace {

/// "linearizable (or strong), prefix".
std::string valid_levels() {
  std::string list;
  for (const LevelInfo& row : kLevels) {
    if (!list.empty()) list += ", ";
    list += row.name;
    if (!row.alias.empty()) list += fmt::format(" (or {})", row.alias);
  }
  return list;
}

}  // namespace

const LevelInfo& level_info(Level level) {
  for (const LevelInfo& row : kLevels) {
    if (row.level == level) return row;
  }
  PARALLAX_UNREACHABLE("a level without a row: {}", static_cast<int>(level));
}

std::string Consistency::to_string() const {
  // No level has parameters yet.
  return std::string(level_info(level).name);
}

Result<Level> parse_level(std::string_view text) {
  for (const LevelInfo& row : kLevels) {
    if (text == row.name || (!row.alias.empty() && text == row.alias)) return row.level;
  }
  return definite(ErrorCode::unknown_level, fmt::format("{} is no consistency level; use one of {}",
                                                        quoted(text), valid_levels()));
}

}  // namespace parallax
