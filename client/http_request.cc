#include "client/http_request.h"

#include <limits>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/base64.h"
#include "client/http_protocol.h"
#include "client/level_support.h"
#include "consistency/key_context.h"

namespace parallax {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

Error wrong(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
}

Result<void> check_key(std::string_view key) {
  if (key.empty() || key.size() > limits::kMaxKeyBytes) {
    return wrong(
        fmt::format("a key has 1 to {} bytes, this one has {}", limits::kMaxKeyBytes, key.size()));
  }
  return {};
}

/// An end of a range, or a policy's prefix: as a key, or empty.
Result<void> check_bound(std::string_view what, std::string_view text) {
  if (text.size() > limits::kMaxKeyBytes) {
    return wrong(fmt::format("{} has at most {} bytes, this one has {}", what, limits::kMaxKeyBytes,
                             text.size()));
  }
  return {};
}

/// What goes into a header must not smuggle in another one.
Result<void> check_line(std::string_view what, std::string_view text, std::size_t most) {
  if (text.size() > most) {
    return wrong(fmt::format("{} has at most {} bytes, this one has {}", what, most, text.size()));
  }
  for (const char c : text) {
    if (c < 0x20 || c >= 0x7f) return wrong(fmt::format("{} is printable ASCII", what));
  }
  return {};
}

Result<void> check_etags(std::string_view what, const std::optional<EtagSet>& set) {
  if (!set || set->any) return {};
  if (set->stamps.empty() || set->stamps.size() > limits::kMaxEtagsPerCondition) {
    return wrong(fmt::format("{} names any version, or 1 to {} of them; this one names {}", what,
                             limits::kMaxEtagsPerCondition, set->stamps.size()));
  }
  return {};
}

Result<void> check_count(std::string_view what, std::size_t count, std::size_t most) {
  if (count >= 1 && count <= most) return {};
  return wrong(fmt::format("{}: 1 to {} at once, not {}", what, most, count));
}

Result<void> check_operation(const Operation& operation) {
  return std::visit(
      Overloaded{
          [](const Put& put) -> Result<void> {
            PARALLAX_TRY(check_key(put.key));
            PARALLAX_TRY(
                check_line("a content type", put.content_type, limits::kMaxContentTypeBytes));
            constexpr milliseconds kMost = limits::kMaxTtl;
            if (put.ttl && (*put.ttl < milliseconds{1} || *put.ttl > kMost)) {
              return wrong(fmt::format("a ttl is 1 ms to {} ms, not {} ms", kMost.count(),
                                       put.ttl->count()));
            }
            return {};
          },
          [](const Get& get) { return check_key(get.key); },
          [](const Delete& remove) { return check_key(remove.key); },
          [](const Increment& increment) { return check_key(increment.key); },
          [](const Scan& scan) -> Result<void> {
            PARALLAX_TRY(check_bound("the start of a range", scan.start));
            PARALLAX_TRY(check_bound("the end of a range", scan.end));
            return check_count("the limit of a range", scan.limit, limits::kMaxScanLimit);
          },
          [](const GetMany& many) -> Result<void> {
            PARALLAX_TRY(check_count("keys", many.keys.size(), limits::kMaxScanLimit));
            for (const std::string& key : many.keys) PARALLAX_TRY(check_key(key));
            return {};
          },
          [](const ReadHistory& history) { return check_key(history.key); },
          [](const GetPolicy& get) { return check_bound("a prefix", get.prefix); },
          [](const ListPolicies&) { return Result<void>(); },
          [](const SetPolicy& set) { return check_bound("a prefix", set.prefix); },
          [](const UpdateCrdt& update) -> Result<void> {
            PARALLAX_TRY(check_key(update.key));
            if (crdt_op_info(update.update.op).type == update.type) return {};
            return wrong(fmt::format("{} is no operation of a {}",
                                     crdt_op_info(update.update.op).name,
                                     crdt_type_name(update.type)));
          },
          [](const GetCrdt& get) { return check_key(get.key); },
          [](const CountReplicas& count) -> Result<void> {
            if (count.replicas >= 1) return {};
            return wrong("replicas to wait for: at least 1");
          },
      },
      operation);
}

std::string etags_text(const EtagSet& set) {
  if (set.any) return "*";
  std::string text;
  for (const Stamp& stamp : set.stamps) {
    if (!text.empty()) text += ", ";
    text += render_etag(stamp);
  }
  return text;
}

/// A path with its query.
class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}
  void add(std::string_view name, std::string_view value) {
    text_ += std::exchange(separator_, '&');
    text_.append(name) += '=';
    text_ += percent_encode(value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  char separator_ = '?';
};

void add_level(const Consistency& consistency, Target& target) {
  const auto add_replicas = [&](std::string_view name, std::uint32_t count) {
    if (count == 0) return;
    target.add(name, count == Consistency::kAll ? "all" : std::to_string(count));
  };
  target.add("consistency", level_info(consistency.level).name);
  add_replicas("r", consistency.r);
  add_replicas("w", consistency.w);
  if (consistency.sloppy) target.add("sloppy", "true");
  if (consistency.blocking_repair) target.add("repair", "blocking");
  if (consistency.max_staleness_ms) {
    target.add("max_staleness_ms", std::to_string(*consistency.max_staleness_ms));
  }
  if (consistency.max_lag) target.add("max_lag", std::to_string(*consistency.max_lag));
  if (consistency.level == Level::session) {
    target.add("guarantees", consistency.guarantees.to_string());
  }
  if (consistency.on_violation != OnViolation::wait) {
    target.add("on_violation", kOnViolations[static_cast<std::size_t>(consistency.on_violation)]);
  }
  if (consistency.ack != Ack::majority) {
    target.add("ack", kAcks[static_cast<std::size_t>(consistency.ack)]);
  }
}

void add_common(const Request& request, Target& target, HttpRequest& out) {
  target.add("timeout_ms", std::to_string(request.timeout.count()));
  if (!request.level_by_policy) add_level(request.consistency, target);
  if (!request.forward) target.add("forward", "false");
  if (request.session) out.headers.emplace_back(http_header::kSession, request.session->encode());
  out.target = target.take();
}

void add_conditions(const Request& request, std::string_view key, HttpRequest& out) {
  if (request.conditions.if_match) {
    out.headers.emplace_back("If-Match", etags_text(*request.conditions.if_match));
  }
  if (request.conditions.if_none_match) {
    out.headers.emplace_back("If-None-Match", etags_text(*request.conditions.if_none_match));
  }
  if (!request.idempotency_key.empty()) {
    out.headers.emplace_back(http_header::kIdempotencyKey, request.idempotency_key);
  }
  if (request.context) {
    out.headers.emplace_back(http_header::kContext, encode_key_context(key, *request.context));
  }
}

std::string key_path(std::string_view key) {
  return std::string(kKeyPathPrefix) + percent_encode(key);
}
std::string policy_path(std::string_view prefix) {
  return "/v1/policies/" + percent_encode(prefix);
}

std::string policy_body(const Policy& policy) {
  json::object body;
  if (policy.default_consistency) {
    body["default_consistency"] = policy.default_consistency->to_string();
  }
  body["mixing"] = mixing_name(policy.mixing);
  body["conflict"] = conflict_name(policy.conflict);
  return json::serialize(body);
}

void set_json(std::string body, HttpRequest& out) {
  out.headers.emplace_back("Content-Type", kJsonContentType);
  out.body = Bytes(std::move(body));
}

Target render_scan(const Scan& scan) {
  Target target("/v1/kv");
  target.add("limit", std::to_string(scan.limit));
  if (!scan.start.empty()) target.add("start", scan.start);
  if (!scan.end.empty()) target.add("end", scan.end);
  if (scan.reverse) target.add("reverse", "true");
  if (scan.keys_only) target.add("keys_only", "true");
  return target;
}

std::string crdt_path(std::string_view key) {
  return "/v1/crdt/" + percent_encode(key);
}

std::string crdt_body(const UpdateCrdt& asked) {
  const CrdtUpdate& update = asked.update;
  std::string out = fmt::format(R"({{"type":"{}","op":"{}")", crdt_type_name(asked.type),
                                crdt_op_info(update.op).name);
  switch (asked.type) {
    case CrdtType::counter:
      out += fmt::format(R"(,"by":{})", update.by);
      break;
    case CrdtType::set:
      out += fmt::format(R"(,"element":{})", update.name);
      break;
    case CrdtType::map:
      out += fmt::format(R"(,"field":{})", json::serialize(json::string_view(update.name)));
      if (update.op == CrdtOp::put) out += fmt::format(R"(,"value":{})", update.value);
      break;
  }
  return out + "}";
}

/// Method, path and body; the target so far.
Target render_operation(const Operation& operation, bool head, HttpRequest& out) {
  return std::visit(Overloaded{
                        [&](const Put& put) {
                          out.method = "PUT";
                          out.body = put.value;
                          if (!put.content_type.empty()) {
                            out.headers.emplace_back("Content-Type", put.content_type);
                          }
                          Target target(key_path(put.key));
                          if (put.ttl) target.add("ttl_ms", std::to_string(put.ttl->count()));
                          return target;
                        },
                        [&](const Get& get) {
                          out.method = head ? "HEAD" : "GET";
                          Target target(key_path(get.key));
                          if (get.siblings) target.add("siblings", "true");
                          return target;
                        },
                        [&](const Delete& remove) {
                          out.method = "DELETE";
                          return Target(key_path(remove.key));
                        },
                        [&](const Increment& increment) {
                          out.method = "POST";
                          set_json(json::serialize(json::object{{"by", increment.by}}), out);
                          return Target(key_path(increment.key) + "/increment");
                        },
                        [&](const Scan& scan) { return render_scan(scan); },
                        [&](const GetMany& many) {
                          Target target("/v1/kv");
                          for (const std::string& key : many.keys) target.add("key", key);
                          return target;
                        },
                        [&](const ReadHistory& history) {
                          Target target("/v1/history/" + percent_encode(history.key));
                          if (history.from != UnixMillis{}) {
                            target.add("from", std::to_string(history.from.value));
                          }
                          if (history.to != ReadHistory{}.to) {
                            target.add("to", std::to_string(history.to.value));
                          }
                          return target;
                        },
                        [&](const GetPolicy& get) { return Target(policy_path(get.prefix)); },
                        [&](const ListPolicies&) { return Target("/v1/policies"); },
                        [&](const SetPolicy& set) {
                          out.method = set.policy ? "PUT" : "DELETE";
                          if (set.policy) set_json(policy_body(*set.policy), out);
                          return Target(policy_path(set.prefix));
                        },
                        [&](const UpdateCrdt& update) {
                          out.method = "POST";
                          set_json(crdt_body(update), out);
                          return Target(crdt_path(update.key));
                        },
                        [&](const GetCrdt& get) { return Target(crdt_path(get.key)); },
                        [&](const CountReplicas& count) {
                          Target target("/v1/wait");
                          target.add("replicas", std::to_string(count.replicas));
                          return target;
                        },
                    },
                    operation);
}

json::object render_batch_operation(const BatchOperation& operation) {
  json::object out;
  const auto put_key = [&](const char* op, const std::string& key) {
    out["op"] = op;
    out["key_base64"] = base64(key);
    if (operation.context) out["context"] = encode_key_context(key, *operation.context);
  };
  std::visit(Overloaded{
                 [&](const Put& put) {
                   put_key("put", put.key);
                   out["value_base64"] = base64(put.value.view());
                   if (!put.content_type.empty()) out["content_type"] = put.content_type;
                   if (put.ttl) out["ttl_ms"] = put.ttl->count();
                 },
                 [&](const Get& get) {
                   put_key("get", get.key);
                   if (get.siblings) out["siblings"] = true;
                 },
                 [&](const Delete& remove) { put_key("delete", remove.key); },
                 [&](const Increment& increment) {
                   put_key("increment", increment.key);
                   out["by"] = increment.by;
                 },
             },
             operation.operation);
  if (operation.consistency) out["consistency"] = operation.consistency->to_string();
  const Conditions& conditions = operation.conditions;
  if (conditions.if_match) out["if_match"] = etags_text(*conditions.if_match);
  if (conditions.if_none_match) out["if_none_match"] = etags_text(*conditions.if_none_match);
  if (!operation.idempotency_key.empty()) out["idempotency_key"] = operation.idempotency_key;
  return out;
}

}  // namespace

Result<void> check_request(const Request& request) {
  if (request.timeout <= milliseconds::zero()) {
    return wrong("the operation's timeout must be above 0");
  }
  PARALLAX_TRY(check_operation(request.operation));
  PARALLAX_TRY(check_etags("if_match", request.conditions.if_match));
  PARALLAX_TRY(check_etags("if_none_match", request.conditions.if_none_match));
  return check_line("an idempotency key", request.idempotency_key, limits::kMaxIdempotencyKeyBytes);
}

Result<void> check_level(const Request& request) {
  if (request.level_by_policy) return {};
  if (auto error = unsupported(request)) return std::move(*error);
  return {};
}

Result<void> check_batch(const std::vector<BatchOperation>& operations) {
  PARALLAX_TRY(
      check_count("the operations of a batch", operations.size(), limits::kMaxBatchOperations));
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Request request;
    std::visit([&](const auto& operation) { request.operation = operation; },
               operations[i].operation);
    request.level_by_policy = !operations[i].consistency;
    request.consistency = operations[i].consistency.value_or(Consistency{});
    request.conditions = operations[i].conditions;
    request.idempotency_key = operations[i].idempotency_key;
    auto valid = check_request(request);
    if (valid) valid = check_level(request);
    if (!valid) {
      Error error = valid.error();
      error.message = fmt::format("operation {} of the batch: {}", i, error.message);
      return error;
    }
  }
  return {};
}

HttpRequest render_request(const Request& request, bool head) {
  HttpRequest out{.method = "GET", .target = {}, .headers = {}, .body = {}};
  Target target = render_operation(request.operation, head, out);
  const std::string* key = operation_key(request.operation);
  add_conditions(request, key == nullptr ? std::string_view() : *key, out);
  add_common(request, target, out);
  return out;
}

HttpRequest render_continued_scan(const Request& request, std::string_view next) {
  HttpRequest out{.method = "GET", .target = {}, .headers = {}, .body = {}};
  Target target("/v1/kv");
  target.add("next", next);
  add_common(request, target, out);
  return out;
}

HttpRequest render_batch(const Request& request, const std::vector<BatchOperation>& operations) {
  HttpRequest out{.method = "POST", .target = {}, .headers = {}, .body = {}};
  json::array list;
  for (const BatchOperation& operation : operations) {
    list.emplace_back(render_batch_operation(operation));
  }
  set_json(json::serialize(json::object{{"operations", std::move(list)}}), out);
  Target target("/v1/batch");
  add_common(request, target, out);
  return out;
}

HttpRequest render_explain(const Request& request) {
  HttpRequest out{.method = "GET", .target = {}, .headers = {}, .body = {}};
  Target target("/v1/explain");
  target.add("op", is_read(request.operation) ? "read" : "write");
  const std::string* key = operation_key(request.operation);
  if (key != nullptr && !key->empty()) target.add("key", *key);
  add_common(request, target, out);
  return out;
}

}  // namespace parallax
