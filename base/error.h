// Errors and results. Every error says whether what was asked for may still have happened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/system/result.hpp>

#include "base/ids.h"

namespace parallax {

/// Whether the operation that failed can have had an effect (Maelstrom's distinction).
enum class Certainty {
  definite,    ///< It did not happen and will not.
  indefinite,  ///< Unknown: it may have happened, or may happen yet.
};

/// The codes that go out on the wire (`urn:parallax:error:CODE`), and the internal ones behind
/// them. One list: error_info() below gives each its name, HTTP status and whether a retry can
/// help.
enum class ErrorCode {
  bad_request,
  unknown_level,
  bad_parameter,
  bad_session,
  condition_unsupported,
  not_found,
  method_not_allowed,
  request_timeout,
  payload_too_large,
  uri_too_long,
  unsupported_media_type,
  headers_too_large,
  mixing_denied,
  not_a_number,
  wrong_type,
  too_many_siblings,
  precondition_failed,
  not_leader,
  idempotency_key_reused,
  overloaded,
  no_leader,
  not_enough_replicas,
  level_unattainable,
  recovering,
  clock_skew,
  shutting_down,
  read_only,
  timeout,
  internal,
  // Never leave a process: an operating failure at one of its ports.
  io,       ///< the disk or the network refused
  corrupt,  ///< stored or received bytes fail their checksum or schema
  refused,  ///< a data directory or a peer that is not ours; a setting that is wrong
};

struct ErrorInfo {
  ErrorCode code;
  std::string_view name;  ///< as on the wire, "bad-parameter"
  int http_status;
  bool retryable;  ///< whether the same request can succeed later without being changed
  std::string_view title;
};

/// The row of `code`. Thread-safe; the views live forever.
const ErrorInfo& error_info(ErrorCode code);
/// The row whose wire name is `name`, or nullptr.
const ErrorInfo* find_error(std::string_view name);

struct Error {
  ErrorCode code = ErrorCode::internal;
  Certainty certainty = Certainty::definite;
  std::string message;      ///< names what was wrong and what would be right; one line
  NodeId leader = kNoNode;  ///< with not_leader: who leads, when known
  std::string etag = {};    ///< with precondition_failed: the present version's, unquoted; or none
  std::uint32_t required = 0;  ///< with not_enough_replicas: how many it takes ...
  std::uint32_t received = 0;  ///< ... and how many have answered

  bool definite() const { return certainty == Certainty::definite; }
  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = boost::system::result<T, Error>;

inline Error definite(ErrorCode code, std::string message) {
  return Error{code, Certainty::definite, std::move(message)};
}
inline Error indefinite(ErrorCode code, std::string message) {
  return Error{code, Certainty::indefinite, std::move(message)};
}

// boost::system::result asks for this for value() on a failure; we never call value() unchecked.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& at);

}  // namespace parallax

#define PARALLAX_CONCAT_INNER(a, b) a##b
#define PARALLAX_CONCAT(a, b) PARALLAX_CONCAT_INNER(a, b)

/// `PARALLAX_TRY(expression)`: returns the error of a Result from the calling function, if any.
#define PARALLAX_TRY(...)                                                                       \
  do {                                                                                          \
    if (auto parallax_result = (__VA_ARGS__); !parallax_result) return parallax_result.error(); \
  } while (false)

/// `PARALLAX_ASSIGN(auto value, expression)`: as above, else declares or sets `value`.
#define PARALLAX_ASSIGN(target, ...)                                \
  auto PARALLAX_CONCAT(parallax_result_, __LINE__) = (__VA_ARGS__); \
  if (!PARALLAX_CONCAT(parallax_result_, __LINE__))                 \
    return PARALLAX_CONCAT(parallax_result_, __LINE__).error();     \
  target = std::move(*PARALLAX_CONCAT(parallax_result_, __LINE__))
