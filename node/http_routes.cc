#include "node/http_routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "client/http_protocol.h"
#include "node/http_render.h"
#include "node/json_body.h"

namespace parallax {
namespace {

constexpr std::string_view kKvMethods = "DELETE, GET, HEAD, PUT";
constexpr std::string_view kKvParameters = "consistency, forward and timeout_ms";

Error bad_request(std::string message) {
  return definite(ErrorCode::bad_request, std::move(message));
}

HttpReply not_allowed(std::string_view method, std::string_view path, std::string_view allow) {
  HttpReply reply = problem_reply(
      definite(ErrorCode::method_not_allowed,
               fmt::format("{} is not possible on {}; allowed are {}", quoted_for_message(method),
                           quoted_for_message(path), allow)));
  reply.headers.emplace_back("Allow", allow);
  return reply;
}

struct Target {
  std::string_view path;
  std::string_view query;
};

/// Splits a request-target; the absolute form ("http://host/path") counts too (RFC 9112, 3.2.2).
Target split_target(std::string_view target) {
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme != std::string_view::npos) {
      target.remove_prefix(std::min(target.find_first_of("/?", scheme + 3), target.size()));
      if (target.empty()) target = "/";
    }
  }
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

// --- Keys
// ------------------------------------------------------------------------------------------

/// The headers that say something about an operation on a key. Empty views: absent.
struct KvHeaders {
  std::string_view consistency;
  std::string_view content_type;
  std::string_view if_none_match;
};

enum class HeaderUse : std::uint8_t {
  consistency,
  content_type,
  if_none_match,
  condition,         ///< refused as a condition that this level cannot decide
  future,            ///< asks for something that this version does not do
  content_encoding,  ///< would be lost
  content_range,     ///< a part of a value cannot be written (RFC 9110, 14.5)
};

struct KnownHeader {
  std::string_view name;
  HeaderUse use;
};

constexpr std::array kKnownHeaders{
    KnownHeader{http_header::kConsistency, HeaderUse::consistency},
    KnownHeader{"Content-Type", HeaderUse::content_type},
    KnownHeader{"If-None-Match", HeaderUse::if_none_match},
    KnownHeader{"If-Match", HeaderUse::condition},
    KnownHeader{"If-Unmodified-Since", HeaderUse::condition},
    KnownHeader{http_header::kIdempotencyKey, HeaderUse::future},
    KnownHeader{http_header::kSession, HeaderUse::future},
    KnownHeader{http_header::kContext, HeaderUse::future},
    KnownHeader{"Content-Encoding", HeaderUse::content_encoding},
    KnownHeader{"Content-Range", HeaderUse::content_range},
};

const KnownHeader* find_header(std::string_view name) {
  for (const KnownHeader& known : kKnownHeaders) {
    if (same_header_name(known.name, name)) return &known;
  }
  return nullptr;
}

Error unsupported_condition(std::string_view name) {
  return definite(ErrorCode::condition_unsupported,
                  fmt::format("{} cannot be decided here: this version takes no conditions on "
                              "writes, and If-None-Match alone on reads",
                              name));
}

Result<void> take_header(const KnownHeader& known, std::string_view value, bool read,
                         KvHeaders& headers) {
  const auto set = [&](std::string_view& target) -> Result<void> {
    if (target.data() != nullptr) {
      return bad_request(fmt::format("the header {} is given twice", known.name));
    }
    target = value.data() == nullptr ? std::string_view("") : value;
    return {};
  };
  switch (known.use) {
    case HeaderUse::consistency:
      return set(headers.consistency);
    case HeaderUse::content_type:
      return set(headers.content_type);
    case HeaderUse::if_none_match:
      if (!read) return unsupported_condition(known.name);
      return set(headers.if_none_match);
    case HeaderUse::condition:
      return unsupported_condition(known.name);
    case HeaderUse::future:
      return bad_request(
          fmt::format("the header {} is not supported by this version; leave it out", known.name));
    case HeaderUse::content_encoding:
      if (same_header_name(value, "identity")) return {};
      return definite(ErrorCode::unsupported_media_type,
                      fmt::format("Content-Encoding {} is not kept with a value; send the bytes "
                                  "without it",
                                  quoted_for_message(value)));
    case HeaderUse::content_range:
      return bad_request("Content-Range: a part of a value cannot be written; send all of it");
  }
  PARALLAX_UNREACHABLE("header use {}", static_cast<int>(known.use));
}

Result<KvHeaders> read_headers(const HttpRequestView& request, bool read) {
  KvHeaders headers;
  for (const HttpHeaderView& header : request.headers) {
    if (const KnownHeader* known = find_header(header.name)) {
      PARALLAX_TRY(take_header(*known, header.value, read, headers));
    }
  }
  if (headers.content_type.size() > limits::kMaxContentTypeBytes) {
    return bad_request(fmt::format("the Content-Type has {} bytes; at most {} are kept",
                                   headers.content_type.size(), limits::kMaxContentTypeBytes));
  }
  if (!headers.if_none_match.empty()) {
    PARALLAX_TRY(etag_list_matches(headers.if_none_match, Stamp{}));
  }
  return headers;
}

Result<std::chrono::milliseconds> parse_timeout(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number < 1 ||
      number > limits::kMaxRequestTimeout.count()) {
    return definite(ErrorCode::bad_parameter,
                    fmt::format("timeout_ms={} must be a whole number from 1 to {}",
                                quoted_for_message(text), limits::kMaxRequestTimeout.count()));
  }
  return std::chrono::milliseconds{number};
}

Result<void> take_parameters(const Query& query, std::string_view consistency_header,
                             Request& request) {
  // The level first: it decides which parameters there are. The query wins over the header.
  const auto named = std::find_if(query.begin(), query.end(), [](const QueryParameter& parameter) {
    return parameter.name == "consistency";
  });
  if (named != query.end()) {
    PARALLAX_ASSIGN(request.consistency.level, parse_level(named->value));
  } else if (consistency_header.data() != nullptr) {
    PARALLAX_ASSIGN(request.consistency, parse_consistency(consistency_header));
  }
  for (const auto& [name, value] : query) {
    if (name == "consistency") continue;
    if (name == "timeout_ms") {
      PARALLAX_ASSIGN(request.timeout, parse_timeout(value));
    } else if (name == "forward") {
      if (value != "true" && value != "false") {
        return definite(ErrorCode::bad_parameter,
                        fmt::format("forward={} must be true or false", quoted_for_message(value)));
      }
      request.forward = value == "true";
    } else {
      return definite(ErrorCode::bad_parameter,
                      fmt::format("{} is no parameter of an operation on a key at {}, which takes "
                                  "{}",
                                  quoted_for_message(name),
                                  level_info(request.consistency.level).name, kKvParameters));
    }
  }
  return {};
}

Result<std::string> take_key(std::string_view encoded) {
  PARALLAX_ASSIGN(std::string key, percent_decode(encoded));
  if (key.empty()) {
    return bad_request(
        fmt::format("the key is empty; it must have 1 to {} bytes", limits::kMaxKeyBytes));
  }
  if (key.size() > limits::kMaxKeyBytes) {
    return definite(ErrorCode::uri_too_long,
                    fmt::format("the key has {} bytes; it must have 1 to {}", key.size(),
                                limits::kMaxKeyBytes));
  }
  return key;
}

std::optional<KvOp> find_kv_op(std::string_view method) {
  if (method == "GET") return KvOp::get;
  if (method == "PUT") return KvOp::put;
  if (method == "HEAD") return KvOp::head;
  if (method == "DELETE") return KvOp::remove;
  return std::nullopt;
}

Result<KvCall> kv_call(KvOp op, const Target& target, const HttpRequestView& request,
                       const RouteOptions& options) {
  const bool read = op == KvOp::get || op == KvOp::head;
  KvCall call;
  call.form.op = op;
  PARALLAX_ASSIGN(std::string key, take_key(target.path.substr(kKeyPathPrefix.size())));
  PARALLAX_ASSIGN(const KvHeaders headers, read_headers(request, read));
  PARALLAX_ASSIGN(const Query query, parse_query(target.query));
  PARALLAX_TRY(take_parameters(query, headers.consistency, call.request));
  call.form.level = call.request.consistency.level;
  if (op != KvOp::put && !request.body.empty()) {
    return bad_request(fmt::format("{} takes no body", request.method));
  }
  if (request.body.size() > options.max_value_bytes) {
    return definite(ErrorCode::payload_too_large,
                    fmt::format("the value has {} bytes; at most {} are stored",
                                request.body.size(), options.max_value_bytes));
  }
  if (op == KvOp::put) {
    call.request.operation = Put{std::move(key), request.body, std::string(headers.content_type)};
  } else if (op == KvOp::remove) {
    call.request.operation = Delete{std::move(key)};
  } else {
    call.request.operation = Get{std::move(key)};
    call.form.if_none_match = headers.if_none_match;
  }
  return call;
}

// --- Everything else
// -------------------------------------------------------------------------------

Result<AdminCall> transfer_call(std::string_view body) {
  PARALLAX_ASSIGN(const JsonBody json, JsonBody::parse(body, {"to"}));
  PARALLAX_ASSIGN(const auto to, json.whole_number("to", 1, 0xffff'ffff));
  if (!to) {
    return definite(ErrorCode::bad_parameter,
                    "\"to\" is missing; it must be the number of a member");
  }
  return TransferLeadership{NodeId{static_cast<std::uint32_t>(*to)}};
}

struct Route {
  std::string_view path;
  std::string_view method;  ///< GET stands for HEAD too
  bool faults;              ///< only with fault injection
  bool any_query;           ///< probes and scrapers may add what they like
  Result<AdminCall> (*make)(std::string_view body);
};

constexpr std::array kRoutes{
    Route{"/v1/cluster", "GET", false, false,
          [](std::string_view) -> Result<AdminCall> { return ShowCluster{}; }},
    Route{"/v1/cluster/transfer-leadership", "POST", false, false, transfer_call},
    Route{"/v1/status", "GET", false, false,
          [](std::string_view) -> Result<AdminCall> { return ShowStatus{}; }},
    Route{"/healthz", "GET", false, true,
          [](std::string_view) -> Result<AdminCall> { return CheckHealth{}; }},
    Route{"/readyz", "GET", false, true,
          [](std::string_view) -> Result<AdminCall> { return CheckReady{}; }},
    Route{"/metrics", "GET", false, true,
          [](std::string_view) -> Result<AdminCall> { return ShowMetrics{}; }},
    Route{"/v1/faults", "DELETE", true, false,
          [](std::string_view) -> Result<AdminCall> { return SetFaults{}; }},
    Route{"/v1/faults", "POST", true, false,
          [](std::string_view body) -> Result<AdminCall> {
            PARALLAX_ASSIGN(FaultSettings faults, parse_faults(body));
            return SetFaults{std::move(faults)};
          }},
};

bool route_takes(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

Result<AdminCall> admin_call(const Route& route, const Target& target,
                             const HttpRequestView& request) {
  if (!route.any_query && !target.query.empty()) {
    PARALLAX_ASSIGN(const Query query, parse_query(target.query));
    return definite(ErrorCode::bad_parameter,
                    fmt::format("{} is no parameter of {}, which takes none",
                                quoted_for_message(query.front().name), route.path));
  }
  if (request.body.size() > kMaxAdminBodyBytes) {
    return definite(ErrorCode::payload_too_large,
                    fmt::format("the body has {} bytes; {} takes at most {}", request.body.size(),
                                route.path, kMaxAdminBodyBytes));
  }
  if (route.method != "POST" && !request.body.empty()) {
    return bad_request(fmt::format("{} takes no body", request.method));
  }
  return route.make(request.body.view());
}

Routed admin_route(const Target& target, const HttpRequestView& request,
                   const RouteOptions& options) {
  std::string allow;
  for (const Route& route : kRoutes) {
    if (route.path != target.path) continue;
    if (route.faults && !options.enable_faults) {
      return problem_reply(definite(ErrorCode::not_found,
                                    "fault injection is off; the node must be started with "
                                    "--enable-fault-injection"));
    }
    if (route_takes(route, request.method)) {
      Result<AdminCall> call = admin_call(route, target, request);
      if (!call) return problem_reply(call.error());
      return std::move(*call);
    }
    if (!allow.empty()) allow += ", ";
    allow += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  if (!allow.empty()) return not_allowed(request.method, target.path, allow);
  return problem_reply(
      definite(ErrorCode::not_found,
               fmt::format("there is nothing at {}", quoted_for_message(target.path))));
}

}  // namespace

std::string_view kv_op_name(KvOp op) {
  switch (op) {
    case KvOp::get:
      return "get";
    case KvOp::head:
      return "head";
    case KvOp::put:
      return "put";
    case KvOp::remove:
      return "delete";
  }
  PARALLAX_UNREACHABLE("operation {}", static_cast<int>(op));
}

Routed route(const HttpRequestView& request, const RouteOptions& options) {
  if (request.target.size() > limits::kMaxTargetBytes) {
    return problem_reply(definite(ErrorCode::uri_too_long,
                                  fmt::format("the target has {} bytes; at most {} are taken",
                                              request.target.size(), limits::kMaxTargetBytes)));
  }
  if (request.target.find('#') != std::string_view::npos) {
    return problem_reply(bad_request("the target has a '#'; in a key it must be written %23"));
  }
  const Target target = split_target(request.target);
  if (!target.path.starts_with(kKeyPathPrefix)) return admin_route(target, request, options);
  const std::optional<KvOp> op = find_kv_op(request.method);
  if (!op) return not_allowed(request.method, target.path, kKvMethods);
  Result<KvCall> call = kv_call(*op, target, request, options);
  if (!call) return problem_reply(call.error());
  return std::move(*call);
}

}  // namespace parallax
