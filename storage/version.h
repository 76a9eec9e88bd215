// Versions and key states: the one data model of all protocols.
//
// A level is a rule for which version a read may return and when a write may be acknowledged;
// versions themselves are the same for every protocol (docs/ARCHITECTURE.md, "One data model").
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "clock/dotted_version_vector_set.h"

namespace parallax {

/// One written value or deletion of a key. A value.
struct Version {
  Stamp stamp;            ///< identity, ETag and last-writer-wins place
  Actor actor;            ///< whose dot (actor, stamp.hlc) this is
  VersionVector context;  ///< "replaces every version of this key by that actor up to there"
  bool tombstone = false;
  Bytes value;               ///< empty with a tombstone
  std::string content_type;  ///< as the writer gave it; may be empty
  UnixMillis expires_at;     ///< absolute deadline; 0: never
  /// The entry that committed it as it is: a value, or its burial. 0: not known to be committed.
  LogIndex log_index;

  bool expired_at(UnixMillis now) const { return expires_at.value != 0 && now >= expires_at; }
  friend bool operator==(const Version&, const Version&) = default;
};

/// The version's time is over, and that has been agreed on: it is a tombstone now, under its own
/// stamp. That the log had the value says nothing about this: no entry is known to have it yet.
inline void bury(Version& version) {
  if (version.tombstone) return;
  version.tombstone = true;
  version.log_index = LogIndex{};
  version.value = Bytes{};
  version.content_type.clear();
}

/// Two copies of one version: what one of them has learned (that it expired; of what it is then,
/// which entry committed it first), both know. True when `mine` changed.
inline bool merge_version(Version& mine, const Version& theirs) {
  if (mine.tombstone && !theirs.tombstone) return false;
  bool changed = false;
  if (theirs.tombstone && !mine.tombstone) {
    bury(mine);
    changed = true;
  }
  const LogIndex none;
  if (theirs.log_index != none && (mine.log_index == none || theirs.log_index < mine.log_index)) {
    mine.log_index = theirs.log_index;
    changed = true;
  }
  return changed;
}

/// All versions of a key that no other covers, with the joined context. Every path into the store
/// is a join of these; nothing ever overwrites.
using KeyState = DottedVersionVectorSet<Version>;

/// Whether `state` may be joined and stored: its own invariants, and no value in a tombstone.
/// Whoever takes a state in from outside (a record, a message) refuses others.
inline bool well_formed(const KeyState& state) {
  for (const Version& version : state.versions()) {
    if (version.stamp.empty() || (version.tombstone && !version.value.empty())) return false;
  }
  return state.check();
}

}  // namespace parallax
