#include "node/evaluation.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/checksum.h"
#include "consistency/merge/conflict.h"
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

Error not_the_first(const Version& first) {
  Error error = definite(ErrorCode::precondition_failed,
                         fmt::format("the key has the value \"{}\", and the first one stays; to "
                                     "replace it, write with the context of a read",
                                     first.stamp));
  error.etag = first.stamp.to_string();
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
  return chosen_version(state, ConflictStrategy::last_writer, now);
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

namespace {

/// Puts the version in its place: beside what it does not replace. A copy that left versions out
/// would say that those are replaced, so what goes out is the whole state.
/// Errors: too_many_siblings.
Result<void> place(const KeyState& known, Version version, KeyState& next) {
  const std::size_t before = known.versions().size();
  next = known;
  next.add(std::move(version));
  if (next.versions().size() <= limits::kMaxSiblings) return {};
  return definite(ErrorCode::too_many_siblings,
                  fmt::format("the key has {} concurrent versions, at most {} may be; write with "
                              "the context of a read that has seen them",
                              before, limits::kMaxSiblings));
}

/// What a write that does not say what it replaces does. Errors: payload_too_large,
/// too_many_siblings.
Result<void> place_blind(const KeyState& known, Version version, UnixMillis now, const WriteAs& as,
                         KeyState& next) {
  if (version.tombstone || as.conflict == ConflictStrategy::last_writer) {
    version.context = known.context();
  } else {
    PARALLAX_ASSIGN(BlindPut blind, blind_put(known, as.conflict, version, now));
    version.context = std::move(blind.context);
    version.value = std::move(blind.value);
    version.content_type = std::move(blind.content_type);
    version.expires_at = blind.expires_at;
    if (as.conflict == ConflictStrategy::siblings) return place(known, std::move(version), next);
  }
  // Whatever the log stamped before is replaced, also what is not known here.
  if (as.actor == kLogActor) {
    version.context.advance(kLogActor, Hlc{version.stamp.hlc.value - 1});
  }
  next.add(std::move(version));
  return {};
}

}  // namespace

Evaluation evaluate(const Request& request, const KeyState& known, const Stamp& stamp,
                    UnixMillis now, const WriteAs& as) {
  now = std::max(now, stamp.hlc.millis());
  const Version* const present = chosen_version(known, as.conflict, now);
  const std::optional<Stamp> etag =
      present == nullptr ? std::nullopt : std::optional(present->stamp);
  if (!request.conditions.hold(etag)) return refused(failed_condition(present), present);

  Evaluation evaluation;
  Version version;
  version.stamp = stamp;
  version.actor = as.actor;
  if (const auto* put = std::get_if<Put>(&request.operation)) {
    if (as.conflict == ConflictStrategy::first_writer && present != nullptr && !request.context) {
      return refused(not_the_first(*present), present);
    }
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

  if (request.context) version.context = *request.context;
  const Result<void> placed =
      request.context ? place(known, std::move(version), evaluation.next)
                      : place_blind(known, std::move(version), now, as, evaluation.next);
  if (!placed) return refused(placed.error(), present);
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
