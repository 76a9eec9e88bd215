// Committed entries into key states: each once, in log order, by joins.
#include <algorithm>

#include "base/canary.h"
#include "node/replica_causal.h"

namespace parallax {

/// Something of the durable state changed: it goes with the next batch, soon.
void Replica::Impl::touch() {
  if (!dirty_since_) dirty_since_ = now_.monotonic;
}

/// Changes are seen at once, through the overlay, and go to the disk with the next batch.
void Replica::Impl::stage(WriteBatch batch) {
  if (batch.empty()) return;
  touch();
  overlay_.add(batch, next_sequence_);
  pending_.append(std::move(batch));
}

void Replica::Impl::apply_committed() {
  while (!to_apply_.empty()) {
    const LogEntry& next = to_apply_.front();
    if (next.index > applied_.index) {
      // A gap: a snapshot that the core counts as installed waits for a batch that may be taken.
      if (next.index != applied_.index.next()) break;
      if (!apply(next)) return;
    }
    to_apply_.pop_front();
  }
  join_early_states();
  if (fatal_) return;
  raft_->on_applied(applied_.index);
}

/// False when the replica cannot go on.
bool Replica::Impl::apply(const LogEntry& entry) {
  if (!entry.payload.empty()) {  // else the no-op of a term
    const Result<Command> command = command_of(entry);
    if (!command) {
      fail(command.error());
      return false;
    }
    if (const auto* write = std::get_if<WriteKey>(&*command)) {
      if (!apply_write(*write, entry.index)) return false;
      settle_keys(*write, entry.index, entry.term);
    } else if (const auto* policy = std::get_if<WritePolicy>(&*command)) {
      PolicyRecord record = policy->record;
      record.log_index = entry.index;
      if (!put_policy(policy->prefix, record)) return false;
    } else if (const auto* removal = std::get_if<RemoveTombstones>(&*command)) {
      if (!apply_removal(*removal, entry.index)) return false;
    } else if (const auto* init = std::get_if<InitCluster>(&*command)) {
      apply_init(*init);
    }
    applied_.index = entry.index;
    applied_.term = entry.term;
    if (const auto* end = std::get_if<EndRecovery>(&*command)) apply_end_recovery(*end);
  }
  applied_.index = entry.index;
  applied_.term = entry.term;
  applied_dirty_ = true;
  touch();
  ++counters_.entries_applied;
  clear_installed_marker();
  settle_proposals(entry.index, entry.term);
  return true;
}

/// The command's state as it is with its place in the log. Errors: corrupt.
Result<KeyState> Replica::Impl::state_of(const WriteKey& command, LogIndex index) {
  KeyState state = command.state;
  state.revise([&](Version& version) {
    if (version.log_index == LogIndex{}) version.log_index = index;
  });
  if (well_formed(state)) return state;
  return definite(ErrorCode::corrupt,
                  fmt::format("log entry {} holds versions that contradict each other", index));
}

bool Replica::Impl::apply_write(const WriteKey& command, LogIndex index) {
  if (!command.state.empty()) {
    const Result<KeyState> state = state_of(command, index);
    if (!state) {
      fail(state.error());
      return false;
    }
    // A leader stamps only after its term's no-op is applied, so with every entry before that; its
    // clock observes them here, early enough for each stamp to be above all that the log holds.
    if (!take_in(command.key, *state, index, Arrival::entry)) return false;
    clean_credit_ += 2;
  }
  if (command.idempotency) {
    IdempotencyRow row = *command.idempotency;
    row.record.index = index;
    if (!put_row(row)) return false;
  }
  return apply_floor(command.idempotency_floor);
}

/// Idempotency rows up to `floor` are let go of.
bool Replica::Impl::apply_floor(Hlc floor) {
  WriteBatch batch;
  if (const Result<void> raised = idempotency_.raise_floor(floor, batch); !raised) {
    fail(raised.error());
    return false;
  }
  applied_.idempotency_floor = idempotency_.floor();
  stage(std::move(batch));
  return true;
}

/// A row of the log or of a snapshot: the later of two under one key counts.
bool Replica::Impl::put_row(const IdempotencyRow& row) {
  clock_.observe(row.record.at);
  WriteBatch batch;
  if (const Result<void> put = idempotency_.put(row, batch); !put) {
    fail(put.error());
    return false;
  }
  stage(std::move(batch));
  return true;
}

/// A policy of the log or of a snapshot.
bool Replica::Impl::put_policy(std::string_view prefix, const PolicyRecord& record) {
  const Result<bool> taken = policies_.set(prefix, record);
  if (!taken) {
    fail(taken.error());
    return false;
  }
  if (!*taken) return true;
  WriteBatch batch;
  records::put(batch, records::policy_key(kOnlyGroup, prefix), record);
  stage(std::move(batch));
  return true;
}

void Replica::Impl::apply_init(const InitCluster& command) {
  if (!node_.cluster.empty()) return;
  node_.cluster = command.cluster;
  node_dirty_ = true;
}

void Replica::Impl::apply_end_recovery(const EndRecovery& command) {
  Incarnation& known = applied_.incarnations[command.node];
  known = std::max(known, command.incarnation);
  ends_proposed_.erase(command.node);
  causal_->heard(command.node, command.incarnation);
  const auto peer = peers_.find(command.node);
  if (peer != peers_.end()) {
    const bool rises = command.incarnation > peer->second.incarnation;
    peer->second.incarnation = std::max(peer->second.incarnation, command.incarnation);
    // Whoever has not heard the new life itself has its word here: the old one's does not count.
    if (rises) heard_life({command.node, command.incarnation, false});
  }
  maybe_end_recovery();
}

/// Keys of a snapshot that was cut short may be ahead of the applied index, until that is as far.
void Replica::Impl::clear_installed_marker() {
  if (!installing_ || applied_.index < installing_->index) return;
  installing_.reset();
  // The history between what was applied then and the snapshot never came here.
  applied_.history_floor = std::max(applied_.history_floor, clock_.last());
  applied_dirty_ = true;
  WriteBatch batch;
  batch.remove(records::installing_key(kOnlyGroup));
  stage(std::move(batch));
}

}  // namespace parallax
