#include "simulation/recorder.h"

namespace parallax::simulation {
namespace {

std::int64_t ns(MonoTime at) {
  return at.time_since_epoch().count();
}

}  // namespace

std::optional<std::size_t> Recorder::begin(const Request& request, const Call& call,
                                           const std::string* expected) {
  checker::Operation operation;
  operation.client = static_cast<std::uint32_t>(call.client);
  operation.node = call.node;
  operation.outcome = checker::Outcome::unknown;
  operation.call_ns = ns(call.at);
  if (const auto* put = std::get_if<Put>(&request.operation)) {
    operation.kind = checker::OperationKind::write;
    operation.value = history_.texts.intern(put->value.view());
  } else if (std::holds_alternative<Delete>(request.operation)) {
    operation.kind = checker::OperationKind::remove;
  } else if (const auto* increment = std::get_if<Increment>(&request.operation)) {
    operation.kind = checker::OperationKind::increment;
    operation.value = history_.texts.intern(fmt::format("{}", increment->by));
  } else if (!std::holds_alternative<Get>(request.operation)) {
    return std::nullopt;
  }
  operation.key = history_.texts.intern(*operation_key(request.operation));
  if (!request.conditions.empty()) {
    operation.kind = checker::OperationKind::cas;
    if (std::holds_alternative<Delete>(request.operation)) operation.value = checker::kAbsent;
    operation.expected =
        request.conditions.if_match ? history_.texts.intern(*expected) : checker::kAbsent;
  }
  history_.operations.push_back(operation);
  add_expiry(request);
  return history_.operations.size() - 1;
}

/// A value whose time is limited goes at some moment after it has come, or never: a compare and set
/// that nobody has heard the outcome of.
void Recorder::add_expiry(const Request& request) {
  const auto* put = std::get_if<Put>(&request.operation);
  if (put == nullptr || !put->ttl) return;
  checker::Operation expiry = history_.operations.back();
  expiry.kind = checker::OperationKind::cas;
  expiry.expected = expiry.value;
  expiry.value = checker::kAbsent;
  expiry.outcome = checker::Outcome::unknown;
  std::swap(expiry, history_.operations.back());
  history_.operations.push_back(expiry);
}

void Recorder::end(std::size_t record, const Request& request, const Reply& reply, bool unknown,
                   MonoTime at, const std::optional<std::string>& seen) {
  checker::Operation& recorded = history_.operations[record];
  if (!reply) {
    const bool nothing_happened = is_read(request.operation) || !unknown;
    recorded.outcome = nothing_happened ? checker::Outcome::failed : checker::Outcome::unknown;
    if (nothing_happened) recorded.return_ns = ns(at);
    return;
  }
  recorded.return_ns = ns(at);
  if (reply->refusal) {
    const bool compared = recorded.kind == checker::OperationKind::cas;
    recorded.outcome = compared ? checker::Outcome::mismatch : checker::Outcome::failed;
    if (compared && !reply->stamp) recorded.result = checker::kAbsent;
    if (compared && reply->stamp && seen) recorded.result = history_.texts.intern(*seen);
    return;
  }
  recorded.outcome = checker::Outcome::ok;
  if (reply->number) recorded.result = history_.texts.intern(fmt::format("{}", *reply->number));
  if (std::holds_alternative<Get>(request.operation)) {
    recorded.result = reply->found ? history_.texts.intern(reply->value.view()) : checker::kAbsent;
  }
}

void tell_answer(Trace* trace, const Recorder::Call& call, const Request& request,
                 const Reply& reply) {
  if (trace == nullptr) return;
  const std::uint64_t stamp = reply && reply->stamp ? reply->stamp->hlc.value : 0;
  trace->event(call.at, 'o', call.node, call.client, stamp, [&] {
    const std::string* key = operation_key(request.operation);
    return fmt::format("answers client {}: {} {} {}: {}", call.client,
                       operation_name(request.operation), key == nullptr ? "..." : *key,
                       request.consistency.to_string(),
                       !reply           ? reply.error().message
                       : reply->refusal ? reply->refusal->message
                       : reply->stamp   ? reply->stamp->to_string()
                                        : std::string("nothing"));
  });
}

}  // namespace parallax::simulation
