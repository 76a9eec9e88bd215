// The client's side of the HTTP API: from an operation to a request, from a response to an answer
// or to a failure that says whether the operation may have happened.
//
// Pure. It believes no response that does not name its level, and takes silence about the outcome
// of a write for "unknown", except where HTTP itself says that nothing was done (4xx).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "client/http_message.h"
#include "client/protocol.h"
#include "client/retry.h"
#include "client/routing.h"

namespace parallax {

enum class KvMethod { get, head, put, remove };
inline bool is_read(KvMethod method) {
  return method == KvMethod::get || method == KvMethod::head;
}
/// "GET", "HEAD", "PUT" or "DELETE".
std::string_view http_method(KvMethod method);

/// "/v1/kv/" and the key, percent-encoded. Any bytes.
std::string kv_path(std::string_view key);

/// "?consistency=...&timeout_ms=...&forward=false", of these what differs from the API's defaults;
/// the timeout is always there.
std::string kv_query(const std::optional<Consistency>& consistency,
                     std::chrono::milliseconds timeout, bool forward);

/// What a node said about who leads: a number, an address, both or neither.
struct LeaderHint {
  NodeId node = kNoNode;
  std::optional<Endpoint> endpoint;
  friend bool operator==(const LeaderHint&, const LeaderHint&) = default;
};

/// An answer that says no.
struct Refusal {
  AttemptFailure failure;  ///< stage `answered`
  LeaderHint leader;
};

/// The answer to an operation on a key; 404 `not-found` is one, with `found == false`.
std::variant<Answer, Refusal> read_kv_answer(KvMethod method, const HttpResponse& response);

/// Any response that is no success, problem+json or not.
Refusal read_refusal(bool is_read, const HttpResponse& response);

}  // namespace parallax
