#include "consistency/checker/order.h"

#include <algorithm>
#include <numeric>

namespace parallax::checker {
namespace {

constexpr std::uint32_t rounded(std::size_t chains) {
  return static_cast<std::uint32_t>((chains + kLanes - 1) / kLanes * kLanes);
}

}  // namespace

void join_clock(std::uint32_t* clock, Clock other) {
  for (std::size_t i = 0; i < other.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::uint32_t theirs = other[i + lane];
      if (clock[i + lane] < theirs) clock[i + lane] = theirs;
    }
  }
}

CausalOrder::CausalOrder(const Events& events, const Readers& readers, std::uint64_t max_bytes)
    : events_(events) {
  sort(readers);
  if (!cyclic_.empty()) return;
  for (const Session& session : events.sessions) {
    chain_lengths_.push_back(session.end - session.begin);
  }
  open_places_.resize(events.all.size() - events.first_open);
  offset_.resize(events.all.size());
  width_.resize(events.all.size());
  const std::uint64_t expected =
      std::uint64_t{rounded(chain_lengths_.size())} * events.all.size() * sizeof(std::uint32_t);
  if (expected > max_bytes) {
    out_of_memory_ = true;
    return;
  }
  clocks_.reserve(expected / sizeof(std::uint32_t));
  for (const EventId event : sorted_) {
    if (!stamp(event, max_bytes)) {
      out_of_memory_ = true;
      return;
    }
  }
}

void CausalOrder::sort(const Readers& readers) {
  const auto count = static_cast<EventId>(events_.all.size());
  std::vector<std::uint8_t> waits_for(count, 0);
  // Open events by their parents.
  std::vector<EventId> branch_head(count, kNoEvent);
  std::vector<EventId> branch_next(count - events_.first_open, kNoEvent);
  for (EventId e = 0; e < count; ++e) {
    const EventId parent = events_.before(e);
    waits_for[e] = (parent == kNoEvent ? 0 : 1) + (is_event(events_.all[e].source) ? 1 : 0);
    if (e >= events_.first_open && parent != kNoEvent) {
      branch_next[e - events_.first_open] = branch_head[parent];
      branch_head[parent] = e;
    }
  }
  sorted_.reserve(count);
  for (EventId e = 0; e < count; ++e) {
    if (waits_for[e] == 0) sorted_.push_back(e);
  }
  const auto release = [&](EventId e) {
    if (--waits_for[e] == 0) sorted_.push_back(e);
  };
  for (std::size_t i = 0; i < sorted_.size(); ++i) {
    const EventId e = sorted_[i];
    const bool closed = e < events_.first_open;
    if (closed && e + 1 < events_.sessions[events_.all[e].session].end) release(e + 1);
    for (const EventId reader : readers.of(e)) release(reader);
    for (EventId b = branch_head[e]; b != kNoEvent; b = branch_next[b - events_.first_open]) {
      release(b);
    }
  }
  if (sorted_.size() == count) return;
  for (EventId e = 0; e < count; ++e) {
    if (waits_for[e] > 0) cyclic_.push_back(e);
  }
}

bool CausalOrder::stamp(EventId event, std::uint64_t max_bytes) {
  const EventId parent = events_.before(event);
  const EventId source = events_.all[event].source;
  const std::uint32_t width = rounded(chain_lengths_.size());
  if ((clocks_.size() + width + kLanes) * sizeof(std::uint32_t) > max_bytes) return false;
  offset_[event] = clocks_.size();
  width_[event] = width;
  clocks_.resize(clocks_.size() + width, 0);
  std::uint32_t* mine = clocks_.data() + offset_[event];
  if (parent != kNoEvent) join_clock(mine, clock(parent));
  if (is_event(source)) join_clock(mine, clock(source));
  if (event >= events_.first_open) {
    give_chain(event);
    mine = clocks_.data() + offset_[event];
  }
  const Place at = place(event);
  mine[at.chain] = at.position;
  return true;
}

void CausalOrder::give_chain(EventId event) {
  const Clock mine = clock(event);
  auto chain = static_cast<std::uint32_t>(events_.sessions.size());
  while (chain < chain_lengths_.size() && mine[chain] < chain_lengths_[chain]) ++chain;
  if (chain == chain_lengths_.size()) {
    chain_lengths_.push_back(0);
    const std::uint32_t width = rounded(chain_lengths_.size());
    clocks_.resize(offset_[event] + width, 0);
    width_[event] = width;
  }
  open_places_[event - events_.first_open] = {chain, ++chain_lengths_[chain]};
}

ByKey::ByKey(const Events& events, const CausalOrder* order, Kind kind)
    : first_run_(events.keys.size() + 1, 0) {
  const auto wanted = [&](const Event& event) {
    return kind == Kind::writes ? event.writes
                                : event.source != kNoEvent && event.source != kUnresolved;
  };
  // Open events stand last in Events::all; on their chains they stand in chain order.
  std::vector<EventId> open;
  for (EventId e = events.first_open; order != nullptr && e < events.all.size(); ++e) {
    open.push_back(e);
  }
  std::sort(open.begin(), open.end(), [&](EventId a, EventId b) {
    const Place left = order->place(a), right = order->place(b);
    return left.chain != right.chain ? left.chain < right.chain : left.position < right.position;
  });
  std::vector<std::uint32_t> place(events.keys.size() + 1, 0);
  for (const Event& event : events.all) {
    const bool here = wanted(event) && (order != nullptr || !event.open);
    place[event.key + 1] += here ? 1 : 0;
  }
  std::partial_sum(place.begin(), place.end(), place.begin());
  events_.resize(place.back());
  positions_.resize(place.back());
  const std::vector<std::uint32_t> begin = place;
  const auto put = [&](EventId e) {
    const Event& event = events.all[e];
    if (wanted(event)) events_[place[event.key]++] = e;
  };
  for (EventId e = 0; e < events.first_open; ++e) put(e);
  for (const EventId e : open) put(e);
  for (std::uint32_t key = 0; key < events.keys.size(); ++key) {
    for (std::uint32_t i = begin[key]; i < begin[key + 1]; ++i) {
      const Place at = order != nullptr ? order->place(events_[i]) : events.place(events_[i]);
      positions_[i] = at.position;
      const bool fresh = i == begin[key] || runs_.back().chain != at.chain;
      if (fresh) runs_.push_back({at.chain, i, i, i});
      runs_.back().end = i + 1;
    }
    first_run_[key + 1] = static_cast<std::uint32_t>(runs_.size());
  }
}

/// The first place in the run beyond `position`.
std::uint32_t ByKey::seek(Run& run, std::uint32_t position) const {
  // Searches of one run go mostly forward in small steps: look near the last one, then further.
  std::uint32_t low = run.begin, high = run.end;
  std::uint32_t step = 1;
  if (run.hint < run.end && positions_[run.hint] <= position) {
    low = run.hint + 1;
    while (low + step < run.end && positions_[low + step] <= position) {
      low += step + 1;
      step *= 2;
    }
    high = std::min(run.end, low + step + 1);
  } else {
    high = run.hint;
    while (high > run.begin + step && positions_[high - step] > position) {
      high -= step;
      step *= 2;
    }
    low = high > run.begin + step ? high - step : run.begin;
  }
  const auto from = positions_.begin();
  const auto found =
      static_cast<std::uint32_t>(std::upper_bound(from + low, from + high, position) - from);
  run.hint = found == run.begin ? found : found - 1;
  return found;
}

EventId ByKey::last(Run& run, std::uint32_t position) const {
  const std::uint32_t found = seek(run, position);
  return found == run.begin ? kNoEvent : events_[found - 1];
}

EventId ByKey::first_after(Run& run, std::uint32_t position) const {
  const std::uint32_t found = seek(run, position);
  return found == run.end ? kNoEvent : events_[found];
}

}  // namespace parallax::checker
