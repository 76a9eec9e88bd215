#include "node/http_batch.h"

#include <algorithm>

#include "base/assert.h"
#include "client/http_protocol.h"
#include "client/level_support.h"
#include "consistency/key_context.h"
#include "node/http_parameters.h"
#include "node/json_body.h"

namespace parallax {
namespace {

namespace json = boost::json;

/// An operation as it is being read.
struct Reading {
  const JsonBody& body;
  std::string prefix;  ///< "operations[3]."
  const BatchDefaults& defaults;
  KvCall call;
};

Error bad_parameter(const Reading& reading, std::string_view what) {
  return definite(ErrorCode::bad_parameter, reading.prefix + std::string(what));
}

/// One of a pair of members, the second in base64. `required`: one of them.
Result<std::string> text_or_base64(const Reading& reading, std::string_view name, bool required) {
  const std::string other = std::string(name) + "_base64";
  PARALLAX_ASSIGN(auto text, reading.body.text(name));
  PARALLAX_ASSIGN(auto bytes, reading.body.base64(other));
  if (text && bytes) {
    return bad_parameter(reading, fmt::format("{} and {} are both given; give one", name, other));
  }
  if (!text && !bytes && required) {
    return bad_parameter(reading, fmt::format("{} is missing; give it, or {}", name, other));
  }
  return text ? std::move(*text) : bytes.value_or(std::string());
}

Result<void> take_level(Reading& reading) {
  Request& request = reading.call.request;
  GivenLevel level;
  PARALLAX_ASSIGN(level.consistency, reading.body.text("consistency"));
  const auto parameter = [&](LevelParameter which) -> std::optional<std::string>& {
    return level.parameters[static_cast<std::size_t>(which)];
  };
  PARALLAX_ASSIGN(parameter(LevelParameter::r), reading.body.replicas("r"));
  PARALLAX_ASSIGN(parameter(LevelParameter::w), reading.body.replicas("w"));
  PARALLAX_ASSIGN(parameter(LevelParameter::repair), reading.body.text("repair"));
  PARALLAX_ASSIGN(parameter(LevelParameter::guarantees), reading.body.text("guarantees"));
  PARALLAX_ASSIGN(parameter(LevelParameter::on_violation), reading.body.text("on_violation"));
  PARALLAX_ASSIGN(parameter(LevelParameter::ack), reading.body.text("ack"));
  PARALLAX_ASSIGN(const auto staleness, reading.body.whole_number("max_staleness_ms"));
  if (staleness) parameter(LevelParameter::max_staleness_ms) = std::to_string(*staleness);
  PARALLAX_ASSIGN(const auto lag, reading.body.whole_number("max_lag"));
  if (lag) parameter(LevelParameter::max_lag) = std::to_string(*lag);
  PARALLAX_ASSIGN(const auto sloppy, reading.body.boolean("sloppy"));
  if (sloppy) parameter(LevelParameter::sloppy) = *sloppy ? "true" : "false";
  PARALLAX_TRY(apply_level(level, request));
  PARALLAX_ASSIGN(const auto timeout, reading.body.whole_number("timeout_ms"));
  if (timeout) request.timeout = std::chrono::milliseconds{*timeout};
  if (!request.level_by_policy) reading.call.form.level = request.consistency.level;
  return {};
}

Result<std::optional<EtagSet>> take_etags(const Reading& reading, std::string_view name,
                                          EtagComparison comparison) {
  PARALLAX_ASSIGN(const auto text, reading.body.text(name));
  if (!text) return std::optional<EtagSet>{};
  PARALLAX_ASSIGN(EtagSet set,
                  parse_etag_set(reading.prefix + std::string(name), *text, comparison));
  return std::optional<EtagSet>{std::move(set)};
}

Result<void> take_conditions(Reading& reading) {
  Conditions& conditions = reading.call.request.conditions;
  PARALLAX_ASSIGN(conditions.if_match, take_etags(reading, "if_match", EtagComparison::strong));
  PARALLAX_ASSIGN(conditions.if_none_match,
                  take_etags(reading, "if_none_match", EtagComparison::strong));
  PARALLAX_ASSIGN(const auto context, reading.body.text("context"));
  if (context) {
    PARALLAX_ASSIGN(reading.call.request.context,
                    decode_key_context(reading.call.form.key, *context));
  }
  return {};
}

Result<void> take_idempotency(Reading& reading) {
  PARALLAX_ASSIGN(auto key, reading.body.text("idempotency_key"));
  if (key) reading.call.request.idempotency_key = std::move(*key);
  return {};
}

Result<void> make_put(Reading& reading) {
  reading.call.form.op = KvOp::put;
  PARALLAX_ASSIGN(std::string value, text_or_base64(reading, "value", true));
  const std::size_t bound = reading.defaults.max_value_bytes;
  if (value.size() > bound) {
    return definite(ErrorCode::payload_too_large,
                    fmt::format("{}value has {} bytes; at most {} are stored", reading.prefix,
                                value.size(), bound));
  }
  PARALLAX_ASSIGN(auto type, reading.body.text("content_type"));
  PARALLAX_ASSIGN(const auto ttl, reading.body.whole_number("ttl_ms"));
  PARALLAX_TRY(check_content_type(type.value_or(std::string())));
  Put put{reading.call.form.key, Bytes(std::move(value)), type.value_or(std::string())};
  if (ttl) put.ttl = std::chrono::milliseconds{*ttl};
  reading.call.request.operation = std::move(put);
  PARALLAX_TRY(take_conditions(reading));
  return take_idempotency(reading);
}

Result<void> make_get(Reading& reading) {
  reading.call.form.op = KvOp::get;
  PARALLAX_ASSIGN(reading.call.form.if_none_match,
                  take_etags(reading, "if_none_match", EtagComparison::weak));
  PARALLAX_ASSIGN(const auto siblings, reading.body.boolean("siblings"));
  reading.call.request.operation = Get{reading.call.form.key, siblings.value_or(false)};
  return {};
}

Result<void> make_delete(Reading& reading) {
  reading.call.form.op = KvOp::remove;
  reading.call.request.operation = Delete{reading.call.form.key};
  PARALLAX_TRY(take_conditions(reading));
  return take_idempotency(reading);
}

Result<void> make_increment(Reading& reading) {
  reading.call.form.op = KvOp::increment;
  PARALLAX_ASSIGN(const auto by, reading.body.whole_number("by"));
  reading.call.request.operation = Increment{reading.call.form.key, by.value_or(1)};
  return take_idempotency(reading);
}

/// What each kind takes beside what all do.
struct Kind {
  std::string_view name;
  std::vector<std::string_view> takes;
  Result<void> (*make)(Reading&);
};

const Kind* find_kind(std::string_view name) {
  static const std::vector<Kind> kinds{
      {"put",
       {"value", "value_base64", "content_type", "ttl_ms", "if_match", "if_none_match",
        "idempotency_key", "context"},
       make_put},
      {"get", {"siblings", "if_none_match"}, make_get},
      {"delete", {"if_match", "if_none_match", "idempotency_key", "context"}, make_delete},
      {"increment", {"by", "idempotency_key"}, make_increment},
  };
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const Kind& kind) { return kind.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

constexpr std::array<std::string_view, 14> kTakenByAll{
    "op",      "key",          "key_base64", "consistency", "r",
    "w",       "sloppy",       "repair",     "guarantees",  "max_staleness_ms",
    "max_lag", "on_violation", "ack",        "timeout_ms"};

Result<KvCall> read_operation(json::value&& value, std::size_t place,
                              const BatchDefaults& defaults) {
  const std::string prefix = fmt::format("operations[{}].", place);
  if (!value.is_object()) {
    return definite(ErrorCode::bad_parameter,
                    fmt::format("operations[{}] must be an object", place));
  }
  PARALLAX_ASSIGN(const JsonBody body,
                  JsonBody::checked(std::move(value.get_object()), prefix, kBatchOperationMembers));
  Reading reading{body, prefix, defaults, {defaults.request, {}}};
  PARALLAX_ASSIGN(const auto op, body.text("op"));
  const Kind* kind = op ? find_kind(*op) : nullptr;
  if (kind == nullptr) return body.wrong("op", "put, get, delete or increment");
  for (const Field& member : kBatchOperationMembers) {
    const auto names = [&](const auto& list) {
      return std::find(list.begin(), list.end(), member.name) != list.end();
    };
    if (!body.has(member.name) || names(kTakenByAll) || names(kind->takes)) continue;
    return bad_parameter(reading, fmt::format("{} is not taken by {}", member.name, kind->name));
  }
  PARALLAX_ASSIGN(reading.call.form.key, text_or_base64(reading, "key", true));
  PARALLAX_TRY(take_level(reading));
  PARALLAX_TRY(kind->make(reading));
  const Request& request = reading.call.request;
  if (!request.level_by_policy) {
    if (auto error = unsupported(request)) return std::move(*error);
  }
  return std::move(reading.call);
}

Reply too_many_answers() {
  return definite(ErrorCode::payload_too_large,
                  fmt::format("the values read by this batch have more than {} bytes; ask for this "
                              "one by itself",
                              limits::kMaxBatchBytes));
}

}  // namespace

Result<BatchCall> parse_batch(std::string_view text, const BatchDefaults& defaults) {
  PARALLAX_ASSIGN(JsonBody body, JsonBody::parse(text, kBatchMembers));
  PARALLAX_ASSIGN(json::array operations, body.take_list("operations"));
  BatchCall batch;
  batch.operations.reserve(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Result<KvCall> call = read_operation(std::move(operations[i]), i, defaults);
    if (call) {
      batch.operations.emplace_back(std::move(*call));
    } else {
      batch.operations.emplace_back(call.error());
    }
  }
  return batch;
}

BatchRun::BatchRun(BatchCall call) {
  entries_.resize(call.operations.size());
  for (std::size_t i = call.operations.size(); i-- > 0;) {
    auto& operation = call.operations[i];
    if (const auto* error = std::get_if<Error>(&operation)) {
      entries_[i].reply = *error;
      ++answered_;
      continue;
    }
    auto& [request, form] = std::get<KvCall>(operation);
    entries_[i].form = std::move(form);
    auto& queue = is_read(request.operation) ? reads_ : writes_;
    queue.emplace_back(static_cast<std::uint32_t>(i), std::move(request));
  }
}

std::optional<std::pair<std::uint32_t, Request>> BatchRun::next() {
  const bool read = writes_.empty();
  auto& queue = read ? reads_ : writes_;
  if (queue.empty() || (read && reads_under_way_ == limits::kMaxBatchReadsAtOnce)) {
    return std::nullopt;
  }
  if (read) ++reads_under_way_;
  auto operation = std::move(queue.back());
  queue.pop_back();
  return operation;
}

void BatchRun::on_reply(std::uint32_t place, Reply&& reply) {
  Entry& entry = entries_[place];
  PARALLAX_ASSERT(!entry.reply, "a second answer to operation {} of a batch", place);
  if (entry.form.op == KvOp::get) {
    PARALLAX_ASSERT(reads_under_way_ > 0, "an answer to a read that was not sent");
    --reads_under_way_;
  }
  if (reply) {
    std::size_t bytes = reply->value.size();
    for (const Item& item : reply->items) bytes += item.value.size();
    // What one operation alone reads is its own matter; see the bound of a value.
    if (kept_bytes_ > 0 && bytes > 0 && kept_bytes_ + bytes > limits::kMaxBatchBytes) {
      reply = too_many_answers();
    } else {
      kept_bytes_ += bytes;
    }
  }
  entry.reply = std::move(reply);
  ++answered_;
}

}  // namespace parallax
