// CyclicCF: a cycle of the causal order and the conflicts that reads settle.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "base/assert.h"
#include "consistency/checker/causal_patterns.h"

namespace parallax::checker {
namespace {

/// What comes directly before each event, by the causal order and by conflicts.
class Predecessors {
 public:
  Predecessors(const Events& events, const std::vector<Conflict>& conflicts)
      : events_(events), begin_(events.all.size() + 1, 0), from_(conflicts.size()) {
    for (const auto& [from, to] : conflicts) ++begin_[to + 1];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    std::vector<std::uint32_t> place(begin_.begin(), begin_.end() - 1);
    for (const auto& [from, to] : conflicts) from_[place[to]++] = from;
  }
  std::uint32_t count(EventId event) const { return 2 + begin_[event + 1] - begin_[event]; }
  /// kNoEvent if there is none at that place.
  EventId get(EventId event, std::uint32_t i) const {
    if (i == 0) return events_.before(event);
    if (i > 1) return from_[begin_[event] + i - 2];
    const EventId source = events_.all[event].source;
    return is_event(source) ? source : kNoEvent;
  }

 private:
  const Events& events_;
  std::vector<std::uint32_t> begin_;
  std::vector<EventId> from_;
};

/// Some cycle, each event before the one ahead of it in the list; empty if there is none.
std::vector<EventId> any_cycle(const Predecessors& predecessors, std::size_t count) {
  enum : std::uint8_t { fresh, open, done };
  std::vector<std::uint8_t> state(count, fresh);
  struct Frame {
    EventId event;
    std::uint32_t next;
  };
  std::vector<Frame> stack;
  for (EventId start = 0; start < count; ++start) {
    if (state[start] != fresh) continue;
    stack.push_back({start, 0});
    state[start] = open;
    while (!stack.empty()) {
      Frame& top = stack.back();
      if (top.next == predecessors.count(top.event)) {
        state[top.event] = done;
        stack.pop_back();
        continue;
      }
      const EventId next = predecessors.get(top.event, top.next++);
      if (next == kNoEvent || state[next] == done) continue;
      if (state[next] == fresh) {
        state[next] = open;
        stack.push_back({next, 0});
        continue;
      }
      std::vector<EventId> cycle;
      for (std::size_t i = stack.size(); i-- > 0;) {
        cycle.push_back(stack[i].event);
        if (stack[i].event == next) break;
      }
      std::reverse(cycle.begin(), cycle.end());
      return cycle;
    }
  }
  return {};
}

/// The shortest way back from `from` to `to` over predecessors, both included.
std::vector<EventId> way_back(const Predecessors& predecessors, std::size_t count, EventId from,
                              EventId to) {
  std::vector<EventId> came_from(count, kNoEvent);
  std::vector<EventId> reached{from};
  came_from[from] = from;
  for (std::size_t i = 0; came_from[to] == kNoEvent; ++i) {
    PARALLAX_ASSERT(i < reached.size(), "no way back from {} to {}", from, to);
    for (std::uint32_t p = 0; p < predecessors.count(reached[i]); ++p) {
      const EventId next = predecessors.get(reached[i], p);
      if (next == kNoEvent || came_from[next] != kNoEvent) continue;
      came_from[next] = reached[i];
      reached.push_back(next);
    }
  }
  std::vector<EventId> way{to};
  while (way.back() != from) way.push_back(came_from[way.back()]);
  std::reverse(way.begin(), way.end());
  return way;
}

}  // namespace

std::optional<Proof> find_conflict_cycle(const History& history, const Events& events,
                                         const Readers& readers, const CausalOrder& order,
                                         const std::vector<Conflict>& conflicts) {
  if (conflicts.empty()) return std::nullopt;
  const Predecessors predecessors(events, conflicts);
  std::vector<EventId> cycle = any_cycle(predecessors, events.all.size());
  if (cycle.empty()) return std::nullopt;
  // The causal order has no cycles, so a conflict is in this one. Take the shortest through it.
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const EventId to = cycle[i], from = cycle[(i + 1) % cycle.size()];
    if (order.reaches(from, to)) continue;
    cycle = way_back(predecessors, events.all.size(), from, to);
    break;
  }
  std::reverse(cycle.begin(), cycle.end());  // now each comes before the next; from last to first
  Proof proof{"CyclicCF", "No one order of the writes agrees with what was read.", {}};
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const EventId from = cycle[i], to = cycle[(i + 1) % cycle.size()];
    if (order.reaches(from, to)) {
      // Steps of the causal order go together up to the next conflict.
      std::vector<EventId> part{from, to};
      while (i + 1 < cycle.size() && order.reaches(cycle[i + 1], cycle[(i + 2) % cycle.size()])) {
        part.push_back(cycle[(++i + 1) % cycle.size()]);
      }
      proof.blocks.push_back({"These follow one another:", shorten(events, part)});
      continue;
    }
    const auto all = readers.of(to);
    const auto reader = std::find_if(
        all.begin(), all.end(), [&](EventId r) { return r != from && order.reaches(from, r); });
    PARALLAX_ASSERT(reader != all.end(), "conflict of {} and {} without a reader", from, to);
    proof.blocks.push_back(
        {fmt::format("{}, knowing {}: so the latter comes before {}.",
                     name_read(history, events, *reader), name_write(history, events, from),
                     name_write(history, events, to)),
         causal_path(events, order, from, *reader)});
    proof.blocks.back().events.insert(proof.blocks.back().events.begin(), to);
  }
  return proof;
}

}  // namespace parallax::checker
