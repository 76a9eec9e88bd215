// An order on the events of a history that grows edge by edge, from the causal order on.
//
// Every edge has a premise: that one event came before another already when it was added. So the
// order explains itself: an edge rests on a path of causal steps and of earlier edges. What was
// added last can be taken back.
//
// What it does not do: decide which edges follow from which premises.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "consistency/checker/events.h"
#include "consistency/checker/order.h"

namespace parallax::checker {

/// A conflict on one key that was settled: `from` comes before `to`, because of what `reader` read,
/// and because `premise_from` comes before `premise_to`. kNoEvent as a premise: by assumption.
struct Edge {
  EventId from;
  EventId to;
  EventId reader;
  EventId premise_from;
  EventId premise_to;
};

class GrowingOrder {
 public:
  GrowingOrder(const Events& events, const Readers& readers, const CausalOrder& order);
  static std::uint64_t bytes_needed(const Events& events, const CausalOrder& order);

  Clock clock(EventId event) const {
    return {clocks_.data() + std::size_t{event} * width_, width_};
  }
  bool reaches(EventId a, EventId b) const {
    const Place from = order_.place(a);
    return clocks_[std::size_t{b} * width_ + from.chain] >= from.position;
  }

  /// Only events that `event` is at or after, in the causal order, are moved by add() from now on;
  /// kNoEvent: all are.
  void limit_to(EventId event);
  /// Whatever `edge.from` is after, `edge.to` is now after. `edge.to` must not come before
  /// `edge.from`: that would be a cycle.
  void add(const Edge& edge);
  const std::vector<Edge>& edges() const { return edges_; }

  /// Events whose clocks have moved since they were last taken, some of them twice.
  std::vector<EventId>& moved() { return moved_; }
  /// Joins done so far: a measure of time.
  std::uint64_t steps() const { return steps_; }
  std::uint64_t memory_bytes() const;

  /// A point to come back to.
  struct Mark {
    std::size_t edges;
    std::size_t changes;
  };
  Mark mark() const { return {edges_.size(), changes_.size()}; }
  void undo_to(Mark mark);
  /// Gives up coming back to any mark made so far, for their memory.
  void forget();

  /// The events of a shortest path from `from` to `to`, both included, over causal steps and the
  /// first `edges` edges. There must be one.
  std::vector<EventId> path(EventId from, EventId to, std::size_t edges) const;
  /// The first edge between the two, or nothing.
  const Edge* edge_between(EventId from, EventId to) const;

 private:
  void raise(EventId event, Clock by);
  template <class Visit>
  void visit_successors(EventId event, std::size_t edges, Visit visit) const;

  struct Change {
    std::uint64_t cell;
    std::uint32_t old;
  };

  const Events& events_;
  const Readers& readers_;
  const CausalOrder& order_;
  std::uint32_t width_;
  std::vector<std::uint32_t> clocks_;
  std::vector<EventId> branch_head_, branch_next_;  ///< open events by their parents
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> edge_head_;  ///< by event: its last edge, plus 1; 0: none
  std::vector<std::uint32_t> edge_next_;  ///< by edge: the one before it of the same event, plus 1
  std::vector<Change> changes_;
  std::vector<EventId> moved_;
  std::vector<EventId> queue_;
  std::vector<bool> queued_;
  EventId limit_ = kNoEvent;
  std::uint64_t steps_ = 0;
};

}  // namespace parallax::checker
