#include "client/cli/batch_file.h"

#include <algorithm>
#include <initializer_list>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/base64.h"
#include "client/cli/commands.h"
#include "client/http_protocol.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;

std::string_view view(const json::string& string) {
  return {string.data(), string.size()};
}

/// The members of one operation, taken out one by one.
class Members {
 public:
  Members(const json::object& object, std::size_t number) : object_(object), number_(number) {}

  Error error(std::string_view member, std::string_view what) const {
    return definite(ErrorCode::bad_parameter,
                    member.empty() ? fmt::format("operations[{}]: {}", number_, what)
                                   : fmt::format("operations[{}].{}: {}", number_, member, what));
  }
  /// Nothing beside these may be there.
  Result<void> only(std::string_view op, std::initializer_list<std::string_view> known) const {
    for (const auto& [name, value] : object_) {
      const std::string_view member(name.data(), name.size());
      if (std::find(known.begin(), known.end(), member) != known.end()) continue;
      return error("", fmt::format("{} takes no member {}; it takes {}", op,
                                   quoted_for_message(member), fmt::join(known, ", ")));
    }
    return {};
  }
  Result<std::optional<std::string>> text(std::string_view name) const {
    const json::value* found = object_.if_contains(name);
    if (found == nullptr) return std::optional<std::string>();
    if (!found->is_string()) return error(name, "is no string");
    return std::optional<std::string>(view(found->get_string()));
  }
  /// The text of `name` or the bytes of `name`_base64: one of the two.
  Result<std::string> bytes(const std::string& name) const {
    PARALLAX_ASSIGN(auto plain, text(name));
    PARALLAX_ASSIGN(auto encoded, text(name + "_base64"));
    if (plain.has_value() == encoded.has_value()) {
      return error("", fmt::format("expected one of \"{0}\" and \"{0}_base64\", found {1}", name,
                                   plain ? "both" : "neither"));
    }
    if (plain) return std::move(*plain);
    auto decoded = decode_base64(*encoded);
    if (!decoded) return error(name + "_base64", "is no base64 (RFC 4648, with padding)");
    return std::move(*decoded);
  }
  Result<std::optional<std::int64_t>> number(std::string_view name, std::int64_t low,
                                             std::int64_t high) const {
    const json::value* found = object_.if_contains(name);
    if (found == nullptr) return std::optional<std::int64_t>();
    json::error_code failed;
    const auto value = found->to_number<std::int64_t>(failed);
    if (failed || found->is_double() || value < low || value > high) {
      return error(name, fmt::format("is not a whole number from {} to {}", low, high));
    }
    return std::optional<std::int64_t>(value);
  }
  Result<bool> truth(std::string_view name) const {
    const json::value* found = object_.if_contains(name);
    if (found == nullptr) return false;
    if (!found->is_bool()) return error(name, "is neither true nor false");
    return found->get_bool();
  }
  /// A whole number as text, or "all".
  Result<std::optional<std::string>> replicas(std::string_view name) const {
    const json::value* found = object_.if_contains(name);
    if (found == nullptr) return std::optional<std::string>();
    if (found->is_string()) return text(name);
    json::error_code failed;
    const auto value = found->to_number<std::int64_t>(failed);
    if (failed || found->is_double()) return error(name, "is neither a whole number nor \"all\"");
    return std::optional<std::string>(std::to_string(value));
  }
  Result<std::optional<EtagSet>> versions(std::string_view name) const {
    PARALLAX_ASSIGN(const auto given, text(name));
    if (!given) return std::optional<EtagSet>();
    auto set = parse_versions(*given);
    if (!set) return error(name, set.error().message);
    return std::optional<EtagSet>(std::move(*set));
  }

 private:
  const json::object& object_;
  std::size_t number_;
};

Result<void> take_conditions(const Members& members, BatchOperation& out) {
  PARALLAX_ASSIGN(out.conditions.if_match, members.versions("if_match"));
  PARALLAX_ASSIGN(out.conditions.if_none_match, members.versions("if_none_match"));
  return {};
}

Result<void> take_idempotency_key(const Members& members, BatchOperation& out) {
  PARALLAX_ASSIGN(auto key, members.text("idempotency_key"));
  out.idempotency_key = std::move(key).value_or("");
  return {};
}

/// The level with its parameters, if the operation names one.
Result<void> take_level(const Members& members, BatchOperation& out) {
  PARALLAX_ASSIGN(const auto level, members.text("consistency"));
  PARALLAX_ASSIGN(const auto r, members.replicas("r"));
  PARALLAX_ASSIGN(const auto w, members.replicas("w"));
  PARALLAX_ASSIGN(const auto repair, members.text("repair"));
  PARALLAX_ASSIGN(const auto guarantees, members.text("guarantees"));
  PARALLAX_ASSIGN(const bool sloppy, members.truth("sloppy"));
  PARALLAX_ASSIGN(const auto staleness, members.number("max_staleness_ms", 1, kMaxStalenessMs));
  PARALLAX_ASSIGN(const auto lag, members.number("max_lag", 0, kMaxLag));
  PARALLAX_ASSIGN(const auto violation, members.text("on_violation"));
  PARALLAX_ASSIGN(const auto ack, members.text("ack"));
  const std::string staleness_text = staleness ? std::to_string(*staleness) : "";
  const std::string lag_text = lag ? std::to_string(*lag) : "";
  std::vector<LevelArgument> beside;
  if (staleness) beside.push_back({LevelParameter::max_staleness_ms, staleness_text});
  if (lag) beside.push_back({LevelParameter::max_lag, lag_text});
  if (ack) beside.push_back({LevelParameter::ack, *ack});
  if (violation) beside.push_back({LevelParameter::on_violation, *violation});
  if (r) beside.push_back({LevelParameter::r, *r});
  if (w) beside.push_back({LevelParameter::w, *w});
  if (repair) beside.push_back({LevelParameter::repair, *repair});
  if (sloppy) beside.push_back({LevelParameter::sloppy, "true"});
  if (guarantees) beside.push_back({LevelParameter::guarantees, *guarantees});
  if (!level) {
    return beside.empty() ? Result<void>()
                          : members.error("consistency", "missing beside parameters of a level");
  }
  const auto parsed = parse_consistency(*level, beside);
  if (!parsed) return members.error("consistency", parsed.error().message);
  out.consistency = *parsed;
  return {};
}

Result<Put> take_put(const Members& members, std::string key) {
  constexpr std::int64_t kMostTtl = std::chrono::milliseconds(limits::kMaxTtl).count();
  Put put{.key = std::move(key), .value = {}};
  PARALLAX_ASSIGN(std::string value, members.bytes("value"));
  put.value = Bytes(std::move(value));
  PARALLAX_ASSIGN(auto content_type, members.text("content_type"));
  put.content_type = std::move(content_type).value_or("");
  PARALLAX_ASSIGN(const auto ttl, members.number("ttl_ms", 1, kMostTtl));
  if (ttl) put.ttl = std::chrono::milliseconds(*ttl);
  return put;
}

Result<BatchOperation> take_operation(const json::object& object, std::size_t number) {
  const Members members(object, number);
  PARALLAX_ASSIGN(const auto op, members.text("op"));
  BatchOperation out;
  PARALLAX_TRY(take_level(members, out));
  if (op == "put") {
    PARALLAX_TRY(members.only(*op, {"op",
                                    "key",
                                    "key_base64",
                                    "value",
                                    "value_base64",
                                    "content_type",
                                    "ttl_ms",
                                    "if_match",
                                    "if_none_match",
                                    "idempotency_key",
                                    "consistency",
                                    "r",
                                    "w",
                                    "sloppy",
                                    "repair",
                                    "guarantees",
                                    "max_staleness_ms",
                                    "max_lag",
                                    "on_violation",
                                    "ack"}));
    PARALLAX_ASSIGN(std::string key, members.bytes("key"));
    PARALLAX_ASSIGN(out.operation, take_put(members, std::move(key)));
    PARALLAX_TRY(take_conditions(members, out));
    PARALLAX_TRY(take_idempotency_key(members, out));
  } else if (op == "get") {
    PARALLAX_TRY(members.only(
        *op, {"op", "key", "key_base64", "siblings", "consistency", "r", "w", "sloppy", "repair",
              "guarantees", "max_staleness_ms", "max_lag", "on_violation", "ack"}));
    Get get;
    PARALLAX_ASSIGN(get.key, members.bytes("key"));
    PARALLAX_ASSIGN(get.siblings, members.truth("siblings"));
    out.operation = std::move(get);
  } else if (op == "delete") {
    PARALLAX_TRY(
        members.only(*op, {"op", "key", "key_base64", "if_match", "if_none_match",
                           "idempotency_key", "consistency", "r", "w", "sloppy", "repair",
                           "guarantees", "max_staleness_ms", "max_lag", "on_violation", "ack"}));
    Delete remove;
    PARALLAX_ASSIGN(remove.key, members.bytes("key"));
    out.operation = std::move(remove);
    PARALLAX_TRY(take_conditions(members, out));
    PARALLAX_TRY(take_idempotency_key(members, out));
  } else if (op == "increment") {
    PARALLAX_TRY(
        members.only(*op, {"op", "key", "key_base64", "by", "idempotency_key", "consistency"}));
    Increment increment;
    PARALLAX_ASSIGN(increment.key, members.bytes("key"));
    PARALLAX_ASSIGN(const auto by, members.number("by", std::numeric_limits<std::int64_t>::min(),
                                                  std::numeric_limits<std::int64_t>::max()));
    increment.by = by.value_or(1);
    out.operation = std::move(increment);
    PARALLAX_TRY(take_idempotency_key(members, out));
  } else {
    return members.error(
        "op", op ? fmt::format("{} is none of put, get, delete, increment", quoted_for_message(*op))
                 : std::string("missing; expected put, get, delete or increment"));
  }
  return out;
}

}  // namespace

Result<std::vector<BatchOperation>> parse_batch(std::string_view text) {
  const auto refused = [](std::string_view what) {
    return definite(ErrorCode::bad_parameter,
                    fmt::format("{}; expected {{\"operations\": [{{\"op\": \"put\", \"key\": "
                                "\"a\", \"value\": \"b\"}}, ...]}}",
                                what));
  };
  json::error_code failed;
  const json::value parsed = json::parse(text, failed);
  if (failed) return refused("the batch is no JSON: " + failed.message());
  const json::value* operations = &parsed;
  if (const json::object* object = parsed.if_object()) {
    operations = object->if_contains("operations");
    if (operations == nullptr || object->size() != 1) {
      return refused("the batch is no object with the member \"operations\" alone");
    }
  }
  const json::array* array = operations->if_array();
  if (array == nullptr) return refused("the operations are no array");
  if (array->empty() || array->size() > limits::kMaxBatchOperations) {
    return definite(ErrorCode::bad_parameter,
                    fmt::format("the batch has {} operations; expected 1 to {}", array->size(),
                                limits::kMaxBatchOperations));
  }
  std::vector<BatchOperation> batch;
  for (std::size_t i = 0; i < array->size(); ++i) {
    const json::object* object = (*array)[i].if_object();
    if (object == nullptr) {
      return definite(ErrorCode::bad_parameter, fmt::format("operations[{}]: is no object", i));
    }
    PARALLAX_ASSIGN(BatchOperation operation, take_operation(*object, i));
    batch.push_back(std::move(operation));
  }
  return batch;
}

}  // namespace parallax::cli
