#include "consistency/checker/growing_order.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax::checker {
namespace {

std::uint32_t full_width(const CausalOrder& order) {
  return static_cast<std::uint32_t>((order.chains() + kLanes - 1) / kLanes * kLanes);
}

}  // namespace

std::uint64_t GrowingOrder::bytes_needed(const Events& events, const CausalOrder& order) {
  return std::uint64_t{full_width(order)} * events.all.size() * sizeof(std::uint32_t);
}

GrowingOrder::GrowingOrder(const Events& events, const Readers& readers, const CausalOrder& order)
    : events_(events), readers_(readers), order_(order), width_(full_width(order)) {
  const std::size_t count = events.all.size();
  clocks_.assign(count * width_, 0);
  branch_head_.assign(count, kNoEvent);
  branch_next_.assign(count - events.first_open, kNoEvent);
  edge_head_.assign(count, 0);
  queued_.assign(count, false);
  for (EventId e = 0; e < count; ++e) {
    const Clock clock = order.clock(e);
    std::copy(clock.begin(), clock.end(),
              clocks_.begin() + static_cast<std::ptrdiff_t>(e) * width_);
    if (e < events.first_open || events.before(e) == kNoEvent) continue;
    branch_next_[e - events.first_open] = branch_head_[events.before(e)];
    branch_head_[events.before(e)] = e;
  }
}

std::uint64_t GrowingOrder::memory_bytes() const {
  return clocks_.size() * sizeof(clocks_[0]) + edges_.size() * (sizeof(Edge) + 4) +
         changes_.size() * sizeof(Change);
}

void GrowingOrder::limit_to(EventId event) {
  limit_ = event;
}

template <class Visit>
void GrowingOrder::visit_successors(EventId event, std::size_t edges, Visit visit) const {
  if (event < events_.first_open) {
    if (event + 1 < events_.sessions[events_.all[event].session].end) visit(event + 1);
    for (EventId b = branch_head_[event]; b != kNoEvent; b = branch_next_[b - events_.first_open]) {
      visit(b);
    }
  }
  for (const EventId reader : readers_.of(event)) visit(reader);
  for (std::uint32_t e = edge_head_[event]; e != 0; e = edge_next_[e - 1]) {
    if (e <= edges) visit(edges_[e - 1].to);
  }
}

void GrowingOrder::raise(EventId event, Clock by) {
  ++steps_;
  const std::size_t begin = std::size_t{event} * width_;
  std::uint32_t* mine = clocks_.data() + begin;
  bool changed = false;
  for (std::size_t i = 0; i < width_; i += kLanes) {
    bool any = false;
    for (std::size_t lane = i; lane < i + kLanes; ++lane) any = any || mine[lane] < by[lane];
    if (!any) continue;
    changed = true;
    for (std::size_t lane = i; lane < i + kLanes; ++lane) {
      if (mine[lane] >= by[lane]) continue;
      changes_.push_back({begin + lane, mine[lane]});
      mine[lane] = by[lane];
    }
  }
  if (!changed) return;
  moved_.push_back(event);
  if (queued_[event]) return;
  queued_[event] = true;
  queue_.push_back(event);
}

void GrowingOrder::add(const Edge& edge) {
  PARALLAX_ASSERT(!reaches(edge.to, edge.from), "{} to {}", edge.from, edge.to);
  edges_.push_back(edge);
  edge_next_.push_back(edge_head_[edge.from]);
  edge_head_[edge.from] = static_cast<std::uint32_t>(edges_.size());
  raise(edge.to, clock(edge.from));
  // In the order of discovery: what is near is raised to all it gets before what is far.
  for (std::size_t i = 0; i < queue_.size(); ++i) {
    const EventId event = queue_[i];
    queued_[event] = false;
    visit_successors(event, edges_.size(), [&](EventId next) {
      if (limit_ == kNoEvent || order_.reaches(next, limit_)) raise(next, clock(event));
    });
  }
  queue_.clear();
}

void GrowingOrder::undo_to(Mark mark) {
  while (changes_.size() > mark.changes) {
    clocks_[changes_.back().cell] = changes_.back().old;
    changes_.pop_back();
  }
  while (edges_.size() > mark.edges) {
    edge_head_[edges_.back().from] = edge_next_.back();
    edge_next_.pop_back();
    edges_.pop_back();
  }
  moved_.clear();
}

void GrowingOrder::forget() {
  changes_.clear();
  changes_.shrink_to_fit();
}

std::vector<EventId> GrowingOrder::path(EventId from, EventId to, std::size_t edges) const {
  std::vector<EventId> came_from(events_.all.size(), kNoEvent);
  std::vector<EventId> reached{from};
  came_from[from] = from;
  for (std::size_t i = 0; i < reached.size() && came_from[to] == kNoEvent; ++i) {
    visit_successors(reached[i], edges, [&](EventId next) {
      if (came_from[next] != kNoEvent) return;
      came_from[next] = reached[i];
      reached.push_back(next);
    });
  }
  PARALLAX_ASSERT(came_from[to] != kNoEvent, "no path from {} to {}", from, to);
  std::vector<EventId> path{to};
  while (path.back() != from) path.push_back(came_from[path.back()]);
  std::reverse(path.begin(), path.end());
  return path;
}

const Edge* GrowingOrder::edge_between(EventId from, EventId to) const {
  const Edge* found = nullptr;
  for (std::uint32_t e = edge_head_[from]; e != 0; e = edge_next_[e - 1]) {
    if (edges_[e - 1].to == to) found = &edges_[e - 1];
  }
  return found;
}

}  // namespace parallax::checker
