// What each session guarantee demands of the order of a key's versions: see session_guarantees.h.
//
// A demand is "`older` is not newer than `newer`", both writes of one key, with the events that it
// rests on. `newer` may be kInitial: such a demand cannot be met.
#pragma once

#include <algorithm>
#include <initializer_list>
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
  /// The same, but only of those reads that may have a demand that the ranks (by event) of the
  /// versions do not meet. Takes a fraction of the time if these are few.
  template <class Wanted, class Visit>
  void of_observers_against(Guarantee guarantee, const std::vector<std::uint32_t>& rank,
                            Wanted wanted, Visit visit);

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

  void see(std::vector<Seen>& seen, EventId read) const {
    const EventId write = events_.all[read].source;
    const Event& source = events_.all[write];
    seen[source.session].add(count_before(write), source.key, write, read);
  }
  template <class Visit>
  void of_observer(EventId read, const std::vector<Seen>& seen, bool follow_reads, Visit visit);

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
  std::vector<EventId> last_;                       ///< by key, of the session at hand
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
  last_.assign(events_.keys.size(), kNoEvent);
  for (EventId e = 0; e < events_.first_open; ++e) {
    const Event& event = events_.all[e];
    const EventId own = last_[event.key];
    const bool ours = own != kNoEvent && events_.all[own].session == event.session;
    if (ours && is_read(e) && event.source != own) visit(own, event.source, Basis{e});
    if (event.writes) last_[event.key] = e;
  }
}

template <class Visit>
void Demands::of_monotonic_reads(Visit visit) {
  last_.assign(events_.keys.size(), kNoEvent);
  for (EventId e = 0; e < events_.first_open; ++e) {
    if (!is_read(e)) continue;
    const Event& event = events_.all[e];
    EventId& before = last_[event.key];
    if (before != kNoEvent && events_.all[before].session == event.session) {
      const EventId source = events_.all[before].source;
      if (is_event(source) && source != event.source) visit(source, event.source, Basis{before, e});
    }
    before = e;
  }
}

template <class Visit>
void Demands::of_observer(EventId read, const std::vector<Seen>& seen, bool follow_reads,
                          Visit visit) {
  const Event& event = events_.all[read];
  ByKey& lists = follow_reads ? reads_ : writes_;
  for (ByKey::Run& run : lists.of(event.key)) {
    const Seen& there = seen[run.chain];
    const bool others = there.key == event.key;
    const std::uint32_t upto = others ? there.most_of_others : there.most;
    if (upto == 0 || run.chain == event.session) continue;
    const EventId last = lists.last(run, upto);
    if (last == kNoEvent) continue;
    const EventId older = follow_reads ? events_.all[last].source : last;
    if (!is_event(older) || older == event.source) continue;
    visit(older, event.source,
          Basis{last, others ? there.write_of_others : there.write,
                others ? there.read_of_others : there.read, read});
  }
}

template <class Wanted, class Visit>
void Demands::of_observers(Guarantee guarantee, Wanted wanted, Visit visit) {
  std::vector<Seen> seen(events_.sessions.size());
  for (const Session& session : events_.sessions) {
    seen.assign(seen.size(), {});
    for (EventId e = session.begin; e < session.end; ++e) {
      const Event& event = events_.all[e];
      if (!is_read(e)) continue;
      if (is_event(event.source)) see(seen, e);
      if (!wanted(event.key)) continue;
      of_observer(e, seen, guarantee == Guarantee::writes_follow_reads, visit);
    }
  }
}

template <class Wanted, class Visit>
void Demands::of_observers_against(Guarantee guarantee, const std::vector<std::uint32_t>& rank,
                                   Wanted wanted, Visit visit) {
  const bool follow_reads = guarantee == Guarantee::writes_follow_reads;
  // What each event adds to what those who have seen it must see: of its key, at least this rank.
  struct Item {
    std::uint32_t key, rank;
  };
  std::vector<Item> items(events_.first_open);
  for (EventId e = 0; e < events_.first_open; ++e) {
    const Event& event = events_.all[e];
    const EventId version = follow_reads ? event.source : event.writes ? e : kNoEvent;
    items[e] = {event.key, is_event(version) ? rank[version] : 0};
  }
  std::vector<Seen> seen(events_.sessions.size());
  std::vector<std::uint32_t> due(events_.keys.size());
  for (const Session& session : events_.sessions) {
    seen.assign(seen.size(), {});
    due.assign(due.size(), 0);
    for (EventId e = session.begin; e < session.end; ++e) {
      const Event& event = events_.all[e];
      if (!is_read(e)) continue;
      if (is_event(event.source) && events_.all[event.source].session != event.session) {
        const std::uint32_t from = events_.all[event.source].session;
        const Seen before = seen[from];
        see(seen, e);
        const Seen& now = seen[from];
        const Item* const there = items.data() + events_.sessions[from].begin;
        // Items of the key by which most was seen wait until a write of another key is seen.
        for (std::uint32_t i = before.most_of_others; i < now.most_of_others; ++i) {
          if (there[i].key == before.key || i >= before.most) {
            due[there[i].key] = std::max(due[there[i].key], there[i].rank);
          }
        }
        for (std::uint32_t i = std::max(before.most, now.most_of_others); i < now.most; ++i) {
          if (there[i].key != now.key) {
            due[there[i].key] = std::max(due[there[i].key], there[i].rank);
          }
        }
      }
      const std::uint32_t shown = is_event(event.source) ? rank[event.source] : 0;
      if (shown < due[event.key] && wanted(event.key)) of_observer(e, seen, follow_reads, visit);
    }
  }
}

}  // namespace parallax::checker
