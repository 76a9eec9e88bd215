// How many replicas have what a session has seen and written (/v1/wait): confirmation of
// replication after the fact.
//
// The leader knows it: of each member the index up to which that holds its log durably, and the
// causal vector that it has durably applied. A session has the index of what is committed; what was
// acknowledged before that (ack=leader, semi-sync) it knows by its clock alone, and log order is
// stamp order. So the leader remembers which stamps it gave to which entries, as long as some
// member may lack them. What earlier leaders stamped is before its no-op, or lost.
//
// A count is answered behind a read round that begins after it was taken: what the members had
// acknowledged, no other leader can have overwritten by then.
//
// The count may be too low where others write at the same time, or followers have not spoken since
// the election. It is never too high, of what is still there: of a write that was lost with an
// earlier leader nobody knows any more, so a count of another term than the write's says nothing of
// one that was acknowledged early. Nothing is counted of what a session wrote at the levels of
// quorums: those have said themselves on how many replicas it is.
#include <algorithm>
#include <functional>

#include "node/replica_causal.h"

namespace parallax {
namespace {

/// Beyond this every second one is let go of: a session then waits for the next one's entry.
constexpr std::size_t kMostStampsRemembered = 65'536;
/// Ahead of a deadline, at most: for the last read round, and as much for the way back to who
/// passed it on.
constexpr Duration kAnswerAhead = std::chrono::milliseconds(100);

}  // namespace

void Replica::Impl::begin_counting() {
  stamped_.clear();
  stamped_.push_back({Hlc{}, raft_->log().last_index()});
}

void Replica::Impl::remember_stamp(LogIndex index) {
  stamped_.push_back({clock_.last(), index});
  if (stamped_.size() < kMostStampsRemembered) return;
  const LogIndex everywhere = held_everywhere();
  while (stamped_.size() > 1 && stamped_[1].index <= everywhere) stamped_.pop_front();
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
  PARALLAX_ASSERT(!stamped_.empty(), "a leader of term {} without its no-op", raft_->term());
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

/// Who has all that the session of a count knows of.
std::vector<NodeId> Replica::Impl::holders_for(const PendingRequest& pending) const {
  std::vector<NodeId> holders = holders_of(pending.spread);
  const std::optional<SessionToken>& session = pending.request.session;
  if (!session || (session->read.empty() && session->write.empty())) return holders;
  const Causal* const core = causal_->core();
  if (core == nullptr) return {};  // it is starting
  OriginVector causal = session->read;
  causal.join(session->write);
  causal = core->told(causal);  // without what is lost, and everywhere else
  std::erase_if(holders, [&](NodeId id) {
    return id == config_.id ? !core->durable().dominates(causal) : !core->peer_covers(id, causal);
  });
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
  const SessionToken session = pending.request.session.value_or(SessionToken{});
  pending.spread = point_of(session);
  if (holders_for(pending).size() >= wanted) {
    confirm_count(handle);
    return;
  }
  pending.stage = PendingRequest::Stage::counting;
  if (session.read.empty() && session.write.empty()) {
    counting_[wanted].emplace(std::pair(pending.spread, handle.slot), handle);
  } else {
    counting_causal_.push_back(handle);
  }
  const Duration left = pending.deadline - now_.monotonic;
  const Duration ahead = pending.peer == kNoNode ? std::min(kAnswerAhead, left / 4)
                                                 : std::min(2 * kAnswerAhead, left / 2);
  requests_.wake_at(handle, pending.deadline - ahead);
}

/// There are enough, or it is time: what has come until now is the count, if this node still leads.
void Replica::Impl::confirm_count(RequestHandle handle) {
  forget_count(handle);
  PendingRequest& pending = *requests_.find(handle);
  pending.holders = holders_for(pending);
  requests_.wake_at(handle, pending.deadline);
  begin_read_round(handle);
}

/// Behind that round.
void Replica::Impl::answer_count(RequestHandle handle, Evidence evidence) {
  PendingRequest& pending = *requests_.find(handle);
  evidence.index = pending.spread;
  evidence.replicas = std::move(pending.holders);
  Answer answer;
  answer.consistency = pending.request.consistency;
  answer.replicas = static_cast<std::uint32_t>(evidence.replicas.size());
  answer.session = session_for(pending.request, LogIndex{});
  answer.evidence = std::move(evidence);
  finish(handle, std::move(answer));
}

/// Members may have acknowledged more. True: a read round is wanted.
bool Replica::Impl::count_again() {
  bool round = false;
  if (!counting_.empty()) {
    // Up to where one, two, three of them have the log.
    std::vector<LogIndex> reach{raft_->log().durable()};
    for (const auto& [peer, progress] : raft_->progress()) {
      if (!progress.recovering) reach.push_back(progress.match);
    }
    std::sort(reach.begin(), reach.end(), std::greater<>{});
    for (auto& [wanted, waiting] : counting_) {
      if (wanted > reach.size()) break;
      while (!waiting.empty() && waiting.begin()->first.first <= reach[wanted - 1]) {
        confirm_count(waiting.begin()->second);
        round = true;
      }
    }
  }
  for (RequestHandle handle : std::exchange(counting_causal_, {})) {
    const PendingRequest* const pending = requests_.find(handle);
    if (pending == nullptr || pending->stage != PendingRequest::Stage::counting) continue;
    if (holders_for(*pending).size() >=
        std::get<CountReplicas>(pending->request.operation).replicas) {
      confirm_count(handle);
      round = true;
    } else {
      counting_causal_.push_back(handle);
    }
  }
  return round;
}

/// It does not wait any more.
void Replica::Impl::forget_count(RequestHandle handle) {
  const PendingRequest& pending = *requests_.find(handle);
  const auto waiting = counting_.find(std::get<CountReplicas>(pending.request.operation).replicas);
  if (waiting != counting_.end()) waiting->second.erase({pending.spread, handle.slot});
}

/// Leadership is gone: the next leader knows.
void Replica::Impl::forget_counts() {
  stamped_.clear();
  std::vector<RequestHandle> counts = std::exchange(counting_causal_, {});
  for (const auto& [wanted, waiting] : std::exchange(counting_, {})) {
    for (const auto& [place, handle] : waiting) counts.push_back(handle);
  }
  for (RequestHandle handle : counts) {
    PendingRequest* const pending = requests_.find(handle);
    if (pending == nullptr || pending->stage != PendingRequest::Stage::counting) continue;
    pending->stage = PendingRequest::Stage::waiting;
    route(handle);
  }
}

}  // namespace parallax
