#include "node/json_body.h"

#include <algorithm>
#include <map>
#include <set>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include "base/assert.h"
#include "base/base64.h"

namespace parallax {
namespace {

namespace json = boost::json;

json::string_view json_text(std::string_view text) {
  return {text.data(), text.size()};
}

/// Finds a name that an object has twice, of which json::parse() would keep the last in silence.
struct Handler {
  static constexpr std::size_t max_object_size = json::string::max_size();
  static constexpr std::size_t max_array_size = json::string::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  bool on_object_begin(json::error_code&) {
    names.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    names.pop_back();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    name.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    name.append(part.data(), part.size());
    if (!names.back().insert(name).second) {
      twice = name;
      error = json::error::extra_data;  // any: it ends the search
      return false;
    }
    name.clear();
    return true;
  }
  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
  bool on_double(double, json::string_view, json::error_code&) { return true; }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  std::vector<std::set<std::string>> names;  ///< of the objects that are open
  std::string name;
  std::optional<std::string> twice;
};

std::optional<std::string> name_given_twice(std::string_view text) {
  json::basic_parser<Handler> parser(json::parse_options{});
  json::error_code error;
  parser.write_some(false, text.data(), text.size(), error);
  return parser.handler().twice;
}

std::optional<std::int64_t> as_whole(const json::value& value, const Field& field) {
  json::error_code error;
  if (!value.is_number()) return std::nullopt;
  const auto number = value.to_number<std::int64_t>(error);  // refuses fractions and overflow
  if (error || number < field.least || number > field.most) return std::nullopt;
  return number;
}

void append_canonical(const json::value& value, std::string& out) {
  if (const json::object* object = value.if_object()) {
    std::map<std::string_view, const json::value*> members;
    for (const auto& member : *object) {
      members.emplace(std::string_view(member.key().data(), member.key().size()), &member.value());
    }
    out += '{';
    for (const auto& [name, member] : members) {
      if (out.back() != '{') out += ',';
      out += json::serialize(json_text(name));
      out += ':';
      append_canonical(*member, out);
    }
    out += '}';
  } else if (const json::array* array = value.if_array()) {
    out += '[';
    for (const json::value& item : *array) {
      if (&item != array->begin()) out += ',';
      append_canonical(item, out);
    }
    out += ']';
  } else if (const double* number = value.if_double()) {
    out += fmt::format("{}", *number);
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

Result<JsonBody> JsonBody::parse(std::string_view text, std::span<const Field> members) {
  json::error_code error;
  json::value value = json::parse(json_text(text), error);
  if (error || !value.is_object()) {
    return definite(ErrorCode::bad_request,
                    fmt::format("the body must be a JSON object{}",
                                error ? ": " + error.message() : std::string()));
  }
  if (const auto twice = name_given_twice(text)) {
    return definite(ErrorCode::bad_request,
                    fmt::format("the body has {} twice in one object", quoted_for_message(*twice)));
  }
  return checked(std::move(value.get_object()), "", members);
}

Result<JsonBody> JsonBody::checked(json::object object, std::string prefix,
                                   std::span<const Field> members) {
  for (const auto& member : object) {
    const std::string_view name(member.key().data(), member.key().size());
    const auto known = [&](const Field& field) { return field.name == name; };
    if (std::any_of(members.begin(), members.end(), known)) continue;
    std::vector<std::string_view> names;
    for (const Field& field : members) names.push_back(field.name);
    return definite(ErrorCode::bad_parameter,
                    fmt::format("{} is not known; it may be {}{}",
                                quoted_for_message(prefix + std::string(name)), prefix,
                                fmt::join(names, ", " + prefix)));
  }
  JsonBody body;
  body.object_ = std::move(object);
  body.prefix_ = std::move(prefix);
  body.members_ = members;
  return body;
}

const Field& JsonBody::field(std::string_view name) const {
  for (const Field& member : members_) {
    if (member.name == name) return member;
  }
  PARALLAX_UNREACHABLE("a member without a row: {}", name);
}

const json::value* JsonBody::find(std::string_view name) const {
  const json::value* value = object_.if_contains(json_text(name));
  return value == nullptr || value->is_null() ? nullptr : value;
}

Error JsonBody::wrong(std::string_view name, std::string_view right) const {
  return definite(ErrorCode::bad_parameter,
                  fmt::format("\"{}{}\" must be {}", prefix_, name, right));
}

Result<void> JsonBody::check_size(std::string_view name, std::size_t size) const {
  const Field& bounds = field(name);
  const auto signed_size = static_cast<std::int64_t>(size);
  if (bounds.most == 0 || (signed_size >= bounds.least && signed_size <= bounds.most)) return {};
  return wrong(name, fmt::format("{} to {} bytes, and it has {}", bounds.least, bounds.most, size));
}

Result<std::optional<std::int64_t>> JsonBody::whole_number(std::string_view name) const {
  const Field& bounds = field(name);
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<std::int64_t>{};
  const auto number = as_whole(*value, bounds);
  if (!number) {
    return wrong(name, fmt::format("a whole number from {} to {}", bounds.least, bounds.most));
  }
  return number;
}

Result<std::optional<std::string>> JsonBody::replicas(std::string_view name) const {
  (void)field(name);
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<std::string>{};
  json::error_code error;
  if (value->is_number()) {
    const auto number = value->to_number<std::int64_t>(error);
    if (!error) return std::optional<std::string>{std::to_string(number)};
  } else if (value->is_string() && value->get_string() == "all") {
    return std::optional<std::string>{"all"};
  }
  return wrong(name, "a whole number from 1 to the replicas, or \"all\"");
}

Result<std::optional<double>> JsonBody::number(std::string_view name) const {
  const Field& bounds = field(name);
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<double>{};
  json::error_code error;
  const double number = value->is_number() ? value->to_number<double>(error) : 0;
  // Written so that a NaN, which compares false, is refused.
  const bool inside =
      number >= static_cast<double>(bounds.least) && number <= static_cast<double>(bounds.most);
  if (!value->is_number() || error || !inside) {
    return wrong(name, fmt::format("a number from {} to {}", bounds.least, bounds.most));
  }
  return std::optional<double>{number};
}

Result<std::optional<bool>> JsonBody::boolean(std::string_view name) const {
  (void)field(name);
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<bool>{};
  if (!value->is_bool()) return wrong(name, "true or false");
  return std::optional<bool>{value->get_bool()};
}

Result<std::optional<std::string>> JsonBody::text(std::string_view name) const {
  (void)field(name);
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<std::string>{};
  if (!value->is_string()) return wrong(name, "a string");
  PARALLAX_TRY(check_size(name, value->get_string().size()));
  return std::optional<std::string>{std::string(value->get_string())};
}

Result<std::optional<std::string>> JsonBody::json(std::string_view name) const {
  (void)field(name);
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<std::string>{};
  std::string text;
  append_canonical(*value, text);
  PARALLAX_TRY(check_size(name, text.size()));
  return std::optional<std::string>{std::move(text)};
}

Result<std::optional<std::string>> JsonBody::base64(std::string_view name) const {
  (void)field(name);
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<std::string>{};
  std::optional<std::string> bytes;
  if (value->is_string()) {
    const json::string& text = value->get_string();
    bytes = decode_base64({text.data(), text.size()});
  }
  if (!bytes) return wrong(name, "a string in base64 (RFC 4648, section 4, with padding)");
  PARALLAX_TRY(check_size(name, bytes->size()));
  return bytes;
}

Result<std::vector<std::int64_t>> JsonBody::whole_numbers(std::string_view name) const {
  const Field& bounds = field(name);
  std::vector<std::int64_t> numbers;
  const json::value* value = find(name);
  if (value == nullptr) return numbers;
  const auto refused = [&] {
    return wrong(name,
                 fmt::format("a list of whole numbers from {} to {}", bounds.least, bounds.most));
  };
  if (!value->is_array()) return refused();
  for (const json::value& item : value->get_array()) {
    const auto number = as_whole(item, bounds);
    if (!number) return refused();
    numbers.push_back(*number);
  }
  return numbers;
}

Result<std::optional<JsonBody>> JsonBody::object(std::string_view name,
                                                 std::span<const Field> members) const {
  (void)field(name);
  const json::value* value = find(name);
  if (value == nullptr) return std::optional<JsonBody>{};
  if (!value->is_object()) return wrong(name, "an object");
  PARALLAX_ASSIGN(JsonBody inner,
                  checked(value->get_object(), fmt::format("{}{}.", prefix_, name), members));
  return std::optional<JsonBody>{std::move(inner)};
}

Result<json::array> JsonBody::take_list(std::string_view name) {
  const Field& bounds = field(name);
  json::value* value = object_.if_contains(json_text(name));
  const auto size = value != nullptr && value->is_array()
                        ? static_cast<std::int64_t>(value->get_array().size())
                        : -1;
  if (size < bounds.least || size > bounds.most) {
    return wrong(name, fmt::format("a list of {} to {} objects", bounds.least, bounds.most));
  }
  return std::move(value->get_array());
}

}  // namespace parallax
