// What a leader knows of one follower (Ongaro 2014, 3.5 and 10.2.2).
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include "replication/message.h"

namespace parallax {

enum class ProgressState : std::uint8_t {
  probe,      ///< where do the logs meet? One AppendEntries at a time
  replicate,  ///< they meet: entries are sent ahead of their acknowledgements
  snapshot,   ///< what it lacks is no longer in the log: chunks are on their way
};
std::string_view progress_name(ProgressState state);

/// A plain value; the core keeps its invariants: match < next; inflight is in rising order.
struct Progress {
  ProgressState state = ProgressState::probe;
  LogIndex match;           ///< known to be durable there and equal here
  LogIndex next{1};         ///< the next entry to send
  bool paused = false;      ///< probe: one is out; wait for its answer or the next heartbeat
  bool loading = false;     ///< entries are being read from the store
  bool recovering = false;  ///< its word counts toward no majority
  bool recovery_ready = false;
  LogIndex applied;      ///< as it last said; 0: it has not yet
  LogIndex commit_sent;  ///< the highest commit index told
  Incarnation incarnation;
  MonoTime last_heard{};    ///< any reply of this term
  MonoTime last_advance{};  ///< match rose, or there was nothing to wait for

  struct Sent {
    LogIndex last;
    std::size_t bytes;
  };
  std::deque<Sent> inflight;  ///< replicate: appends not yet acknowledged
  std::size_t inflight_bytes = 0;

  RoundId confirmed;  ///< the highest read round it has answered
  RoundId promised;   ///< the highest with whose answer it promised to hold still (lease.h)

  // Freshness mark: received, waiting for a later round to be confirmed, published.
  FreshnessMark mark;
  LogIndex mark_commit;
  RoundId mark_round;  ///< must be confirmed by a majority before the mark may be published
  FreshnessMark published_mark;
  LogIndex published_commit;

  // Snapshot transfer.
  std::uint64_t transfer = 0;
  std::uint64_t chunks_acked = 0;      ///< durable there
  std::uint64_t chunks_requested = 0;  ///< asked of the store
  bool all_requested = false;          ///< the last chunk has been produced
  int chunks_resent = 0;               ///< times, since anything was acknowledged
  LogIndex snapshot_index;
  std::deque<SnapshotChunk> unacked;  ///< sent and kept, to be sent again

  void become_probe();
  void become_replicate();
  void become_snapshot(std::uint64_t id);
  /// An append that ended at `last` was acknowledged.
  void acknowledge(LogIndex last);
  void sent(LogIndex last, std::size_t bytes);
};

}  // namespace parallax
