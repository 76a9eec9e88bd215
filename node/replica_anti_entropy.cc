// Anti-entropy: the hash tree over all keys, and comparing it with others'
// (replication/quorum/merkle_tree.h, merkle_exchange.h).
//
// The tree is of all that is known of every key, early or not, durable or not: it changes where
// key states do (take_in()). It lives in memory and is built anew by a scan after a start, a slice
// per turn. Which keys a leaf has is in the store, one small record per key, written with the key's
// first state: a list of a leaf then costs as many reads as the leaf has keys.
//
// Each replica compares with each other one every `anti_entropy_interval`, from the root down. A
// key that differs is asked for, joined, and handed back if this node knew more; joins make both
// equal, whoever was newer.
//
// A recovering node does the same to learn what only its lost disk and one other held: it must have
// been through with every member that is there, a majority at least, before it may count again. It
// hands nothing out meanwhile.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_causal.h"
#include "replication/quorum/state_content.h"

namespace parallax {
namespace {

/// Keys per slice of the scan that builds the tree, and how often there is one.
constexpr std::size_t kTreeSlice = 1'000;
constexpr Duration kTreeSliceInterval = std::chrono::milliseconds(10);
/// States of one exchange on their way at once.
constexpr std::size_t kMostCalls = 64;
/// A question about the tree that is not answered by then is asked again, so often in all.
constexpr Duration kAnswerPatience = std::chrono::milliseconds(500);
constexpr int kMostTries = 5;
/// The longest wait of a peer that is asked for a state.
constexpr Duration kStatePatience = std::chrono::seconds(2);
/// After an exchange that did not come to its end.
constexpr Duration kRetryInterval = std::chrono::milliseconds(500);

}  // namespace

// --- The tree ------------------------------------------------------------------------------------

/// With every change of what is known of `key`.
void Replica::Impl::update_tree(const std::string& key, const KeyMark& before,
                                const KeyMark& after) {
  if (before.digest == after.digest) return;
  if (before.digest == 0) {
    WriteBatch batch;
    put_leaf_record(key, batch);
    stage(std::move(batch));
  }
  tree_.replace(key, before.digest, after.digest);
  // What the scan has yet to reach is left to it.
  if (!tree_.complete() && key > tree_.scan_position()) return;
  count_tombstone(key, before.tombstone, after.tombstone);
}

void Replica::Impl::put_leaf_record(const std::string& key, WriteBatch& batch) const {
  records::put(batch, records::leaf_key(kOnlyGroup, MerkleTree::leaf_of(key), key), LeafRecord{});
}

void Replica::Impl::build_tree() {
  if (!tree_.complete() && now_.monotonic >= tree_slice_at_) {
    tree_slice_at_ = now_.monotonic + kTreeSliceInterval;
    if (const Result<void> done = scan_tree_slice(); !done) fail(done.error());
  }
  if (!tree_.complete() || leaves_complete_ || fatal_) return;
  leaves_complete_ = true;
  WriteBatch batch;
  records::put(batch, records::leaves_complete_key(kOnlyGroup), LeafRecord{});
  stage(std::move(batch));
}

/// The next keys, in byte order, early ones among them. A store of before there were leaf records
/// gets them on the way.
Result<void> Replica::Impl::scan_tree_slice() {
  const std::string from = tree_.scan_position();
  auto early = from.empty() ? early_.begin() : early_.upper_bound(from);
  std::size_t left = kTreeSlice;
  WriteBatch rows;
  std::optional<Error> fault;
  const auto scanned = [&](const std::string& key, const KeyState& state) {
    const KeyMark here = mark_of(key, state);
    tree_.scanned(key, here.digest);
    count_tombstone(key, false, here.tombstone);
    if (!leaves_complete_ && here.digest != 0) put_leaf_record(key, rows);
    --left;
  };
  const auto scan_early_before = [&](const std::string* key) {
    for (; early != early_.end() && !fault && left > 0; ++early) {
      if (key != nullptr && early->first >= *key) return;
      const Result<KeyState> state = known_state(early->first);
      if (state) {
        scanned(early->first, *state);
      } else {
        fault = state.error();
      }
    }
  };
  PARALLAX_TRY(keys_.scan(from.empty() ? "" : from + '\0', "", false,
                          [&](std::string_view name, const KeyState& state) {
                            const std::string key(name);
                            scan_early_before(&key);
                            if (fault || left == 0) return false;
                            if (early == early_.end() || early->first != key) {
                              scanned(key, state);
                              return true;
                            }
                            Result<KeyState> both = keys_.load_early(key);
                            if (!both) {
                              fault = both.error();
                              return false;
                            }
                            both->join(state);
                            scanned(key, *both);
                            ++early;
                            return true;
                          }));
  if (!fault && left > 0) scan_early_before(nullptr);
  if (fault) return *fault;
  stage(std::move(rows));
  if (left > 0) tree_.scan_done();
  return {};
}

/// What this node has in a leaf behind `after`, at most so much, with all that is known of each.
Result<Replica::Impl::LeafKeys> Replica::Impl::keys_of_leaf(std::uint32_t leaf,
                                                            const std::string& after,
                                                            std::size_t most) const {
  std::vector<std::string> names;
  std::optional<Error> fault;
  PARALLAX_TRY(overlay_.scan(records::leaf_range(kOnlyGroup, leaf, after),
                             [&](std::string_view store_key, std::string_view value) {
                               const auto row = records::decode<LeafRecord>(store_key, value);
                               if (!row) fault = row.error();
                               if (names.size() == most || fault) return false;
                               names.emplace_back(records::key_in_leaf(store_key));
                               return true;
                             }));
  if (fault) return *fault;
  LeafKeys found;
  for (const std::string& name : names) {
    PARALLAX_ASSIGN(const KeyState state, known_state(name));
    if (state.empty()) continue;
    found.keys.push_back({name, content_digest(name, state)});
    found.durable_after = std::max(found.durable_after, last_change(name));
  }
  return found;
}

/// The batch that holds the last change of what is known of `key`; 0: it is durable.
std::uint64_t Replica::Impl::last_change(const std::string& key) const {
  if (overlay_.all_stored()) return 0;
  return std::max(overlay_.last_change(records::key_state_key(kOnlyGroup, key)),
                  overlay_.last_change(records::early_key(kOnlyGroup, key)));
}

// --- Asked by others -----------------------------------------------------------------------------

void Replica::Impl::on_merkle_query(const Envelope& envelope, const MerkleQuery& query) {
  if (!raft_ || disk_failed_ || !fault(query).empty()) return;
  if (node_.membership != Membership::member || !tree_.complete()) {
    // Of no use yet; whoever asks tries again.
    send(envelope.from,
         MerkleDigests{
             .call = query.call, .level = query.level, .nodes = query.nodes, .digests = {}});
    return;
  }
  send(envelope.from, parallax::answer(tree_, query));
  // They take turns: what the other one finds need not be looked for from here as well.
  PeerRepair& repair = repairs_[envelope.from];
  if (query.level == 0 && !envelope.recovering) {
    repair.next = std::max(repair.next, now_.monotonic + config_.anti_entropy_interval / 2);
  }
}

/// Shown once all of it is durable: who finds a state here may count on it.
void Replica::Impl::on_merkle_keys_query(const Envelope& envelope, const MerkleKeysQuery& query) {
  if (!raft_ || disk_failed_ || !fault(query).empty()) return;
  if (node_.membership != Membership::member || !leaves_complete_) return;
  const Result<LeafKeys> mine =
      keys_of_leaf(query.leaf, query.after, MerkleExchange::kMostKeys + 1);
  if (!mine) {
    fail(mine.error());
    return;
  }
  after_batch(mine->durable_after, HeldMessage{envelope.from, parallax::answer(mine->keys, query)});
}

// --- Asking --------------------------------------------------------------------------------------

void Replica::Impl::begin_exchanges() {
  if (!tree_.complete() || node_.cluster.empty()) return;
  if (recovering()) {
    if (canary(Canary::recovery_without_states)) return;
    // First what the leader has, which is most of it, and comes in larger pieces.
    if (installing_ || applied_.index < raft_->commit_index()) return;
  } else if (node_.membership != Membership::member) {
    return;
  }
  for (const auto& [id, peer] : peers_) {
    const auto [found, fresh] = repairs_.try_emplace(id);
    PeerRepair& repair = found->second;
    if (fresh && !recovering()) repair.next = now_.monotonic + config_.anti_entropy_interval / 2;
    if (repair.exchange) {
      PeerExchange& exchange = *repair.exchange;
      const bool late = exchange.asked && now_.monotonic - exchange.asked_at >= kAnswerPatience;
      if (late && exchange.tries >= kMostTries) {
        end_exchange(id, false);
      } else if (late) {
        ask(id, exchange);
      } else {
        drive(id);
      }
      if (fatal_ || disk_failed_) return;
      continue;
    }
    if (!reachable(id) || now_.monotonic < repair.next) continue;
    if (recovering() && repair.joined) continue;
    repair.exchange.emplace(PeerExchange{.number = next_exchange_++});
    drive(id);
  }
}

/// Goes on as far as it can now.
void Replica::Impl::drive(NodeId peer) {
  PeerRepair& repair = repairs_.at(peer);
  if (!repair.exchange || !tree_.complete()) return;
  PeerExchange& exchange = *repair.exchange;
  while (exchange.calls < kMostCalls && repair_bytes_.ready(now_.monotonic)) {
    const std::vector<KeyDifference> one = exchange.core.take_differences(1);
    if (one.empty()) break;
    mark(Mark::exchange_found_difference);
    ++counters_.keys_compared_unequal;
    exchange_key(peer, exchange, one.front());
    if (fatal_ || disk_failed_) return;
  }
  if (auto request = exchange.core.next(repair_bytes_, now_.monotonic)) {
    exchange.asked = query_call(next_coordination_++);
    exchange.question = *std::move(request);
    exchange.tries = 0;
    ask(peer, exchange);
  }
  if (exchange.core.finished() && exchange.calls == 0) end_exchange(peer, !exchange.incomplete);
}

/// Asks what is to be asked, for the first time or once more: every copy has the same answer.
void Replica::Impl::ask(NodeId peer, PeerExchange& exchange) {
  exchange.asked_at = now_.monotonic;
  ++exchange.tries;
  std::visit(
      [&](auto query) {
        query.call = {config_.life, *exchange.asked};
        send(peer, std::move(query));
      },
      exchange.question);
}

void Replica::Impl::exchange_key(NodeId peer, PeerExchange& exchange,
                                 const KeyDifference& difference) {
  const std::uint64_t call = begin_call({.kind = RepairCall::Kind::exchange,
                                         .peer = peer,
                                         .key = difference.key,
                                         .exchange = exchange.number});
  ++exchange.calls;
  if (difference.there) {
    send(peer, QuorumQuery{.call = {config_.life, query_call(call)},
                           .key = difference.key,
                           .majority = false,
                           .remaining = kStatePatience});
    return;
  }
  if (!recovering() && send_state(call, peer, difference.key)) {
    ++counters_.keys_sent;
    return;
  }
  repair_calls_.erase(call);
  --exchange.calls;
}

/// A state of an exchange has arrived where it was to go; or it is lost.
void Replica::Impl::on_exchange_call(const RepairCall& call, bool answered) {
  PeerRepair& repair = repairs_.at(call.peer);
  if (!repair.exchange || repair.exchange->number != call.exchange) return;
  --repair.exchange->calls;
  if (!answered) repair.exchange->incomplete = true;
  drive(call.peer);
}

void Replica::Impl::end_exchange(NodeId peer, bool complete) {
  PeerRepair& repair = repairs_.at(peer);
  repair.exchange.reset();
  const Duration pause = complete
                             ? Duration{config_.anti_entropy_interval}
                             : std::min(Duration{config_.anti_entropy_interval}, kRetryInterval);
  repair.next = now_.monotonic + pause;
  if (!complete) return;
  ++counters_.anti_entropy_rounds;
  if (!recovering()) return;
  mark(Mark::recovery_joined_states);
  repair.joined = true;
}

/// The exchange that this answers; nullptr: none.
PeerRepair* Replica::Impl::awaited_exchange(NodeId from, const QuorumCall& call) {
  const auto found = repairs_.find(from);
  if (call.life != config_.life || found == repairs_.end() || !found->second.exchange) {
    return nullptr;
  }
  return found->second.exchange->asked == call.id ? &found->second : nullptr;
}

void Replica::Impl::on_merkle_digests(const Envelope& envelope, const MerkleDigests& digests) {
  PeerRepair* repair = awaited_exchange(envelope.from, digests.call);
  if (repair == nullptr || disk_failed_) return;
  counters_.anti_entropy_bytes += wire_bytes(digests);
  PeerExchange& exchange = *repair->exchange;
  if (!tree_.complete() || !exchange.core.step(tree_, digests, repair_bytes_)) {
    end_exchange(envelope.from, false);
    return;
  }
  exchange.asked.reset();
  drive(envelope.from);
}

void Replica::Impl::on_merkle_keys(const Envelope& envelope, const MerkleKeys& keys) {
  if (keys.call.life != config_.life || disk_failed_) return;
  if (watch_.round && watch_.round->asked.contains(envelope.from) &&
      watch_.round->asked.at(envelope.from) == keys.call.id) {
    on_tombstone_keys(envelope, keys);
    return;
  }
  PeerRepair* repair = awaited_exchange(envelope.from, keys.call);
  if (repair == nullptr || !fault(keys).empty()) return;
  counters_.anti_entropy_bytes += wire_bytes(keys);
  const Result<LeafKeys> mine = keys_of_leaf(keys.leaf, keys.after, ~std::size_t{0});
  if (!mine) {
    fail(mine.error());
    return;
  }
  PeerExchange& exchange = *repair->exchange;
  if (!exchange.core.step(mine->keys, keys, repair_bytes_)) {
    end_exchange(envelope.from, false);
    return;
  }
  exchange.asked.reset();
  drive(envelope.from);
}

// --- Recovery ------------------------------------------------------------------------------------

/// A write acknowledged by w = 2 of three replicas, this node's lost disk one of them, is with one
/// other alone: so this node has to have been through with everybody who is there, and with a
/// majority at least. Begun anew by a restart, because an answer to an earlier life proves nothing.
/// Who goes down meanwhile is not waited for; who recovers as well has nothing to say.
void Replica::Impl::check_recovery() {
  if (!recovering() || answered_.size() < raft_->majority()) return;
  if (canary(Canary::recovery_without_states)) {
    raft_->set_recovery_ready();
    return;
  }
  if (!causal_->joined()) return;
  std::size_t joined = 0;
  for (const auto& [id, peer] : peers_) {
    const auto repair = repairs_.find(id);
    const bool done = repair != repairs_.end() && repair->second.joined;
    if (done) ++joined;
    if (!done && reachable(id)) return;
  }
  if (joined >= raft_->majority()) raft_->set_recovery_ready();
}

}  // namespace parallax
