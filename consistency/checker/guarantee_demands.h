// What each session guarantee demands of the order of a key's versions: see session_guarantees.h.
//
// A demand is "`older` is not newer than `newer`", both writes of one key, with the events that it
// rests on. `newer` may be kInitial: such a demand cannot be met.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "consistency/checker/events.h"
#include "consistency/checker/order.h"
#include "consistency/checker/session_guarantees.h"

namespace parallax::checker {

/// The events that a demand rests on.
using Basis = std::initializer_list<EventId>;

class Demands {
 public:
  explicit Demands(const Events& events);

  /// `visit(older, newer, {events})` for the writers' order. Within a session the last of several
  /// stands for those before it, which it comes after itself.
  template <class Visit>
  void of_writers(Visit visit);
  template <class Visit>
  void of_read_your_writes(Visit visit);
  template <class Visit>
  void of_monotonic_reads(Visit visit);
  /// Of monotonic writes or writes follow reads, for keys of which `wanted(key)`.
  template <class Wanted, class Visit>
  void of_observers(Guarantee guarantee, Wanted wanted, Visit visit);

 private:
  /// How much of a session somebody has seen: the events before a write that was read. The most,
  /// and the most by writes of other keys than that one's.
  struct Seen {
    std::uint32_t most = 0;
    std::uint32_t key = 0xffff'ffff;
    std::uint32_t most_of_others = 0;
    EventId write = kNoEvent, read = kNoEvent;
    EventId write_of_others = kNoEvent, read_of_others = kNoEvent;

    void add(std::uint32_t before, std::uint32_t of_key, EventId by, EventId reader) {
      if (of_key == key) {
        if (before <= most) return;
        most = before;
        write = by;
        read = reader;
      } else if (before > most) {
        most_of_others = most;
        write_of_others = write;
        read_of_others = read;
        most = before;
        key = of_key;
        write = by;
        read = reader;
      } else if (before > most_of_others) {
        most_of_others = before;
        write_of_others = by;
        read_of_others = reader;
      }
    }
  };

  bool is_read(EventId e) const {
    const EventId source = events_.all[e].source;
    return is_event(source) || source == kInitial;
  }
  /// How many events of its session come before a write.
  std::uint32_t count_before(EventId write) const {
    if (write < events_.first_open) return events_.place(write).position - 1;
    const EventId parent = events_.before(write);
    return parent == kNoEvent ? 0 : events_.place(parent).position;
  }

  const Events& events_;
  ByKey writes_, reads_;
  std::vector<EventId> branch_head_, branch_next_;  ///< open events by their parents
};

template <class Visit>
void Demands::of_writers(Visit visit) {
  struct Known {
    std::uint32_t session = 0xffff'ffff;
    EventId write = kNoEvent;
    std::vector<EventId> reads;  ///< since that write
  };
  std::vector<Known> known(events_.keys.size());
  const auto comes_after_known = [&](EventId write) {
    const Known& k = known[events_.all[write].key];
    if (k.session != events_.all[write].session) return;
    if (k.write != kNoEvent) visit(k.write, write, Basis{});
    for (const EventId read : k.reads) {
      const EventId source = events_.all[read].source;
      visit(source, write, Basis{read});  // its own, if it read what it was to write later
    }
  };
  for (EventId e = 0; e < events_.first_open; ++e) {
    const Event& event = events_.all[e];
    Known& k = known[event.key];
    if (k.session != event.session) {
      k.session = event.session;
      k.write = kNoEvent;
      k.reads.clear();
    }
    if (is_event(event.source)) {
      const bool again = !k.reads.empty() && events_.all[k.reads.back()].source == event.source;
      if (!again && event.source != k.write) k.reads.push_back(e);
    }
    if (event.writes) {
      comes_after_known(e);
      k.write = e;
      k.reads.clear();
    }
    for (EventId b = branch_head_[e]; b != kNoEvent; b = branch_next_[b - events_.first_open]) {
      comes_after_known(b);
    }
  }
}

template <class Visit>
void Demands::of_read_your_writes(Visit visit) {
  std::vector<EventId> last(events_.keys.size(), kNoEvent);
  for (EventId e = 0; e < events_.first_open; ++e) {
    const Event& event = events_.all[e];
    EventId& own = last[event.key];
    if (own != kNoEvent && events_.all[own].session != event.session) own = kNoEvent;
    if (own != kNoEvent && is_read(e) && event.source != own) visit(own, event.source, Basis{e});
    if (event.writes) own = e;
  }
}

template <class Visit>
void Demands::of_monotonic_reads(Visit visit) {
  std::vector<EventId> last(events_.keys.size(), kNoEvent);
  for (EventId e = 0; e < events_.first_open; ++e) {
    if (!is_read(e)) continue;
    const Event& event = events_.all[e];
    EventId& before = last[event.key];
    if (before != kNoEvent && events_.all[before].session == event.session) {
      const EventId source = events_.all[before].source;
      if (is_event(source) && source != event.source) visit(source, event.source, Basis{before, e});
    }
    before = e;
  }
}

template <class Wanted, class Visit>
void Demands::of_observers(Guarantee guarantee, Wanted wanted, Visit visit) {
  const bool follow_reads = guarantee == Guarantee::writes_follow_reads;
  ByKey& lists = follow_reads ? reads_ : writes_;
  std::vector<Seen> seen(events_.sessions.size());
  for (std::uint32_t s = 0; s < events_.sessions.size(); ++s) {
    seen.assign(seen.size(), {});
    for (EventId e = events_.sessions[s].begin; e < events_.sessions[s].end; ++e) {
      const Event& event = events_.all[e];
      if (!is_read(e)) continue;
      if (is_event(event.source)) {
        const Event& source = events_.all[event.source];
        seen[source.session].add(count_before(event.source), source.key, event.source, e);
      }
      if (!wanted(event.key)) continue;
      for (ByKey::Run& run : lists.of(event.key)) {
        const Seen& there = seen[run.chain];
        const bool others = there.key == event.key;
        const std::uint32_t upto = others ? there.most_of_others : there.most;
        if (upto == 0 || run.chain == s) continue;
        const EventId last = lists.last(run, upto);
        if (last == kNoEvent) continue;
        const EventId older = follow_reads ? events_.all[last].source : last;
        if (!is_event(older) || older == event.source) continue;
        visit(older, event.source,
              Basis{last, others ? there.write_of_others : there.write,
                    others ? there.read_of_others : there.read, e});
      }
    }
  }
}

}  // namespace parallax::checker
