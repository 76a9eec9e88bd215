// Log replication: consistency check and fast back-up (3.5), commitment (3.6), pipelining (10.2.2).
#include <algorithm>

#include "base/assert.h"
#include "base/canary.h"
#include "base/coverage.h"
#include "replication/leader_follower/raft.h"

namespace parallax {

// --- Leader -----------------------------------------------------------------------------------

LogIndex Raft::last_to_send() const {
  return held_.empty() ? log_.last_index() : held_.front().prev();
}

void Raft::send_appends() {
  for (auto& [peer, progress] : progress_) {
    bool told = false;
    while (send_append_to(peer, progress)) told = true;
    // Nothing to carry the news that more is committed: a follower's readers wait for it.
    const LogIndex known = std::min(progress.match, commit_);
    if (!told && progress.state == ProgressState::replicate && progress.commit_sent < known) {
      mark(Mark::commit_news_by_heartbeat);
      send_heartbeat(peer, progress);
    }
  }
}

/// Sends one AppendEntries if one may be sent now. True when another may be worth trying.
bool Raft::send_append_to(NodeId peer, Progress& progress) {
  const bool probing = progress.state == ProgressState::probe;
  if (progress.state == ProgressState::snapshot || progress.loading) return false;
  if (probing ? progress.paused : progress.next > last_to_send()) return false;
  if (!probing && (progress.inflight.size() >= config_.max_inflight_appends ||
                   progress.inflight_bytes >= config_.max_inflight_bytes)) {
    mark(Mark::inflight_window_full);
    return false;
  }
  if (progress.next <= log_.start().index) {
    // Only to somebody who is there: a snapshot holds the log and a view of the store.
    if (!heard_recently(progress)) return false;
    begin_snapshot(peer, progress);
    return false;
  }
  // A member that is silent gets bare probes, one a heartbeat, and nothing else.
  const bool silent = !heard_recently(progress);
  if (silent && !probing) return false;
  const bool with_entries = progress.next <= last_to_send() && !silent;
  if (with_entries && !log_.cached(progress.next)) {
    progress.loading = true;
    ready_.loads.push_back({peer, progress.next, config_.max_append_bytes});
    return false;
  }
  std::vector<LogEntry> entries;
  if (with_entries) {
    entries = log_.entries(progress.next, config_.max_append_bytes, config_.max_append_entries);
  }
  send_entries(peer, progress, std::move(entries));
  return !probing;
}

void Raft::send_entries(NodeId peer, Progress& progress, std::vector<LogEntry> entries) {
  const LogIndex prev = progress.next.prev();
  while (!entries.empty() && entries.back().index > last_to_send()) entries.pop_back();
  if (progress.state == ProgressState::probe) {
    progress.paused = true;
  } else if (!entries.empty()) {
    if (progress.inflight.empty()) progress.last_advance = now_;
    std::size_t bytes = 0;
    for (const LogEntry& entry : entries) bytes += entry.bytes();
    progress.sent(entries.back().index, bytes);
  }
  progress.commit_sent = std::max(progress.commit_sent, std::min(progress.match, commit_));
  send_at_once(peer, AppendEntries{.term = term(),
                                   .prev_index = prev,
                                   .prev_term = *log_.term_at(prev),
                                   .commit = commit_,
                                   .entries = std::move(entries)});
}

void Raft::on_loaded(NodeId peer, LogIndex from, std::vector<LogEntry> entries) {
  const auto found = progress_.find(peer);
  if (found == progress_.end() || !found->second.loading) return;
  Progress& progress = found->second;
  progress.loading = false;
  // What was asked for may be of no use by now: the log compacted, the follower elsewhere.
  if (progress.state == ProgressState::snapshot || progress.next != from || entries.empty() ||
      from <= log_.start().index) {
    return;
  }
  for (const LogEntry& entry : entries) {
    PARALLAX_ASSERT(log_.term_at(entry.index) == entry.term, "entry {} was stored with term {}",
                    entry.index, entry.term);
  }
  mark(Mark::entries_loaded_from_store);
  send_entries(peer, progress, std::move(entries));
}

void Raft::step_append_reply(const Sender& from, const AppendReply& reply) {
  const auto found = progress_.find(from.id);
  if (found == progress_.end()) return;
  Progress& progress = found->second;
  progress.last_heard = now_;
  progress.recovering = from.recovering;
  if (!reply.accepted) {
    back_up(progress, reply);
    return;
  }
  PARALLAX_ASSERT(reply.match <= log_.last_index(), "node {} acknowledges {} of {}", from.id,
                  reply.match, log_.last_index());
  if (reply.match > progress.match) {
    progress.match = reply.match;
    progress.last_advance = now_;
  }
  progress.acknowledge(reply.match);
  const bool connected = progress.match >= log_.start().index;
  if (progress.state == ProgressState::probe ||
      (progress.state == ProgressState::snapshot && connected)) {
    progress.become_replicate();
  }
  progress.next = std::max(progress.next, progress.match.next());
  advance_commit();
  if (is_leader()) maybe_finish_transfer(from.id, progress);
}

/// The follower's log does not have prev: try where it says that the logs can meet (3.5).
void Raft::back_up(Progress& progress, const AppendReply& reply) {
  if (progress.state == ProgressState::snapshot || reply.rejected_prev <= progress.match) return;
  if (progress.state == ProgressState::replicate) {
    progress.become_probe();
    return;
  }
  if (reply.rejected_prev != progress.next.prev()) return;  // an answer to an older probe
  mark(Mark::probe_backed_up);
  const LogIndex limit = std::min(reply.hint_index, reply.rejected_prev.prev());
  // Our log may begin behind the hint: then what the follower lacks is in the snapshot.
  const LogIndex meet =
      limit < log_.start().index ? limit : log_.last_at_most(limit, reply.hint_term);
  progress.next = std::max(progress.match.next(), meet.next());
  progress.paused = false;
}

void Raft::advance_commit() {
  std::vector<LogIndex> held;
  held.reserve(config_.members.size());
  held.push_back(canary(Canary::leader_counts_unsynced) ? log_.last_index() : log_.durable());
  for (const auto& [peer, progress] : progress_) {
    const bool counts = !progress.recovering || canary(Canary::recovering_node_counts);
    held.push_back(counts ? progress.match : LogIndex{});
  }
  std::nth_element(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(majority() - 1),
                   held.end(), std::greater<>{});
  const LogIndex candidate = held[majority() - 1];
  // Entries of earlier terms are committed only by one of this term behind them (3.6.2).
  const bool own_term = log_.term_at(candidate) == term() || canary(Canary::commit_older_term);
  if (candidate <= commit_ || !own_term) return;
  if (log_.durable() < candidate) mark(Mark::commit_without_leader_disk);
  commit_to(candidate);
}

void Raft::commit_to(LogIndex index) {
  PARALLAX_ASSERT(index <= log_.last_index(), "commit {} of {}", index, log_.last_index());
  commit_ = std::max(commit_, index);
}

// --- Follower ---------------------------------------------------------------------------------

void Raft::refuse_append(NodeId to, const AppendEntries& request) {
  const LogIndex hint = log_.last_at_most(request.prev_index, request.prev_term);
  send(to, AppendReply{.term = term(),
                       .accepted = false,
                       .match = LogIndex{},
                       .rejected_prev = request.prev_index,
                       .hint_index = hint,
                       .hint_term = *log_.term_at(hint)});
}

void Raft::step_append(const Sender& from, const AppendEntries& request) {
  const LogIndex last_new = request.prev_index + request.entries.size();
  // Before our log's start everything is committed, and every leader's log has it (3.6.3).
  if (request.prev_index >= log_.start().index &&
      log_.term_at(request.prev_index) != request.prev_term) {
    PARALLAX_ASSERT(request.prev_index > commit_, "node {} denies committed entry {}", from.id,
                    request.prev_index);
    mark(Mark::append_refused);
    refuse_append(from.id, request);
    return;
  }
  for (const LogEntry& entry : request.entries) {
    if (entry.index <= log_.start().index) {  // in the snapshot, so committed
      mark(Mark::append_below_log_start);
      continue;
    }
    const std::optional<Term> present = log_.term_at(entry.index);
    if (present == entry.term) continue;
    if (present) truncate_log(entry.index);
    append_to_log(entry);
  }
  const LogIndex matched = std::min(last_new, log_.last_index());
  commit_to(std::max(commit_, std::min(request.commit, matched)));
  send(from.id,
       AppendReply{
           .term = term(), .accepted = true, .match = std::max(matched, log_.start().index)});
}

}  // namespace parallax
