#include "client/level_support.h"

#include <fmt/format.h>

namespace parallax {
namespace {

Error condition_unsupported(std::string_view what, std::string_view level) {
  return definite(
      ErrorCode::condition_unsupported,
      fmt::format("{} decided by the leader alone, and {} has none; use linearizable or prefix",
                  what, level));
}

Error no_such_read(std::string_view what, std::string_view level, std::string_view instead) {
  return definite(ErrorCode::bad_parameter,
                  fmt::format("consistency: {} cannot be read at {}; {}", what, level, instead));
}

constexpr std::string_view kOther = "use linearizable, prefix or eventual";

/// Reads of several keys.
std::optional<Error> unsupported_read(const Operation& operation, std::string_view level) {
  if (std::holds_alternative<Scan>(operation)) return no_such_read("a range", level, kOther);
  if (std::holds_alternative<GetMany>(operation)) {
    return no_such_read("several keys at once", level,
                        "ask for each by itself, or in a batch, or use linearizable, prefix or "
                        "eventual");
  }
  return std::nullopt;
}

}  // namespace

std::optional<Error> unsupported(const Request& request) {
  const LevelInfo& level = level_info(request.consistency.level);
  if (std::holds_alternative<UpdateCrdt>(request.operation) ||
      std::holds_alternative<GetCrdt>(request.operation)) {
    return crdt_level_error(level.level);
  }
  if (level.protocol == Protocol::leader_follower) return std::nullopt;
  const Operation& operation = request.operation;
  if (std::holds_alternative<SetPolicy>(operation) ||
      std::holds_alternative<GetPolicy>(operation) ||
      std::holds_alternative<ListPolicies>(operation)) {
    return definite(ErrorCode::bad_parameter,
                    fmt::format("consistency: policies are agreed on through the log, and {} goes "
                                "past it; use linearizable or prefix",
                                level.name));
  }
  if (std::holds_alternative<Increment>(operation)) {
    return condition_unsupported("an increment is", level.name);
  }
  if (!request.conditions.empty()) {
    return condition_unsupported("If-Match and If-None-Match are", level.name);
  }
  if (!request.idempotency_key.empty()) {
    return condition_unsupported("what an Idempotency-Key has done is", level.name);
  }
  const bool several = level.level == Level::atomic || level.level == Level::quorum;
  const bool causal = level.protocol == Protocol::causal;
  if ((several || causal) && std::holds_alternative<ReadHistory>(operation)) {
    return no_such_read("the history of a key", level.name, kOther);
  }
  return several ? unsupported_read(operation, level.name) : std::nullopt;
}

Result<void> apply_beside_policy(Request& request) {
  if (request.policy_ack) {
    const std::string_view name = kAcks[static_cast<std::size_t>(*request.policy_ack)];
    PARALLAX_TRY(set_parameter(request.consistency, {LevelParameter::ack, name}));
  }
  if (request.policy_on_violation) {
    const std::string_view name =
        kOnViolations[static_cast<std::size_t>(*request.policy_on_violation)];
    PARALLAX_TRY(set_parameter(request.consistency, {LevelParameter::on_violation, name}));
  }
  return {};
}

}  // namespace parallax
