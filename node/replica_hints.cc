// Hints: what others have missed, kept durably until they have it (replication/quorum/hints.h).
//
// A hint is noted in the batch of the turn in which the miss is known, so a crash in between loses
// it; it is help, not a promise, except where a sloppy write counts it, which waits for the batch.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"

namespace parallax {
namespace {

/// Records of expired hints removed per turn.
constexpr std::size_t kExpirySlice = 256;

}  // namespace

Result<void> Replica::Impl::load_hints() {
  std::optional<Error> fault;
  PARALLAX_TRY(store_.scan(records::hint_range(kOnlyGroup),
                           [&](std::string_view key, std::string_view value) {
                             const auto record = records::decode<HintRecord>(key, value);
                             if (!record) {
                               fault = record.error();
                               return false;
                             }
                             const auto [target, name] = records::hint_of(key);
                             hints_.restore(target, std::string(name), record->since);
                             return true;
                           }));
  if (fault) return *fault;
  return {};
}

/// A write of `key` is not known to be on `replicas`.
void Replica::Impl::on_missed(const std::string& key, const std::vector<NodeId>& replicas) {
  if (disk_failed_) return;
  for (const NodeId replica : replicas) {
    if (replica != config_.id) note_hint(replica, key);
  }
}

/// False: there is no room.
bool Replica::Impl::note_hint(NodeId target, const std::string& key) {
  if (!hints_.add(target, key, now_.physical)) {
    ++counters_.hints_refused;
    return false;
  }
  ++counters_.hints_queued;
  WriteBatch batch;
  records::put(batch, records::hint_key(kOnlyGroup, target, key), HintRecord{now_.physical});
  stage(std::move(batch));
  return true;
}

void Replica::Impl::remove_hint(NodeId target, const std::string& key) {
  WriteBatch batch;
  batch.remove(records::hint_key(kOnlyGroup, target, key));
  stage(std::move(batch));
}

void Replica::Impl::drain_hints() {
  if (hints_.size() == 0) return;
  for (const Hints::Expired& expired : hints_.expire(now_.physical, kExpirySlice)) {
    ++counters_.hints_expired;
    remove_hint(expired.target, expired.key);
  }
  if (recovering() || node_.membership != Membership::member) return;
  for (const auto& [id, peer] : peers_) {
    if (!reachable(id)) continue;
    for (const Hints::Due& due : hints_.take_due(id, now_.monotonic)) {
      const std::uint64_t call = begin_call(
          {.kind = RepairCall::Kind::hint, .peer = id, .key = due.key, .revision = due.revision});
      const bool sent = send_state(call, id, due.key);
      if (fatal_ || disk_failed_) return;
      if (!sent) repair_calls_.erase(call);
      if (sent && !canary(Canary::hint_removed_early)) continue;
      if (hints_.acknowledge(id, due.key, due.revision)) remove_hint(id, due.key);
    }
  }
}

/// A sloppy write: for each replica that is not there, a durable hint here, and one with somebody
/// who is, so that it is not this node alone that knows.
void Replica::Impl::stand_in(std::uint64_t id, Coordination& at, QuorumWrite& write) {
  const PendingRequest* pending = requests_.find(at.request);
  if (!at.handed_out || write.outcome() || pending == nullptr ||
      !pending->request.consistency.sloppy) {
    return;
  }
  for (const NodeId target : write.missing()) {
    if (target == config_.id || reachable(target)) continue;
    if (std::find(at.stood_in.begin(), at.stood_in.end(), target) != at.stood_in.end()) continue;
    at.stood_in.push_back(target);
    mark(Mark::stood_in_for_replica);
    if (note_hint(target, at.key)) after_batch(next_sequence_, OwnHint{id, target});
    for (const auto& [other, peer] : peers_) {
      if (other == target || !reachable(other)) continue;
      send(other, QuorumStore{.call = {config_.life, store_call(id)},
                              .key = at.key,
                              .state = *at.state,
                              .hint_for = target});
      break;
    }
  }
}

}  // namespace parallax
