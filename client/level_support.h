// Which requests a level can carry, whatever the cluster is like.
//
// Conditions, idempotency keys and increments are decided in one order, and only the leader's log
// has one: at a level of another protocol they are refused, because leaving them out would break
// the promise that they stand for. Pure.
#pragma once

#include <optional>

#include "client/protocol.h"

namespace parallax {

/// Why `request` cannot be carried out at its level; nothing: it can. Whoever first knows the level
/// has to ask: the HTTP routes when the request names it, the replica when a policy does. So what
/// `level_by_policy` says is of no meaning here. Errors: condition_unsupported, bad_parameter (the
/// level has no such reads), each naming the level and what would be right.
std::optional<Error> unsupported(const Request& request);

/// The policy's level is in `consistency` now: sets what the request asks of it beside. Errors:
/// bad_parameter, when that level does not take it.
Result<void> apply_beside_policy(Request& request);

}  // namespace parallax
