// How many replicas have what a session has seen and written (/v1/wait): confirmation of
// replication after the fact.
//
// The leader knows it: of each member the index up to which that holds its log durably. A session
// has the index of what is committed; what was acknowledged before that (ack=leader, semi-sync) it
// knows by its clock alone, and log order is stamp order. So the leader remembers which stamps it
// gave to which entries, as long as some member may lack them.
//
// The count may be too low where others write at the same time, never too high; of a write that was
// lost with an earlier leader nobody knows any more.
#include <algorithm>

#include "node/replica_impl.h"

namespace parallax {
namespace {

/// Beyond this every second one is let go of: a session then waits for the next one's entry.
constexpr std::size_t kMostStampsRemembered = 65'536;
/// Ahead of the deadline of who passed it on: the count is better than no answer.
constexpr Duration kAnswerAhead = std::chrono::milliseconds(100);

}  // namespace

void Replica::Impl::remember_stamp(LogIndex index) {
  stamped_.push_back({clock_.last(), index});
  if (stamped_.size() < kMostStampsRemembered) return;
  const LogIndex everywhere = held_everywhere();
  while (!stamped_.empty() && stamped_.front().index <= everywhere) stamped_.pop_front();
  if (stamped_.size() < kMostStampsRemembered / 2) return;
  std::deque<StampedEntry> fewer;
  for (std::size_t i = 0; i < stamped_.size(); ++i) {
    // The ends stay: what is before the first one all have, and behind the last one there is none.
    if (i == 0 || i % 2 == 1 || i + 1 == stamped_.size()) fewer.push_back(stamped_[i]);
  }
  stamped_ = std::move(fewer);
}

LogIndex Replica::Impl::held_everywhere() const {
  LogIndex least = raft_->log().durable();
  for (const auto& [peer, progress] : raft_->progress()) {
    least = std::min(least, progress.recovering ? LogIndex{} : progress.match);
  }
  return least;
}

/// The entry up to which the log has all that the session knows of.
LogIndex Replica::Impl::point_of(const SessionToken& session) const {
  const auto behind =
      std::partition_point(stamped_.begin(), stamped_.end(),
                           [&](const StampedEntry& entry) { return entry.clock <= session.clock; });
  if (behind == stamped_.begin()) return session.index;
  // Between two that are remembered there may have been others.
  const LogIndex seen = behind == stamped_.end() ? stamped_.back().index : behind->index.prev();
  return std::max(session.index, seen);
}

std::vector<NodeId> Replica::Impl::holders_of(LogIndex index) const {
  std::vector<NodeId> holders;
  if (raft_->log().durable() >= index) holders.push_back(config_.id);
  for (const auto& [peer, progress] : raft_->progress()) {
    if (progress.match >= index && !progress.recovering) holders.push_back(peer);
  }
  std::sort(holders.begin(), holders.end());
  return holders;
}

/// At a leader that serves.
void Replica::Impl::count_replicas(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  const std::size_t wanted = std::get<CountReplicas>(pending.request.operation).replicas;
  if (wanted > config_.members.size()) {
    finish(handle, definite(ErrorCode::bad_parameter,
                            fmt::format("replicas={} must be a whole number from 1 to {}, the "
                                        "replicas that there are",
                                        wanted, config_.members.size())));
    return;
  }
  pending.spread = point_of(pending.request.session.value_or(SessionToken{}));
  if (holders_of(pending.spread).size() >= wanted) {
    answer_count(handle);
    return;
  }
  pending.stage = PendingRequest::Stage::counting;
  counting_.push_back(handle);
  if (pending.peer != kNoNode) {
    const Duration left = pending.deadline - now_.monotonic;
    requests_.wake_at(handle, pending.deadline - std::min(kAnswerAhead, left / 4));
  }
}

void Replica::Impl::answer_count(RequestHandle handle) {
  const PendingRequest& pending = *requests_.find(handle);
  Evidence evidence = write_evidence(pending.spread, raft_->term());
  evidence.replicas = holders_of(pending.spread);
  Answer answer;
  answer.consistency = pending.request.consistency;
  answer.replicas = static_cast<std::uint32_t>(evidence.replicas.size());
  answer.session = session_for(pending.request, LogIndex{});
  answer.evidence = std::move(evidence);
  finish(handle, std::move(answer));
}

/// Members may have acknowledged more.
void Replica::Impl::count_again() {
  for (RequestHandle handle : std::exchange(counting_, {})) {
    const PendingRequest* const pending = requests_.find(handle);
    if (pending == nullptr || pending->stage != PendingRequest::Stage::counting) continue;
    const std::size_t wanted = std::get<CountReplicas>(pending->request.operation).replicas;
    if (holders_of(pending->spread).size() >= wanted) {
      answer_count(handle);
    } else {
      counting_.push_back(handle);
    }
  }
}

/// Leadership is gone: the next leader knows.
void Replica::Impl::forget_counts() {
  stamped_.clear();
  for (RequestHandle handle : std::exchange(counting_, {})) {
    if (PendingRequest* const pending = requests_.find(handle)) {
      pending->stage = PendingRequest::Stage::waiting;
      route(handle);
    }
  }
}

}  // namespace parallax
