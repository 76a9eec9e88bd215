#include "client/answer_json.h"

#include <utility>

#include "base/base64.h"
#include "client/http_protocol.h"
#include "client/json_members.h"

namespace parallax {
namespace {

namespace json = boost::json;
using json_members::for_each_object;
using json_members::need;
using json_members::parse_object;
using json_members::read;
using json_members::shape_error;

Result<Stamp> need_etag(const json::object& object) {
  PARALLAX_ASSIGN(const std::string text, need<std::string>(object, "etag"));
  auto stamp = parse_etag(text);
  if (!stamp) return shape_error("\"etag\" is no ETag");
  return *stamp;
}

/// Nothing when absent.
Result<std::optional<std::string>> read_base64(const json::object& object, std::string_view name) {
  PARALLAX_ASSIGN(const auto text, read<std::string>(object, name));
  if (!text) return std::optional<std::string>{};
  auto bytes = decode_base64(*text);
  if (!bytes) return shape_error(fmt::format("\"{}\" is no base64", name));
  return std::optional<std::string>{std::move(*bytes)};
}

/// `name` as text, or NAME_base64.
Result<std::string> need_text_or_base64(const json::object& object, const std::string& name) {
  PARALLAX_ASSIGN(auto text, read<std::string>(object, name));
  if (text) return std::move(*text);
  PARALLAX_ASSIGN(auto bytes, read_base64(object, name + "_base64"));
  if (bytes) return std::move(*bytes);
  return shape_error(fmt::format("\"{}\" is missing", name));
}

Result<Bytes> read_value(const json::object& object) {
  PARALLAX_ASSIGN(auto bytes, read_base64(object, "value_base64"));
  return bytes ? Bytes(std::move(*bytes)) : Bytes();
}

Result<std::string> read_content_type(const json::object& object) {
  PARALLAX_ASSIGN(auto text, read<std::string>(object, "content_type"));
  return text ? std::move(*text) : std::string();
}

/// A list of keys, if it is there; `decode` makes a key of each text, or nothing.
template <class Decode>
Result<void> read_keys(const json::object& object, std::string_view name,
                       std::vector<std::string>& keys, Decode decode) {
  const json::value* list = json_members::find(object, name);
  if (list == nullptr) return {};
  if (!list->is_array()) return shape_error(fmt::format("\"{}\" is no list", name));
  for (const json::value& value : list->get_array()) {
    std::optional<std::string> key;
    if (value.is_string()) key = decode(std::string_view(value.get_string()));
    if (!key) return shape_error(fmt::format("something in \"{}\" is no key", name));
    keys.push_back(std::move(*key));
  }
  return {};
}

/// All but the key.
Result<Item> read_item(const json::object& object) {
  Item item;
  PARALLAX_ASSIGN(item.stamp, need_etag(object));
  PARALLAX_ASSIGN(item.value, read_value(object));
  PARALLAX_ASSIGN(item.content_type, read_content_type(object));
  return item;
}

Result<Policy> read_policy(const json::object& object) {
  Policy policy;
  PARALLAX_ASSIGN(const auto level, read<std::string>(object, "default_consistency"));
  PARALLAX_ASSIGN(const auto mixing, read<std::string>(object, "mixing"));
  PARALLAX_ASSIGN(const auto conflict, read<std::string>(object, "conflict"));
  if (level) {
    const auto consistency = parse_consistency(*level);
    if (!consistency) return shape_error(consistency.error().message);
    policy.default_consistency = *consistency;
  }
  if (mixing) {
    const auto parsed = parse_mixing(*mixing);
    if (!parsed) return shape_error(parsed.error().message);
    policy.mixing = *parsed;
  }
  if (conflict) {
    const auto parsed = parse_conflict(*conflict);
    if (!parsed) return shape_error(parsed.error().message);
    policy.conflict = *parsed;
  }
  return policy;
}

Result<HttpResponse> read_batch_result(const json::object& object) {
  constexpr std::pair<std::string_view, std::string_view> kHeaders[] = {
      {"etag", "ETag"},
      {"consistency", http_header::kConsistency},
      {"context", http_header::kContext},
      {"evidence", http_header::kEvidence},
      {"content_type", "Content-Type"},
  };
  HttpResponse response;
  PARALLAX_ASSIGN(response.status, need<int>(object, "status"));
  for (const auto& [member, header] : kHeaders) {
    PARALLAX_ASSIGN(auto text, read<std::string>(object, member));
    if (text) response.headers.emplace_back(header, std::move(*text));
  }
  PARALLAX_ASSIGN(const auto staleness, read<std::uint64_t>(object, "staleness_ms"));
  if (staleness) {
    response.headers.emplace_back(http_header::kStaleness, std::to_string(*staleness));
  }
  PARALLAX_ASSIGN(const auto replayed, read<bool>(object, "replayed"));
  if (replayed.value_or(false)) {
    response.headers.emplace_back(http_header::kIdempotencyReplayed, "true");
  }
  PARALLAX_ASSIGN(auto value, read_base64(object, "value_base64"));
  if (value) {
    response.body = std::move(*value);
  } else if (const json::value* problem = json_members::find(object, "problem")) {
    response.body = json::serialize(*problem);
  } else {
    // An increment's sum and siblings are members here and there.
    response.body = json::serialize(object);
  }
  return response;
}

}  // namespace

Result<std::int64_t> parse_increment_body(std::string_view body) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  return need<std::int64_t>(object, "value");
}

Result<std::uint32_t> parse_replicas_body(std::string_view body) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  return need<std::uint32_t>(object, "replicas");
}

Result<CrdtValue> parse_crdt_body(std::string_view body) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  PARALLAX_ASSIGN(const std::string name, need<std::string>(object, "type"));
  const Result<CrdtType> type = parse_crdt_type(name);
  if (!type) return shape_error(type.error().message);
  const json::value* value = json_members::find(object, "value");
  const bool fits = value != nullptr && (*type == CrdtType::counter ? value->is_number()
                                         : *type == CrdtType::set   ? value->is_array()
                                                                    : value->is_object());
  if (!fits) return shape_error(fmt::format("\"value\" is no {}", name));
  return CrdtValue{*type, json::serialize(*value)};
}

Result<std::vector<Item>> parse_siblings_body(std::string_view body) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  std::vector<Item> siblings;
  PARALLAX_TRY(for_each_object(object, "siblings", [&](const json::object& one) -> Result<void> {
    PARALLAX_ASSIGN(Item item, read_item(one));
    siblings.push_back(std::move(item));
    return {};
  }));
  if (siblings.empty()) return shape_error("\"siblings\" is empty");
  return siblings;
}

Result<void> parse_items_body(std::string_view body, Answer& answer) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  PARALLAX_TRY(for_each_object(object, "items", [&](const json::object& one) -> Result<void> {
    PARALLAX_ASSIGN(Item item, read_item(one));
    PARALLAX_ASSIGN(item.key, need_text_or_base64(one, "key"));
    answer.items.push_back(std::move(item));
    return {};
  }));
  PARALLAX_ASSIGN(answer.next, read<std::string>(object, "next"));
  PARALLAX_TRY(read_keys(object, "missing", answer.missing,
                         [](std::string_view text) { return std::optional<std::string>(text); }));
  return read_keys(object, "missing_base64", answer.missing, decode_base64);
}

Result<void> parse_history_body(std::string_view body, Answer& answer) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  PARALLAX_TRY(for_each_object(object, "versions", [&](const json::object& one) -> Result<void> {
    PastValue version;
    PARALLAX_ASSIGN(version.stamp, need_etag(one));
    PARALLAX_ASSIGN(const std::string kind, need<std::string>(one, "kind"));
    version.tombstone = kind != "value";
    PARALLAX_ASSIGN(version.value, read_value(one));
    PARALLAX_ASSIGN(version.content_type, read_content_type(one));
    answer.versions.push_back(std::move(version));
    return {};
  }));
  PARALLAX_ASSIGN(const auto floor, read<std::uint64_t>(object, "complete_from_ms"));
  answer.history_floor = UnixMillis{floor.value_or(0)};
  return {};
}

Result<std::vector<HttpResponse>> parse_batch_body(std::string_view body) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  std::vector<HttpResponse> responses;
  PARALLAX_TRY(for_each_object(object, "results", [&](const json::object& one) -> Result<void> {
    PARALLAX_ASSIGN(HttpResponse response, read_batch_result(one));
    responses.push_back(std::move(response));
    return {};
  }));
  return responses;
}

Result<void> parse_policies_body(std::string_view body, Answer& answer) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  return for_each_object(object, "policies", [&](const json::object& one) -> Result<void> {
    PARALLAX_ASSIGN(std::string prefix, need_text_or_base64(one, "prefix"));
    PARALLAX_ASSIGN(const Policy policy, read_policy(one));
    answer.policies.emplace_back(std::move(prefix), policy);
    return {};
  });
}

Result<void> parse_policy_body(std::string_view body, std::string_view prefix, Answer& answer) {
  PARALLAX_ASSIGN(const json::object object, parse_object(body));
  PARALLAX_ASSIGN(const Policy policy, read_policy(object));
  answer.policies.emplace_back(std::string(prefix), policy);
  return {};
}

}  // namespace parallax
