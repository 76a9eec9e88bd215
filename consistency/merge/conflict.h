// Conflict strategies: what a key shows when several of its versions do not replace each other, and
// what a write replaces that does not name it.
//
// A version is live unless it is a tombstone or its time is over.
//
//   strategy      a read shows                          a put without a context replaces
//   last-writer   the version with the highest stamp,   all that is known
//                 nothing if that is not live
//   first-writer  the live one with the lowest stamp    all that is known, if none of it is live;
//                                                       else it is refused
//   siblings      the live one with the highest stamp   what is known and not live
//   merge-json    the live ones, merged field by field  what it overwrites of what is known
//                 if all are JSON objects, else as      (all of it if either is no JSON object)
//                 siblings
//
// A delete replaces all that is known, under every strategy. So under all but the first a deletion
// takes away what its coordinator had seen, and a write that is concurrent with it stays.
//
// merge-json. A put that writes some fields must not take the others' place in time: if it stored
// the document as it was now shown, under its own stamp, then a field that nobody touched would win
// against a concurrent later write of that field, and would come back after a concurrent removal.
// So the new version holds what it writes and what is shown beside that, each field under the stamp
// and dot of the write that made it (dotted_entries.h), and replaces all that is known. The merge
// is the same as if every write had stayed a version of its own: a field that the new version holds
// is there exactly as long as it would have been there otherwise, since whoever has seen its dot
// and does not hold it has replaced it; and a field that it does not hold was not shown any more
// (overwritten, hidden, expired, removed), which is for good. Where nothing but the new object is
// shown the value is stored as it came.
//
// Convergent values (crdt.h) show as JSON, merged, under every strategy that shows the newest one.
//
// Equal states resolve equally everywhere: all of this is a function of the state, and the time.
// What it does not do: it knows nothing of levels, and does not decide who may write
// (evaluation.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consistency/policy.h"
#include "storage/version.h"

namespace parallax {

/// Content types of values that are stored otherwise than they are shown: nobody may put one.
inline constexpr std::string_view kOwnContentTypes = "application/vnd.parallax.";
/// A JSON object whose fields have stamps of their own.
inline constexpr std::string_view kDocumentContentType = "application/vnd.parallax.document";

/// What a reader gets of a key, or of one of its versions.
struct Shown {
  Stamp stamp;
  Bytes value;
  std::string content_type;
  /// The value is not that version's alone: it may change while the stamp stays.
  bool merged = false;
  friend bool operator==(const Shown&, const Shown&) = default;
};

/// Whether `version` is a value at `now`.
inline bool is_live(const Version& version, UnixMillis now) {
  return !version.tombstone && !version.expired_at(now);
}

/// The version whose stamp stands for what the key shows at `now`; nullptr: it shows nothing.
const Version* chosen_version(const KeyState& state, ConflictStrategy strategy, UnixMillis now);

/// What a plain read shows at `now`; nothing: there is no value.
std::optional<Shown> resolve(const KeyState& state, ConflictStrategy strategy, UnixMillis now);

/// The live versions, newest first, each as it would be shown alone.
std::vector<Shown> live_siblings(const KeyState& state, UnixMillis now);

/// How a put without a context goes into the state of a key.
struct BlindPut {
  VersionVector context;  ///< what it replaces
  Bytes value;
  std::string content_type;
  UnixMillis expires_at;
};
/// `put` has the stamp and actor of the new version, its value, content type and expiry. Not for
/// first-writer where something is live. Errors: payload_too_large.
Result<BlindPut> blind_put(const KeyState& known, ConflictStrategy strategy, const Version& put,
                           UnixMillis now);

}  // namespace parallax
