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
#include <memory>
#include <utility>
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

/// A value. Copies share their versions until one of them changes, so a copy costs next to nothing.
/// Not for several threads, not even a copy each, if one of them changes it. merge_version(V& mine,
/// const V& theirs), found by argument-dependent lookup, joins what two copies of one version may
/// know apart (a log index that only one of them has learned).
template <DottedVersion V>
class DottedVersionVectorSet {
 public:
  const std::vector<V>& versions() const { return parts().versions; }
  const VersionVector& context() const { return parts().context; }
  bool empty() const { return versions().empty() && context().empty(); }

  /// The version with the highest stamp, or nullptr.
  const V* winner() const { return versions().empty() ? nullptr : &versions().front(); }

  /// Adds one version: it replaces what its context covers, and is dropped if it is itself covered.
  /// All earlier versions of its actor must have been added or joined here. True when the set
  /// changed.
  bool add(V version) {
    PARALLAX_ASSERT(replaces_only_older(version), "stamp {}, context {}", version.stamp,
                    version.context.to_string());
    // Not a join with the set of this version alone: the context of that would cover the earlier
    // versions of its actor, and so drop those that the writer had not seen (two clients, one
    // actor).
    Parts& mine = own();
    bool changed = std::erase_if(mine.versions, [&](const V& present) {
                     return version.context.covers(present.actor, present.stamp.hlc);
                   }) > 0;
    if (!mine.context.dominates(version.context)) {
      mine.context.join(version.context);
      changed = true;
    }
    if (!mine.context.covers(version.actor, version.stamp.hlc)) {
      mine.context.advance(version.actor, version.stamp.hlc);
      const auto place =
          std::find_if(mine.versions.begin(), mine.versions.end(),
                       [&](const V& present) { return present.stamp < version.stamp; });
      mine.versions.insert(place, std::move(version));
      return true;
    }
    for (V& present : mine.versions) {
      if (same(present, version)) changed |= merge_version(present, version);
    }
    return changed;
  }

  /// Afterwards this set has seen what either had. True when it changed.
  bool join(const DottedVersionVectorSet& other) {
    if (other.empty() || parts_ == other.parts_) return false;
    if (replaced_whole_by(other)) {
      parts_ = other.parts_;
      return true;
    }
    Parts& mine = own();
    bool changed = false;
    std::vector<V> kept;
    kept.reserve(mine.versions.size() + other.versions().size());
    for (V& present : mine.versions) {
      if (const V* theirs = other.find(present); theirs != nullptr) {
        changed |= merge_version(present, *theirs);
        kept.push_back(std::move(present));
      } else if (!other.context().covers(present.actor, present.stamp.hlc)) {
        kept.push_back(std::move(present));
      } else {
        changed = true;
      }
    }
    for (const V& theirs : other.versions()) {
      if (!mine.context.covers(theirs.actor, theirs.stamp.hlc)) {
        kept.push_back(theirs);
        changed = true;
      }
    }
    std::sort(kept.begin(), kept.end(), [](const V& a, const V& b) { return a.stamp > b.stamp; });
    mine.versions = std::move(kept);
    if (!mine.context.dominates(other.context())) {
      mine.context.join(other.context());
      changed = true;
    }
    return changed;
  }

  /// `change(V&)` for every version: what is known of it, not which it is.
  template <class Change>
  void revise(Change change) {
    if (versions().empty()) return;
    for (V& version : own().versions) change(version);
  }

  /// Rebuilds a set from stored parts; the caller checks() what it does not trust.
  static DottedVersionVectorSet from_parts(std::vector<V> versions, VersionVector context) {
    DottedVersionVectorSet set;
    set.parts_ = std::make_shared<Parts>(Parts{std::move(versions), std::move(context)});
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

  /// Whether context() is covered_by(versions()). The invariants have to hold.
  bool context_follows() const {
    return std::all_of(context().entries().begin(), context().entries().end(), [&](const auto& e) {
      return std::any_of(versions().begin(), versions().end(), [&](const V& v) {
        return v.context.at(e.first) == e.second || (v.actor == e.first && v.stamp.hlc == e.second);
      });
    });
  }

  /// What a receiver asks of a single version before it adds it.
  static bool replaces_only_older(const V& version) {
    return version.context.highest() < version.stamp.hlc;
  }

  /// Whether the invariants above hold.
  bool check() const {
    const auto& [versions, context] = parts();
    for (std::size_t i = 0; i < versions.size(); ++i) {
      const V& v = versions[i];
      if (!replaces_only_older(v)) return false;
      if (!context.covers(v.actor, v.stamp.hlc) || !context.dominates(v.context)) return false;
      if (i > 0 && !(versions[i - 1].stamp > v.stamp)) return false;
      for (const V& other : versions) {
        if (&other == &v) continue;
        if (other.context.covers(v.actor, v.stamp.hlc)) return false;
        if (other.actor == v.actor && other.stamp.hlc == v.stamp.hlc) return false;
      }
    }
    return true;
  }

  friend bool operator==(const DottedVersionVectorSet& a, const DottedVersionVectorSet& b) {
    return a.parts_ == b.parts_ || a.parts() == b.parts();
  }

 private:
  struct Parts {
    std::vector<V> versions;
    VersionVector context;
    friend bool operator==(const Parts&, const Parts&) = default;
  };

  const Parts& parts() const {
    static const Parts nothing;
    return parts_ ? *parts_ : nothing;
  }
  /// To be changed: no copy sees it.
  Parts& own() {
    if (!parts_) {
      parts_ = std::make_shared<Parts>();
    } else if (parts_.use_count() > 1) {
      parts_ = std::make_shared<Parts>(*parts_);
    }
    return *parts_;
  }
  /// Whether a join with `other` would leave just that, as after a write that has seen everything.
  bool replaced_whole_by(const DottedVersionVectorSet& other) const {
    return other.context().dominates(context()) &&
           std::none_of(
               other.versions().begin(), other.versions().end(),
               [&](const V& theirs) { return context().covers(theirs.actor, theirs.stamp.hlc); }) &&
           !(*this == other);
  }
  static bool same(const V& a, const V& b) { return a.actor == b.actor && a.stamp == b.stamp; }
  const V* find(const V& version) const {
    for (const V& v : versions()) {
      if (same(v, version)) return &v;
    }
    return nullptr;
  }

  std::shared_ptr<Parts> parts_;  ///< none: the empty set
};

}  // namespace parallax
