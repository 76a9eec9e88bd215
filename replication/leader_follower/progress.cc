#include "replication/leader_follower/progress.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax {

std::string_view progress_name(ProgressState state) {
  switch (state) {
    case ProgressState::probe:
      return "probe";
    case ProgressState::replicate:
      return "replicate";
    case ProgressState::snapshot:
      return "snapshot";
  }
  PARALLAX_UNREACHABLE("progress state {}", static_cast<int>(state));
}

void Progress::become_probe() {
  state = ProgressState::probe;
  next = match.next();
  paused = false;
  inflight.clear();
  inflight_bytes = 0;
  unacked.clear();
}

void Progress::become_replicate() {
  become_probe();
  state = ProgressState::replicate;
}

void Progress::become_snapshot(std::uint64_t id) {
  become_probe();
  state = ProgressState::snapshot;
  transfer = id;
  chunks_acked = chunks_requested = 0;
  all_requested = false;
  chunks_resent = 0;
  snapshot_index = LogIndex{};
}

void Progress::acknowledge(LogIndex last) {
  while (!inflight.empty() && inflight.front().last <= last) {
    inflight_bytes -= inflight.front().bytes;
    inflight.pop_front();
  }
}

void Progress::sent(LogIndex last, std::size_t bytes) {
  PARALLAX_ASSERT(inflight.empty() || inflight.back().last < last, "sent {} after {}", last,
                  inflight.back().last);
  inflight.push_back({last, bytes});
  inflight_bytes += bytes;
  next = last.next();
}

}  // namespace parallax
