// Sets as texts: a JSON array of members, in any order, each perhaps more than once.
//
// A member is what an "add" adds: a text, or what stands for one (numbers and so on).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parallax::checker {

/// The members in order, each once; nothing if `text` is not such an array.
std::optional<std::vector<std::string>> parse_members(std::string_view text);
/// The one text of a set: its members in order. Of none it is "[]".
std::string members_text(const std::vector<std::string>& members);

}  // namespace parallax::checker
