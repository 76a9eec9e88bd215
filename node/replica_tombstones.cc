// What is deleted everywhere, and leaves.
//
// A key whose versions are all tombstones is removed, context and all, once nothing that it has
// buried can come back. The leader decides, the log carries it out, so that all do it at one place:
//
//   1. A round asks every replica for what it holds of a leaf of the hash tree. A state S counts as
//      held by all if each lists it with the same digest, durable there (on_merkle_keys_query()),
//      nobody recovers, and the log has come to all of it here. The leader notes its clock, C.
//   2. One grace later by its clock, and by its monotonic time, a round that began then finds S
//   held
//      by all again. Then the clock of every replica is at least C + grace.
//   3. The next round finds S held by all once more: nobody has lost it since 2. Now the leader
//      proposes to remove S; the entry carries S.
//   4. Whoever applies the entry joins S first. If what it knows is S then, it is removed; anything
//      more, and it stays as it is.
// In between a change of leader, or of the incarnation of a replica, begins at 1 again.
//
// Why nothing comes back. Let v be a version that S has buried; it would have to be alive somewhere
// after the entry is applied there.
//   - In a store: from 1 on each holds S, durably, and lets no v in, until it applies the entry,
//     behind which v is not alive either. Who loses its disk before 3 is missed there. Who loses it
//     later recovers and joins S with the entry, or takes a snapshot of behind it, without v; until
//     its recovery ends, which is behind the entry, it hands nothing out.
//   - In the log: an entry with v before this one is applied before. One behind this one was built
//     by a leader that held S, or had applied the removal.
//   - In a message: whoever sent v did not hold S yet, so the message's clock is at most C, or, of
//     what was read before C and sent later, at most half a grace above: requests, calls and held
//     answers live for seconds, and a transfer of a snapshot is given up by then
//     (outdated_chunk()). Messages more than half a grace behind the receiver's clock are void
//     (too_old()), and that clock is at least C + grace for whoever has applied the entry; for a
//     recovering node once a majority has told it the time, of which one at least was asked in 2.
//     The clock's durable bound goes with the batch of the removal, so a restart does not set it
//     back.
//   - In a hint: hints hold no data (replication/quorum/hints.h).
//   - As an early state: it is part of what is compared and removed. An entry that brings S again
//     brings S, and never v alone.
//   - As an operation of the causal protocol: whoever has not applied all causal operations that S
//     covers, or has one of them in a log still, keeps S (may_forget()).
// A replica that was down holds S, and finds the entry in the log, or gets a snapshot without the
// key. Then, or where one had applied the entry and another one not yet when they compared, S
// itself comes back to all, which harms nobody, and is removed one grace later.
//
// Sources: Almeida et al. 2014 on what a context may forget; the grace against late messages is
// Cassandra's gc_grace, with the two things added that it lacks: knowing that all hold it, and
// clocks that go with what happened instead of those on the wall.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_causal.h"
#include "replication/quorum/state_content.h"

namespace parallax {
namespace {

constexpr Duration kRoundInterval = std::chrono::milliseconds(10);
constexpr Duration kRoundPatience = std::chrono::seconds(2);
/// Tombstones of a leaf looked at in one round, and removed by one entry.
constexpr std::size_t kMostInRound = 256;
/// Between two looks at all leaves: this part of the grace.
constexpr int kSweepsPerGrace = 16;

bool only_tombstones(const KeyState& state) {
  return !state.empty() && std::all_of(state.versions().begin(), state.versions().end(),
                                       [](const Version& version) { return version.tombstone; });
}

}  // namespace

Replica::Impl::KeyMark Replica::Impl::mark_of(const std::string& key, const KeyState& state) {
  return {content_digest(key, state), only_tombstones(state)};
}

void Replica::Impl::count_tombstone(const std::string& key, bool before, bool after) {
  if (before == after) return;
  std::uint32_t& count = tombstones_in_leaf_[MerkleTree::leaf_of(key)];
  PARALLAX_ASSERT(after || count > 0, "a tombstone leaves that was not counted");
  count += after ? 1 : -1;
}

/// Whatever was found is to be found again.
void Replica::Impl::forget_tombstones() {
  watch_.held.clear();
  watch_.round.reset();
}

/// In every turn.
void Replica::Impl::watch_tombstones() {
  if (!serving() || skewed_ || !tree_.complete() || !leaves_complete_) {
    forget_tombstones();
    return;
  }
  if (watch_.round && now_.monotonic - watch_.round->begun_mono >= kRoundPatience) {
    watch_.round.reset();
  }
  if (watch_.round || now_.monotonic < watch_.next) return;
  for (const auto& [id, peer] : peers_) {
    if (!reachable(id)) return;
  }
  while (watch_.cursor < MerkleTree::kLeaves && tombstones_in_leaf_[watch_.cursor] == 0) {
    ++watch_.cursor;
  }
  if (watch_.cursor == MerkleTree::kLeaves) {
    watch_.cursor = 0;
    // What is of no use any more: the key has been written since, or somebody was down for long.
    std::erase_if(watch_.held, [&](const auto& item) {
      return now_.monotonic - item.second.since_mono > 2 * Duration{config_.tombstone_grace};
    });
    watch_.next = now_.monotonic + Duration{config_.tombstone_grace} / kSweepsPerGrace;
    return;
  }
  watch_.next = now_.monotonic + kRoundInterval;
  begin_tombstone_round(watch_.cursor++);
}

/// Whether a round that begins now can bring this one further.
bool Replica::Impl::round_helps(std::uint64_t digest) const {
  const auto found = watch_.held.find(digest);
  if (found == watch_.held.end()) return watch_.held.size() < limits::kMaxTombstonesWatched;
  return found->second.aged || has_aged(found->second, clock_.peek(now_.physical), now_.monotonic);
}

bool Replica::Impl::has_aged(const TombstoneWatch::Held& held, Hlc clock, MonoTime at) const {
  const auto grace = static_cast<std::uint64_t>(config_.tombstone_grace.count());
  return clock.millis().value > held.since.millis().value + grace &&
         at - held.since_mono > Duration{config_.tombstone_grace};
}

void Replica::Impl::begin_tombstone_round(std::uint32_t leaf) {
  const Result<LeafKeys> keys = keys_of_leaf(leaf, "", ~std::size_t{0});
  if (!keys) {
    fail(keys.error());
    return;
  }
  // The clock of an idle cluster stands still; this is what moves it, and the questions carry it.
  clock_.observe(clock_.peek(now_.physical));
  TombstoneWatch::Round round{.leaf = leaf, .begun = clock_.last(), .begun_mono = now_.monotonic};
  for (const KeyDigest& item : keys->keys) {
    if (round.mine.size() == kMostInRound) break;
    if (early_.contains(item.key) || proposed_keys_.contains(item.key)) continue;
    if (last_change(item.key) != 0 || !round_helps(item.digest)) continue;
    const Result<KeyState> state = known_state(item.key);
    if (!state) {
      fail(state.error());
      return;
    }
    if (only_tombstones(*state)) round.mine.emplace(item.key, item.digest);
  }
  if (round.mine.empty()) return;
  if (canary(Canary::tombstone_removed_early)) {
    propose_removal(round.mine);
    return;
  }
  watch_.round = std::move(round);
  for (const auto& [id, peer] : peers_) ask_tombstones(id);
  if (peers_.empty()) end_tombstone_round();
}

void Replica::Impl::ask_tombstones(NodeId peer) {
  TombstoneWatch::Round& round = *watch_.round;
  const RequestId id = query_call(next_coordination_++);
  round.asked.insert_or_assign(peer, id);
  send(peer,
       MerkleKeysQuery{.call = {config_.life, id}, .leaf = round.leaf, .after = round.after[peer]});
}

void Replica::Impl::on_tombstone_keys(const Envelope& envelope, const MerkleKeys& keys) {
  TombstoneWatch::Round& round = *watch_.round;
  round.asked.erase(envelope.from);
  if (envelope.recovering || keys.leaf != round.leaf || !fault(keys).empty()) {
    watch_.round.reset();
    return;
  }
  for (const KeyDigest& item : keys.keys) {
    const auto mine = round.mine.find(item.key);
    if (mine != round.mine.end() && mine->second == item.digest) ++round.found[item.key];
  }
  if (!keys.complete) {
    round.after[envelope.from] = keys.keys.back().key;
    ask_tombstones(envelope.from);
    return;
  }
  if (++round.done == peers_.size()) end_tombstone_round();
}

/// Everybody has answered.
void Replica::Impl::end_tombstone_round() {
  const TombstoneWatch::Round round = std::move(*watch_.round);
  watch_.round.reset();
  std::map<std::string, std::uint64_t> gone;
  for (const auto& [key, digest] : round.mine) {
    const auto found = round.found.find(key);
    if ((found == round.found.end() ? 0 : found->second) != peers_.size()) {
      watch_.held.erase(digest);
      continue;
    }
    const auto [held, fresh] = watch_.held.try_emplace(
        digest, TombstoneWatch::Held{.since = clock_.last(), .since_mono = now_.monotonic});
    if (fresh) continue;
    if (held->second.aged) {
      watch_.held.erase(held);
      gone.emplace(key, digest);
    } else {
      held->second.aged = has_aged(held->second, round.begun, round.begun_mono);
    }
  }
  propose_removal(gone);
}

void Replica::Impl::propose_removal(const std::map<std::string, std::uint64_t>& keys) {
  if (!serving() || raft_->transferring()) return;
  RemoveTombstones command{.tombstones = {}, .at = clock_.last()};
  for (const auto& [key, digest] : keys) {
    Result<KeyState> state = known_state(key);
    if (!state) {
      fail(state.error());
      return;
    }
    if (content_digest(key, *state) != digest || proposed_keys_.contains(key)) continue;
    if (!causal_->may_forget(state->context())) continue;
    command.tombstones.push_back({key, *std::move(state)});
  }
  if (!command.tombstones.empty()) raft_->propose(encode_command(command));
}

/// False when the replica cannot go on.
bool Replica::Impl::apply_removal(const RemoveTombstones& command, LogIndex index) {
  if (!canary(Canary::stamp_without_observing)) clock_.observe(command.at);
  states_behind_.all = true;  // what is gone must not be made anew, and what is joined is not
  for (const auto& [key, buried] : command.tombstones) {
    if (!well_formed(buried)) {
      fail(definite(ErrorCode::corrupt,
                    fmt::format("log entry {} holds versions that contradict each other", index)));
      return false;
    }
    const std::optional<KeyState> known = take_in(key, buried, index, Arrival::entry);
    if (!known) return false;
    if (!same_content(*known, buried) || !causal_->may_forget(buried.context())) continue;
    WriteBatch batch;
    batch.remove(records::key_state_key(kOnlyGroup, key));
    batch.remove(records::leaf_key(kOnlyGroup, MerkleTree::leaf_of(key), key));
    if (const auto early = early_.find(key); early != early_.end()) {
      batch.remove(records::early_key(kOnlyGroup, key));
      early_by_index_.erase({early->second, key});
      causal_->forget_early(key);
      early_.erase(early);
    }
    stage(std::move(batch));
    update_tree(key, mark_of(key, *known), {});
    mark(Mark::tombstone_removed);
    ++counters_.tombstones_removed;
  }
  return true;
}

}  // namespace parallax
