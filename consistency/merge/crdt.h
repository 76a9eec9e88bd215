// Convergent values: counters, sets and maps that concurrent updates never conflict on.
//
// Each is a set of dotted entries (dotted_entries.h); an update at a coordinator takes what all
// versions there say together, changes it, and makes one version of it, which replaces them all.
//   counter: one entry for each actor that has counted, with the sum of what it counted; an actor
//            replaces its own entry, so nothing is counted twice and nothing is lost. An actor is
//            one life of a node's disk: a node that lost it counts under a new one.
//   set:     one entry for each add; an add replaces the entries of that element that it has seen,
//            a remove takes them away. An add that the remove has not seen stays: the add wins.
//   map:     likewise for each put of a field; of several entries the highest stamp is shown.
//
// Sources: Shapiro, Preguica, Baquero and Zawirski, "A comprehensive study of Convergent and
// Commutative Replicated Data Types" (INRIA RR-7506, 2011), sections 3.1 (PN-counter), 3.2.2
// (LWW-register) and 3.3.5 (OR-set); here without tombstones, as in Almeida, Shoker and Baquero
// (JPDC 2018), section 7.
//
// Whatever a key's conflict strategy is, it has the type of its newest live version, and versions
// of other types have no part in the value; an update replaces them.
//
// A delete of the key takes away what its coordinator has seen. Of a counter that means: an actor's
// sum that has grown meanwhile stays, with what it was before. So a deletion with concurrent
// increments may take away less than it has seen, but never an increment that it has not seen.
#pragma once

#include <optional>

#include "consistency/crdt.h"
#include "consistency/merge/dotted_entries.h"

namespace parallax {

/// Of the versions that hold one.
std::string_view crdt_content_type(CrdtType type);
/// Nothing: a value of another kind, or what only looks like one of these.
std::optional<CrdtType> crdt_type_of(const Version& version);

/// A value as its entries.
struct Crdt {
  CrdtType type = CrdtType::counter;
  DottedEntries entries;
};

/// What `version` holds alone; nothing: as above.
std::optional<Crdt> crdt_of(const Version& version);

/// What the versions of `state` say together. Its newest live version must hold one.
Crdt merged_crdt(const KeyState& state, UnixMillis now);

CrdtValue shown_crdt(const Crdt& crdt);

/// Errors: not_a_number, when a counter would leave 64 bits. The update must be one of the type's;
/// (actor, stamp) is the version that will hold the outcome.
Result<void> apply(const CrdtUpdate& update, const Actor& actor, const Stamp& stamp, Crdt& crdt);

}  // namespace parallax
