#include "base/error.h"

#include <array>
#include <stdexcept>

#include "base/assert.h"

namespace parallax {
namespace {

constexpr std::array kErrors{
    ErrorInfo{ErrorCode::bad_request, "bad-request", 400, false, "The request is malformed"},
    ErrorInfo{ErrorCode::unknown_level, "unknown-level", 400, false, "No such consistency level"},
    ErrorInfo{ErrorCode::bad_parameter, "bad-parameter", 400, false, "A parameter is wrong"},
    ErrorInfo{ErrorCode::bad_session, "bad-session", 400, false, "The session token is not valid"},
    ErrorInfo{ErrorCode::condition_unsupported, "condition-unsupported", 400, false,
              "This level cannot decide conditions"},
    ErrorInfo{ErrorCode::not_found, "not-found", 404, false, "Nothing is there"},
    ErrorInfo{ErrorCode::method_not_allowed, "method-not-allowed", 405, false,
              "The method is not allowed here"},
    ErrorInfo{ErrorCode::request_timeout, "request-timeout", 408, true,
              "The request came too slowly"},
    ErrorInfo{ErrorCode::payload_too_large, "payload-too-large", 413, false,
              "The body is too large"},
    ErrorInfo{ErrorCode::uri_too_long, "uri-too-long", 414, false, "The key or target is too long"},
    ErrorInfo{ErrorCode::unsupported_media_type, "unsupported-media-type", 415, false,
              "The body's type is not supported here"},
    ErrorInfo{ErrorCode::headers_too_large, "headers-too-large", 431, false,
              "The header is too large"},
    ErrorInfo{ErrorCode::mixing_denied, "mixing-denied", 409, false,
              "The prefix is pinned to another protocol"},
    ErrorInfo{ErrorCode::not_a_number, "not-a-number", 409, false, "The value is not a number"},
    ErrorInfo{ErrorCode::wrong_type, "wrong-type", 409, false, "The value is of another type"},
    ErrorInfo{ErrorCode::too_many_siblings, "too-many-siblings", 409, false,
              "The key has too many concurrent versions"},
    ErrorInfo{ErrorCode::precondition_failed, "precondition-failed", 412, false,
              "The condition does not hold"},
    ErrorInfo{ErrorCode::not_leader, "not-leader", 421, true, "Another node leads"},
    ErrorInfo{ErrorCode::idempotency_key_reused, "idempotency-key-reused", 422, false,
              "The idempotency key belongs to another request"},
    ErrorInfo{ErrorCode::overloaded, "overloaded", 429, true, "Too much is under way"},
    ErrorInfo{ErrorCode::no_leader, "no-leader", 503, true, "No leader is known"},
    ErrorInfo{ErrorCode::not_enough_replicas, "not-enough-replicas", 503, true,
              "Too few replicas answered"},
    ErrorInfo{ErrorCode::level_unattainable, "level-unattainable", 503, true,
              "This replica cannot serve the level now"},
    ErrorInfo{ErrorCode::recovering, "recovering", 503, true, "This node is recovering its data"},
    ErrorInfo{ErrorCode::clock_skew, "clock-skew", 503, true,
              "This node's clock is too far from its peers'"},
    ErrorInfo{ErrorCode::shutting_down, "shutting-down", 503, true, "This node is stopping"},
    ErrorInfo{ErrorCode::read_only, "read-only", 503, true, "This node's disk refuses writes"},
    ErrorInfo{ErrorCode::timeout, "timeout", 504, true, "The deadline passed"},
    ErrorInfo{ErrorCode::internal, "internal", 500, false, "The server failed"},
    ErrorInfo{ErrorCode::io, "io", 500, true, "Input or output failed"},
    ErrorInfo{ErrorCode::corrupt, "corrupt", 500, false, "Bytes are corrupt"},
    ErrorInfo{ErrorCode::refused, "refused", 500, false, "Refused"},
};

}  // namespace

const ErrorInfo& error_info(ErrorCode code) {
  for (const ErrorInfo& row : kErrors) {
    if (row.code == code) return row;
  }
  PARALLAX_UNREACHABLE("an error code without a row: {}", static_cast<int>(code));
}

const ErrorInfo* find_error(std::string_view name) {
  for (const ErrorInfo& row : kErrors) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  PARALLAX_UNREACHABLE("value() of a failed result: {}", error.message);
}

}  // namespace parallax
