// From an HTTP request to what it asks of a node, or to the answer that refuses it.
//
// Pure: no sockets, and no HTTP library. The table of routes is in http_routes.cc; what each means
// is client/http_protocol.h.
//
// What is not understood is refused, never skipped: an unknown parameter, a condition that the
// level cannot decide or a header that asks for something that this version does not do is a 400
// that names it, because leaving it out silently would break the promise that it stands for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "client/protocol.h"
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

enum class KvOp : std::uint8_t { get, head, put, remove };
/// "get", "head", "put", "delete", for metrics.
std::string_view kv_op_name(KvOp op);

/// What the answer to an operation on a key depends on, beside what the node says.
struct KvForm {
  KvOp op = KvOp::get;
  Level level = Level::linearizable;  ///< asked for
  std::string if_none_match;          ///< reads: the header, checked; empty: none
};

/// An operation on a key, ready for NodeService::submit().
struct KvCall {
  Request request;
  KvForm form;
};

struct ShowCluster {};
struct ShowStatus {};
struct ShowMetrics {};
struct CheckHealth {};
struct CheckReady {};
struct TransferLeadership {
  NodeId to;
};
struct SetFaults {
  FaultSettings faults;
};
using AdminCall = std::variant<ShowCluster, ShowStatus, ShowMetrics, CheckHealth, CheckReady,
                               TransferLeadership, SetFaults>;

using Routed = std::variant<KvCall, AdminCall, HttpReply>;

struct RouteOptions {
  std::size_t max_value_bytes = limits::kDefaultMaxValueBytes;
  bool enable_faults = false;
};

/// Bodies of everything but values are at most this long.
inline constexpr std::size_t kMaxAdminBodyBytes = 64 << 10;

/// Thread-safe.
Routed route(const HttpRequestView& request, const RouteOptions& options);

/// The body of POST /v1/faults. Errors: bad_request (no JSON), bad_parameter (an unknown member, a
/// value out of range), naming it.
Result<FaultSettings> parse_faults(std::string_view body);

}  // namespace parallax
