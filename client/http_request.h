// From an operation to its HTTP request, for the client's side. Pure.
//
// A request that no node would take is refused here, before it costs a connection.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "client/http_message.h"
#include "client/options.h"
#include "client/protocol.h"

namespace parallax {

/// Errors: bad_parameter, naming what is wrong and what would be right.
Result<void> check_request(const Request& request);
/// Whether the level that it names, if it names one, can carry it. Errors: as unsupported().
Result<void> check_level(const Request& request);
/// Both, of each operation.
Result<void> check_batch(const std::vector<BatchOperation>& operations);

/// `head`: for a Get, everything but the value. `request` has passed check_request().
HttpRequest render_request(const Request& request, bool head = false);
/// The page of a range that `next`, from an earlier one, leads to. Of `request`, everything but the
/// operation.
HttpRequest render_continued_scan(const Request& request, std::string_view next);
/// Of `request`, everything but the operation.
HttpRequest render_batch(const Request& request, const std::vector<BatchOperation>& operations);

/// Whether and how `request`, a Get or a Put, would be carried out. An empty key: one without a
/// policy of its own. A value is left out.
HttpRequest render_explain(const Request& request);

}  // namespace parallax
