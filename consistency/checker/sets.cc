#include "consistency/checker/sets.h"

#include <algorithm>

#include <boost/json.hpp>

namespace parallax::checker {

namespace json = boost::json;

std::optional<std::vector<std::string>> parse_members(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(text), error);
  if (error || !value.is_array()) return std::nullopt;
  std::vector<std::string> members;
  for (const json::value& member : value.get_array()) {
    members.push_back(member.is_string() ? std::string(std::string_view(member.get_string()))
                                         : json::serialize(member));
  }
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

std::string members_text(const std::vector<std::string>& members) {
  json::array array;
  for (const std::string& member : members) array.emplace_back(json::string_view(member));
  return json::serialize(array);
}

}  // namespace parallax::checker
