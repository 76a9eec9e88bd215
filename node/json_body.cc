#include "node/json_body.h"

#include <algorithm>

#include <boost/json.hpp>

#include "client/http_protocol.h"

namespace parallax {
namespace {

namespace json = boost::json;

json::string_view json_text(std::string_view text) {
  return {text.data(), text.size()};
}

std::optional<std::int64_t> as_whole(const json::value& value, std::int64_t least,
                                     std::int64_t most) {
  json::error_code error;
  if (!value.is_number()) return std::nullopt;
  const auto number = value.to_number<std::int64_t>(error);  // refuses fractions and overflow
  if (error || number < least || number > most) return std::nullopt;
  return number;
}

}  // namespace

Result<JsonBody> JsonBody::parse(std::string_view text,
                                 std::initializer_list<std::string_view> members) {
  json::error_code error;
  json::value value = json::parse(json_text(text), error);
  if (error || !value.is_object()) {
    return definite(ErrorCode::bad_request,
                    fmt::format("the body must be a JSON object{}",
                                error ? ": " + error.message() : std::string()));
  }
  return checked(std::move(value.get_object()), "", members);
}

Result<JsonBody> JsonBody::checked(json::object object, std::string prefix,
                                   std::initializer_list<std::string_view> members) {
  for (const auto& member : object) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(members.begin(), members.end(), name) != members.end()) continue;
    return definite(ErrorCode::bad_parameter,
                    fmt::format("{} is not known; it may be {}{}",
                                quoted_for_message(prefix + std::string(name)), prefix,
                                fmt::join(members, ", " + prefix)));
  }
  JsonBody body;
  body.object_ = std::move(object);
  body.prefix_ = std::move(prefix);
  return body;
}

const json::value* JsonBody::find(std::string_view name) const {
  const json::value* value = object_.if_contains(json_text(name));
  return value == nullptr || value->is_null() ? nullptr : value;
}

Error JsonBody::wrong(std::string_view name, std::string_view right) const {
  return definite(ErrorCode::bad_parameter,
                  fmt::format("\"{}{}\" must be {}", prefix_, name, right));
}

Result<std::optional<std::int64_t>> JsonBody::whole_number(std::string_view name,
                                                           std::int64_t least,
                                                           std::int64_t most) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<std::int64_t>{};
  const auto number = as_whole(*value, least, most);
  if (!number) return wrong(name, fmt::format("a whole number from {} to {}", least, most));
  return number;
}

Result<std::optional<double>> JsonBody::number(std::string_view name, double least,
                                               double most) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<double>{};
  json::error_code error;
  const double number = value->is_number() ? value->to_number<double>(error) : 0;
  // Written so that a NaN, which compares false, is refused.
  const bool inside = number >= least && number <= most;
  if (!value->is_number() || error || !inside) {
    return wrong(name, fmt::format("a number from {} to {}", least, most));
  }
  return std::optional<double>{number};
}

Result<std::optional<bool>> JsonBody::boolean(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<bool>{};
  if (!value->is_bool()) return wrong(name, "true or false");
  return std::optional<bool>{value->get_bool()};
}

Result<std::optional<std::string>> JsonBody::text(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<std::string>{};
  if (!value->is_string()) return wrong(name, "a string");
  return std::optional<std::string>{std::string(value->get_string())};
}

Result<std::vector<std::int64_t>> JsonBody::whole_numbers(std::string_view name, std::int64_t least,
                                                          std::int64_t most) const {
  std::vector<std::int64_t> numbers;
  const json::value* value = find(name);
  if (value == nullptr) return numbers;
  const auto refused = [&] {
    return wrong(name, fmt::format("a list of whole numbers from {} to {}", least, most));
  };
  if (!value->is_array()) return refused();
  for (const json::value& item : value->get_array()) {
    const auto number = as_whole(item, least, most);
    if (!number) return refused();
    numbers.push_back(*number);
  }
  return numbers;
}

Result<std::optional<JsonBody>> JsonBody::object(
    std::string_view name, std::initializer_list<std::string_view> members) const {
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<JsonBody>{};
  if (!value->is_object()) return wrong(name, "an object");
  PARALLAX_ASSIGN(JsonBody inner,
                  checked(value->get_object(), fmt::format("{}{}.", prefix_, name), members));
  return std::optional<JsonBody>{std::move(inner)};
}

}  // namespace parallax
