#include "consistency/checker/saturation.h"

namespace parallax::checker {

Saturation::Saturation(const Events& events, const Readers& readers, const CausalOrder& order)
    : events_(events),
      readers_(readers),
      order_(events, readers, order),
      writes_(events, &order, ByKey::Kind::writes),
      waiting_(events.all.size(), false) {}

bool Saturation::propose(const Edge& edge) {
  if (edge.from != edge.to && order_.reaches(edge.from, edge.to)) return true;
  if (order_.reaches(edge.to, edge.from)) {
    contradiction_ = edge;
    return false;
  }
  order_.add(edge);
  return true;
}

bool Saturation::begin() {
  for (EventId e = 0; e < events_.first_open; ++e) {
    const Event& event = events_.all[e];
    if (event.source != kInitial) continue;
    for (const ByKey::Run& run : writes_.of(event.key)) {
      const EventId write = writes_.first(run);
      if (write == e) continue;
      if (!propose({e, write, e, kInitial, kInitial})) return false;
    }
  }
  for (EventId e = 0; e < events_.all.size(); ++e) {
    todo_.push_back(e);
    waiting_[e] = true;
  }
  return settle_all();
}

bool Saturation::assume(EventId first, EventId second) {
  return propose({first, second, kNoEvent, kNoEvent, kNoEvent}) && settle_all();
}

void Saturation::undo_to(GrowingOrder::Mark mark) {
  order_.undo_to(mark);
  for (const EventId e : todo_) waiting_[e] = false;
  todo_.clear();
}

bool Saturation::settle_all() {
  const auto take_moved = [&] {
    for (const EventId moved : order_.moved()) {
      if (waiting_[moved]) continue;
      waiting_[moved] = true;
      todo_.push_back(moved);
    }
    order_.moved().clear();
  };
  take_moved();
  for (std::size_t i = 0; i < todo_.size(); ++i) {
    const EventId e = todo_[i];
    waiting_[e] = false;
    const EventId source = events_.all[e].source;
    if (is_event(source) || source == kInitial) {
      if (!settle_read(e)) return false;
    }
    if (events_.all[e].writes && !settle_write(e)) return false;
    take_moved();
  }
  todo_.clear();
  return true;
}

/// What it knows of its key came before what it saw.
bool Saturation::settle_read(EventId read) {
  const Event& event = events_.all[read];
  for (ByKey::Run& run : writes_.of(event.key)) {
    std::uint32_t seen = order_.clock(read)[run.chain];
    if (event.writes && run.chain == event.session) --seen;
    if (seen == 0) continue;
    if (is_event(event.source) && seen <= order_.clock(event.source)[run.chain]) continue;
    const EventId write = writes_.last(run, seen);
    if (write == kNoEvent || write == event.source) continue;
    if (event.source == kInitial) {
      contradiction_ = Edge{read, write, read, kInitial, kInitial};
      return false;
    }
    if (!propose({write, event.source, read, write, read})) return false;
  }
  return true;
}

/// All who saw what it comes after came before it.
bool Saturation::settle_write(EventId write) {
  const Event& event = events_.all[write];
  for (ByKey::Run& run : writes_.of(event.key)) {
    std::uint32_t seen = order_.clock(write)[run.chain];
    if (seen == 0) continue;
    EventId last = writes_.last(run, seen);
    if (last == write) last = writes_.last(run, seen - 1);
    if (last == kNoEvent) continue;
    for (const EventId reader : readers_.of(last)) {
      if (reader == write) continue;
      if (!propose({reader, write, reader, last, write})) return false;
    }
  }
  return true;
}

}  // namespace parallax::checker
