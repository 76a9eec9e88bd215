#include "consistency/checker/resolve.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "consistency/checker/order.h"

namespace parallax::checker {
namespace {

/// Rounds of forced choices, each of which may force others.
constexpr int kMaxRounds = 10;
/// Sources looked at, for a guess, on each chain.
constexpr int kMaxLookedAt = 64;

class Resolver {
 public:
  Resolver(const History& history, Events& events, std::uint64_t max_bytes)
      : history_(history),
        events_(events),
        readers_(events),
        order_(events, readers_, max_bytes),
        writes_(events, usable() ? &order_ : nullptr, ByKey::Kind::writes) {}

  bool usable() const { return order_.cyclic().empty() && !order_.out_of_memory(); }

  /// Whether any was resolved.
  bool force() {
    std::vector<EventId> left;
    std::vector<std::pair<EventId, EventId>> resolved;
    for (const EventId read : events_.unresolved) {
      find_sources(read, 2);
      if (sources_.size() >= 2) {
        left.push_back(read);
      } else {
        resolved.emplace_back(read, sources_.empty() ? some_source(read) : sources_.front());
      }
    }
    return settle(resolved, std::move(left));
  }

  void guess() {
    std::vector<std::pair<EventId, EventId>> resolved;
    for (const EventId read : events_.unresolved) {
      find_sources(read, kMaxLookedAt);
      EventId best = sources_.empty() ? some_source(read) : sources_.front();
      for (const EventId source : sources_) {
        if (better(read, source, best)) best = source;
      }
      resolved.emplace_back(read, best);
    }
    settle(resolved, {});
  }

 private:
  bool settle(const std::vector<std::pair<EventId, EventId>>& resolved, std::vector<EventId> left) {
    for (const auto& [read, source] : resolved) events_.all[read].source = source;
    events_.unresolved = std::move(left);
    return !resolved.empty();
  }

  const Operation& at(EventId e) const { return history_.operations[events_.all[e].operation]; }
  bool gives(EventId write, EventId read) const {
    return write != read && given_by(at(write)) == shown_by(at(read));
  }

  /// A write of its value that is not itself, or the beginning.
  EventId some_source(EventId read) {
    for (const ByKey::Run& run : writes_.of(events_.all[read].key)) {
      for (const EventId write : writes_.events(run)) {
        if (gives(write, read)) return write;
      }
    }
    return kInitial;
  }

  /// Sources that causal consistency allows, in its past first; of the others up to `enough` a
  /// chain.
  void find_sources(EventId read, int enough) {
    sources_.clear();
    const Event& event = events_.all[read];
    const Clock clock = order_.clock(read);
    last_.clear();
    for (ByKey::Run& run : writes_.of(event.key)) {
      std::uint32_t seen = CausalOrder::at(clock, run.chain);
      if (event.writes && run.chain == event.session) --seen;
      const EventId last = seen == 0 ? kNoEvent : writes_.last(run, seen);
      if (last != kNoEvent) last_.push_back(last);
    }
    for (const EventId write : last_) {
      const bool newest = std::none_of(last_.begin(), last_.end(), [&](EventId other) {
        return other != write && order_.reaches(write, other);
      });
      if (newest && gives(write, read)) sources_.push_back(write);
    }
    if (last_.empty() && shown_by(at(read)) == events_.initial) sources_.push_back(kInitial);
    for (ByKey::Run& run : writes_.of(event.key)) {
      const auto all = writes_.events(run);
      int found = 0;
      const auto unseen = std::partition_point(all.begin(), all.end(), [&](EventId write) {
        return order_.place(write).position <= CausalOrder::at(clock, run.chain);
      });
      for (auto write = unseen; write != all.end() && found < enough; ++write) {
        if (order_.reaches(read, *write)) break;
        if (!gives(*write, read)) continue;
        sources_.push_back(*write);
        ++found;
      }
    }
  }

  /// Known to the session before unknown; then the latest that was called before the read returned.
  bool better(EventId read, EventId source, EventId than) const {
    const auto rank = [&](EventId s) {
      if (s == kInitial) return std::tuple(true, true, std::int64_t{0});
      const bool known = order_.reaches(s, read);
      const bool in_time = at(s).call_ns <= at(read).return_ns;
      return std::tuple(known, in_time, in_time ? at(s).call_ns : -at(s).call_ns);
    };
    return rank(than) < rank(source);
  }

  const History& history_;
  Events& events_;
  Readers readers_;
  CausalOrder order_;
  ByKey writes_;
  std::vector<EventId> sources_;
  std::vector<EventId> last_;  ///< the last write on each chain that the read at hand comes after
};

}  // namespace

void resolve_forced(const History& history, Events& events, std::uint64_t max_bytes) {
  for (int round = 0; round < kMaxRounds && !events.unresolved.empty(); ++round) {
    Resolver resolver(history, events, max_bytes);
    if (!resolver.usable() || !resolver.force()) return;
  }
}

void resolve_by_guess(const History& history, Events& events, std::uint64_t max_bytes) {
  Resolver resolver(history, events, max_bytes);
  if (resolver.usable()) resolver.guess();
}

}  // namespace parallax::checker
