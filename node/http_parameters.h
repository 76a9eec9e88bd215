// What a request says beside its path and body: query parameters and headers, read as the table of
// the API (node/http_api.h) has them for its route. Pure.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/protocol.h"
#include "node/http_api.h"
#include "node/http_routes.h"

namespace parallax {

/// A level as it is asked for: by name, with parameters beside it, or by parameters alone, which
/// then belong to a level that is named elsewhere. As they stand.
struct GivenLevel {
  std::optional<std::string> consistency;
  /// By LevelParameter.
  std::array<std::optional<std::string>, kLevelParameters.size()> parameters;
};
/// The level into a request that may have one already; what is given here wins. Errors:
/// unknown_level, bad_parameter.
Result<void> apply_level(const GivenLevel& given, Request& request);

/// Values that were given are within their bounds; the level's are as they stand.
struct GivenParameters {
  Params given;
  GivenLevel level;
  std::chrono::milliseconds timeout = limits::kDefaultRequestTimeout;
  bool forward = true;
  bool siblings = false;
  bool reverse = false;
  bool keys_only = false;
  std::chrono::milliseconds ttl{};
  std::string prefix;
  std::string start;
  std::string end;
  std::string next;
  std::vector<std::string> keys;
  std::uint64_t limit = limits::kDefaultScanLimit;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::string session;
  std::uint64_t replicas = 0;
  std::string op;
};
/// Into `out`, which has nothing yet. Errors: bad_request (no query), bad_parameter (unknown at
/// this route, out of bounds, twice), uri_too_long (a key); each naming the parameter and what
/// would be right.
Result<void> read_parameters(const RouteInfo& route, std::string_view query, GivenParameters& out);

/// By HeaderId; a view without data: not given.
struct GivenHeaders {
  std::array<std::string_view, kRequestHeaders.size()> values;
  bool has(HeaderId id) const { return of(id).data() != nullptr; }
  std::string_view of(HeaderId id) const { return values[static_cast<std::size_t>(id)]; }
};
/// Of routes that take any. Headers that say nothing to this API are passed over; one that asks for
/// what the route does not do is refused: bad_request, condition_unsupported,
/// unsupported_media_type.
Result<GivenHeaders> read_headers(const RouteInfo& route, std::span<const HttpHeaderView> headers);

/// Level, time limit, forwarding and session, into a request. Errors: as apply_level(), and
/// bad_session.
Result<void> apply_common(const GivenParameters& parameters, const GivenHeaders& headers,
                          Request& request);

/// The range of GET /v1/kv as it was first asked for, and what is left of it. Errors:
/// bad_parameter.
struct GivenRange {
  Scan whole;
  Scan rest;
};
Result<GivenRange> read_range(const GivenParameters& parameters);

/// The smallest text above all that begin with `prefix`; empty: there is none.
std::string prefix_end(std::string prefix);

/// "a", "a and b", "a, b and c".
std::string list_of(const std::vector<std::string_view>& words);

}  // namespace parallax
