// Key states that the log or an origin's log holds as well: when they are written, and how a
// restart makes those anew that were not.
//
// A join of what an entry or an operation brings leaves a state that waits in the overlay. Every
// batch takes with it those that have waited for a while, so that few are large. The states in the
// store are of no one point in the log then: each is somewhere between the StatesRecord's index and
// the applied index. A restart joins everything between these once more, before anything is served.
// That leads where it led before: joins may be repeated, and come in any order. What may not, the
// removal of a tombstone, lets nothing wait beyond its batch, and so does whatever ends a log: a
// snapshot or a transfer that comes in. One that goes out is a view in which nothing waits.
#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_causal.h"

namespace parallax {

/// What a join has come to. `durable`: all that it has is, in some log. Returns whether the key has
/// waited already.
bool Replica::Impl::defer_state(const std::string& key, KeyState state, bool durable) {
  touch();
  states_behind_.defer(now_.monotonic);
  return overlay_.defer(records::key_state_key(kOnlyGroup, key), std::move(state), next_sequence_,
                        durable);
}

/// Into the batch that becomes `sequence`, the last thing of it. Returns what the states in the
/// store have with it.
StatesRecord Replica::Impl::put_states(std::uint64_t sequence, WriteBatch& batch) {
  StatesBehind& behind = states_behind_;
  // Where nothing comes along any more, one batch is made for all.
  const bool all = std::exchange(behind.all, false) || now_.monotonic < behind.all_until ||
                   behind.overdue(now_.monotonic, config_.states_wait);
  const std::uint64_t due = all ? sequence : behind.due(now_.monotonic, config_.states_wait);
  overlay_.take_deferred(due, config_.states_wait_bytes, sequence, batch);
  StatesRecord states =
      behind.complete({applied_.index, causal_->staged()}, overlay_.deferred_since());
  const std::string key = records::states_key(kOnlyGroup);
  if (!overlay_.deferred_since()) {
    if (behind.stored) batch.remove(key);
    behind.stored.reset();
  } else if (behind.stored != states) {
    records::put(batch, key, states);
    behind.stored = states;
  }
  return states;
}

/// `log`: the entries that the store's states may lack. What they have replaced is in the history
/// already: that was in the batch with the applied index.
Result<void> Replica::Impl::restore_states(const std::vector<LogEntry>& log) {
  if (!states_behind_.stored) {
    states_behind_.begin(next_sequence_, {applied_.index, causal_->staged()});
    return {};
  }
  states_behind_.begin(next_sequence_, *states_behind_.stored);
  if (canary(Canary::states_not_restored)) return {};
  const auto restore = [&](Mark from, const std::string& key, const auto& change) -> Result<void> {
    PARALLAX_ASSIGN(KeyState state, keys_.load(key));
    if (!change(state)) return {};
    mark(from);
    has_versions_ = true;
    defer_state(key, std::move(state), true);
    return {};
  };
  for (const LogEntry& entry : log) {
    if (entry.payload.empty()) continue;
    PARALLAX_ASSIGN(const Command command, decode_command(entry.payload));
    const auto* const write = std::get_if<WriteKey>(&command);
    if (write == nullptr || write->state.empty()) continue;
    PARALLAX_ASSIGN(const KeyState brought, state_of(*write, entry.index));
    PARALLAX_TRY(restore(Mark::state_restored, write->key,
                         [&](KeyState& state) { return state.join(brought); }));
  }
  PARALLAX_ASSIGN(const std::vector<SharedOperation> operations,
                  causal_->applied_since(states_behind_.stored->operations));
  for (const CausalOperation& operation : operations) {
    PARALLAX_TRY(restore(Mark::causal_state_restored, operation.key,
                         [&](KeyState& state) { return state.add(operation.version); }));
  }
  states_behind_.all = true;  // or a node that crashes again and again has ever more to restore
  return {};
}

}  // namespace parallax
