// WriteHBInitRead and CyclicHB: what one session's reads imply about the order of the writes that
// it knows (Bouajjani et al. 2017, section 5.3).
//
// For a session, hb is the smallest order that contains the causal order and puts w1 before w2 if
// w1 comes before a read of w2, of the same key, by this session. It grows with the session, so the
// whole session is judged at once: what follows for its end includes what follows for each prefix.
#include <fmt/format.h>

#include "consistency/checker/causal_patterns.h"
#include "consistency/checker/growing_order.h"

namespace parallax::checker {
namespace {

class MemoryCheck {
 public:
  MemoryCheck(const History& history, const Events& events, const Readers& readers,
              const CausalOrder& order, const Limits& limits)
      : history_(history),
        events_(events),
        limits_(limits),
        hb_(events, readers, order),
        writes_(events, &order, ByKey::Kind::writes) {
    waiting_.assign(events.all.size(), false);
  }

  Finding run() {
    for (std::uint32_t s = 0; s < events_.sessions.size(); ++s) {
      if (!judge(s)) {
        return {.verdict = proof_ ? Verdict::no : Verdict::undecided,
                .reason = std::move(reason_),
                .proof = std::move(proof_)};
      }
    }
    return {};
  }

 private:
  /// False if there is a proof, or a limit was reached.
  bool judge(std::uint32_t session) {
    const Session& all = events_.sessions[session];
    if (all.begin == all.end) return true;
    const GrowingOrder::Mark start = hb_.mark();
    hb_.limit_to(all.end - 1);
    // Conflicts among what the session read early are settled first: later ones rest on them.
    for (EventId e = all.begin; e < all.end; ++e) {
      todo_.push_back(e);
      waiting_[e] = true;
    }
    for (std::size_t i = 0; i < todo_.size(); ++i) {
      waiting_[todo_[i]] = false;
      if (!settle(todo_[i])) return false;
      for (const EventId moved : hb_.moved()) {
        const bool ours = moved < events_.first_open && events_.all[moved].session == session;
        if (!ours || waiting_[moved]) continue;
        waiting_[moved] = true;
        todo_.push_back(moved);
      }
      hb_.moved().clear();
      if (hb_.steps() > limits_.max_steps || hb_.memory_bytes() > limits_.max_memory_bytes) {
        reason_ =
            fmt::format("{} steps and {} bytes were not enough (limits: {} and {})", hb_.steps(),
                        hb_.memory_bytes(), limits_.max_steps, limits_.max_memory_bytes);
        return false;
      }
    }
    todo_.clear();
    hb_.undo_to(start);
    return true;
  }

  /// Adds what `read` implies about the writes that it knows.
  bool settle(EventId read) {
    const Event& event = events_.all[read];
    const bool reads = event.source == kInitial || is_event(event.source);
    if (!reads) return true;
    for (ByKey::Run& run : writes_.of(event.key)) {
      std::uint32_t seen = hb_.clock(read)[run.chain];
      if (event.writes && run.chain == event.session) --seen;
      // What the source comes after anyway settles nothing.
      if (seen == 0 || (is_event(event.source) && seen <= hb_.clock(event.source)[run.chain])) {
        continue;
      }
      const EventId write = writes_.last(run, seen);
      if (write == kNoEvent || write == event.source) continue;
      if (event.source == kInitial) {
        explain(write, kNoEvent, read);
        return false;
      }
      if (hb_.reaches(event.source, write)) {
        explain(write, event.source, read);
        return false;
      }
      if (hb_.reaches(write, event.source)) continue;
      hb_.add({.from = write,
               .to = event.source,
               .reader = read,
               .premise_from = write,
               .premise_to = read});
    }
    return true;
  }

  /// `write` is known to `read`, which saw `source`, or the initial value, and comes after it.
  void explain(EventId write, EventId source, EventId read) {
    const std::string client =
        fmt::format("client {}", history_.operations[events_.all[read].operation].client);
    const bool initial = source == kNoEvent;
    proof_ =
        Proof{initial ? "WriteHBInitRead" : "CyclicHB",
              initial ? fmt::format("{}, the initial value, although what {} read before puts "
                                    "{} before that.",
                                    name_read(history_, events_, read), client,
                                    name_write(history_, events_, write))
                      : fmt::format("No order of the writes explains what {} read: {} although "
                                    "{} comes after that and before the read.",
                                    client, name_read(history_, events_, read),
                                    name_write(history_, events_, write)),
              {}};
    std::vector<bool> explained(hb_.edges().size(), false);
    const std::size_t edges = hb_.edges().size();
    if (!initial) add_path(*proof_, history_, events_, hb_, source, write, edges, explained);
    add_path(*proof_, history_, events_, hb_, write, read, edges, explained);
  }

  const History& history_;
  const Events& events_;
  const Limits& limits_;
  GrowingOrder hb_;
  ByKey writes_;
  std::vector<EventId> todo_;
  std::vector<bool> waiting_;  ///< in todo_
  std::optional<Proof> proof_;
  std::string reason_;
};

}  // namespace

Finding find_memory_patterns(const History& history, const Events& events, const Readers& readers,
                             const CausalOrder& order, const Limits& limits) {
  const std::uint64_t bytes = GrowingOrder::bytes_needed(events, order);
  if (2 * bytes > limits.max_memory_bytes) {
    return {.verdict = Verdict::undecided,
            .reason = fmt::format("two sets of clocks take {} bytes (limit: {})", 2 * bytes,
                                  limits.max_memory_bytes)};
  }
  return MemoryCheck(history, events, readers, order, limits).run();
}

}  // namespace parallax::checker
