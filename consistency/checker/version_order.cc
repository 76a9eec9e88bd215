#include "consistency/checker/version_order.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <queue>

#include "base/assert.h"

namespace parallax::checker {
namespace {

/// The demands as lists: who is newer than an event, or who is older.
class Lists {
 public:
  Lists(std::size_t events, const std::vector<Older>& demands, bool newer)
      : begin_(events + 1, 0), others_(demands.size()) {
    for (const auto& [a, b] : demands) ++begin_[(newer ? a : b) + 1];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    std::vector<std::uint32_t> place(begin_.begin(), begin_.end() - 1);
    for (const auto& [a, b] : demands) others_[place[newer ? a : b]++] = newer ? b : a;
  }
  std::span<const EventId> of(EventId event) const {
    return {others_.data() + begin_[event], begin_[event + 1] - begin_[event]};
  }

 private:
  std::vector<std::uint32_t> begin_;
  std::vector<EventId> others_;
};

}  // namespace

VersionOrder order_versions(const Events& events, const std::vector<Older>& demands,
                            const std::vector<std::int64_t>& hint) {
  VersionOrder order;
  order.rank.assign(events.all.size(), 0);
  order_again(events, demands, hint, KeySet(events.keys.size(), true), order);
  return order;
}

void order_again(const Events& events, const std::vector<Older>& demands,
                 const std::vector<std::int64_t>& hint, const KeySet& wanted, VersionOrder& order) {
  const auto count = static_cast<EventId>(events.all.size());
  const Lists newer(count, demands, true);
  std::vector<std::uint32_t> waits_for(count, 0);
  for (const auto& [a, b] : demands) ++waits_for[b];
  order.unordered.clear();
  using Next = std::pair<std::int64_t, EventId>;
  std::vector<Next> free;
  for (EventId e = 0; e < count; ++e) {
    const Event& event = events.all[e];
    if (event.writes && waits_for[e] == 0 && wanted[event.key]) free.emplace_back(hint[e], e);
  }
  // Most are free at once. Those are sorted; only what becomes free later needs a queue.
  std::sort(free.begin(), free.end());
  std::priority_queue<Next, std::vector<Next>, std::greater<>> later;
  std::uint32_t rank = 0;
  for (std::size_t i = 0; i < free.size() || !later.empty();) {
    const bool from_queue = i == free.size() || (!later.empty() && later.top() < free[i]);
    const EventId event = from_queue ? later.top().second : free[i++].second;
    if (from_queue) later.pop();
    order.rank[event] = ++rank;
    for (const EventId next : newer.of(event)) {
      if (--waits_for[next] == 0) later.emplace(hint[next], next);
    }
  }
  for (EventId e = 0; e < count; ++e) {
    if (waits_for[e] > 0) order.unordered.push_back(e);
  }
}

std::vector<EventId> find_version_cycle(const Events& events, const std::vector<Older>& demands,
                                        const std::vector<EventId>& unordered) {
  const Lists older(events.all.size(), demands, false);
  std::vector<bool> in(events.all.size(), false);
  for (const EventId e : unordered) in[e] = true;
  // Each of them has one of them that is older; going from one to the next ends on a cycle.
  std::vector<bool> passed(events.all.size(), false);
  EventId at = unordered.front();
  while (!passed[at]) {
    passed[at] = true;
    const auto before = older.of(at);
    const auto next = std::find_if(before.begin(), before.end(), [&](EventId e) { return in[e]; });
    PARALLAX_ASSERT(next != before.end(), "{} waits for nothing", at);
    at = *next;
  }
  std::vector<EventId> newer_of(events.all.size(), kNoEvent);
  std::vector<EventId> reached{at};
  for (std::size_t i = 0; newer_of[at] == kNoEvent; ++i) {
    PARALLAX_ASSERT(i < reached.size(), "{} is on no cycle", at);
    for (const EventId e : older.of(reached[i])) {
      if (!in[e] || newer_of[e] != kNoEvent) continue;
      newer_of[e] = reached[i];
      reached.push_back(e);
    }
  }
  std::vector<EventId> cycle{at};
  for (EventId e = newer_of[at]; e != at; e = newer_of[e]) cycle.push_back(e);
  return cycle;
}

}  // namespace parallax::checker
