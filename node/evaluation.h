// What a write comes to: effects go into the log and to other replicas, not operations.
//
// Pure: a request and what the key holds in, the key's next state or a refusal out. Whether and
// when the outcome may be shown is the replica's business.
#pragma once

#include <cstdint>
#include <optional>

#include "client/protocol.h"
#include "consistency/policy.h"
#include "storage/version.h"

namespace parallax {

/// The value that a key has at `now`: its winner, unless that is a tombstone or its time is over.
const Version* present_value(const KeyState& state, UnixMillis now);
/// Whether what the key shows at `now` rests on an expiry that is not agreed on yet.
bool rests_on_expiry(const KeyState& state, UnixMillis now);
/// `state` with every version whose time is over at `now` as a tombstone.
KeyState with_expiry(const KeyState& state, UnixMillis now);

struct Evaluation {
  KeyState next;                         ///< with the new version; empty with a refusal
  std::optional<Error> refusal;          ///< definite; rests on `known`
  std::optional<Stamp> stamp;            ///< of the new version; refused: of the present value
  std::optional<std::int64_t> number{};  ///< the sum of an increment
  std::optional<CrdtValue> crdt{};       ///< a convergent value after its update
};

/// On which path a version is written, and what holds for its key.
struct WriteAs {
  Actor actor = kLogActor;
  ConflictStrategy conflict = ConflictStrategy::last_writer;
};

/// `request` is a Put, Delete, Increment or UpdateCrdt; `stamp` is above all that `known` and the
/// request's context cover. `known` is all that the actor's node knows of the key: what is applied
/// and what has been proposed before it, or what is stored and what is on its way to the disk.
/// Expiry is judged, and begins, at `now` or the stamp's time, whichever is later: a stamp may lag
/// behind the clock. Thread-safe.
Evaluation evaluate(const Request& request, const KeyState& known, const Stamp& stamp,
                    UnixMillis now = {}, const WriteAs& as = {});

/// What a Get or GetCrdt of a key shows at `now`: everything that is in the state, nothing of how
/// it was reached. Stamp, value and content type; siblings if they are asked for and there are
/// several; the context; a refusal: GetCrdt of another value. Thread-safe.
void show_key(const Operation& read, const KeyState& state, ConflictStrategy conflict,
              UnixMillis now, Answer& answer);

/// What tells one request under an idempotency key from another: everything but how it was to be
/// carried out (level, timeout, session).
std::uint64_t request_fingerprint(const Request& request);

}  // namespace parallax
