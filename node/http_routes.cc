#include "node/http_routes.h"

#include <algorithm>
#include <utility>

#include "client/http_protocol.h"
#include "client/level_support.h"
#include "consistency/key_context.h"
#include "consistency/merge/conflict.h"
#include "node/http_parameters.h"
#include "node/http_render.h"
#include "node/json_body.h"

namespace parallax {
namespace {

Error bad_request(std::string message) {
  return definite(ErrorCode::bad_request, std::move(message));
}

Error bad_parameter(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
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

/// The answer where the path has no such method, or is none.
HttpReply unmatched(std::string_view method, std::string_view path, const RouteOptions& options) {
  const std::string allow = allowed_methods(path, options.enable_faults);
  if (allow.empty()) {
    if (!allowed_methods(path, true).empty()) {
      return problem_reply(definite(ErrorCode::not_found,
                                    "fault injection is off; the node must be started with "
                                    "--enable-fault-injection"));
    }
    return problem_reply(definite(ErrorCode::not_found,
                                  fmt::format("there is nothing at {}", quoted_for_message(path))));
  }
  HttpReply reply = problem_reply(
      definite(ErrorCode::method_not_allowed,
               fmt::format("{} is not possible on {}; allowed are {}", quoted_for_message(method),
                           quoted_for_message(path), allow)));
  reply.headers.emplace_back("Allow", allow);
  return reply;
}

std::size_t body_bound(const RouteInfo& route, const RouteOptions& options) {
  switch (route.body) {
    case BodyKind::value:
      return options.max_value_bytes;
    case BodyKind::batch:
      return limits::kMaxBatchBytes;
    default:
      return kMaxAdminBodyBytes;
  }
}

Result<void> check_body(const RouteInfo& route, const HttpRequestView& request,
                        const RouteOptions& options) {
  const std::size_t bound = body_bound(route, options);
  if (request.body.size() > bound) {
    return definite(ErrorCode::payload_too_large,
                    route.body == BodyKind::value
                        ? fmt::format("the value has {} bytes; at most {} are stored",
                                      request.body.size(), bound)
                        : fmt::format("the body has {} bytes; {} takes at most {}",
                                      request.body.size(), route.path, bound));
  }
  if (route.body == BodyKind::none && !request.body.empty()) {
    return bad_request(fmt::format("{} takes no body", request.method));
  }
  return {};
}

/// All that was said, read.
struct Asked {
  const RouteInfo& route;
  std::string_view part;  ///< of the path, still encoded
  const HttpRequestView& http;
  const RouteOptions& options;
  GivenParameters parameters;
  GivenHeaders headers;
};

// --- Keys ----------------------------------------------------------------------------------------

Result<std::string> take_key(std::string_view encoded) {
  PARALLAX_ASSIGN(std::string key, percent_decode(encoded));
  return check_key(std::move(key));
}

Result<void> take_conditions(const Asked& asked, Request& request) {
  for (const HeaderId id : {HeaderId::if_match, HeaderId::if_none_match}) {
    if (!asked.headers.has(id)) continue;
    PARALLAX_ASSIGN(
        (id == HeaderId::if_match ? request.conditions.if_match : request.conditions.if_none_match),
        parse_etag_set(request_header(id).name, asked.headers.of(id), EtagComparison::strong));
  }
  return {};
}

/// What a Put and a Delete have in common.
Result<void> take_write_headers(const Asked& asked, std::string_view key, Request& request) {
  PARALLAX_TRY(take_conditions(asked, request));
  request.idempotency_key = asked.headers.of(HeaderId::idempotency_key);
  if (asked.headers.has(HeaderId::context)) {
    PARALLAX_ASSIGN(request.context, decode_key_context(key, asked.headers.of(HeaderId::context)));
  }
  return {};
}

Result<void> make_get(const Asked& asked, KvCall& call) {
  call.form.op = asked.http.method == "HEAD" ? KvOp::head : KvOp::get;
  PARALLAX_ASSIGN(call.form.key, take_key(asked.part));
  if (asked.headers.has(HeaderId::if_none_match)) {
    PARALLAX_ASSIGN(
        call.form.if_none_match,
        parse_etag_set(request_header(HeaderId::if_none_match).name,
                       asked.headers.of(HeaderId::if_none_match), EtagComparison::weak));
  }
  call.request.operation = Get{call.form.key, asked.parameters.siblings};
  return {};
}

Result<void> make_put(const Asked& asked, KvCall& call) {
  call.form.op = KvOp::put;
  PARALLAX_ASSIGN(call.form.key, take_key(asked.part));
  PARALLAX_TRY(take_write_headers(asked, call.form.key, call.request));
  PARALLAX_TRY(check_content_type(asked.headers.of(HeaderId::content_type)));
  Put put{call.form.key, asked.http.body, std::string(asked.headers.of(HeaderId::content_type))};
  if (asked.parameters.given.contains(ParamId::ttl_ms)) put.ttl = asked.parameters.ttl;
  call.request.operation = std::move(put);
  return {};
}

Result<void> make_delete(const Asked& asked, KvCall& call) {
  call.form.op = KvOp::remove;
  PARALLAX_ASSIGN(call.form.key, take_key(asked.part));
  PARALLAX_TRY(take_write_headers(asked, call.form.key, call.request));
  call.request.operation = Delete{call.form.key};
  return {};
}

Result<void> make_increment(const Asked& asked, KvCall& call) {
  call.form.op = KvOp::increment;
  PARALLAX_ASSIGN(call.form.key, take_key(asked.part));
  Increment increment{call.form.key};
  if (!asked.http.body.empty()) {
    PARALLAX_ASSIGN(const JsonBody body,
                    JsonBody::parse(asked.http.body.view(), kIncrementMembers));
    PARALLAX_ASSIGN(const auto by, body.whole_number("by"));
    increment.by = by.value_or(increment.by);
  }
  call.request.idempotency_key = asked.headers.of(HeaderId::idempotency_key);
  call.request.operation = std::move(increment);
  return {};
}

Result<void> make_crdt(const Asked& asked, KvCall& call) {
  PARALLAX_ASSIGN(call.form.key, take_key(asked.part));
  if (asked.route.id == RouteId::get_crdt) {
    call.form.op = KvOp::get_crdt;
    call.request.operation = GetCrdt{call.form.key};
    return {};
  }
  call.form.op = KvOp::update_crdt;
  PARALLAX_ASSIGN(call.request.operation, parse_crdt(call.form.key, asked.http.body.view()));
  return {};
}

Result<void> make_range(const Asked& asked, KvCall& call) {
  const GivenParameters& given = asked.parameters;
  if (!given.given.contains(ParamId::key)) {
    call.form.op = KvOp::scan;
    PARALLAX_ASSIGN(GivenRange range, read_range(given));
    call.form.range = std::move(range.whole);
    call.request.operation = std::move(range.rest);
    return {};
  }
  for (const ParamId id : {ParamId::prefix, ParamId::start, ParamId::end, ParamId::limit,
                           ParamId::reverse, ParamId::keys_only, ParamId::next}) {
    if (!given.given.contains(id)) continue;
    return bad_parameter(fmt::format(
        "{} belongs to a range and key asks for keys; give one or the other", param(id).name));
  }
  call.form.op = KvOp::get_many;
  call.request.operation = GetMany{given.keys};
  return {};
}

Result<void> make_history(const Asked& asked, KvCall& call) {
  call.form.op = KvOp::history;
  PARALLAX_ASSIGN(call.form.key, take_key(asked.part));
  const GivenParameters& given = asked.parameters;
  ReadHistory history{.key = call.form.key, .from = UnixMillis{given.from}};
  if (given.given.contains(ParamId::to)) {
    if (given.to < given.from) {
      return bad_parameter(fmt::format("from={} is behind to={}", given.from, given.to));
    }
    history.to = UnixMillis{given.to};
  }
  call.request.operation = std::move(history);
  return {};
}

Result<std::string> take_prefix(std::string_view encoded) {
  PARALLAX_ASSIGN(std::string prefix, percent_decode(encoded));
  if (prefix.size() > limits::kMaxKeyBytes) {
    return definite(ErrorCode::uri_too_long, fmt::format("the prefix has {} bytes; at most {} make "
                                                         "sense",
                                                         prefix.size(), limits::kMaxKeyBytes));
  }
  return prefix;
}

Result<void> make_policy(const Asked& asked, KvCall& call) {
  // No key, so no policy that could name the level.
  if (std::exchange(call.request.level_by_policy, false)) {
    call.request.consistency = Consistency{};
    PARALLAX_TRY(apply_beside_policy(call.request));
  }
  if (asked.route.id == RouteId::list_policies) {
    call.form.op = KvOp::list_policies;
    call.request.operation = ListPolicies{};
    return {};
  }
  PARALLAX_ASSIGN(std::string prefix, take_prefix(asked.part));
  if (asked.route.id == RouteId::get_policy) {
    call.form.op = KvOp::get_policy;
    call.request.operation = GetPolicy{std::move(prefix)};
  } else if (asked.route.id == RouteId::put_policy) {
    call.form.op = KvOp::put_policy;
    PARALLAX_ASSIGN(Policy policy, parse_policy(asked.http.body.view()));
    call.request.operation = SetPolicy{std::move(prefix), std::move(policy)};
  } else {
    call.form.op = KvOp::delete_policy;
    call.request.operation = SetPolicy{std::move(prefix), std::nullopt};
  }
  return {};
}

/// Of the session alone; no level has a say in it.
Result<void> make_wait(const Asked& asked, KvCall& call) {
  call.form.op = KvOp::wait;
  call.request.level_by_policy = false;
  const GivenParameters& given = asked.parameters;
  if (!given.session.empty()) {
    PARALLAX_ASSIGN(call.request.session, SessionToken::decode(given.session));
  }
  if (!call.request.session) {
    return bad_parameter("session is missing; it must be the Parallax-Session of an answer");
  }
  if (given.replicas == 0) {
    return bad_parameter("replicas is missing; it must be how many are waited for");
  }
  call.request.operation = CountReplicas{static_cast<std::uint32_t>(given.replicas)};
  return {};
}

Result<void> make_operation(const Asked& asked, KvCall& call) {
  switch (asked.route.id) {
    case RouteId::get_key:
      return make_get(asked, call);
    case RouteId::put_key:
      return make_put(asked, call);
    case RouteId::delete_key:
      return make_delete(asked, call);
    case RouteId::increment:
      return make_increment(asked, call);
    case RouteId::get_crdt:
    case RouteId::update_crdt:
      return make_crdt(asked, call);
    case RouteId::range:
      return make_range(asked, call);
    case RouteId::history:
      return make_history(asked, call);
    case RouteId::wait:
      return make_wait(asked, call);
    default:
      return make_policy(asked, call);
  }
}

Result<Routed> key_call(const Asked& asked) {
  KvCall call;
  PARALLAX_TRY(apply_common(asked.parameters, asked.headers, call.request));
  if (asked.route.id == RouteId::batch) {
    PARALLAX_ASSIGN(BatchCall batch,
                    parse_batch(asked.http.body.view(),
                                {std::move(call.request), asked.options.max_value_bytes}));
    return Routed(std::move(batch));
  }
  PARALLAX_TRY(make_operation(asked, call));
  if (!call.request.level_by_policy) {
    call.form.level = call.request.consistency.level;
    if (auto error = unsupported(call.request)) return std::move(*error);
  }
  return Routed(std::move(call));
}

// --- Everything else -----------------------------------------------------------------------------

Result<AdminCall> transfer_call(std::string_view body) {
  PARALLAX_ASSIGN(const JsonBody json, JsonBody::parse(body, kTransferMembers));
  PARALLAX_ASSIGN(const auto to, json.whole_number("to"));
  if (!to) return bad_parameter("\"to\" is missing; it must be the number of a member");
  return TransferLeadership{NodeId{static_cast<std::uint32_t>(*to)}};
}

/// The request as it would be asked: what is refused there is refused here.
Result<AdminCall> explain_call(const Asked& asked) {
  const GivenParameters& given = asked.parameters;
  if (given.op.empty()) return bad_parameter("op is missing; it must be read or write");
  if (given.keys.size() > 1) {
    return bad_parameter("key is given more than once; a plan is that of one key");
  }
  Request request;
  PARALLAX_TRY(apply_common(given, asked.headers, request));
  std::string key = given.keys.empty() ? std::string() : given.keys.front();
  if (given.op == "read") {
    request.operation = Get{std::move(key)};
  } else {
    request.operation = Put{std::move(key), {}};
  }
  if (!request.level_by_policy) {
    if (auto error = unsupported(request)) return std::move(*error);
  }
  return AdminCall(Explain{std::move(request)});
}

Result<AdminCall> admin_call(const Asked& asked) {
  const std::string_view body = asked.http.body.view();
  switch (asked.route.id) {
    case RouteId::cluster:
      return ShowCluster{};
    case RouteId::transfer:
      return transfer_call(body);
    case RouteId::status:
      return ShowStatus{};
    case RouteId::explain:
      return explain_call(asked);
    case RouteId::health:
      return CheckHealth{};
    case RouteId::ready:
      return CheckReady{};
    case RouteId::metrics:
      return ShowMetrics{};
    case RouteId::openapi:
      return ShowOpenApi{};
    case RouteId::set_faults: {
      PARALLAX_ASSIGN(FaultSettings faults, parse_faults(body));
      return SetFaults{std::move(faults)};
    }
    case RouteId::clear_faults:
      return SetFaults{};
    default:
      PARALLAX_UNREACHABLE("route {}", static_cast<int>(asked.route.id));
  }
}

Result<Routed> carry_through(const RouteMatch& match, std::string_view query,
                             const HttpRequestView& request, const RouteOptions& options) {
  Asked asked{*match.route, match.part, request, options, {}, {}};
  PARALLAX_ASSIGN(asked.headers, read_headers(asked.route, request.headers));
  PARALLAX_TRY(read_parameters(asked.route, query, asked.parameters));
  PARALLAX_TRY(check_body(asked.route, request, options));
  if (asked.route.key_request) return key_call(asked);
  PARALLAX_ASSIGN(AdminCall call, admin_call(asked));
  return Routed(std::move(call));
}

}  // namespace

Result<std::string> check_key(std::string key) {
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

Result<void> check_content_type(std::string_view type) {
  if (!type.starts_with(kOwnContentTypes)) return {};
  return definite(ErrorCode::unsupported_media_type,
                  fmt::format("content types that begin with {} are those of values that merge; "
                              "write them through /v1/crdt",
                              kOwnContentTypes));
}

Result<Policy> parse_policy(std::string_view text) {
  PARALLAX_ASSIGN(const JsonBody body, JsonBody::parse(text, kPolicyMembers));
  PARALLAX_ASSIGN(const auto level, body.text("default_consistency"));
  PARALLAX_ASSIGN(const auto mixing, body.text("mixing"));
  PARALLAX_ASSIGN(const auto conflict, body.text("conflict"));
  Policy policy;
  if (level) {
    PARALLAX_ASSIGN(policy.default_consistency, parse_consistency(*level));
  }
  if (mixing) {
    PARALLAX_ASSIGN(policy.mixing, parse_mixing(*mixing));
  }
  if (conflict) {
    PARALLAX_ASSIGN(policy.conflict, parse_conflict(*conflict));
  }
  if (auto error = policy_error(policy)) return *error;
  return policy;
}

std::size_t max_body_bytes(std::string_view method, std::string_view target,
                           const RouteOptions& options) {
  const RouteMatch match = match_route(method, split_target(target).path);
  // Small values, for tests, still leave room for what every other request may say.
  const std::size_t bound = match.route == nullptr ? 0 : body_bound(*match.route, options);
  return std::max({bound, options.max_value_bytes, kMaxAdminBodyBytes});
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
  const RouteMatch match = match_route(request.method, target.path);
  if (match.route == nullptr || (match.route->faults && !options.enable_faults)) {
    return unmatched(request.method, target.path, options);
  }
  Result<Routed> routed = carry_through(match, target.query, request, options);
  if (!routed) return problem_reply(routed.error());
  return std::move(*routed);
}

}  // namespace parallax
