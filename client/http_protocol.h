// How requests and answers look over HTTP, for both ends: percent-encoding, queries, header names,
// ETags, levels and problems (RFC 9457). Pure text; the messages themselves are HTTP's business.
//
// Nothing here guesses: text that is not what it should be is refused, and the message names the
// place. What is refused is always definite: nothing was done.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "client/protocol.h"

namespace parallax {

namespace http_header {
inline constexpr std::string_view kConsistency = "Parallax-Consistency";
inline constexpr std::string_view kEvidence = "Parallax-Evidence";
inline constexpr std::string_view kSession = "Parallax-Session";
inline constexpr std::string_view kContext = "Parallax-Context";
inline constexpr std::string_view kStaleness = "Parallax-Staleness-Ms";
inline constexpr std::string_view kIdempotencyKey = "Idempotency-Key";
inline constexpr std::string_view kIdempotencyReplayed = "Idempotency-Replayed";
}  // namespace http_header

inline constexpr std::string_view kProblemContentType = "application/problem+json";
inline constexpr std::string_view kJsonContentType = "application/json";
inline constexpr std::string_view kDefaultContentType = "application/octet-stream";
/// What stands before a key in a path.
inline constexpr std::string_view kKeyPathPrefix = "/v1/kv/";

/// Whether two header names are the same, whatever their case.
bool same_header_name(std::string_view a, std::string_view b);

/// Fit for one line of a message: printable ASCII in single quotes, everything else as '?', long
/// text cut.
std::string quoted_for_message(std::string_view text);

/// Everything but RFC 3986's unreserved characters and '/' as %XX. The keys "." and ".." are
/// encoded whole, so that nobody on the way takes them for steps in a path.
std::string percent_encode(std::string_view bytes);

/// What the decoder makes of '+': itself (in a path), or a space (in a query).
enum class PlusMeans { plus, space };
/// Errors: bad_request, naming the position of a '%' without two hexadecimal digits.
Result<std::string> percent_decode(std::string_view text, PlusMeans plus = PlusMeans::plus);

struct QueryParameter {
  std::string name;
  std::string value;
  friend bool operator==(const QueryParameter&, const QueryParameter&) = default;
};
using Query = std::vector<QueryParameter>;
/// `text` is what follows the '?'. Order is kept. Errors: bad_request (encoding, an empty name, no
/// '='), bad_parameter (a name given twice, other than `repeatable`).
Result<Query> parse_query(std::string_view text, std::string_view repeatable = {});

/// A stamp as an ETag: `"HLC-NODE"`, quoted.
std::string render_etag(const Stamp& stamp);
/// The inverse. Errors: bad_request for anything but one strong ETag of ours.
Result<Stamp> parse_etag(std::string_view text);
/// How an ETag in a condition is compared (RFC 9110, 8.8.3.2).
enum class EtagComparison {
  weak,    ///< to spare a transfer: weak tags count too, and tags that are not ours match nothing
  strong,  ///< to decide a write: both are refused, for they could never match
};
/// The value of If-Match or If-None-Match: a list of ETags, or `*`. `header` is its name, for
/// errors: bad_request when it is neither, or has more than limits::kMaxEtagsPerCondition tags.
Result<EtagSet> parse_etag_set(std::string_view header, std::string_view list,
                               EtagComparison comparison);

/// An error with what goes beside it in the body. (The error does not come first: a Problem must
/// not be constructible from an Error alone, or Result<Problem> could not tell the two apart.)
struct Problem {
  std::string leader_address;  ///< with not_leader: where it serves clients; empty: unknown
  Error error;
  std::optional<Stamp> etag;  ///< with precondition_failed: the present version
  friend bool operator==(const Problem&, const Problem&) = default;
};

/// The body: one line of JSON. `leader` is a number, `leader_address` stands beside it.
std::string render_problem(const Problem& problem);
/// Unknown members are skipped. Errors: corrupt, naming what is missing or of the wrong type.
Result<Problem> parse_problem(std::string_view body);

}  // namespace parallax
