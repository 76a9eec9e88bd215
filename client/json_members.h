// Members of a JSON object in an answer: read by name and type. What is not asked for is ignored,
// so that a newer node may say more. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/error.h"

namespace parallax::json_members {

/// How every message begins here; what follows says what is wrong.
inline constexpr std::string_view kNotUnderstood = "the node's answer is not understood: ";

inline Error shape_error(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("{}{}", kNotUnderstood, what));
}

/// Errors: corrupt.
inline Result<boost::json::object> parse_object(std::string_view text) {
  boost::json::error_code error;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
  if (error) return shape_error(fmt::format("no JSON ({})", error.message()));
  if (!value.is_object()) return shape_error("no JSON object");
  return std::move(value.get_object());
}

/// nullptr when absent or null.
inline const boost::json::value* find(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains({name.data(), name.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

/// T: a string, a bool or a number. Absent and null are nothing. Errors: corrupt, for another type.
template <class T>
Result<std::optional<T>> read(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = find(object, name);
  if (value == nullptr) return std::optional<T>{};
  if constexpr (std::is_same_v<T, std::string>) {
    if (value->is_string()) return std::optional<T>{std::string(value->get_string())};
  } else if constexpr (std::is_same_v<T, bool>) {
    if (value->is_bool()) return std::optional<T>{value->get_bool()};
  } else {
    boost::json::error_code error;
    const T number = value->is_number() ? value->to_number<T>(error) : T{};
    if (value->is_number() && !error) return std::optional<T>{number};
  }
  return shape_error(fmt::format("\"{}\" is of an unexpected type", name));
}

/// Errors: corrupt, when it is absent too.
template <class T>
Result<T> need(const boost::json::object& object, std::string_view name) {
  PARALLAX_ASSIGN(const auto value, read<T>(object, name));
  if (!value) return shape_error(fmt::format("\"{}\" is missing", name));
  return *value;
}

/// Calls `each(const object&) -> Result<void>` for the objects of a list. Errors: corrupt, when it
/// is missing or no list of objects; those of `each`.
template <class Each>
Result<void> for_each_object(const boost::json::object& object, std::string_view name, Each each) {
  const boost::json::value* list = find(object, name);
  if (list == nullptr || !list->is_array()) {
    return shape_error(fmt::format("\"{}\" is no list", name));
  }
  for (const boost::json::value& value : list->get_array()) {
    if (!value.is_object()) {
      return shape_error(fmt::format("something in \"{}\" is no object", name));
    }
    PARALLAX_TRY(each(value.get_object()));
  }
  return {};
}

}  // namespace parallax::json_members
