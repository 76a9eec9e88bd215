// What brings replicas together that have missed something: when it runs, and its calls.
//
// Three ways, from the quickest to the surest: repair behind a read (replication/quorum/read.h),
// hints for those who have missed a write (replica_hints.cc), and comparing everything
// (replica_anti_entropy.cc). States travel as ever: whole, joined where they arrive, and not before
// they are durable where they come from.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"
#include "replication/quorum/state_content.h"

namespace parallax {
namespace {

/// A call that is not answered by then is taken to be lost.
constexpr Duration kCallPatience = std::chrono::seconds(2);

/// About what a state takes on the wire.
std::size_t wire_bytes(const std::string& key, const KeyState& state) {
  std::size_t bytes = 64 + key.size() + 24 * state.context().entries().size();
  for (const Version& version : state.versions()) {
    bytes += 64 + version.value.size() + version.content_type.size();
  }
  return bytes;
}

}  // namespace

/// In every turn.
void Replica::Impl::run_repairs() {
  if (!raft_ || disk_failed_ || fatal_) return;
  build_tree();
  give_up_calls();
  begin_exchanges();
  drain_hints();
  watch_tombstones();
  if (!fatal_) check_recovery();
}

/// Whether `id` is there and its word is worth something.
bool Replica::Impl::reachable(NodeId id) const {
  return !silent(id) && !peers_.at(id).recovering;
}

/// Whether a message that shows a state is too old to be taken in. What a tombstone buried may be
/// in it, and the tombstone be gone (replica_tombstones.cc): half of the grace is for messages, the
/// other half for what is behind them. A recovering node does not know how late it is before a
/// majority has told it. What is lost by this is sent again.
bool Replica::Impl::too_old(const Envelope& envelope) const {
  const bool shows_state = std::holds_alternative<QuorumStore>(envelope.message) ||
                           std::holds_alternative<QuorumQueryReply>(envelope.message) ||
                           std::holds_alternative<CausalTransferPage>(envelope.message) ||
                           std::holds_alternative<SnapshotChunk>(envelope.message);
  if (!shows_state) return false;
  if (recovering() && raft_ && answered_.size() < raft_->majority()) return true;
  const auto most = static_cast<std::uint64_t>(config_.tombstone_grace.count()) / 2;
  return envelope.clock.millis().value + most < clock_.last().millis().value;
}

// --- Calls ---------------------------------------------------------------------------------------

std::uint64_t Replica::Impl::begin_call(RepairCall call) {
  const std::uint64_t id = next_coordination_++;
  call.until = now_.monotonic + kCallPatience;
  repair_calls_.emplace(id, std::move(call));
  return id;
}

/// The call that `from` answers with `id`, which must be the `expected` one of its two; it is over.
std::optional<RepairCall> Replica::Impl::end_call(RequestId id, RequestId expected, NodeId from) {
  const auto found = repair_calls_.find(coordination_of(id));
  if (found == repair_calls_.end() || id != expected || found->second.peer != from) {
    return std::nullopt;
  }
  RepairCall call = std::move(found->second);
  repair_calls_.erase(found);
  return call;
}

void Replica::Impl::give_up_calls() {
  while (!repair_calls_.empty() && repair_calls_.begin()->second.until <= now_.monotonic) {
    const RepairCall call = std::move(repair_calls_.begin()->second);
    repair_calls_.erase(repair_calls_.begin());
    if (call.kind == RepairCall::Kind::hint) {
      hints_.retry(call.peer);
    } else {
      on_exchange_call(call, false);
    }
  }
}

/// Hands all that is known of `key` over to `to`, once it is durable here. False: nothing is known.
bool Replica::Impl::send_state(std::uint64_t call, NodeId to, const std::string& key) {
  Result<KeyState> state = known_state(key);
  if (!state) {
    fail(state.error());
    return false;
  }
  if (state->empty()) return false;
  repair_bytes_.spend(wire_bytes(key, *state));
  const std::uint64_t sequence = shown_after(key, *state);
  after_batch(sequence, HeldMessage{to, QuorumStore{.call = {config_.life, store_call(call)},
                                                    .key = key,
                                                    .state = *std::move(state)}});
  return true;
}

/// What an exchange has asked for. Where this node knows more, it hands that over in turn.
void Replica::Impl::on_other_query_reply(const Envelope& envelope, const QuorumQueryReply& reply) {
  const std::uint64_t id = coordination_of(reply.call.id);
  const auto call = end_call(reply.call.id, query_call(id), envelope.from);
  if (!call || call->kind != RepairCall::Kind::exchange) return;
  if (reply.status != QuorumQueryStatus::held || disk_failed_) {
    on_exchange_call(*call, false);
    return;
  }
  repair_bytes_.spend(wire_bytes(call->key, reply.state));
  ++counters_.keys_received;
  Result<KeyState> known = KeyState{};
  if (reply.state.empty()) {
    known = known_state(call->key);
    if (!known) fail(known.error());
  } else if (auto joined = take_in(call->key, reply.state, applied_.index)) {
    known = std::move(*joined);
    clean_credit_ += 2;
  }
  if (fatal_ || disk_failed_) return;
  // What a recovering node holds beyond the others may be what a tombstone has buried meanwhile.
  if (!recovering() && !known->empty() && !same_content(*known, reply.state)) {
    ++counters_.keys_sent;
    if (send_state(begin_call(*call), envelope.from, call->key)) return;
  }
  on_exchange_call(*call, true);
}

void Replica::Impl::on_other_store_reply(const Envelope& envelope, const QuorumStoreReply& reply) {
  const std::uint64_t id = coordination_of(reply.call.id);
  const auto call = end_call(reply.call.id, store_call(id), envelope.from);
  if (!call) return;
  if (call->kind == RepairCall::Kind::exchange) {
    on_exchange_call(*call, reply.stored);
  } else if (!reply.stored || envelope.recovering) {
    hints_.retry(call->peer);
  } else if (hints_.acknowledge(call->peer, call->key, call->revision)) {
    mark(Mark::hint_handed_over);
    ++counters_.hints_handed_over;
    remove_hint(call->peer, call->key);
  }
}

}  // namespace parallax
