// Requests: where each is served, writes into the log, reads behind read rounds, deadlines.
//
// Every request ends in finish(), exactly once. An error is indefinite only when an entry (here) or
// a forwarded write (elsewhere) exists whose fate is not known.
#include <algorithm>

#include "base/canary.h"
#include "client/level_support.h"
#include "node/replica_causal.h"

namespace parallax {
namespace {

std::size_t request_bytes(const Request& request) {
  std::size_t bytes = 64 + request.idempotency_key.size();
  if (const std::string* key = operation_key(request.operation)) bytes += key->size();
  if (const auto* put = std::get_if<Put>(&request.operation)) {
    bytes += put->value.size() + put->content_type.size();
  } else if (const auto* many = std::get_if<GetMany>(&request.operation)) {
    for (const std::string& key : many->keys) bytes += key.size() + sizeof key;
  }
  return bytes;
}

bool is_key(const std::string& key) {
  return !key.empty() && key.size() <= limits::kMaxKeyBytes;
}

/// Whoever hands a request in has checked it; this keeps a mistake there from becoming an entry.
std::optional<Error> malformed(const Request& request) {
  const Operation& operation = request.operation;
  const bool about_prefix =
      std::holds_alternative<GetPolicy>(operation) || std::holds_alternative<SetPolicy>(operation);
  if (const std::string* key = operation_key(operation); key != nullptr && !about_prefix) {
    if (!is_key(*key)) {
      return definite(ErrorCode::bad_request, fmt::format("the key has {} bytes, 1 to {} expected",
                                                          key->size(), limits::kMaxKeyBytes));
    }
  } else if (key != nullptr && key->size() > limits::kMaxKeyBytes) {
    return definite(ErrorCode::bad_request,
                    fmt::format("the prefix has {} bytes, at most {} may be", key->size(),
                                limits::kMaxKeyBytes));
  }
  if (const auto* many = std::get_if<GetMany>(&operation)) {
    const bool sound = !many->keys.empty() && many->keys.size() <= limits::kMaxScanLimit &&
                       std::all_of(many->keys.begin(), many->keys.end(), is_key);
    if (!sound)
      return definite(ErrorCode::bad_request, "some of the keys, or their number, is wrong");
  }
  if (const auto* scan = std::get_if<Scan>(&operation)) {
    if (scan->limit == 0 || scan->limit > limits::kMaxScanLimit) {
      return definite(ErrorCode::bad_parameter, fmt::format("limit={} must be from 1 to {}",
                                                            scan->limit, limits::kMaxScanLimit));
    }
  }
  if (request.idempotency_key.size() > limits::kMaxIdempotencyKeyBytes) {
    return definite(ErrorCode::bad_request,
                    fmt::format("the idempotency key has {} bytes, at most "
                                "{} may be",
                                request.idempotency_key.size(), limits::kMaxIdempotencyKeyBytes));
  }
  return std::nullopt;
}

/// How long a request that was refused by the node taken for the leader waits before it asks again.
constexpr Duration kRefusedRetry = std::chrono::milliseconds(50);

}  // namespace

// --- Admission and routing -----------------------------------------------------------------------

std::optional<Error> Replica::Impl::refuse_at_once(const Request& request,
                                                   std::size_t bytes) const {
  if (auto error = malformed(request)) return error;
  if (shutting_down_) {
    return definite(ErrorCode::shutting_down, fmt::format("node {} is stopping", config_.id));
  }
  if (requests_.size() >= config_.max_requests) {
    return definite(ErrorCode::overloaded, fmt::format("{} requests are under way, at most {} may",
                                                       requests_.size(), config_.max_requests));
  }
  if (requests_.bytes() + bytes > limits::kMaxProposalsInFlightBytes) {
    return definite(ErrorCode::overloaded,
                    fmt::format("requests of {} bytes are under way, at most {} may be",
                                requests_.bytes(), limits::kMaxProposalsInFlightBytes));
  }
  return std::nullopt;
}

void Replica::Impl::admit(NodeId peer, RequestId id, Request&& request, Duration remaining) {
  if (fatal_) return;  // the process is about to end
  const std::size_t bytes = request_bytes(request);
  if (const auto refusal = refuse_at_once(request, bytes)) {
    answer(peer, id, *refusal);
    return;
  }
  remaining = std::clamp(remaining, Duration::zero(), Duration{limits::kMaxRequestTimeout});
  PendingRequest pending;
  pending.request = std::move(request);
  pending.peer = peer;
  pending.id = id;
  pending.deadline = now_.monotonic + remaining;
  pending.bytes = bytes;
  if (const std::optional<Error> refusal = settle_level(pending.request)) {
    answer(peer, id, *refusal);
    return;
  }
  route(requests_.add(std::move(pending)));
}

/// The level that holds for it; why it may not be asked for there.
std::optional<Error> Replica::Impl::settle_level(Request& request) const {
  if (std::exchange(request.level_by_policy, false)) {
    request.consistency = policies_.level_for(request.operation);
    if (const Result<void> taken = apply_beside_policy(request); !taken) return taken.error();
  }
  if (is_read(request.operation)) request.consistency.ack = Ack::majority;
  if (auto refusal = unsupported(request)) return refusal;
  return policies_.refusal_of(request);
}

NodeId Replica::Impl::leader() const {
  if (!raft_) return kNoNode;
  const NodeId leader = raft_->leader();
  return leader == config_.id && !leading() ? kNoNode : leader;
}

/// A request that waits, or has just come, is served, passed on, refused, or waits on.
void Replica::Impl::route(RequestHandle handle) {
  check_session(handle);
  if (requests_.find(handle) == nullptr) return;
  PendingRequest& pending = *requests_.find(handle);
  const Request& request = pending.request;
  const bool read = is_read(request.operation);
  const Protocol protocol = level_info(request.consistency.level).protocol;
  if (protocol == Protocol::causal) {
    causal_->serve(handle);
    return;
  }
  if (protocol != Protocol::leader_follower) {
    serve_leaderless(handle);
    return;
  }
  if (read && read_anywhere(request.consistency.level) && serve_anywhere(handle)) return;
  if (leading()) {
    if (!serving()) {
      wait(handle);
    } else if (std::holds_alternative<CountReplicas>(request.operation)) {
      count_replicas(handle);
    } else if (read) {
      start_read(handle);
    } else {
      propose_write(handle);
    }
    return;
  }
  if (pending.peer != kNoNode) {
    finish(handle, not_leader_error());  // passed on once only: its sender tries elsewhere
    return;
  }
  if (disk_failed_ && !read) {
    finish(handle, definite(ErrorCode::read_only,
                            "this node's disk refuses writes: " + disk_failed_->message));
    return;
  }
  const NodeId to = leader();
  if (to == kNoNode) {
    wait(handle);
  } else if (!request.forward) {
    finish(handle, not_leader_error());
  } else if (pending.refused_by == to && pending.refused_term == raft_->term()) {
    requests_.wake_at(handle, now_.monotonic + kRefusedRetry);
    wait(handle);
  } else {
    forward(handle, to);
  }
}

/// A token is held against the cluster as soon as that is known.
void Replica::Impl::check_session(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  if (pending.session_checked || !pending.request.session || node_.cluster.empty()) return;
  const SessionToken& session = *pending.request.session;
  pending.session_checked = true;
  if (const std::optional<Error> wrong = session_error(session)) {
    finish(handle, *wrong);
  } else {
    clock_.observe(session.clock);
  }
}

/// One whose clock is further ahead than any node's may be did not come from here, nor did one that
/// names what never was: nobody is to wait for that.
std::optional<Error> Replica::Impl::session_error(const SessionToken& session) const {
  if (const auto ours = session.check(node_.cluster, config_.members); !ours) return ours.error();
  if (too_far_ahead(session.clock.millis())) {
    return definite(ErrorCode::bad_session, "the session's clock is ahead of the cluster's");
  }
  for (const OriginVector* vector : {&session.read, &session.write}) {
    for (const auto& [origin, number] : vector->entries()) {
      if (may_have_issued(origin, number)) continue;
      return definite(ErrorCode::bad_session,
                      fmt::format("the session token names operation {} of node {}, incarnation "
                                  "{}, which never was; begin a session without one",
                                  number, origin.node, origin.incarnation));
    }
  }
  return std::nullopt;
}

/// False: the origin has issued no such operation that was durable, as far as can be known here.
bool Replica::Impl::may_have_issued(const Origin& origin, std::uint64_t number) const {
  const Causal* const core = causal_->core();
  // A number leaves its origin when it is durable there, so this node knows all of its own.
  if (core != nullptr && origin == core->origin()) return core->applied().covers(origin, number);
  return origin.incarnation <= known_incarnation(origin.node) ||
         !too_far_ahead(drawn_at(origin.incarnation));
}

/// The highest incarnation of a member that is known here.
Incarnation Replica::Impl::known_incarnation(NodeId node) const {
  return node == config_.id ? node_.incarnation : peers_.at(node).incarnation;
}

bool Replica::Impl::too_far_ahead(UnixMillis time) const {
  return time.value > clock_.peek(now_.physical).millis().value +
                          static_cast<std::uint64_t>(config_.max_clock_skew.count());
}

Error Replica::Impl::not_leader_error() const {
  const NodeId to = leader();
  Error error = definite(ErrorCode::not_leader,
                         to == kNoNode ? fmt::format("node {} does not lead", config_.id)
                                       : fmt::format("node {} leads, not node {}", to, config_.id));
  error.leader = to;
  return error;
}

void Replica::Impl::wait(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  pending.stage = PendingRequest::Stage::waiting;
  if (pending.queued) return;
  pending.queued = true;
  waiting_.push_back(handle);
}

void Replica::Impl::route_soon(RequestHandle handle) {
  if (requests_.find(handle) == nullptr) return;
  wait(handle);
  route_again_ = true;
}

Replica::Impl::Situation Replica::Impl::situation() const {
  Situation now;
  now.membership = node_.membership;
  now.term = raft_ ? raft_->term() : Term{};
  now.leader = leader();
  now.serving = serving();
  now.transferring = raft_ && raft_->transferring();
  // An arrival ends the wait for it, even when the clock has moved past the bound meanwhile.
  now.clock_blocked = clock_waited_for_ && !bound_arrived_;
  now.cluster_known = !node_.cluster.empty();
  now.installing = installing_.has_value();
  now.skewed = skewed_;
  now.disk_failed = disk_failed_.has_value();
  return now;
}

bool Replica::Impl::route_waiting() {
  const Situation now = situation();
  if (now == situation_ && !std::exchange(route_again_, false)) return false;
  situation_ = now;
  clock_waited_for_ = false;  // whoever still waits for it says so again, in this turn
  if (waiting_.empty()) return false;
  for (RequestHandle handle : std::exchange(waiting_, {})) {
    PendingRequest* const pending = requests_.find(handle);
    if (pending == nullptr) continue;
    pending->queued = false;
    if (pending->stage == PendingRequest::Stage::waiting) route(handle);
  }
  situation_ = situation();
  return true;
}

// --- Ends ----------------------------------------------------------------------------------------

void Replica::Impl::on_due(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  if (now_.monotonic >= pending.deadline) {
    const auto stage = pending.stage;
    if (stage == PendingRequest::Stage::coordinated) expire_coordination(pending.coordination);
    if (const PendingRequest* left = requests_.find(handle)) finish(handle, expiry_error(*left));
    return;
  }
  requests_.wake_at(handle, pending.deadline);
  pending.refused_by = kNoNode;
  if (pending.stage == PendingRequest::Stage::forwarded) {
    on_forward_due(handle);
  } else if (pending.stage == PendingRequest::Stage::counting) {
    confirm_count(handle);
  } else if (pending.stage == PendingRequest::Stage::spreading) {
    finish(handle, not_on_all(pending.spread));
  } else if (pending.stage == PendingRequest::Stage::waiting) {
    route(handle);
  }
}

Error Replica::Impl::expiry_error(const PendingRequest& pending) const {
  using Stage = PendingRequest::Stage;
  const bool read = is_read(pending.request.operation);
  switch (pending.stage) {
    case Stage::waiting:
      if (recovering()) {
        return definite(ErrorCode::recovering,
                        fmt::format("node {} is recovering its data", config_.id));
      }
      if (leader() == kNoNode) {
        return definite(ErrorCode::no_leader, "no leader was known before the deadline");
      }
      if (read && read_anywhere(pending.request.consistency.level)) {
        const std::optional<Behind> missing = behind(pending);
        return definite(ErrorCode::timeout,
                        fmt::format("until the deadline node {}: {}", config_.id,
                                    missing ? missing->what : "was not ready to serve"));
      }
      return definite(ErrorCode::timeout, fmt::format("node {} did not get to it before the "
                                                      "deadline",
                                                      leader()));
    case Stage::counting:
    case Stage::reading:
      return definite(ErrorCode::timeout, "no majority confirmed the read before the deadline");
    case Stage::appended:
      if (canary(Canary::unknown_called_definite)) {
        return definite(ErrorCode::timeout, "not done, or so it says");
      }
      return indefinite(ErrorCode::timeout,
                        "the write is in the log; whether it commits is not known yet");
    case Stage::spreading:
      return not_on_all(pending.spread);
    case Stage::forwarded:
      if (read) {
        return definite(ErrorCode::timeout,
                        fmt::format("node {} did not answer before the deadline", pending.sent_to));
      }
      return indefinite(ErrorCode::timeout,
                        fmt::format("the write was passed on to node {}, which has not answered",
                                    pending.sent_to));
    case Stage::behind:
      return causal_->late_error(pending);
    case Stage::stored:
      return indefinite(ErrorCode::timeout,
                        "the write is on its way to the disk; whether it gets there is not known "
                        "yet");
    case PendingRequest::Stage::coordinated:
    case PendingRequest::Stage::durable:
      return definite(ErrorCode::timeout, fmt::format("node {} did not get to it before the "
                                                      "deadline",
                                                      config_.id));
  }
  PARALLAX_UNREACHABLE("stage {}", static_cast<int>(pending.stage));
}

void Replica::Impl::finish(RequestHandle handle, Reply&& reply) {
  PendingRequest& pending = *requests_.find(handle);
  if (pending.stage == PendingRequest::Stage::forwarded) forwards_.erase(pending.forward_id);
  if (pending.stage == PendingRequest::Stage::counting) forget_count(handle);
  causal_->forget_waiting(handle);
  await_applied(handle, LogIndex{});
  const NodeId peer = pending.peer;
  const RequestId id = pending.id;
  requests_.erase(handle);
  if (canary(Canary::weak_called_eventual) && reply && reply->consistency.level == Level::weak) {
    reply->consistency.level = Level::eventual;
  }
  answer(peer, id, std::move(reply));
}

}  // namespace parallax
