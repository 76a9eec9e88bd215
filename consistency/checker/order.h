// Orders on the events of a history, held as vector clocks.
//
// A clock of an event tells for each chain how many of the chain's events come before it or are it
// (Mattern 1989). A session is a chain. Open writes, which no later event of their session follows,
// are put on chains of their own: one goes on a chain only after the last of that chain (greedy
// chain decomposition), so there are few unless many such writes are never seen.
//
// CausalOrder is the smallest order that contains session order and "read what it wrote". Its size
// is events times chains, which is why the width and not the square of the history counts
// (Møldrup and Pavlogiannis, "AWDIT: An Optimal Weak Database Isolation Tester", PLDI 2025).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "consistency/checker/events.h"

namespace parallax::checker {

using Clock = std::span<const std::uint32_t>;

class CausalOrder {
 public:
  /// `max_bytes` bounds the clocks.
  CausalOrder(const Events& events, const Readers& readers, std::uint64_t max_bytes);

  bool out_of_memory() const { return out_of_memory_; }
  /// The events on a cycle of the two relations or after one; empty if there is an order. With any,
  /// nothing below has a meaning.
  const std::vector<EventId>& cyclic() const { return cyclic_; }

  /// Every event after all that come before it.
  const std::vector<EventId>& sorted() const { return sorted_; }
  std::size_t chains() const { return chain_lengths_.size(); }
  std::uint32_t chain_length(std::uint32_t chain) const { return chain_lengths_[chain]; }
  Place place(EventId event) const {
    if (event >= events_.first_open) return open_places_[event - events_.first_open];
    return events_.place(event);
  }
  /// Includes the event itself. Chains that it does not reach to count as 0.
  Clock clock(EventId event) const { return {clocks_.data() + offset_[event], width_[event]}; }
  static std::uint32_t at(Clock clock, std::uint32_t chain) {
    return chain < clock.size() ? clock[chain] : 0;
  }
  /// Whether `a` is `b` or comes before it.
  bool reaches(EventId a, EventId b) const {
    const Place from = place(a);
    return at(clock(b), from.chain) >= from.position;
  }

 private:
  void sort(const Readers& readers);
  bool stamp(EventId event, std::uint64_t max_bytes);
  void give_chain(EventId event);

  const Events& events_;
  std::vector<EventId> sorted_;
  std::vector<EventId> cyclic_;
  std::vector<std::uint32_t> chain_lengths_;
  std::vector<Place> open_places_;
  std::vector<std::uint64_t> offset_;
  std::vector<std::uint32_t> width_;  ///< of each clock; a multiple of kLanes
  std::vector<std::uint32_t> clocks_;
  bool out_of_memory_ = false;
};

/// Clocks are this wide or a multiple, so that joining them takes few instructions.
inline constexpr std::uint32_t kLanes = 8;
/// Raises `clock` to at least `other`, which is no wider.
void join_clock(std::uint32_t* clock, Clock other);

/// Per key, the events of one kind on each chain, in order: finds the last that a clock has seen.
class ByKey {
 public:
  struct Run {
    std::uint32_t chain;
    std::uint32_t begin, end;  ///< in the lists below
    std::uint32_t hint;        ///< where the last search ended: the next one is near
  };
  enum class Kind : std::uint8_t { writes, reads };
  /// Without an order there are only the events that are not open, each on its session's chain.
  ByKey(const Events& events, const CausalOrder* order, Kind kind);

  std::span<Run> of(std::uint32_t key) {
    return {runs_.data() + first_run_[key], first_run_[key + 1] - first_run_[key]};
  }
  /// The last event of `run` at a position of at most `position`, or kNoEvent.
  EventId last(Run& run, std::uint32_t position) const;
  /// The event after that, or kNoEvent.
  EventId first_after(Run& run, std::uint32_t position) const;
  EventId first(const Run& run) const { return events_[run.begin]; }
  std::span<const EventId> events(const Run& run) const {
    return {events_.data() + run.begin, run.end - run.begin};
  }

 private:
  std::uint32_t seek(Run& run, std::uint32_t position) const;

  std::vector<Run> runs_;
  std::vector<std::uint32_t> first_run_;  ///< by key
  std::vector<EventId> events_;
  std::vector<std::uint32_t> positions_;
};

}  // namespace parallax::checker
