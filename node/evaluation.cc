#include "node/evaluation.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/checksum.h"
#include "node/operation_codec.h"

namespace parallax {
namespace {

Evaluation refused(Error error, const Version* present) {
  Evaluation evaluation;
  evaluation.refusal = std::move(error);
  if (present != nullptr) evaluation.stamp = present->stamp;
  return evaluation;
}

Error failed_condition(const Version* present) {
  Error error = definite(
      ErrorCode::precondition_failed,
      present == nullptr ? std::string("the key has no value, which the condition does not allow")
                         : fmt::format("the present version is \"{}\", which the condition does "
                                       "not allow",
                                       present->stamp));
  if (present != nullptr) error.etag = present->stamp.to_string();
  return error;
}

Error no_number(std::string message) {
  return definite(ErrorCode::not_a_number, std::move(message));
}

/// Errors: not_a_number.
Result<std::int64_t> sum(const Version* present, std::int64_t by) {
  std::int64_t number = 0;
  if (present != nullptr) {
    const std::string_view text = present->value.view();
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || stop != text.data() + text.size()) {
      return no_number("the value is not the decimal text of a whole number of 64 bits");
    }
  }
  std::int64_t result = 0;
  if (__builtin_add_overflow(number, by, &result)) {
    return no_number(fmt::format("{} and {} make a number of more than 64 bits", number, by));
  }
  return result;
}

}  // namespace

const Version* present_value(const KeyState& state, UnixMillis now) {
  const Version* winner = state.winner();
  return winner == nullptr || winner->tombstone || winner->expired_at(now) ? nullptr : winner;
}

bool rests_on_expiry(const KeyState& state, UnixMillis now) {
  return std::any_of(state.versions().begin(), state.versions().end(), [&](const Version& version) {
    return !version.tombstone && version.expired_at(now);
  });
}

KeyState with_expiry(const KeyState& state, UnixMillis now) {
  std::vector<Version> versions = state.versions();
  for (Version& version : versions) {
    if (!version.tombstone && version.expired_at(now)) bury(version);
  }
  return KeyState::from_parts(std::move(versions), state.context());
}

Evaluation evaluate(const Request& request, const KeyState& known, const Stamp& stamp,
                    UnixMillis now, const WriteAs& as) {
  now = std::max(now, stamp.hlc.millis());
  const Version* const present = present_value(known, now);
  const std::optional<Stamp> etag =
      present == nullptr ? std::nullopt : std::optional(present->stamp);
  if (!request.conditions.hold(etag)) return refused(failed_condition(present), present);

  Evaluation evaluation;
  Version version;
  version.stamp = stamp;
  version.actor = as.actor;
  if (const auto* put = std::get_if<Put>(&request.operation)) {
    version.value = put->value;
    version.content_type = put->content_type;
    if (put->ttl) {
      version.expires_at = UnixMillis{now.value + static_cast<std::uint64_t>(put->ttl->count())};
    }
  } else if (const auto* increment = std::get_if<Increment>(&request.operation)) {
    const Result<std::int64_t> number = sum(present, increment->by);
    if (!number) return refused(number.error(), present);
    evaluation.number = *number;
    version.value = Bytes{fmt::format("{}", *number)};
    if (present != nullptr) {
      version.content_type = present->content_type;
      version.expires_at = present->expires_at;
    }
  } else {
    PARALLAX_ASSERT(std::holds_alternative<Delete>(request.operation), "operation {}",
                    request.operation.index());
    version.tombstone = true;
  }

  if (!request.context) {
    version.context = known.context();
    // Whatever the log stamped before is replaced, also what is not known here.
    if (as.actor == kLogActor) version.context.advance(kLogActor, Hlc{stamp.hlc.value - 1});
    evaluation.next.add(std::move(version));
  } else {
    // What the writer has not seen stays beside it: the whole state goes into the entry, since a
    // copy that leaves versions out would say that those are replaced.
    version.context = *request.context;
    evaluation.next = known;
    evaluation.next.add(std::move(version));
    if (evaluation.next.versions().size() > limits::kMaxSiblings) {
      return refused(
          definite(ErrorCode::too_many_siblings,
                   fmt::format("the key has {} concurrent versions, at most {} may be; write with "
                               "the context of a read that has seen them",
                               known.versions().size(), limits::kMaxSiblings)),
          present);
    }
  }
  evaluation.stamp = stamp;
  return evaluation;
}

std::uint64_t request_fingerprint(const Request& request) {
  Request bare;
  bare.operation = request.operation;
  bare.conditions = request.conditions;
  bare.context = request.context;
  bare.timeout = {};
  return hash64(encode_request(bare).view());
}

}  // namespace parallax
