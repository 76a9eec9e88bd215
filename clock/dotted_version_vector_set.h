// Dotted version vector set: the versions of a key that no other version replaces, and the context
// that says what has been replaced.
//
// Source: Preguica et al., "Dotted Version Vectors" (2010), and Almeida et al., "Scalable and
// Accurate Causality Tracking for Eventually Consistent Stores" (DAIS 2014). Here a dot is
// (actor, hlc) instead of (actor, counter): each actor's readings rise, which is all that is used.
//
// Invariants, checked by check():
//   - no two versions have the same dot; versions are sorted by stamp, highest first;
//   - context() covers every version's dot and dominates every version's own context;
//   - no version is covered by another version's own context;
//   - every version's stamp is above all that its own context covers.
// Laws (tests/clock): join is commutative, associative and idempotent, and equals the dumb oracle
// "all versions ever seen that nothing seen covers".
//
// What soundness rests on: context() at an actor says "of this actor's versions of the key, all up
// to there were seen here, or are covered by one that was". Hence
//   - a set is joined whole or not at all. A copy that keeps the context and leaves versions out
//   says
//     that those are replaced, and a join with it drops them everywhere;
//   - single versions are added in their actor's order, none left out (log order, FIFO).
#pragma once

#include <algorithm>
#include <concepts>
#include <vector>

#include "base/assert.h"
#include "clock/version_vector.h"

namespace parallax {

/// What the set needs of a version: a stamp, the actor whose dot it is, what it replaces.
template <class V>
concept DottedVersion = requires(const V& v) {
  { v.stamp } -> std::convertible_to<Stamp>;
  { v.actor } -> std::convertible_to<Actor>;
  { v.context } -> std::convertible_to<VersionVector>;
};

/// A value. V is copied and moved freely; merge_version(V& mine, const V& theirs), found by
/// argument-dependent lookup, joins what two copies of one version may know apart (a log index that
/// only one of them has learned).
template <DottedVersion V>
class DottedVersionVectorSet {
 public:
  const std::vector<V>& versions() const { return versions_; }
  const VersionVector& context() const { return context_; }
  bool empty() const { return versions_.empty() && context_.empty(); }

  /// The version with the highest stamp, or nullptr.
  const V* winner() const { return versions_.empty() ? nullptr : &versions_.front(); }

  /// Adds one version: it replaces what its context covers, and is dropped if it is itself covered.
  /// All earlier versions of its actor must have been added or joined here. True when the set
  /// changed.
  bool add(V version) {
    PARALLAX_ASSERT(replaces_only_older(version), "stamp {}, context {}", version.stamp,
                    version.context.to_string());
    // Not a join with the set of this version alone: the context of that would cover the earlier
    // versions of its actor, and so drop those that the writer had not seen (two clients, one
    // actor).
    bool changed = std::erase_if(versions_, [&](const V& mine) {
                     return version.context.covers(mine.actor, mine.stamp.hlc);
                   }) > 0;
    if (!context_.dominates(version.context)) {
      context_.join(version.context);
      changed = true;
    }
    if (!context_.covers(version.actor, version.stamp.hlc)) {
      context_.advance(version.actor, version.stamp.hlc);
      const auto place = std::find_if(versions_.begin(), versions_.end(),
                                      [&](const V& mine) { return mine.stamp < version.stamp; });
      versions_.insert(place, std::move(version));
      return true;
    }
    for (V& mine : versions_) {
      if (same(mine, version)) changed |= merge_version(mine, version);
    }
    return changed;
  }

  /// Afterwards this set has seen what either had. True when it changed.
  bool join(const DottedVersionVectorSet& other) {
    bool changed = false;
    std::vector<V> kept;
    kept.reserve(versions_.size() + other.versions_.size());
    for (V& mine : versions_) {
      if (const V* theirs = other.find(mine); theirs != nullptr) {
        changed |= merge_version(mine, *theirs);
        kept.push_back(std::move(mine));
      } else if (!other.context_.covers(mine.actor, mine.stamp.hlc)) {
        kept.push_back(std::move(mine));
      } else {
        changed = true;
      }
    }
    for (const V& theirs : other.versions_) {
      if (!context_.covers(theirs.actor, theirs.stamp.hlc)) {
        kept.push_back(theirs);
        changed = true;
      }
    }
    std::sort(kept.begin(), kept.end(), [](const V& a, const V& b) { return a.stamp > b.stamp; });
    versions_ = std::move(kept);
    if (!context_.dominates(other.context_)) {
      context_.join(other.context_);
      changed = true;
    }
    return changed;
  }

  /// Rebuilds a set from stored parts; the caller checks() what it does not trust.
  static DottedVersionVectorSet from_parts(std::vector<V> versions, VersionVector context) {
    DottedVersionVectorSet set;
    set.versions_ = std::move(versions);
    set.context_ = std::move(context);
    return set;
  }

  /// The context of a set that has seen `versions` and what they replace, and nothing beyond.
  static VersionVector covered_by(const std::vector<V>& versions) {
    VersionVector covered;
    for (const V& version : versions) {
      covered.join(version.context);
      covered.advance(version.actor, version.stamp.hlc);
    }
    return covered;
  }

  /// What a receiver asks of a single version before it adds it.
  static bool replaces_only_older(const V& version) {
    return version.context.highest() < version.stamp.hlc;
  }

  /// Whether the invariants above hold.
  bool check() const {
    for (std::size_t i = 0; i < versions_.size(); ++i) {
      const V& v = versions_[i];
      if (!replaces_only_older(v)) return false;
      if (!context_.covers(v.actor, v.stamp.hlc) || !context_.dominates(v.context)) return false;
      if (i > 0 && !(versions_[i - 1].stamp > v.stamp)) return false;
      for (const V& other : versions_) {
        if (&other == &v) continue;
        if (other.context.covers(v.actor, v.stamp.hlc)) return false;
        if (other.actor == v.actor && other.stamp.hlc == v.stamp.hlc) return false;
      }
    }
    return true;
  }

  friend bool operator==(const DottedVersionVectorSet&, const DottedVersionVectorSet&) = default;

 private:
  static bool same(const V& a, const V& b) { return a.actor == b.actor && a.stamp == b.stamp; }
  const V* find(const V& version) const {
    for (const V& v : versions_) {
      if (same(v, version)) return &v;
    }
    return nullptr;
  }

  std::vector<V> versions_;
  VersionVector context_;
};

}  // namespace parallax
