// From an HTTP request to what it asks of a node, or to the answer that refuses it.
//
// Pure: no sockets, and no HTTP library. The table of routes is node/http_api.h; what each means is
// client/http_protocol.h.
//
// What is not understood is refused, never skipped: an unknown parameter, a condition that cannot
// be decided or a header that asks for something that the route does not do is a 400 that names it,
// because leaving it out silently would break the promise that it stands for.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "client/protocol.h"
#include "node/http_api.h"
#include "node/service.h"

namespace parallax {

struct HttpHeaderView {
  std::string_view name;
  std::string_view value;
};

/// One whole request. The views must live for the call of route() only.
struct HttpRequestView {
  std::string_view method;
  std::string_view target;
  std::span<const HttpHeaderView> headers;
  Bytes body;
};

/// An answer that is not on the fast path.
struct HttpReply {
  int status = 200;
  std::string content_type;  ///< empty: none
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

enum class KvOp : std::uint8_t {
  get,
  head,
  put,
  remove,
  increment,
  get_crdt,
  update_crdt,
  scan,
  get_many,
  history,
  list_policies,
  get_policy,
  put_policy,
  delete_policy,
  wait,
};
/// By KvOp, for metrics.
inline constexpr std::array<std::string_view, 15> kKvOpNames{
    "get",           "head",        "put",        "delete",        "increment",
    "get-crdt",      "update-crdt", "scan",       "get-many",      "history",
    "list-policies", "get-policy",  "put-policy", "delete-policy", "wait"};
constexpr std::string_view kv_op_name(KvOp op) {
  return kKvOpNames[static_cast<std::size_t>(op)];
}

/// What the answer to an operation depends on, beside what the node says.
struct KvForm {
  KvOp op = KvOp::get;
  std::optional<Level> level;            ///< asked for; absent: the policy decides
  std::string key;                       ///< operations on one key
  std::optional<EtagSet> if_none_match;  ///< reads of one key
  std::optional<Scan> range;             ///< scan: as first asked for, for the next page
};

/// An operation, ready for NodeService::submit().
struct KvCall {
  Request request;
  KvForm form;
};

/// Independent operations; those that are refused already are their errors.
struct BatchCall {
  std::vector<std::variant<KvCall, Error>> operations;
};

struct ShowCluster {};
struct ShowStatus {};
struct ShowMetrics {};
struct ShowOpenApi {};
struct CheckHealth {};
struct CheckReady {};
struct Explain {
  Request request;
};
struct TransferLeadership {
  NodeId to;
};
struct SetFaults {
  FaultSettings faults;
};
using AdminCall = std::variant<ShowCluster, ShowStatus, ShowMetrics, ShowOpenApi, CheckHealth,
                               CheckReady, TransferLeadership, SetFaults, Explain>;

using Routed = std::variant<KvCall, BatchCall, AdminCall, HttpReply>;

struct RouteOptions {
  std::size_t max_value_bytes = limits::kDefaultMaxValueBytes;
  bool enable_faults = false;
};

/// Bodies of everything but values and batches are at most this long.
inline constexpr std::size_t kMaxAdminBodyBytes = 64 << 10;

/// How long the body of this request may be; known from its head alone.
std::size_t max_body_bytes(std::string_view method, std::string_view target,
                           const RouteOptions& options);

/// Thread-safe.
Routed route(const HttpRequestView& request, const RouteOptions& options);

/// What every operation of a batch inherits from its request.
struct BatchDefaults {
  Request request;  ///< level, timeout, forward and session
  std::size_t max_value_bytes = limits::kDefaultMaxValueBytes;
};
/// The body of POST /v1/batch. An operation that is wrong is an error in its place. Errors:
/// bad_request, bad_parameter, where the list itself is not to be understood.
Result<BatchCall> parse_batch(std::string_view body, const BatchDefaults& defaults);

/// The body of PUT /v1/policies/{prefix}. Errors: bad_request, bad_parameter, unknown_level.
Result<Policy> parse_policy(std::string_view body);

/// The body of POST /v1/crdt/{key}. Errors: bad_request, bad_parameter.
Result<UpdateCrdt> parse_crdt(std::string key, std::string_view body);

/// The body of POST /v1/faults. Errors: bad_request (no JSON), bad_parameter (an unknown member, a
/// value out of range), naming it.
Result<FaultSettings> parse_faults(std::string_view body);

/// A key within its bounds. Errors: bad_request (empty), uri_too_long.
Result<std::string> check_key(std::string key);
/// Those of values that are not stored as they are shown are no client's to give. Errors:
/// unsupported_media_type.
Result<void> check_content_type(std::string_view type);

}  // namespace parallax
