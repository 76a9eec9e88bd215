#include "consistency/checker/causal_patterns.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace parallax::checker {
namespace {

Proof thin_air(const History& history, const Events& events, EventId read) {
  return {"ThinAirRead",
          fmt::format("{}, which nobody wrote.", name_read(history, events, read)),
          {{{}, {read}}}};
}

/// A cycle among events each of which has one that comes before it among them.
Proof causal_cycle(const History& history, const Events& events, const CausalOrder& order) {
  std::vector<std::uint32_t> step(events.all.size(), 0);
  std::vector<bool> in(events.all.size(), false);
  for (const EventId e : order.cyclic()) in[e] = true;
  std::vector<EventId> walk{order.cyclic().front()};
  step[walk.back()] = 1;
  while (true) {
    const EventId source = events.all[walk.back()].source;
    const EventId next = is_event(source) && in[source] ? source : events.before(walk.back());
    if (step[next] != 0) {
      walk.erase(walk.begin(), walk.begin() + step[next] - 1);
      break;
    }
    walk.push_back(next);
    step[next] = static_cast<std::uint32_t>(walk.size());
  }
  std::reverse(walk.begin(), walk.end());
  // Begin at a write that is read next, so that no session is cut in two.
  const auto begins = std::find_if(walk.begin(), walk.end(), [&](EventId e) {
    const std::size_t i = static_cast<std::size_t>(&e - walk.data());
    return events.all[walk[(i + 1) % walk.size()]].source == e;
  });
  std::rotate(walk.begin(), begins, walk.end());
  walk.push_back(walk.front());
  return {"CyclicCO",
          fmt::format("{} comes before itself: each of these follows the one before it in its "
                      "session or read what that wrote.",
                      name_write(history, events, walk.front())),
          {{{}, shorten(events, walk)}}};
}

Proof overwritten(const History& history, const Events& events, const CausalOrder& order,
                  EventId write, EventId newer, EventId read) {
  Proof proof{"WriteCORead",
              fmt::format("{} although {}, which comes after {}, was in its causal past.",
                          name_read(history, events, read), name_write(history, events, newer),
                          name_write(history, events, write)),
              {}};
  std::vector<EventId> path = causal_path(events, order, write, newer);
  const std::vector<EventId> second = causal_path(events, order, newer, read);
  path.insert(path.end(), second.begin() + 1, second.end());
  proof.blocks.push_back({{}, std::move(path)});
  return proof;
}

Proof initial_read(const History& history, const Events& events, const CausalOrder& order,
                   EventId write, EventId read) {
  return {"WriteCOInitRead",
          fmt::format("{}, the initial value, although {} was in its causal past.",
                      name_read(history, events, read), name_write(history, events, write)),
          {{{}, causal_path(events, order, write, read)}}};
}

/// The join of what the readers of a write knew before they read.
class Known {
 public:
  explicit Known(std::size_t chains) : clock_((chains + kLanes - 1) / kLanes * kLanes, 0) {}

  void of(std::span<const EventId> readers, const Events& events, const CausalOrder& order) {
    std::fill(clock_.begin(), clock_.end(), 0);
    for (const EventId reader : readers) {
      const Place at = order.place(reader);
      const std::uint32_t own = clock_[at.chain];
      join_clock(clock_.data(), order.clock(reader));
      // A compare-and-set does not know of its own write when it reads.
      if (events.all[reader].writes) clock_[at.chain] = std::max(own, at.position - 1);
    }
  }
  std::uint32_t operator[](std::uint32_t chain) const { return clock_[chain]; }

 private:
  std::vector<std::uint32_t> clock_;
};

bool knows(const Events& events, const CausalOrder& order, EventId reader, EventId write) {
  return reader != write && order.reaches(write, reader) && events.all[reader].source != write;
}

}  // namespace

std::optional<Proof> find_impossible(const History& history, const Events& events,
                                     const CausalOrder& order) {
  for (EventId e = 0; e < events.first_open; ++e) {
    if (events.all[e].source == kThinAir) return thin_air(history, events, e);
  }
  if (!order.cyclic().empty()) return causal_cycle(history, events, order);
  return std::nullopt;
}

std::optional<Proof> find_overwritten(const History& history, const Events& events,
                                      const Readers& readers, const CausalOrder& order,
                                      std::vector<Conflict>* conflicts) {
  ByKey writes(events, &order, ByKey::Kind::writes);
  for (EventId e = 0; e < events.first_open; ++e) {
    const Event& read = events.all[e];
    if (read.source != kInitial) continue;
    Clock clock = order.clock(e);
    for (ByKey::Run& run : writes.of(read.key)) {
      std::uint32_t seen = CausalOrder::at(clock, run.chain);
      if (read.writes && run.chain == read.session) --seen;
      if (seen == 0) continue;
      const EventId write = writes.last(run, seen);
      if (write == kNoEvent) continue;
      return initial_read(history, events, order, writes.first(run), e);
    }
  }
  Known known(order.chains());
  for (std::uint32_t key = 0; key < events.keys.size(); ++key) {
    const std::span<ByKey::Run> runs = writes.of(key);
    for (const ByKey::Run& own : runs) {
      for (const EventId write : writes.events(own)) {
        if (readers.of(write).empty()) continue;
        known.of(readers.of(write), events, order);
        const Clock past = order.clock(write);
        for (ByKey::Run& run : runs) {
          // Readers that know no more of a chain than the write does contradict nothing.
          if (known[run.chain] <= CausalOrder::at(past, run.chain)) continue;
          const EventId last = writes.last(run, known[run.chain]);
          if (last == kNoEvent || last == write || order.reaches(last, write)) continue;
          if (order.reaches(write, last)) {
            for (const EventId reader : readers.of(write)) {
              if (!knows(events, order, reader, last)) continue;
              return overwritten(history, events, order, write, last, reader);
            }
          }
          if (conflicts != nullptr) conflicts->emplace_back(last, write);
        }
      }
    }
  }
  return std::nullopt;
}

Finding find_patterns(const History& history, const Events& events, CausalModel model,
                      const Limits& limits) {
  const Readers readers(events);
  const CausalOrder order(events, readers, limits.max_memory_bytes);
  if (auto proof = find_impossible(history, events, order)) {
    return {.verdict = Verdict::no, .proof = std::move(proof)};
  }
  if (order.out_of_memory()) {
    return {
        .verdict = Verdict::undecided,
        .reason = fmt::format("{} events of {} sessions need clocks of more than {} bytes",
                              events.all.size(), events.sessions.size(), limits.max_memory_bytes)};
  }
  std::vector<Conflict> conflicts;
  auto proof = find_overwritten(history, events, readers, order,
                                model == CausalModel::ccv ? &conflicts : nullptr);
  if (!proof && model == CausalModel::ccv) {
    proof = find_conflict_cycle(history, events, readers, order, conflicts);
  }
  if (proof) return {.verdict = Verdict::no, .proof = std::move(proof)};
  if (model != CausalModel::cm) return {};
  return find_memory_patterns(history, events, readers, order, limits);
}

}  // namespace parallax::checker
