// Snapshots in chunks (5), for members that lack what the log no longer has.
//
// The leader asks its owner for chunks of a consistent view of the store, at most
// max_inflight_chunks ahead of what the follower has made durable, and keeps what is not yet
// acknowledged, so that a lost chunk is sent again without reading it again. The follower joins
// chunks into its store as they come, in order; only the last one moves its log.
#include <algorithm>

#include "base/assert.h"
#include "base/canary.h"
#include "base/coverage.h"
#include "replication/leader_follower/raft.h"

namespace parallax {
namespace {

constexpr int kMaxChunkResends = 8;

}  // namespace

// --- Leader -----------------------------------------------------------------------------------

void Raft::begin_snapshot(NodeId peer, Progress& progress) {
  mark(Mark::snapshot_begun);
  progress.become_snapshot(next_transfer_++);
  progress.last_advance = now_;
  request_chunks(peer, progress);
}

void Raft::request_chunks(NodeId peer, Progress& progress) {
  while (!progress.all_requested &&
         progress.chunks_requested < progress.chunks_acked + config_.max_inflight_chunks) {
    // The first chunk takes the view; the others wait until it exists.
    if (progress.chunks_requested == 1 && progress.snapshot_index.value == 0) return;
    ready_.chunk_reads.push_back({peer, progress.transfer, progress.chunks_requested});
    ++progress.chunks_requested;
  }
}

void Raft::on_snapshot_chunk(NodeId peer, SnapshotChunk chunk) {
  const auto found = progress_.find(peer);
  if (found == progress_.end()) return;
  Progress& progress = found->second;
  if (progress.state != ProgressState::snapshot || chunk.transfer != progress.transfer) return;
  if (progress.all_requested) return;  // asked for ahead of the last one
  if (chunk.sequence == 0) {
    PARALLAX_ASSERT(chunk.index >= log_.start().index, "snapshot at {} below log start {}",
                    chunk.index, log_.start().index);
    progress.snapshot_index = chunk.index;
  }
  chunk.term = term();
  progress.all_requested = chunk.last;
  if (progress.unacked.empty()) progress.last_advance = now_;
  progress.unacked.push_back(chunk);
  send_at_once(peer, std::move(chunk));
  request_chunks(peer, progress);
}

void Raft::on_snapshot_failed(NodeId peer, std::uint64_t transfer) {
  const auto found = progress_.find(peer);
  if (found == progress_.end() || found->second.transfer != transfer) return;
  if (found->second.state != ProgressState::snapshot) return;
  if (found->second.all_requested) return;  // chunks behind the last one do not exist
  abandon_snapshot(peer, transfer);
}

void Raft::abandon_snapshot(NodeId peer, std::uint64_t transfer) {
  const auto found = progress_.find(peer);
  if (found == progress_.end() || found->second.transfer != transfer) return;
  if (found->second.state != ProgressState::snapshot) return;
  found->second.become_probe();
  found->second.paused = true;  // until the next heartbeat
}

/// A follower that started anew may have begun with a copy of an early chunk that came late, and so
/// be behind what it acknowledged in its life before: it lacks what is no longer kept here, and
/// says nothing that a late reply could not say too. After a while the transfer begins again.
void Raft::resend_chunks(NodeId peer, Progress& progress) {
  if (progress.chunks_acked > 0 && ++progress.chunks_resent > kMaxChunkResends) {
    mark(Mark::snapshot_begun_again);
    begin_snapshot(peer, progress);
    return;
  }
  if (!progress.unacked.empty()) mark(Mark::snapshot_chunk_resent);
  for (const SnapshotChunk& chunk : progress.unacked) send_at_once(peer, chunk);
  progress.last_advance = now_;
}

void Raft::step_snapshot_reply(const Sender& from, const SnapshotReply& reply) {
  const auto found = progress_.find(from.id);
  if (found == progress_.end()) return;
  Progress& progress = found->second;
  progress.last_heard = now_;
  progress.recovering = from.recovering;
  if (progress.state != ProgressState::snapshot || reply.transfer != progress.transfer) return;
  if (reply.done) {
    progress.match = std::max(progress.match, progress.snapshot_index);
    progress.become_replicate();
    progress.last_advance = now_;
    advance_commit();
    return;
  }
  if (reply.received == 0 && progress.chunks_acked > 0) {
    mark(Mark::snapshot_begun_again);
    begin_snapshot(from.id, progress);  // it has forgotten the beginning
    return;
  }
  if (reply.received <= progress.chunks_acked) return;  // late: a newer answer overtook it
  progress.chunks_acked = reply.received;
  progress.chunks_resent = 0;
  progress.last_advance = now_;
  while (!progress.unacked.empty() && progress.unacked.front().sequence < reply.received) {
    progress.unacked.pop_front();
  }
  request_chunks(from.id, progress);
}

// --- Follower ---------------------------------------------------------------------------------

void Raft::step_snapshot_chunk(const Sender& from, const SnapshotChunk& chunk) {
  SnapshotReply reply{.term = term(), .transfer = chunk.transfer};
  if (chunk.index <= commit_) {
    // All of it is in our log already.
    if (canary(Canary::snapshot_overwrites)) {
      ready_.install.push_back(chunk);
      ready_.install.back().last = false;
    }
    receiving_.reset();
    reply.done = true;
    send(from.id, reply);
    return;
  }
  const bool known =
      receiving_ && receiving_->from == from.id && receiving_->transfer == chunk.transfer;
  if (!known) {
    if (chunk.sequence != 0) {
      send(from.id, reply);  // received 0: begin again
      return;
    }
    receiving_ = Receiving{from.id, chunk.transfer, 0};
  }
  if (chunk.sequence > receiving_->next) {  // one is missing: it will be sent again
    mark(Mark::snapshot_chunk_gap);
    return;
  }
  if (chunk.sequence == receiving_->next) {
    ++receiving_->next;
    ready_.install.push_back(chunk);
    reply.done = chunk.last;
    if (chunk.last) install_last_chunk(chunk);
  }
  reply.received = chunk.sequence + 1;
  if (receiving_) reply.received = receiving_->next;
  send(from.id, reply);
}

/// The store holds the state at chunk.index once this turn's batch is durable: the log goes on from
/// there. What the log has behind it stays if it is of the same history.
void Raft::install_last_chunk(const SnapshotChunk& chunk) {
  mark(Mark::snapshot_installed);
  receiving_.reset();
  const LogIndex old_last = log_.last_index();
  if (log_.term_at(chunk.index) == chunk.index_term) {
    mark(Mark::snapshot_kept_log_tail);
    log_.compact(chunk.index);
  } else {
    if (old_last > chunk.index) {
      ready_.truncate_from =
          std::min(ready_.truncate_from.value_or(chunk.index.next()), chunk.index.next());
      ready_.truncate_to = std::max(ready_.truncate_to, old_last);
    }
    log_.reset({chunk.index, chunk.index_term});
  }
  std::erase_if(ready_.append, [&](const LogEntry& entry) {
    return entry.index <= chunk.index || entry.index > log_.last_index();
  });
  ready_.log_start = log_.start();
  std::erase_if(ready_.committed, [&](const LogEntry& e) { return e.index <= chunk.index; });
  commit_ = std::max(commit_, chunk.index);
  applied_ = std::max(applied_, chunk.index);
  delivered_ = std::max(delivered_, chunk.index);
  adopt_freshness();
}

}  // namespace parallax
