// Snapshots, out and in.
//
// Out: a view of the store, read chunk by chunk. Its index is the applied index inside the view, so
// keys and index belong together however old the view gets.
// In: key states are joined, never written over what is here. Until the last chunk the keys are of
// no point in the log; a marker in the store says so, across restarts.
#include <algorithm>

#include "base/canary.h"
#include "node/replica_causal.h"

namespace parallax {
namespace {

constexpr Duration kMaxTransferIdle = std::chrono::seconds(30);
/// No key state waits for so long after a snapshot was wanted: the core asks again before that.
constexpr Duration kSnapshotSoon = std::chrono::seconds(2);

Error corrupt(std::string message) {
  return definite(ErrorCode::corrupt, std::move(message));
}

bool within(std::string_view store_key, const ScanRange& range) {
  return store_key >= range.start && store_key < range.end;
}

/// What a snapshot holds beside the state that it is of, in rising order. The index of the
/// idempotency records is made anew where they arrive.
std::vector<ScanRange> contents() {
  return {records::idempotency_range(kOnlyGroup), records::key_state_range(kOnlyGroup),
          records::policy_range(kOnlyGroup)};
}

/// Errors: corrupt, and refused when it is of a kind that does not belong into a snapshot.
Result<void> check_record(std::string_view key, std::string_view value) {
  if (within(key, records::key_state_range(kOnlyGroup))) {
    PARALLAX_ASSIGN(const KeyState state, records::decode<KeyState>(key, value));
    if (!well_formed(state)) return corrupt("a key state contradicts itself");
    return {};
  }
  if (within(key, records::idempotency_range(kOnlyGroup))) {
    PARALLAX_TRY(records::decode<IdempotencyRecord>(key, value));
    return {};
  }
  if (within(key, records::policy_range(kOnlyGroup))) {
    PARALLAX_ASSIGN(const PolicyRecord policy, records::decode<PolicyRecord>(key, value));
    PARALLAX_TRY(from_record(policy));
    return {};
  }
  return corrupt("a snapshot holds a record of a kind that does not belong there");
}

}  // namespace

// --- Out -----------------------------------------------------------------------------------------

void Replica::Impl::read_chunk(const ChunkRead& read) {
  Result<SnapshotChunk> chunk = next_chunk(read);
  if (!chunk) {
    outgoing_.erase(read.peer);
    if (chunk.error().code == ErrorCode::corrupt || chunk.error().code == ErrorCode::io) {
      fail(chunk.error());
    }
    raft_->on_snapshot_failed(read.peer, read.transfer);
    return;
  }
  if (read.sequence == 0) ++counters_.snapshots_sent;
  // The core keeps the chunks that are not acknowledged: the view has done its work.
  if (chunk->last) outgoing_.erase(read.peer);
  raft_->on_snapshot_chunk(read.peer, std::move(*chunk));
}

/// Errors: refused when there is nothing that could be sent now; else a record that cannot be read.
Result<SnapshotChunk> Replica::Impl::next_chunk(const ChunkRead& read) {
  SnapshotChunk chunk;
  chunk.transfer = read.transfer;
  chunk.sequence = read.sequence;
  if (read.sequence == 0) {
    OutgoingSnapshot begun;
    begun.transfer = read.transfer;
    begun.view = store_.snapshot();
    PARALLAX_ASSIGN(const auto applied,
                    records::load<AppliedRecord>(*begun.view, records::applied_key(kOnlyGroup)));
    PARALLAX_ASSIGN(const auto marker, begun.view->get(records::installing_key(kOnlyGroup)));
    PARALLAX_ASSIGN(const auto node, records::load<NodeRecord>(*begun.view, records::node_key()));
    PARALLAX_ASSIGN(const auto behind, begun.view->get(records::states_key(kOnlyGroup)));
    if (behind) {
      states_behind_.all_until = now_.monotonic + kSnapshotSoon;
      force_batch_ = true;
      return definite(ErrorCode::refused, "key states wait that belong to the snapshot");
    }
    if (!applied || !node || marker || applied->index < raft_->log().start().index) {
      return definite(ErrorCode::refused, "the store is at no point of the log that can be sent");
    }
    begun.index = applied->index;
    begun.term = applied->term;
    begun.cursor = contents().front().start;
    // The receiver takes the cluster's id out of the one and joins the other.
    for (const std::string& key : {records::node_key(), records::applied_key(kOnlyGroup)}) {
      PARALLAX_ASSIGN(auto value, begun.view->get(key));
      chunk.records.push_back({key, Bytes{std::move(*value)}});
    }
    outgoing_.insert_or_assign(read.peer, std::move(begun));
    transfers_viewed_.insert_or_assign(read.peer, std::pair(read.transfer, clock_.last()));
  }
  const auto found = outgoing_.find(read.peer);
  if (found == outgoing_.end() || found->second.transfer != read.transfer ||
      found->second.next != read.sequence) {
    return definite(ErrorCode::refused, "the transfer is no longer under way");
  }
  OutgoingSnapshot& transfer = found->second;
  transfer.used = now_.monotonic;
  ++transfer.next;
  chunk.index = transfer.index;
  chunk.index_term = transfer.term;
  chunk.last = true;
  std::size_t bytes = 0;
  std::optional<Error> fault;
  for (ScanRange range : contents()) {
    if (range.end <= transfer.cursor || !chunk.last || fault) continue;
    if (canary(Canary::rows_not_in_snapshot) &&
        range.start == records::idempotency_range(kOnlyGroup).start) {
      continue;
    }
    range.start = std::max(range.start, transfer.cursor);
    PARALLAX_TRY(transfer.view->scan(range, [&](std::string_view key, std::string_view value) {
      if (bytes >= config_.snapshot_chunk_bytes) {
        chunk.last = false;
        transfer.cursor = std::string(key);
        return false;
      }
      // What is damaged here must be found here: the receiver would refuse it again and again.
      if (const auto sound = check_record(key, value); !sound) {
        fault = sound.error();
        return false;
      }
      bytes += key.size() + value.size();
      chunk.records.push_back({std::string(key), Bytes{std::string(value)}});
      return true;
    }));
  }
  if (fault) return *fault;
  return chunk;
}

/// Chunks of a view that is more than half of the grace old would show what tombstones have buried
/// that are gone meanwhile (replica_tombstones.cc).
bool Replica::Impl::outdated_chunk(const RaftMessage& message) {
  const auto* chunk = std::get_if<SnapshotChunk>(&message.message);
  if (chunk == nullptr) return false;
  const auto [transfer, viewed] = transfers_viewed_[message.to];
  const auto most = static_cast<std::uint64_t>(config_.tombstone_grace.count()) / 2;
  if (transfer == chunk->transfer && viewed.millis().value + most >= clock_.last().millis().value) {
    return false;
  }
  raft_->abandon_snapshot(message.to, chunk->transfer);
  return true;
}

void Replica::Impl::drop_idle_transfers() {
  std::erase_if(outgoing_, [&](const auto& transfer) {
    return !leading() || now_.monotonic - transfer.second.used >= kMaxTransferIdle;
  });
}

// --- In ------------------------------------------------------------------------------------------

/// Before anything of it counts: every record is whole and what it should be.
Result<void> Replica::Impl::verify_chunk(const SnapshotChunk& chunk) const {
  bool has_applied = false;
  bool has_node = false;
  for (const SnapshotChunk::Record& record : chunk.records) {
    if (record.key == records::applied_key(kOnlyGroup)) {
      PARALLAX_ASSIGN(const AppliedRecord applied,
                      records::decode<AppliedRecord>(record.key, record.value.view()));
      if (applied.index != chunk.index) {
        return corrupt(
            fmt::format("a snapshot at {} says that it is at {}", chunk.index, applied.index));
      }
      has_applied = true;
    } else if (record.key == records::node_key()) {
      PARALLAX_TRY(records::decode<NodeRecord>(record.key, record.value.view()));
      has_node = true;
    } else {
      PARALLAX_TRY(check_record(record.key, record.value.view()));
    }
  }
  if (chunk.sequence == 0 && !(has_applied && has_node)) {
    return corrupt("a snapshot begins without the state that it is of");
  }
  return {};
}

/// Joins a chunk into this turn's batch. False when the replica cannot go on.
bool Replica::Impl::install(const SnapshotChunk& chunk) {
  states_behind_.all = true;  // the log behind which they are ends with this
  if (chunk.sequence == 0 && (!installing_ || installing_->index < chunk.index)) {
    installing_ = LogStart{chunk.index, chunk.index_term};
    WriteBatch batch;
    records::put(batch, records::installing_key(kOnlyGroup), *installing_);
    stage(std::move(batch));
  }
  for (const SnapshotChunk::Record& record : chunk.records) {
    if (!install_record(record)) return false;
  }
  if (chunk.last) finish_install(chunk);
  return true;
}

bool Replica::Impl::install_record(const SnapshotChunk::Record& record) {
  // verify_chunk() has decoded all of them before.
  if (record.key == records::applied_key(kOnlyGroup)) {
    if (!incoming_) incoming_.emplace();
    incoming_->first = *records::decode<AppliedRecord>(record.key, record.value.view());
    return true;
  }
  if (record.key == records::node_key()) {
    if (!incoming_) incoming_.emplace();
    incoming_->second = records::decode<NodeRecord>(record.key, record.value.view())->cluster;
    return true;
  }
  if (within(record.key, records::idempotency_range(kOnlyGroup))) {
    return put_row({std::string(records::group_record_name(record.key)),
                    *records::decode<IdempotencyRecord>(record.key, record.value.view())});
  }
  if (within(record.key, records::policy_range(kOnlyGroup))) {
    return put_policy(records::group_record_name(record.key),
                      *records::decode<PolicyRecord>(record.key, record.value.view()));
  }
  const KeyState state = *records::decode<KeyState>(record.key, record.value.view());
  if (canary(Canary::snapshot_overwrites)) {
    clock_.observe(state.context().highest());
    WriteBatch batch;
    batch.put(record.key, record.value);
    stage(std::move(batch));
    return true;
  }
  // Until the last chunk nothing follows the log here: the marker says so.
  return take_in(std::string(records::user_key(record.key)), state, LogIndex{limits::kMaxLogIndex},
                 Arrival::snapshot)
      .has_value();
}

/// The keys are those of the log at chunk.index now: so is the applied index, in the same batch.
void Replica::Impl::finish_install(const SnapshotChunk& chunk) {
  PARALLAX_ASSERT(incoming_, "a snapshot at {} ends that never began", chunk.index);
  const auto& [theirs, cluster] = *incoming_;
  ++counters_.snapshots_installed;
  if (node_.cluster.empty() && !cluster.empty()) {
    node_.cluster = cluster;
    node_dirty_ = true;
  }
  if (chunk.index > applied_.index) {
    applied_.index = chunk.index;
    applied_.term = chunk.index_term;
  }
  applied_.history_floor = std::max(applied_.history_floor, theirs.history_floor);
  for (const auto& [node, incarnation] : theirs.incarnations) {
    Incarnation& known = applied_.incarnations[node];
    known = std::max(known, incarnation);
    causal_->heard(node, incarnation);
  }
  if (!apply_floor(theirs.idempotency_floor)) return;
  applied_dirty_ = true;
  incoming_.reset();
  touch();
  join_early_states();
  lose_proposals(chunk.index);
  clear_installed_marker();
  maybe_end_recovery();
}

/// Entries up to `last` came with a snapshot, which does not say whose they were. What was proposed
/// behind them may still be in the log, and commit.
void Replica::Impl::lose_proposals(LogIndex last) {
  while (!proposals_.empty() && proposals_.front().index <= last) {
    const Proposal proposal = proposals_.front();
    proposals_.pop_front();
    if (requests_.find(proposal.request) == nullptr) continue;  // its deadline has passed
    finish(proposal.request,
           indefinite(ErrorCode::timeout,
                      fmt::format("leadership was lost; what became of entry {} is not known here",
                                  proposal.index)));
  }
}

}  // namespace parallax
