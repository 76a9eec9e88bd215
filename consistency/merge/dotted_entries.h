// Values that merge instead of replacing each other: entries, each under the dot of the write that
// made it. Counters, sets, maps and merged documents are made of them.
//
// A version of such a value holds all entries that its writer knew and did not replace, its own and
// older ones, under the dots of the writes that made them. Such a version can replace everything
// that its writer knew, so that versions stay few, and no entry loses its place in time by that.
//
// Rule (merged()): an entry is there when some version holds it and every version that has seen its
// dot holds it. What a version has seen is what its own context covers: whoever has seen an entry
// and does not hold it has removed it. What is concurrent with the removal stays.
//
// Source: Almeida, Shoker and Baquero, "Delta State Replicated Data Types" (JPDC 2018), section 7:
// dot stores under a causal context. The causal context is the one that every version has anyway.
//
// What it rests on:
//   - whoever replaces a version has seen all that it had seen: coordinators cover all they know,
//     and clients send back joined contexts. So a removal outlives the version that made it;
//   - an actor's versions are durable on its node before anybody else sees them. A node that forgot
//     an entry that others have would make a second one beside it;
//   - a node that lost its disk goes on as another actor (its incarnation is in the dot).
// Merging is a function of the versions alone: whatever order states were joined in, equal states
// merge equally.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/version.h"

namespace parallax {

/// One part of a value. Actor, stamp and name tell it from all others.
struct DottedEntry {
  Actor actor;  ///< (actor, stamp.hlc) is the dot of the write that made it
  Stamp stamp;
  std::string name;  ///< what of the value it is: an element, a field, a path
  std::string value = {};
  UnixMillis expires_at = {};  ///< as of a version

  bool same_as(const DottedEntry& other) const {
    return actor == other.actor && stamp == other.stamp && name == other.name;
  }
  friend auto operator<=>(const DottedEntry&, const DottedEntry&) = default;
};
/// Sorted, and no two the same.
using DottedEntries = std::vector<DottedEntry>;

/// What all versions say together. `held[i]` is what versions()[i] holds; nothing for a tombstone,
/// and for versions that are no such value. Sorted.
DottedEntries merged(const KeyState& state, const std::vector<DottedEntries>& held);

/// Whether `version` can have been written with `entries`: they are its own, or it has seen them.
bool can_hold(const Version& version, const DottedEntries& entries);

/// Deterministic. `entries` must be sorted. Thread-safe.
Bytes encode_entries(const DottedEntries& entries);
/// Errors: corrupt, naming what is wrong; never a crash, whatever the bytes. Thread-safe.
Result<DottedEntries> decode_entries(const Bytes& payload);

}  // namespace parallax
