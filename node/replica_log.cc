// The one batch of a turn: what the log asks for, what has been applied since the last one, the
// clock's bound, and the removal of what is no longer needed.
#include <algorithm>
#include <limits>

#include "base/canary.h"
#include "node/replica_causal.h"

namespace parallax {
namespace {

/// Applied changes wait for a batch that has to be written anyway, but not longer than this ...
constexpr Duration kMaxDirtyTime = std::chrono::milliseconds(50);
/// ... and not beyond this.
constexpr std::size_t kMaxPendingBytes = 1 << 20;
/// History records are removed when this many may go, or after kCleanInterval: a walk over the
/// store has its price.
constexpr std::size_t kCleanSlice = 512;
constexpr Duration kCleanInterval = std::chrono::milliseconds(200);

}  // namespace

void Replica::Impl::put_log(const RaftReady& ready, WriteBatch& batch) {
  if (ready.hard_state) records::put(batch, records::hard_state_key(kOnlyGroup), *ready.hard_state);
  if (ready.truncate_from) {
    // What was appended and cut off within this turn is not in the store: what is left of it comes
    // with what took the place of the rest.
    LogIndex from = *ready.truncate_from;
    if (!ready.append.empty()) from = std::min(from, ready.append.front().index);
    stored_log_.truncate(from, batch);
    log_sizes_.truncate(from);
  }
  if (ready.log_start) {
    records::put(batch, records::log_start_key(kOnlyGroup), *ready.log_start);
    log_start_ = ready.log_start->index;
    log_sizes_.compact(log_start_);
  }
  stored_log_.append(ready.append, batch);
  for (const LogEntry& entry : ready.append) log_sizes_.append(entry.index, entry.bytes());
}

/// Forgets what is applied, durably, and not kept for slow peers. An eighth more than that is let
/// stand, so that not every batch moves the start.
void Replica::Impl::compact_log() {
  const LogIndex start = raft_->log().start().index;
  if (durable_applied_ <= start) return;
  const std::uint64_t keep = config_.log_keep_entries;
  LogIndex to = start;
  if (durable_applied_ - start > keep + keep / 8) to = LogIndex{durable_applied_.value - keep};
  if (log_sizes_.bytes() > config_.log_keep_bytes + config_.log_keep_bytes / 8) {
    to = std::max(to, std::min(log_sizes_.excess(config_.log_keep_bytes), durable_applied_));
  }
  if (to > start) raft_->compact(to);
}

/// Takes away what was superseded longer than the retention window ago: as much as is written,
/// twice over, and a slice even when nothing is, so that it catches up with what an earlier life
/// left. A sweep begins at 0 with every life, for what arrived late lies below where the last one
/// ended.
void Replica::Impl::clean_history() {
  if (clean_credit_ < kCleanSlice && now_.monotonic - last_clean_ < kCleanInterval) return;
  // A record bears the stamp that replaced its version, and every stamp was observed: behind this
  // there is none. The clock of an idle cluster stands still, and so does the sweep.
  if (cleaned_ > clock_.last()) return;
  last_clean_ = now_.monotonic;
  const std::uint64_t present = clock_.peek(now_.physical).millis().value;
  const auto retention = static_cast<std::uint64_t>(config_.history_retention.count());
  if (present <= retention) return;
  // What is not in a batch yet is not seen here: the sweep must not pass it.
  const Hlc horizon =
      std::min(Hlc::from_millis(UnixMillis{present - retention}), history_.oldest());
  WriteBatch batch;
  const std::size_t limit = std::max(std::exchange(clean_credit_, 0) + 64, kCleanSlice);
  const Result<KeySpace::CleanUp> done = keys_.clean_history(cleaned_, horizon, limit, batch);
  if (!done) {
    fail(done.error());
    return;
  }
  cleaned_ = done->reached;
  if (done->removed == 0) return;
  applied_.history_floor = std::max(applied_.history_floor, cleaned_);
  applied_dirty_ = true;
  stage(std::move(batch));
}

bool Replica::Impl::wants_batch(const WriteBatch& batch) const {
  if (!batch.empty() || force_batch_) return true;
  if (!raft_) return false;  // the first batch of a store is the one that names its node
  if (dirty_since_ && (now_.monotonic - *dirty_since_ >= kMaxDirtyTime ||
                       pending_.bytes() + history_.bytes() >= kMaxPendingBytes)) {
    return true;
  }
  const bool bound_under_way = std::any_of(in_flight_.begin(), in_flight_.end(),
                                           [](const InFlight& f) { return f.bound.has_value(); });
  if (clock_waited_for_ && !bound_under_way) return true;
  if (states_behind_.overdue(now_.monotonic, config_.states_wait)) return true;
  const bool idle = in_flight_.empty() && now_.monotonic - last_batch_ >= kMaxDirtyTime;
  // What was observed must be covered too; an idle cluster's clocks stand still and need nothing.
  return idle && (clock_.last() > clock_.durable_bound() || stored_log_.superfluous(log_start_));
}

void Replica::Impl::write(WriteBatch batch, ReplicaReady& out) {
  WriteBatch history;
  if (const Result<void> put = history_.put_into(history, overlay_); !put) return fail(put.error());
  stage(std::move(history));
  // The record of the log's start is in this batch or was in one before, so a crash in between
  // leaves entries that the next start skips.
  if (raft_) stored_log_.remove_superfluous(log_start_, batch);
  InFlight flight;
  flight.sequence = next_sequence_++;
  batch.append(std::exchange(pending_, {}));
  flight.states = put_states(flight.sequence, batch);
  if (std::exchange(applied_dirty_, false)) {
    AppliedRecord record = applied_;
    if (canary(Canary::applied_index_too_low)) {
      record.index = std::max(record.index.prev(), log_start_);
    }
    records::put(batch, records::applied_key(kOnlyGroup), record);
  }
  if (std::exchange(node_dirty_, false)) {
    NodeRecord record = node_;
    if (decided_) {
      // Not in force before it is durable.
      record.membership = decided_->recovering ? Membership::recovering : Membership::member;
      record.incarnation = decided_->incarnation;
    }
    records::put(batch, records::node_key(), record);
  }
  if (clock_.wants_bound(now_.physical)) {
    flight.bound = clock_.next_bound(now_.physical);
    records::put(batch, records::clock_bound_key(), *flight.bound);
  }
  if (raft_) flight.mark = raft_->persisted_mark();
  causal_->on_batch(flight.sequence, batch);
  flight.born = std::exchange(decided_, std::nullopt);
  dirty_since_.reset();
  force_batch_ = false;
  last_batch_ = now_.monotonic;
  out.sequence = flight.sequence;
  out.batch = std::move(batch);
  in_flight_.push_back(std::move(flight));
}

/// Entries that are no longer in memory are durable, so the store has them. It may also hold a tail
/// whose removal is still on its way to the disk: that is told by its terms.
void Replica::Impl::load_entries(const LogLoad& load) {
  std::vector<LogEntry> entries;
  std::size_t bytes = 0;
  const auto take = [&](LogEntry& entry) {
    if (entry.index != load.from + entries.size()) return false;
    if (raft_->log().term_at(entry.index) != entry.term) return false;
    bytes += entry.bytes();
    if (!entries.empty() &&
        (bytes > load.max_bytes || entries.size() >= raft_->config().max_append_entries)) {
      return false;
    }
    entries.push_back(std::move(entry));
    return true;
  };
  const Result<void> read = scan_log(store_, kOnlyGroup, load.from, [&](LogSegment segment) {
    for (LogEntry& entry : segment.entries) {
      if (entry.index >= load.from && !take(entry)) return false;
    }
    return true;
  });
  if (!read) {
    fail(read.error());
    return;
  }
  raft_->on_loaded(load.peer, load.from, std::move(entries));
}

}  // namespace parallax
