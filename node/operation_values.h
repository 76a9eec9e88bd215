// The values that forwarded requests and their replies have in common, to and from the generated
// types of operation.proto. For operation_codec.cc only.
#pragma once

#include <string_view>
#include <utility>

#include "base/error.h"
#include "clock/stamp.h"
#include "clock/version_vector.h"
#include "consistency/level.h"
#include "consistency/policy.h"
#include "consistency/session_token.h"

namespace parallax {
namespace forwarded {
class Consistency;
class Context;
class Policy;
class Session;
class Stamp;
}  // namespace forwarded

namespace operation_values {

/// `whose`, here and below: what was sent, "request" or "answer".
template <class... Operands>
Error corrupt(std::string_view whose, fmt::format_string<Operands...> format,
              Operands&&... operands) {
  return definite(ErrorCode::corrupt,
                  fmt::format("a forwarded {} is corrupt: {}", whose,
                              fmt::format(format, std::forward<Operands>(operands)...)));
}

void fill(forwarded::Consistency& out, const Consistency& consistency);
void fill(forwarded::Stamp& out, const Stamp& stamp);
void fill(forwarded::Context& out, const VersionVector& context);
void fill(forwarded::Session& out, const SessionToken& session);
void fill(forwarded::Policy& out, const Policy& policy);

/// The inverses. Errors: corrupt(), naming the field.
Result<Consistency> read(std::string_view whose, const forwarded::Consistency& in);
Result<Stamp> read(std::string_view whose, std::string_view field, const forwarded::Stamp& in);
Result<VersionVector> read(std::string_view whose, const forwarded::Context& in);
Result<SessionToken> read(std::string_view whose, const forwarded::Session& in);
Result<Policy> read(std::string_view whose, const forwarded::Policy& in);

}  // namespace operation_values
}  // namespace parallax
