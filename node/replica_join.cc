// The one way into the key states: joins of whole states, wherever they come from.
//
// A state that comes beside the log (a quorum write, a repair, a transfer) can hold versions whose
// place in the log this replica has not reached. It is kept apart then, whole, as the key's early
// state: the levels that follow the log see it when the log has come there; the others see both.
// So is one that holds operations of the causal protocol that are not applied here yet.
// Whole, because a part of it under its context would say that the rest is replaced
// (clock/dotted_version_vector_set.h).
#include <algorithm>

#include "base/canary.h"
#include "base/checksum.h"
#include "base/coverage.h"
#include "node/replica_causal.h"
#include "replication/quorum/state_content.h"

namespace parallax {
namespace {

LogIndex highest_index(const KeyState& state) {
  LogIndex highest;
  for (const Version& version : state.versions()) highest = std::max(highest, version.log_index);
  return highest;
}

}  // namespace

/// Everything that is known of the key here, early or not, durable or not.
Result<KeyState> Replica::Impl::known_state(const std::string& key) const {
  PARALLAX_ASSIGN(KeyState state, keys_.load(key));
  if (!early_.contains(key)) return state;
  PARALLAX_ASSIGN(const KeyState early, keys_.load_early(key));
  state.join(early);
  return state;
}

/// Joins `incoming`, which is whole, and returns what is known of the key then. `reached`: the
/// place in the log up to which versions may be shown by levels that follow it. Nothing when the
/// replica cannot go on.
std::optional<KeyState> Replica::Impl::take_in(const std::string& key, const KeyState& incoming,
                                               LogIndex reached, Arrival arrival) {
  Result<KeyState> stored = keys_.load(key);
  if (!stored) {
    fail(stored.error());
    return std::nullopt;
  }
  return take_in(key, *std::move(stored), incoming, reached, arrival);
}

/// Likewise, where `stored` is what keys_.load() gives now: a second look has its price.
std::optional<KeyState> Replica::Impl::take_in(const std::string& key, KeyState stored,
                                               const KeyState& incoming, LogIndex reached,
                                               Arrival arrival) {
  // Before anything is stamped: a stamp is above all that its issuer knows.
  if (!canary(Canary::stamp_without_observing)) clock_.observe(incoming.context().highest());
  const auto joined = [&]() -> Result<KeyState> {
    const auto is_early = early_.find(key);
    KeyState early;
    if (is_early != early_.end()) {
      PARALLAX_ASSIGN(early, keys_.load_early(key));
    }
    KeyMark before;
    if (early.empty()) {
      before = mark_of(key, stored);
    } else {
      KeyState both = stored;
      both.join(early);
      before = mark_of(key, both);
    }
    WriteBatch batch;
    bool changed = false;
    KeyState known;
    const bool causal = arrival == Arrival::operation || arrival == Arrival::transfer;
    const LogIndex needs = highest_index(incoming);
    const bool ahead = needs > reached && !canary(Canary::early_arrival_shown);
    const bool early_here =
        !causal && (ahead || (arrival == Arrival::beside && causal_->is_early(incoming.context())));
    if (early_here) {
      mark(Mark::early_arrival_kept);
      known = std::move(stored);
      PARALLAX_ASSIGN(early, keys_.join_early(key, incoming, batch));
      note_early(key, highest_index(early));
    } else {
      PARALLAX_ASSIGN(known, keys_.join(key, std::move(stored), incoming, batch, changed));
    }
    const bool with_log = arrival == Arrival::entry || arrival == Arrival::snapshot;
    const std::uint64_t hash = hash64(key);
    if (!with_log) beside_log_[next_sequence_].push_back(hash);
    const bool may_wait =
        (arrival == Arrival::entry || arrival == Arrival::operation) && waiting_pays_.pays(hash);
    if (changed && may_wait) {
      waiting_pays_.count(hash, defer_state(key, known));
    } else if (changed) {
      records::put(batch, records::key_state_key(kOnlyGroup, key), known);
    }
    stage(std::move(batch));
    if (!early_here && !may_wait) keys_.keep(key, known);
    known.join(early);
    update_tree(key, before, mark_of(key, known));
    return known;
  }();
  if (!joined) {
    fail(joined.error());
    return std::nullopt;
  }
  has_versions_ = true;
  return *joined;
}

/// The early state of `key` waits for `needs`, whatever it has waited for before.
void Replica::Impl::note_early(const std::string& key, LogIndex needs) {
  causal_->forget_early(key);
  const auto [known, added] = early_.try_emplace(key, needs);
  if (!added) {
    early_by_index_.erase({known->second, key});
    known->second = needs;
  }
  early_by_index_.emplace(needs, key);
}

/// Early states whose place in the log has been reached become part of what follows the log.
void Replica::Impl::join_early_states() {
  while (!early_by_index_.empty() && early_by_index_.begin()->first <= applied_.index) {
    const std::string key = early_by_index_.begin()->second;
    early_by_index_.erase(early_by_index_.begin());
    if (!join_early(key)) return;
  }
}

/// The key's early state waits for the log no more; perhaps for its causal past. False when the
/// replica cannot go on.
bool Replica::Impl::join_early(const std::string& key) {
  const auto joined = [&]() -> Result<void> {
    PARALLAX_ASSIGN(const KeyState early, keys_.load_early(key));
    if (causal_->is_early(early.context())) {
      causal_->wait_for_past(key, early.context());
      return {};
    }
    WriteBatch batch;
    PARALLAX_TRY(keys_.join(key, early, batch));
    batch.remove(records::early_key(kOnlyGroup, key));
    stage(std::move(batch));
    early_.erase(key);
    mark(Mark::early_arrival_joined);
    return {};
  }();
  if (!joined) fail(joined.error());
  return joined.has_value();
}

Result<void> Replica::Impl::load_early_states() {
  std::optional<Error> fault;
  PARALLAX_TRY(store_.scan(
      records::early_range(kOnlyGroup), [&](std::string_view key, std::string_view value) {
        const Result<KeyState> state = records::decode<KeyState>(key, value);
        if (!state) {
          fault = state.error();
          return false;
        }
        note_early(std::string(records::group_record_name(key)), highest_index(*state));
        return true;
      }));
  if (fault) return *fault;
  return {};
}

/// Keys in the range with all that is known of them, in the order of the scan.
Result<void> Replica::Impl::scan_known(const Scan& scan, const KeySpace::Visitor& visit) const {
  const auto in_range = [&](const std::string& key) {
    return key >= scan.start && (scan.end.empty() || key < scan.end);
  };
  std::map<std::string, KeyState> early;
  for (const auto& [key, needs] : early_) {
    if (!in_range(key)) continue;
    PARALLAX_ASSIGN(early[key], known_state(key));
  }
  bool stopped = false;
  const auto visit_early_before = [&](const std::string* key) {
    while (!stopped && !early.empty()) {
      const auto next = scan.reverse ? std::prev(early.end()) : early.begin();
      const bool before =
          key == nullptr || (scan.reverse ? next->first > *key : next->first < *key);
      if (!before) return;
      stopped = !visit(next->first, next->second);
      early.erase(next);
    }
  };
  PARALLAX_TRY(keys_.scan(scan.start, scan.end, scan.reverse,
                          [&](std::string_view key, const KeyState& state) {
                            if (early.empty()) return visit(key, state);
                            const std::string name(key);
                            visit_early_before(&name);
                            if (stopped) return false;
                            const auto both = early.find(name);
                            stopped = !visit(key, both == early.end() ? state : both->second);
                            if (both != early.end()) early.erase(both);
                            return !stopped;
                          }));
  if (!stopped) visit_early_before(nullptr);
  return {};
}

// --- Durable before shown ------------------------------------------------------------------------

/// The batch after which `state`, all that is known of `key`, may be shown to others; 0: at once.
std::uint64_t Replica::Impl::shown_after(const std::string& key, const KeyState& state) const {
  if (canary(Canary::shown_before_durable)) return 0;
  const std::uint64_t sequence = last_change(key);
  if (sequence == 0 || committed_in_log(state, applied_.index)) return 0;
  return sequence;
}

/// Whether what is known of `key` has something that came beside the log and is not durable. In an
/// entry it would reach others before the crash that takes it back here: an operation of the causal
/// protocol would then be gone whose version the log has.
bool Replica::Impl::not_durable_beside_log(const std::string& key) const {
  if (beside_log_.empty()) return false;
  // Of two keys with one hash the other waits for a batch as well.
  return std::any_of(beside_log_.begin(), beside_log_.end(), [hash = hash64(key)](const auto& in) {
    return std::find(in.second.begin(), in.second.end(), hash) != in.second.end();
  });
}

/// Carries out `held` once batch `sequence` is durable; 0: at once.
void Replica::Impl::after_batch(std::uint64_t sequence, Held held) {
  if (sequence == 0) {
    carry_out(std::move(held));
    return;
  }
  if (sequence == next_sequence_) force_batch_ = true;
  held_[sequence].push_back(std::move(held));
}

void Replica::Impl::release_held(std::uint64_t sequence) {
  while (!held_.empty() && held_.begin()->first <= sequence) {
    std::vector<Held> due = std::move(held_.begin()->second);
    held_.erase(held_.begin());
    for (Held& held : due) carry_out(std::move(held));
  }
}

void Replica::Impl::carry_out(Held held) {
  if (auto* message = std::get_if<HeldMessage>(&held)) {
    if (auto* const stored = std::get_if<QuorumStoreReply>(&message->message)) {
      const auto took =
          std::chrono::duration_cast<std::chrono::microseconds>(now_.monotonic - message->since);
      constexpr std::int64_t kLongest = QuorumStoreReply::Held::max().count();
      stored->held = QuorumStoreReply::Held{
          static_cast<std::uint32_t>(std::clamp<std::int64_t>(took.count(), 0, kLongest))};
    }
    send(message->to, std::move(message->message));
  } else if (auto* reply = std::get_if<HeldReply>(&held)) {
    if (requests_.find(reply->request) != nullptr) finish(reply->request, std::move(reply->reply));
  } else if (const auto* own = std::get_if<OwnStored>(&held)) {
    on_own_stored(own->coordination);
  } else if (const auto* hint = std::get_if<OwnHint>(&held)) {
    on_own_hint(hint->coordination, hint->target);
  } else {
    const auto& read = std::get<OwnHeld>(held);
    on_own_query(read.coordination, QuorumQueryStatus::held, read.state);
  }
}

/// What waited for batches that will never be durable: nothing of it is shown. Whoever else asked
/// hears nothing, and asks another.
void Replica::Impl::drop_held() {
  for (const auto& [sequence, all] : std::exchange(held_, {})) {
    for (const Held& held : all) {
      if (const auto* reply = std::get_if<HeldReply>(&held)) {
        const PendingRequest* const pending = requests_.find(reply->request);
        if (pending == nullptr) continue;
        // What the batch would have made of a write, the disk alone knows.
        Error error = definite(ErrorCode::read_only,
                               "this node's disk refuses writes: " + disk_failed_->message);
        if (pending->stage == PendingRequest::Stage::stored)
          error.certainty = Certainty::indefinite;
        finish(reply->request, std::move(error));
      } else if (const auto* own = std::get_if<OwnStored>(&held)) {
        on_own_store_failed(own->coordination);
      } else if (const auto* read = std::get_if<OwnHeld>(&held)) {
        on_own_query(read->coordination, QuorumQueryStatus::refused, {});
      }
    }
  }
}

}  // namespace parallax
