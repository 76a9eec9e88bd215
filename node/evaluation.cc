#include "node/evaluation.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/checksum.h"
#include "consistency/merge/conflict.h"
#include "consistency/merge/crdt.h"
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

Error wrong_type(std::string_view wanted, const Version& there) {
  const std::optional<CrdtType> type = crdt_type_of(there);
  return definite(ErrorCode::wrong_type,
                  type ? fmt::format("the key holds a {}, not a {}", crdt_type_name(*type), wanted)
                       : fmt::format("the key holds a plain value, not a {}", wanted));
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
  std::size_t bytes = 0;
  for (const Version& each : next.versions()) bytes += each.value.size();
  if (next.versions().size() > 1 && bytes > limits::kMaxSiblingBytes) {
    return definite(ErrorCode::too_many_siblings,
                    fmt::format("the key's concurrent versions would have {} bytes, at most {} "
                                "may be; write with the context of a read that has seen them",
                                bytes, limits::kMaxSiblingBytes));
  }
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

/// A new version that holds what all versions say together, changed, and replaces them. (Whatever
/// the key's strategy is: dotted entries merge by themselves.)
Evaluation update_crdt(const UpdateCrdt& asked, const KeyState& known, Version version,
                       UnixMillis now) {
  const Version* newest = chosen_version(known, ConflictStrategy::siblings, now);
  if (newest != nullptr && crdt_type_of(*newest) != asked.type) {
    return refused(wrong_type(crdt_type_name(asked.type), *newest), newest);
  }
  Crdt crdt = newest == nullptr ? Crdt{asked.type, {}} : merged_crdt(known, now);
  if (auto done = apply(asked.update, version.actor, version.stamp, crdt); !done) {
    return refused(done.error(), newest);
  }
  version.value = encode_entries(crdt.entries);
  if (version.value.size() > limits::kMaxMergedBytes) {
    return refused(definite(ErrorCode::payload_too_large,
                            fmt::format("the {} would have {} bytes, at most {} may be",
                                        crdt_type_name(asked.type), version.value.size(),
                                        limits::kMaxMergedBytes)),
                   newest);
  }
  version.content_type = crdt_content_type(asked.type);
  version.context = known.context();
  Evaluation evaluation;
  evaluation.stamp = version.stamp;
  evaluation.crdt = shown_crdt(crdt);
  evaluation.next.add(std::move(version));
  return evaluation;
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
  if (const auto* update = std::get_if<UpdateCrdt>(&request.operation)) {
    return update_crdt(*update, known, std::move(version), now);
  }
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

void show_key(const Operation& read, const KeyState& state, ConflictStrategy conflict,
              UnixMillis now, Answer& answer) {
  answer.context = state.context();
  if (const Version* newest = state.winner()) answer.stamp = newest->stamp;
  if (const auto* get = std::get_if<Get>(&read)) {
    std::optional<Shown> shown = resolve(state, conflict, now);
    if (shown) {
      answer.found = true;
      answer.stamp = shown->stamp;
      answer.value = std::move(shown->value);
      answer.content_type = std::move(shown->content_type);
      answer.merged = shown->merged;
    }
    if (!get->siblings) return;
    for (Shown& sibling : live_siblings(state, now)) {
      answer.items.push_back(
          {{}, sibling.stamp, std::move(sibling.value), std::move(sibling.content_type)});
    }
    if (answer.items.size() < 2) answer.items.clear();
    return;
  }
  PARALLAX_ASSERT(std::holds_alternative<GetCrdt>(read), "operation {}", read.index());
  const Version* newest = chosen_version(state, ConflictStrategy::siblings, now);
  if (newest == nullptr) return;
  answer.stamp = newest->stamp;
  if (!crdt_type_of(*newest)) {
    answer.refusal = wrong_type("convergent value", *newest);
    return;
  }
  answer.found = true;
  answer.crdt = shown_crdt(merged_crdt(state, now));
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
