#include "node/http_api.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/assert.h"

namespace parallax {
namespace {

using P = ParamId;
using H = HeaderId;
using E = ErrorCode;

constexpr Params kLevelParams{P::consistency, P::timeout_ms, P::forward};
/// Of the levels that take any: those that read and write one key at a time.
constexpr Params kReplicaParams{P::r, P::w, P::sloppy, P::repair};
/// And of those that any replica of the log serves.
constexpr Params kLogParams =
    kLevelParams | Params{P::max_staleness_ms, P::max_lag, P::on_violation, P::ack};
/// Of the causal levels, which read several keys, too.
constexpr Params kSessionParams{P::guarantees, P::on_violation};
constexpr RequestHeaders kLevelHeaders{H::consistency, H::session};

constexpr ErrorCodes kCommon{E::bad_request,  E::request_timeout,   E::payload_too_large,
                             E::uri_too_long, E::headers_too_large, E::overloaded};
/// What the routes say to a request for keys, and the nodes that carry it out.
constexpr ErrorCodes kKeyErrors =
    kCommon |
    ErrorCodes{
        E::unknown_level,          E::bad_parameter, E::bad_session, E::condition_unsupported,
        E::unsupported_media_type, E::not_leader,    E::no_leader,   E::recovering,
        E::shutting_down,          E::read_only,     E::timeout,     E::internal,
        E::level_unattainable};
constexpr ErrorCodes kReadErrors = kKeyErrors;
/// With ack=all, or at levels of replicas.
constexpr ErrorCodes kWriteErrors = kKeyErrors | ErrorCodes{E::clock_skew, E::not_enough_replicas};
constexpr ErrorCodes kValueWriteErrors =
    kWriteErrors | ErrorCodes{E::too_many_siblings, E::idempotency_key_reused, E::mixing_denied};
/// A policy may refuse to read the values of keys at a level.
constexpr ErrorCodes kValueReadErrors = kReadErrors | ErrorCodes{E::mixing_denied};
constexpr ErrorCodes kReplicaErrors{E::not_enough_replicas};

constexpr std::array kRoutes{
    RouteInfo{.id = RouteId::get_key,
              .method = "GET",
              .path = "/v1/kv/{key}",
              .name = "getKey",
              .summary = "The value of a key, as it was stored.",
              .params = kLogParams | kReplicaParams | kSessionParams | Params{P::siblings},
              .headers = kLevelHeaders | RequestHeaders{H::if_none_match},
              .successes = {200, 300, 304},
              .errors = kValueReadErrors | kReplicaErrors | ErrorCodes{E::not_found},
              .key_request = true},
    RouteInfo{.id = RouteId::put_key,
              .method = "PUT",
              .path = "/v1/kv/{key}",
              .name = "putKey",
              .summary = "Stores the body, raw bytes, as the value of a key.",
              .params = kLogParams | kReplicaParams | kSessionParams | Params{P::ttl_ms},
              .headers = kLevelHeaders | RequestHeaders{H::context, H::idempotency_key, H::if_match,
                                                        H::if_none_match, H::content_type},
              .body = BodyKind::value,
              .successes = {204, 202},
              .errors = kValueWriteErrors | kReplicaErrors | ErrorCodes{E::precondition_failed},
              .key_request = true},
    RouteInfo{.id = RouteId::delete_key,
              .method = "DELETE",
              .path = "/v1/kv/{key}",
              .name = "deleteKey",
              .summary = "Writes a tombstone, also where there is nothing.",
              .params = kLogParams | kReplicaParams | kSessionParams,
              .headers = kLevelHeaders | RequestHeaders{H::context, H::idempotency_key, H::if_match,
                                                        H::if_none_match},
              .successes = {204, 202},
              .errors = kValueWriteErrors | kReplicaErrors | ErrorCodes{E::precondition_failed},
              .key_request = true},
    RouteInfo{.id = RouteId::increment,
              .method = "POST",
              .path = "/v1/kv/{key}/increment",
              .name = "incrementKey",
              .summary = "Adds to a value that is decimal text; an absent one counts as 0.",
              .params = kLogParams,
              .headers = kLevelHeaders | RequestHeaders{H::idempotency_key},
              .body = BodyKind::increment,
              .errors = kValueWriteErrors | ErrorCodes{E::not_a_number},
              .key_request = true},
    RouteInfo{.id = RouteId::get_crdt,
              .method = "GET",
              .path = "/v1/crdt/{key}",
              .name = "getCrdt",
              .summary = "A convergent value: a counter, a set or a map. Without a level and a "
                         "policy: eventual.",
              .params = kLevelParams | kReplicaParams | kSessionParams,
              .headers = kLevelHeaders,
              .errors = kValueReadErrors | kReplicaErrors | ErrorCodes{E::not_found, E::wrong_type},
              .key_request = true},
    RouteInfo{.id = RouteId::update_crdt,
              .method = "POST",
              .path = "/v1/crdt/{key}",
              .name = "updateCrdt",
              .summary = "Changes a convergent value; one that is not there begins empty. Without "
                         "a level and a policy: eventual.",
              .params = kLevelParams | kReplicaParams | kSessionParams,
              .headers = kLevelHeaders,
              .body = BodyKind::crdt,
              .successes = {200, 202},
              .errors = kWriteErrors | kReplicaErrors |
                        ErrorCodes{E::mixing_denied, E::not_a_number, E::wrong_type},
              .key_request = true},
    RouteInfo{.id = RouteId::range,
              .method = "GET",
              .path = "/v1/kv",
              .name = "getRange",
              .summary = "A range of keys, in key order; or, with key, several keys.",
              .params = kLogParams | kSessionParams |
                        Params{P::prefix, P::start, P::end, P::limit, P::reverse, P::keys_only,
                               P::next, P::key},
              .headers = kLevelHeaders,
              .errors = kValueReadErrors,
              .key_request = true},
    RouteInfo{.id = RouteId::batch,
              .method = "POST",
              .path = "/v1/batch",
              .name = "batch",
              .summary = "Independent operations, each with its own level; the answers come in "
                         "order. What one refuses is the problem in its result.",
              .params = kLogParams | kReplicaParams | kSessionParams,
              .headers = kLevelHeaders,
              .body = BodyKind::batch,
              .errors = kCommon | ErrorCodes{E::unknown_level, E::bad_parameter, E::bad_session,
                                             E::condition_unsupported, E::unsupported_media_type},
              .key_request = true},
    RouteInfo{.id = RouteId::history,
              .method = "GET",
              .path = "/v1/history/{key}",
              .name = "getHistory",
              .summary = "The versions that a key has and had, newest first, as far back as they "
                         "are kept.",
              .params = kLogParams | Params{P::from, P::to},
              .headers = kLevelHeaders,
              .errors = kReadErrors,
              .key_request = true},
    RouteInfo{.id = RouteId::list_policies,
              .method = "GET",
              .path = "/v1/policies",
              .name = "listPolicies",
              .summary = "All policies.",
              .params = kLogParams,
              .headers = kLevelHeaders,
              .errors = kReadErrors,
              .key_request = true},
    RouteInfo{.id = RouteId::get_policy,
              .method = "GET",
              .path = "/v1/policies/{prefix}",
              .name = "getPolicy",
              .summary = "The policy of exactly this prefix; an empty one is every key's.",
              .params = kLogParams,
              .headers = kLevelHeaders,
              .errors = kReadErrors | ErrorCodes{E::not_found},
              .key_request = true},
    RouteInfo{.id = RouteId::put_policy,
              .method = "PUT",
              .path = "/v1/policies/{prefix}",
              .name = "putPolicy",
              .summary = "Sets what holds for the keys under a prefix; the longest prefix counts.",
              .params = kLogParams,
              .headers = kLevelHeaders,
              .body = BodyKind::policy,
              .successes = {204},
              .errors = kWriteErrors,
              .key_request = true},
    RouteInfo{.id = RouteId::delete_policy,
              .method = "DELETE",
              .path = "/v1/policies/{prefix}",
              .name = "deletePolicy",
              .summary = "Takes the policy of a prefix away, if it has one.",
              .params = kLogParams,
              .headers = kLevelHeaders,
              .successes = {204},
              .errors = kWriteErrors,
              .key_request = true},
    RouteInfo{.id = RouteId::cluster,
              .method = "GET",
              .path = "/v1/cluster",
              .name = "getCluster",
              .summary = "The members as this node sees them.",
              .errors = kCommon | ErrorCodes{E::bad_parameter}},
    RouteInfo{.id = RouteId::transfer,
              .method = "POST",
              .path = "/v1/cluster/transfer-leadership",
              .name = "transferLeadership",
              .summary = "Asks the leader to hand over to another member. Only the leader can.",
              .body = BodyKind::transfer,
              .successes = {202},
              .errors = kCommon | ErrorCodes{E::bad_parameter, E::not_leader}},
    RouteInfo{.id = RouteId::status,
              .method = "GET",
              .path = "/v1/status",
              .name = "getStatus",
              .summary = "This node.",
              .errors = kCommon | ErrorCodes{E::bad_parameter}},
    RouteInfo{
        .id = RouteId::wait,
        .method = "GET",
        .path = "/v1/wait",
        .name = "waitForReplicas",
        .summary = "How many replicas durably have what a session has seen and written in the log "
                   "and at the causal levels: as soon as it is as many as asked for, else at the "
                   "timeout.",
        .params = Params{P::session, P::replicas, P::timeout_ms, P::forward},
        .headers = {H::session},
        .errors = kCommon | ErrorCodes{E::bad_parameter, E::bad_session, E::condition_unsupported,
                                       E::unsupported_media_type, E::not_leader, E::no_leader,
                                       E::recovering, E::shutting_down, E::read_only, E::timeout,
                                       E::internal},
        .key_request = true},
    RouteInfo{.id = RouteId::explain,
              .method = "GET",
              .path = "/v1/explain",
              .name = "explain",
              .summary =
                  "What this node would do about a request, without doing it: with the level, "
                  "the session and their parameters as the request itself has them. What would be "
                  "refused is "
                  "refused. key is at most one; absent: one without a policy of its own.",
              .params = kLogParams | kReplicaParams | kSessionParams | Params{P::op, P::key},
              .headers = kLevelHeaders,
              .errors = kCommon | ErrorCodes{E::bad_parameter, E::unknown_level, E::bad_session,
                                             E::condition_unsupported, E::unsupported_media_type,
                                             E::not_leader, E::recovering, E::level_unattainable,
                                             E::mixing_denied, E::clock_skew, E::read_only,
                                             E::not_enough_replicas}},
    RouteInfo{.id = RouteId::health,
              .method = "GET",
              .path = "/healthz",
              .name = "checkHealth",
              .summary = "Liveness.",
              .errors = kCommon,
              .any_query = true},
    RouteInfo{.id = RouteId::ready,
              .method = "GET",
              .path = "/readyz",
              .name = "checkReady",
              .summary = "Readiness: knows a leader and has caught up.",
              .errors = kCommon | ErrorCodes{E::recovering, E::no_leader},
              .any_query = true},
    RouteInfo{.id = RouteId::metrics,
              .method = "GET",
              .path = "/metrics",
              .name = "getMetrics",
              .summary = "Figures in Prometheus' text format.",
              .errors = kCommon,
              .any_query = true},
    RouteInfo{.id = RouteId::openapi,
              .method = "GET",
              .path = "/v1/openapi.json",
              .name = "getOpenApi",
              .summary = "This document.",
              .errors = kCommon,
              .any_query = true},
    RouteInfo{.id = RouteId::set_faults,
              .method = "POST",
              .path = "/v1/faults",
              .name = "setFaults",
              .summary = "Replaces all injected faults. Only with --enable-fault-injection.",
              .body = BodyKind::faults,
              .successes = {204},
              .errors = kCommon | ErrorCodes{E::bad_parameter, E::not_found},
              .faults = true},
    RouteInfo{.id = RouteId::clear_faults,
              .method = "DELETE",
              .path = "/v1/faults",
              .name = "clearFaults",
              .summary = "Ends all injected faults. Only with --enable-fault-injection.",
              .successes = {204},
              .errors = kCommon | ErrorCodes{E::bad_parameter, E::not_found},
              .faults = true},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRoutes.size(); ++i) {
    if (kRoutes[i].id != static_cast<RouteId>(i)) return false;
  }
  return true;
}
static_assert(in_order());

/// What is around a path's {part}. `variable` false: `before` is all.
struct Pattern {
  std::string_view before;
  std::string_view after;
  bool variable = false;
};

constexpr std::array kPatterns = [] {
  std::array<Pattern, kRoutes.size()> patterns{};
  for (std::size_t i = 0; i < kRoutes.size(); ++i) {
    const std::string_view path = kRoutes[i].path;
    const std::size_t open = path.find('{');
    if (open == std::string_view::npos) {
      patterns[i] = {path, {}, false};
    } else {
      patterns[i] = {path.substr(0, open), path.substr(path.find('}') + 1), true};
    }
  }
  return patterns;
}();

bool fits(const Pattern& pattern, std::string_view path) {
  if (!pattern.variable) return path == pattern.before;
  return path.size() >= pattern.before.size() + pattern.after.size() &&
         path.starts_with(pattern.before) && path.ends_with(pattern.after);
}

}  // namespace

std::span<const Field> body_members(BodyKind kind) {
  switch (kind) {
    case BodyKind::none:
    case BodyKind::value:
      return {};
    case BodyKind::increment:
      return kIncrementMembers;
    case BodyKind::crdt:
      return kCrdtMembers;
    case BodyKind::batch:
      return kBatchMembers;
    case BodyKind::policy:
      return kPolicyMembers;
    case BodyKind::transfer:
      return kTransferMembers;
    case BodyKind::faults:
      return kFaultMembers;
  }
  PARALLAX_UNREACHABLE("body kind {}", static_cast<int>(kind));
}

std::span<const RouteInfo> all_routes() {
  return kRoutes;
}

const RouteInfo& route_info(RouteId id) {
  return kRoutes[static_cast<std::size_t>(id)];
}

RouteMatch match_route(std::string_view method, std::string_view path) {
  if (method == "HEAD") method = "GET";
  for (std::size_t i = 0; i < kRoutes.size(); ++i) {
    const Pattern& pattern = kPatterns[i];
    if (kRoutes[i].method != method || !fits(pattern, path)) continue;
    path.remove_prefix(pattern.before.size());
    path.remove_suffix(pattern.after.size());
    return {&kRoutes[i], path};
  }
  return {};
}

std::string allowed_methods(std::string_view path, bool faults) {
  std::vector<std::string_view> methods;
  for (std::size_t i = 0; i < kRoutes.size(); ++i) {
    if (!fits(kPatterns[i], path) || (kRoutes[i].faults && !faults)) continue;
    methods.push_back(kRoutes[i].method);
    if (kRoutes[i].method == "GET") methods.push_back("HEAD");
  }
  std::sort(methods.begin(), methods.end());
  return fmt::format("{}", fmt::join(methods, ", "));
}

ErrorCodes common_errors() {
  return kCommon;
}

}  // namespace parallax
