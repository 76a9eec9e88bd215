// Causal delivery: an operation is applied when it is next from its origin and all that it depends
// on is applied; until then it waits, in a buffer that is bounded for each origin by itself.
//
// Sources: Ladin et al., "Providing High Availability Using Lazy Replication" (ACM TOCS 1992,
// section 3: a replica applies an update once its timestamp covers the update's dependencies);
// Lloyd et al., "Don't Settle for Eventual" (COPS, SOSP 2011, section 5: a write carries what it
// depends on, and is shown behind it).
//
// Invariants: applied() is causally closed, rises by one at a time (but for advance()), and every
// operation comes out of next() once.
//
// Why nothing deadlocks and no origin locks out another: whoever is next from its origin is taken
// in whatever else waits, and each origin's room is its own. Of all operations that are not applied
// yet take one whose dependencies are all applied and which is next: causality has no circles, so
// there is one, and it is applied as soon as it comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "clock/origin_vector.h"
#include "storage/records.h"

namespace parallax {

/// A value.
class Delivery {
 public:
  /// Of one origin: operations waiting, and their bytes. The credit that its senders have: they go
  /// no further beyond what is applied here, so that nothing has to be turned away.
  struct Bounds {
    std::size_t operations = 0;
    std::size_t bytes = 0;  ///< one operation may exceed it, alone or as the next one
  };
  Delivery(const Bounds& bounds, OriginVector applied)
      : bounds_(bounds), applied_(std::move(applied)) {}

  /// Takes it in. False: it is applied, waits already, or is beyond its origin's credit; then it is
  /// to be sent again later. The next one of an origin is always taken in.
  bool offer(SharedOperation operation);
  /// An operation whose time has come; it counts as applied with this. Nothing: none.
  std::optional<SharedOperation> next();
  /// `number` of `origin`, and all before, are applied in another way: issued here, or brought by a
  /// transfer. What waits of them is let go of.
  void advance(const Origin& origin, std::uint64_t number);
  /// Lets go of all that waits.
  void clear() { waiting_.clear(); }

  const OriginVector& applied() const { return applied_; }
  /// All operations of `origin` up to here are applied or wait.
  std::uint64_t reached(const Origin& origin) const;
  /// Whether more of `origin` could be taken in behind reached().
  bool has_room(const Origin& origin) const;
  std::size_t waiting(const Origin& origin) const;
  std::size_t waiting_bytes(const Origin& origin) const;

 private:
  struct Waiting {
    std::map<std::uint64_t, SharedOperation> operations;  ///< by number
    std::size_t bytes = 0;
  };
  bool due(const CausalOperation& operation) const;

  Bounds bounds_;
  OriginVector applied_;
  std::map<Origin, Waiting> waiting_;  ///< none is empty
};

}  // namespace parallax
