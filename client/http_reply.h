// The client's side of the HTTP API: from an operation to a request, from a response to an answer
// or to a failure that says whether the operation may have happened.
//
// Pure. It believes no response that does not name its level, and takes silence about the outcome
// of a write for "unknown", except where HTTP itself says that nothing was done (4xx).
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/http_message.h"
#include "client/options.h"
#include "client/protocol.h"
#include "client/retry.h"
#include "client/routing.h"

namespace parallax {

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

/// The answer to `operation`, or with `head` to a Get without the value; 404 `not-found` is one,
/// with `found == false`.
std::variant<Answer, Refusal> read_answer(const Operation& operation, bool head,
                                          const HttpResponse& response);

using BatchAnswers = std::vector<Result<Answer>>;
/// The answers to `operations`, in their order.
std::variant<BatchAnswers, Refusal> read_batch_answers(
    const std::vector<BatchOperation>& operations, const HttpResponse& response);

/// A response that is not Parallax's, `what` says why: of a write, nobody knows what became of it.
Refusal refuse_misunderstood(bool is_read, std::string what);

/// Any response that is no success, problem+json or not.
Refusal read_refusal(bool is_read, const HttpResponse& response);

/// The session token that the response carries, whatever else it says; nothing when it has none.
/// Errors: bad_session.
Result<std::optional<SessionToken>> read_session(const HttpResponse& response);

}  // namespace parallax
