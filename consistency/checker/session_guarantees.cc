#include "consistency/checker/session_guarantees.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "consistency/checker/guarantee_demands.h"
#include "consistency/checker/proof.h"
#include "consistency/checker/resolve.h"
#include "consistency/checker/version_order.h"

namespace parallax::checker {
namespace {

constexpr std::array<std::string_view, 4> kNames{"read your writes", "monotonic reads",
                                                 "monotonic writes", "writes follow reads"};
constexpr std::array<std::string_view, 4> kPatterns{"ReadYourWrites", "MonotonicReads",
                                                    "MonotonicWrites", "WritesFollowReads"};

/// For clocks, to choose sources well.
constexpr std::uint64_t kGuessBytes = std::uint64_t{4} << 30;

/// Demands of one kind: those on the order, and the first that no order can meet.
struct Collected {
  std::vector<Older> demands;
  std::optional<Older> impossible;

  void add(EventId older, EventId newer) {
    if (is_event(newer)) {
      demands.emplace_back(older, newer);
    } else if (!impossible) {
      impossible = Older{older, newer};
    }
  }
};

/// What one guarantee fails by: a cycle, or a demand that nothing meets.
using Failure = std::vector<Older>;

class Check {
 public:
  Check(const History& history, const Events& events)
      : history_(history), events_(events), demands_(events), hint_(events.all.size()) {
    for (EventId e = 0; e < events.all.size(); ++e) {
      hint_[e] = history.operations[events.all[e].operation].call_ns;
    }
    demands_.of_writers([&](EventId a, EventId b, Basis) { writers_.emplace_back(a, b); });
    demands_.of_monotonic_reads([&](EventId a, EventId b, Basis) { reads_.add(a, b); });
    evidence_ = writers_;
    evidence_.insert(evidence_.end(), reads_.demands.begin(), reads_.demands.end());
    order_ = order_versions(events, evidence_, hint_);
    if (!order_.unordered.empty()) leave_out_broken_keys();
  }

  std::optional<Proof> find(Guarantee guarantee) {
    for (EventId e = 0; e < events_.first_open; ++e) {
      if (events_.all[e].source == kThinAir) {
        return Proof{
            "ThinAirRead", name_read(history_, events_, e) + ", which nobody wrote.", {{{}, {e}}}};
      }
    }
    const std::optional<Failure> failure = fail(guarantee);
    if (!failure) return std::nullopt;
    return explain(guarantee, *failure);
  }

 private:
  /// Where the writers' order has a cycle, nothing is newer than anything; where reads are not
  /// monotonic they do not say what is newer. Orders what is left.
  void leave_out_broken_keys() {
    unmonotonic_.assign(events_.keys.size(), false);
    for (const EventId e : order_.unordered) unmonotonic_[events_.all[e].key] = true;
    contrary_.assign(events_.keys.size(), false);
    const VersionOrder written = order_versions(events_, writers_, hint_);
    if (!written.unordered.empty()) {
      writers_cycle_ = find_version_cycle(events_, writers_, written.unordered);
      for (const EventId e : written.unordered) contrary_[events_.all[e].key] = true;
    }
    const auto erase_if_key = [&](std::vector<Older>& demands, const KeySet& bad) {
      std::erase_if(demands, [&](const Older& d) { return bad[events_.all[d.first].key]; });
    };
    erase_if_key(evidence_, contrary_);
    const VersionOrder read = order_versions(events_, evidence_, hint_);
    if (!read.unordered.empty()) {
      monotonic_cycle_ = find_version_cycle(events_, evidence_, read.unordered);
    }
    erase_if_key(writers_, contrary_);
    erase_if_key(reads_.demands, unmonotonic_);
    evidence_ = writers_;
    evidence_.insert(evidence_.end(), reads_.demands.begin(), reads_.demands.end());
    order_ = order_versions(events_, evidence_, hint_);
  }

  bool is_contrary(std::uint32_t key) const { return !contrary_.empty() && contrary_[key]; }

  static Failure as_demands(const std::vector<EventId>& cycle) {
    Failure failure;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      failure.emplace_back(cycle[i], cycle[(i + 1) % cycle.size()]);
    }
    return failure;
  }

  std::optional<Failure> fail(Guarantee guarantee) {
    switch (guarantee) {
      case Guarantee::read_your_writes:
        return fail_own_writes();
      case Guarantee::monotonic_reads:
        if (reads_.impossible) return Failure{*reads_.impossible};
        if (!monotonic_cycle_.empty()) return as_demands(monotonic_cycle_);
        return std::nullopt;
      case Guarantee::writes_follow_reads:
        if (!writers_cycle_.empty()) return as_demands(writers_cycle_);
        return fail_observers(guarantee);
      case Guarantee::monotonic_writes:
        break;
    }
    return fail_observers(guarantee);
  }

  std::optional<Failure> fail_own_writes() {
    Collected own;
    demands_.of_read_your_writes([&](EventId a, EventId b, Basis) { own.add(a, b); });
    if (own.impossible) return Failure{*own.impossible};
    // An order that meets more than the writers' demands will do where it meets these, too.
    KeySet disagrees(events_.keys.size(), false);
    bool any = false;
    for (const auto& [a, b] : own.demands) {
      if (order_.rank[a] < order_.rank[b] || is_contrary(events_.all[a].key)) continue;
      disagrees[events_.all[a].key] = any = true;
    }
    if (!any) return std::nullopt;
    std::vector<Older> all;
    for (const std::vector<Older>* part : {&writers_, &own.demands}) {
      for (const Older& d : *part) {
        if (disagrees[events_.all[d.first].key]) all.push_back(d);
      }
    }
    return cycle_of(all);
  }

  std::optional<Failure> cycle_of(const std::vector<Older>& demands) const {
    const VersionOrder order = order_versions(events_, demands, hint_);
    if (order.unordered.empty()) return std::nullopt;
    return as_demands(find_version_cycle(events_, demands, order.unordered));
  }

  /// There are many demands, and most agree with an order that meets the others. So those that do
  /// not are added and the order is made again, until all agree or there is no order.
  std::optional<Failure> fail_observers(Guarantee guarantee) {
    KeySet wanted(events_.keys.size(), true);
    for (std::size_t k = 0; k < contrary_.size(); ++k) wanted[k] = !contrary_[k];
    VersionOrder order = order_;
    std::vector<Older> demands = evidence_;
    while (true) {
      KeySet disagrees(events_.keys.size(), false);
      std::vector<Older> added;
      std::optional<Older> impossible;
      demands_.of_observers_against(
          guarantee, order.rank, [&](std::uint32_t key) { return wanted[key]; },
          [&](EventId older, EventId newer, Basis) {
            if (!is_event(newer)) {
              if (!impossible) impossible = Older{older, newer};
            } else if (order.rank[older] > order.rank[newer]) {
              disagrees[events_.all[older].key] = true;
              added.emplace_back(older, newer);
            }
          });
      if (impossible) return Failure{*impossible};
      if (added.empty()) return std::nullopt;
      // Keys that agree are done with.
      wanted.swap(disagrees);
      std::erase_if(demands, [&](const Older& d) { return !wanted[events_.all[d.first].key]; });
      std::sort(added.begin(), added.end());
      added.erase(std::unique(added.begin(), added.end()), added.end());
      demands.insert(demands.end(), added.begin(), added.end());
      order_again(events_, demands, hint_, wanted, order);
      if (!order.unordered.empty()) {
        return as_demands(find_version_cycle(events_, demands, order.unordered));
      }
    }
  }

  Proof explain(Guarantee guarantee, const Failure& failure) {
    const auto which = static_cast<std::size_t>(guarantee);
    Proof proof{
        kPatterns[which],
        fmt::format("no order of the versions of \"{}\" that agrees with their writers "
                    "gives {}.",
                    history_.texts[events_.keys[events_.all[failure[0].first].key]], kNames[which]),
        {}};
    std::set<Older> left(failure.begin(), failure.end());
    const auto names = [&](EventId e) { return name_write(history_, events_, e); };
    const auto note = [&](EventId older, EventId newer, Basis by, std::string reason) {
      left.erase({older, newer});
      std::vector<EventId> events{older};
      events.insert(events.end(), by);
      if (is_event(newer)) events.push_back(newer);
      proof.blocks.push_back({std::move(reason), std::move(events)});
    };
    demands_.of_writers([&](EventId a, EventId b, Basis by) {
      if (!left.contains({a, b})) return;
      note(a, b, by,
           fmt::format("{} is newer than {}: its session had {} that.", names(b), names(a),
                       by.size() == 0 ? "written" : "read"));
    });
    if (guarantee != Guarantee::read_your_writes) {
      demands_.of_monotonic_reads([&](EventId a, EventId b, Basis by) {
        // To others than monotonic reads these are evidence at most.
        const bool counts =
            guarantee == Guarantee::monotonic_reads ||
            (is_event(b) && (unmonotonic_.empty() || !unmonotonic_[events_.all[a].key]));
        if (!counts || !left.contains({a, b})) return;
        note(a, b, by,
             fmt::format("{} after it had seen {}.",
                         name_read(history_, events_, *(by.begin() + 1)), names(a)));
      });
    } else {
      demands_.of_read_your_writes([&](EventId a, EventId b, Basis by) {
        if (!left.contains({a, b})) return;
        note(a, b, by,
             fmt::format("{} after {}.", name_read(history_, events_, *by.begin()), names(a)));
      });
    }
    const bool others = guarantee >= Guarantee::monotonic_writes;
    if (others && !left.empty()) {
      demands_.of_observers(
          guarantee, [](std::uint32_t) { return true; },
          [&](EventId a, EventId b, Basis by) {
            if (!left.contains({a, b})) return;
            note(a, b, by,
                 fmt::format("{} after it had seen {}, before which its session "
                             "had {} {}.",
                             name_read(history_, events_, *(by.begin() + 3)),
                             names(*(by.begin() + 1)), *by.begin() == a ? "done" : "seen",
                             names(a)));
          });
    }
    if (failure.size() == 1 && proof.blocks.size() == 1) {
      proof.headline = proof.blocks[0].reason;
      proof.blocks[0].reason.clear();
    }
    return proof;
  }

  const History& history_;
  const Events& events_;
  Demands demands_;
  std::vector<std::int64_t> hint_;
  std::vector<Older> writers_;
  Collected reads_;
  std::vector<Older> evidence_;  ///< of the writers, and of reads where they are monotonic
  VersionOrder order_;           ///< meets the evidence
  // Only if some reads are not monotonic:
  KeySet unmonotonic_;  ///< by key
  KeySet contrary_;     ///< by key: the writers' order has a cycle
  std::vector<EventId> monotonic_cycle_, writers_cycle_;
};

/// A verdict about one history, and why.
struct Decision {
  Verdict verdict = Verdict::yes;
  std::string reason;          ///< of undecided
  std::optional<Proof> proof;  ///< of no
};

/// Of a read with more possible sources than this nobody tries them all.
constexpr std::size_t kMaxSources = 64;

class Decider {
 public:
  Decider(const History& history, const Events& events)
      : history_(history), events_(events), check_(history, events) {}

  Decision decide(Guarantee guarantee) {
    if (auto proof = check_.find(guarantee)) return {Verdict::no, {}, std::move(proof)};
    if (!events_.left_out.empty()) {
      return {Verdict::undecided, "nothing is wrong without " + events_.left_out, {}};
    }
    if (events_.unresolved.empty()) return {};
    // A guess that satisfies a guarantee is a proof that it holds.
    if (!guessed_) {
      guessed_ = events_;
      resolve_by_guess(history_, *guessed_, kGuessBytes);
      guess_.emplace(history_, *guessed_);
    }
    if (guessed_->unresolved.empty()) {
      const auto proof = guess_->find(guarantee);
      if (!proof) return {};
      if (auto refuted = refute(guarantee, *proof)) return {Verdict::no, {}, std::move(refuted)};
    }
    return {Verdict::undecided,
            "reads saw values that several writes can have given, and no choice was found that "
            "gives it",
            {}};
  }

 private:
  /// A proof that one of the reads that made a guess fail cannot have seen anything.
  std::optional<Proof> refute(Guarantee guarantee, const Proof& guess_failed) const {
    const std::vector<std::uint32_t> named = guess_failed.operations(*guessed_);
    for (const EventId read : events_.unresolved) {
      if (!std::binary_search(named.begin(), named.end(), events_.all[read].operation)) continue;
      const std::vector<EventId> sources = possible_sources(read);
      std::optional<Proof> proof;
      bool all = sources.size() <= kMaxSources;
      for (std::size_t i = 0; i < sources.size() && all; ++i) {
        Events one = events_;
        one.all[read].source = sources[i];
        std::erase(one.unresolved, read);
        auto found = Check(history_, one).find(guarantee);
        all = found.has_value();
        if (!all) break;
        if (!proof) {
          proof = std::move(found);
        } else {
          proof->blocks.insert(proof->blocks.end(), found->blocks.begin(), found->blocks.end());
        }
      }
      if (all && proof) return proof;
    }
    return std::nullopt;
  }

  std::vector<EventId> possible_sources(EventId read) const {
    const Event& event = events_.all[read];
    const Text value = shown_by(history_.operations[event.operation]);
    std::vector<EventId> sources;
    if (value == events_.initial) sources.push_back(kInitial);
    for (EventId e = 0; e < events_.all.size() && sources.size() <= kMaxSources; ++e) {
      const Event& write = events_.all[e];
      if (e != read && write.writes && write.key == event.key &&
          given_by(history_.operations[write.operation]) == value) {
        sources.push_back(e);
      }
    }
    return sources;
  }

  const History& history_;
  const Events& events_;
  Check check_;
  std::optional<Events> guessed_;
  std::optional<Check> guess_;
};

Decision decide(const History& history, const Events& events, Guarantee guarantee) {
  return Decider(history, events).decide(guarantee);
}

Witness make_witness(const History& history, const Events& events, const Proof& proof,
                     Guarantee guarantee, const GuaranteeOptions& options) {
  Shrunk shrunk = shrink_from(history, proof.operations(events), [&](const History& smaller) {
    return decide(smaller, make_events(smaller, options.initial), guarantee).verdict == Verdict::no;
  });
  History& part = shrunk.part;
  Witness witness{.minimal = shrunk.minimal};
  const Events left = make_events(part, options.initial);
  const std::optional<Proof> again = decide(part, left, guarantee).proof;
  const Proof& shown = again ? *again : proof;
  witness.pattern = shown.pattern;
  witness.text = shown.text(again ? part : history, again ? left : events);
  witness.part = std::move(part);
  return witness;
}

}  // namespace

std::string_view to_string(Guarantee guarantee) {
  return kNames[static_cast<std::size_t>(guarantee)];
}

GuaranteeResults check_session_guarantees(const History& history, const GuaranteeOptions& options) {
  GuaranteeResults results;
  const Events events = make_events(history, options.initial);
  if (!events.refused.empty()) {
    for (GuaranteeResult& result : results) result.reason = events.refused;
    return results;
  }
  Decider decider(history, events);
  for (std::size_t i = 0; i < results.size(); ++i) {
    Decision decision = decider.decide(kGuarantees[i]);
    results[i] = {.verdict = decision.verdict, .reason = std::move(decision.reason)};
    if (decision.proof) {
      results[i].witness = make_witness(history, events, *decision.proof, kGuarantees[i], options);
    }
  }
  return results;
}

}  // namespace parallax::checker
