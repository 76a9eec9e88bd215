#include "consistency/checker/sequential.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "consistency/checker/causal_patterns.h"
#include "consistency/checker/model.h"
#include "consistency/checker/proof.h"
#include "consistency/checker/resolve.h"
#include "consistency/checker/saturation.h"

namespace parallax::checker {
namespace {

/// Only of small histories the search itself is run again and again to make a witness small.
constexpr std::size_t kMaxSearchedWitness = 60;

/// The search for an order of the writes.
class Search {
 public:
  Search(const History& history, const Events& events, const CausalOrder& order,
         Saturation& saturation, const Limits& limits)
      : events_(events), saturation_(saturation), limits_(limits) {
    done_.assign(order.chains(), 0);
    chain_.resize(order.chains());
    for (std::uint32_t c = 0; c < order.chains(); ++c) chain_[c].resize(order.chain_length(c));
    place_.resize(events.all.size());
    hint_.resize(events.all.size());
    for (EventId e = 0; e < events.all.size(); ++e) {
      place_[e] = order.place(e);
      chain_[place_[e].chain][place_[e].position - 1] = e;
      const Operation& operation = history.operations[events.all[e].operation];
      hint_[e] = operation.outcome == Outcome::unknown
                     ? operation.call_ns
                     : operation.call_ns + (operation.return_ns - operation.call_ns) / 2;
    }
  }

  Verdict run() {
    do_reads();
    std::vector<Node> nodes;
    nodes.push_back(make_node());
    while (sequence_.size() < events_.all.size()) {
      if (out_of_limits()) return Verdict::undecided;
      Node& node = nodes.back();
      if (node.next == node.candidates.size()) {
        if (nodes.size() == 1) return forgot_ ? Verdict::undecided : Verdict::no;
        nodes.pop_back();
        go_back_to(nodes.back());
        continue;
      }
      const EventId write = node.candidates[node.next++];
      if (!commit(write)) {
        go_back_to(node);
        continue;
      }
      do_reads();
      if (saturation_.order().memory_bytes() > limits_.max_memory_bytes) {
        // No way back any more: from here on, a dead end is the end.
        saturation_.order().forget();
        nodes.clear();
        forgot_ = true;
      }
      nodes.push_back(make_node());
    }
    return Verdict::yes;
  }

  const std::vector<EventId>& sequence() const { return sequence_; }
  std::uint64_t steps() const { return steps_ + saturation_.order().steps(); }

 private:
  /// A point where one of several writes goes next.
  struct Node {
    GrowingOrder::Mark mark;
    std::size_t done;
    std::vector<EventId> candidates;
    std::size_t next = 0;
  };

  bool out_of_limits() const { return steps() > limits_.max_steps; }

  EventId next_of(std::size_t chain) const {
    return done_[chain] < chain_[chain].size() ? chain_[chain][done_[chain]] : kNoEvent;
  }
  bool is_ready(EventId event) {
    ++steps_;
    const Clock clock = saturation_.order().clock(event);
    for (std::size_t c = 0; c < done_.size(); ++c) {
      if (clock[c] > done_[c] + (c == place_[event].chain ? 1 : 0)) return false;
    }
    return true;
  }
  void take(EventId event) {
    ++done_[place_[event].chain];
    sequence_.push_back(event);
  }

  /// The order says of each read that all it must see is done, and that nothing newer can be.
  void do_reads() {
    for (bool any = true; any;) {
      any = false;
      for (std::size_t c = 0; c < done_.size(); ++c) {
        for (EventId e = next_of(c); e != kNoEvent && !events_.all[e].writes && is_ready(e);
             e = next_of(c)) {
          take(e);
          any = true;
        }
      }
    }
  }

  Node make_node() {
    Node node{.mark = saturation_.order().mark(), .done = sequence_.size(), .candidates = {}};
    for (std::size_t c = 0; c < done_.size(); ++c) {
      const EventId e = next_of(c);
      if (e != kNoEvent && events_.all[e].writes && is_ready(e)) node.candidates.push_back(e);
    }
    std::sort(node.candidates.begin(), node.candidates.end(),
              [&](EventId a, EventId b) { return hint_[a] < hint_[b]; });
    return node;
  }

  void go_back_to(const Node& node) {
    saturation_.undo_to(node.mark);
    while (sequence_.size() > node.done) {
      --done_[place_[sequence_.back()].chain];
      sequence_.pop_back();
    }
  }

  /// `write` goes next: it comes before all other writes of its key that are not done.
  bool commit(EventId write) {
    for (ByKey::Run& run : saturation_.writes().of(events_.all[write].key)) {
      if (run.chain == place_[write].chain) continue;
      const EventId other = saturation_.writes().first_after(run, done_[run.chain]);
      if (other == kNoEvent || saturation_.order().reaches(write, other)) continue;
      if (!saturation_.assume(write, other)) return false;
    }
    take(write);
    return true;
  }

  const Events& events_;
  Saturation& saturation_;
  const Limits& limits_;
  std::vector<std::vector<EventId>> chain_;
  std::vector<Place> place_;
  std::vector<std::int64_t> hint_;
  std::vector<std::uint32_t> done_;  ///< by chain
  std::vector<EventId> sequence_;
  std::uint64_t steps_ = 0;
  bool forgot_ = false;
};

struct Outcomes {
  Verdict verdict = Verdict::undecided;
  std::string reason;
  std::optional<Proof> proof;  ///< of no, unless only the search found that
  std::vector<EventId> sequence;
  std::uint64_t steps = 0;
};

Proof contradiction(const History& history, const Events& events, const Saturation& saturation) {
  Proof proof{"CyclicOrder", "what the reads saw puts some operations before themselves.", {}};
  const Edge& edge = saturation.contradiction();
  const GrowingOrder& order = saturation.order();
  const std::size_t edges = order.edges().size();
  std::vector<bool> explained(edges, false);
  proof.blocks.push_back({edge.reader == edge.from
                              ? fmt::format("Because {}, that must come before {}:",
                                            name_read(history, events, edge.reader),
                                            name_write(history, events, edge.to))
                              : fmt::format("Because {} after {}, the latter must come before what "
                                            "it saw:",
                                            name_read(history, events, edge.reader),
                                            name_write(history, events, edge.from)),
                          {edge.from, edge.to, edge.reader}});
  if (is_event(edge.premise_from) && edge.premise_from != edge.premise_to) {
    add_path(proof, history, events, order, edge.premise_from, edge.premise_to, edges, explained);
  }
  if (edge.from != edge.to) {
    proof.blocks.push_back({"But it comes after that:", {}});
    add_path(proof, history, events, order, edge.to, edge.from, edges, explained);
  }
  return proof;
}

Outcomes judge(const History& history, const Events& events, const Limits& limits) {
  Outcomes result;
  const Readers readers(events);
  const CausalOrder order(events, readers, limits.max_memory_bytes);
  result.proof = find_impossible(history, events, order);
  if (!result.proof && (order.out_of_memory() ||
                        2 * GrowingOrder::bytes_needed(events, order) > limits.max_memory_bytes)) {
    result.reason = fmt::format("clocks of {} events in {} sessions take more than {} bytes",
                                events.all.size(), events.sessions.size(), limits.max_memory_bytes);
    return result;
  }
  if (!result.proof) result.proof = find_overwritten(history, events, readers, order, nullptr);
  if (result.proof) {
    result.verdict = Verdict::no;
    return result;
  }
  Saturation saturation(events, readers, order);
  if (!saturation.begin()) {
    result.verdict = Verdict::no;
    result.proof = contradiction(history, events, saturation);
    result.steps = saturation.order().steps();
    return result;
  }
  saturation.order().forget();
  Search search(history, events, order, saturation, limits);
  result.verdict = search.run();
  result.steps = search.steps();
  if (result.verdict == Verdict::undecided) {
    result.reason =
        fmt::format("{} steps and {} bytes were not enough (limits: {} and {})", search.steps(),
                    saturation.order().memory_bytes(), limits.max_steps, limits.max_memory_bytes);
  }
  result.sequence = search.sequence();
  return result;
}

/// Whether the answers of all operations are right in this order.
bool replay(const History& history, const Events& events, const std::vector<EventId>& sequence,
            const std::optional<std::string>& initial) {
  Texts texts = history.texts;
  const Text first = initial ? texts.intern(*initial) : kAbsent;
  std::vector<State> state(events.keys.size(), first);
  for (const EventId e : sequence) {
    State& now = state[events.all[e].key];
    const Next next = step(texts, now, history.operations[events.all[e].operation]);
    if (!next) return false;
    now = *next;
  }
  return true;
}

/// The events, with all reads resolved for which there is no choice.
Events resolved_events(const History& history, const SequentialOptions& options) {
  Events events = make_events(history, options.initial);
  if (events.refused.empty()) resolve_forced(history, events, options.limits.max_memory_bytes);
  return events;
}

Witness make_witness(const History& history, const Events& events,
                     const std::optional<Proof>& proof, const SequentialOptions& options) {
  const StillViolated still_violated = [&](const History& smaller) {
    return judge(smaller, resolved_events(smaller, options), options.limits).verdict == Verdict::no;
  };
  Witness witness{.pattern = "NoOrder"};
  History part;
  if (proof || events.all.size() <= kMaxSearchedWitness) {
    std::vector<std::uint32_t> operations;
    if (proof) operations = proof->operations(events);
    for (const Event& event : events.all) {
      if (!proof) operations.push_back(event.operation);
    }
    Shrunk shrunk = shrink_from(history, std::move(operations), still_violated);
    witness.minimal = shrunk.minimal;
    part = std::move(shrunk.part);
  } else {
    part = history;
    witness.minimal = false;
  }
  const Events left = resolved_events(part, options);
  const Outcomes again = judge(part, left, options.limits);
  if (again.proof) {
    witness.pattern = again.proof->pattern;
    witness.text = again.proof->text(part, left);
  } else {
    witness.text = fmt::format("{}: no order of these {} operations explains their answers.\n",
                               witness.pattern, left.all.size());
    for (EventId e = 0; e < left.all.size() && left.all.size() <= kMaxSearchedWitness; ++e) {
      witness.text += fmt::format("    {}\n", describe_event(part, left, e));
    }
  }
  witness.part = std::move(part);
  return witness;
}

}  // namespace

SequentialResult check_sequential(const History& history, const SequentialOptions& options) {
  Events events = resolved_events(history, options);
  if (!events.refused.empty()) return {.reason = events.refused};
  Outcomes found = judge(history, events, options.limits);
  SequentialResult result{.verdict = found.verdict, .reason = found.reason, .steps = found.steps};
  if (found.verdict == Verdict::no) {
    result.witness = make_witness(history, events, found.proof, options);
  }
  if (found.verdict != Verdict::yes) return result;
  const auto explains = [&] {
    return found.verdict == Verdict::yes &&
           replay(history, events, found.sequence, options.initial);
  };
  bool explained = explains();
  const bool ambiguous = !events.unresolved.empty();
  if (!explained && ambiguous) {
    resolve_by_guess(history, events, options.limits.max_memory_bytes);
    found = judge(history, events, options.limits);
    explained = explains();
  }
  if (explained && events.left_out.empty()) {
    for (const EventId e : found.sequence) result.order.push_back(events.all[e].operation);
    return result;
  }
  // What an open compare-and-set, or a mismatch without a value, says is not in the events.
  const bool vague = events.first_open < events.all.size() ||
                     std::any_of(history.operations.begin(), history.operations.end(),
                                 [](const Operation& o) { return o.outcome == Outcome::mismatch; });
  PARALLAX_ASSERT(explained || ambiguous || vague, "an order of {} events does not explain them",
                  events.all.size());
  result.verdict = Verdict::undecided;
  result.reason = explained ? "nothing is wrong without " + events.left_out
                            : "no order was found that fits reads of values with several writers, "
                              "or comparisons that did not say what they saw";
  return result;
}

}  // namespace parallax::checker
