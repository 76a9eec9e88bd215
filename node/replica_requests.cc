// Requests: where each is served, writes into the log, reads behind read rounds, deadlines.
//
// Every request ends in finish(), exactly once. An error is indefinite only when an entry (here) or
// a forwarded write (elsewhere) exists whose fate is not known.
#include <algorithm>

#include "base/canary.h"
#include "node/replica_impl.h"

namespace parallax {
namespace {

std::size_t request_bytes(const Request& request) {
  std::size_t bytes = operation_key(request.operation).size() + 64;
  if (const auto* put = std::get_if<Put>(&request.operation)) {
    bytes += put->value.size() + put->content_type.size();
  }
  return bytes;
}

/// How long a request that was refused by the node taken for the leader waits before it asks again.
constexpr Duration kRefusedRetry = std::chrono::milliseconds(50);

}  // namespace

// --- Admission and routing
// ------------------------------------------------------------------------

std::optional<Error> Replica::Impl::refuse_at_once(const Request& request,
                                                   std::size_t bytes) const {
  const std::string& key = operation_key(request.operation);
  if (key.empty() || key.size() > limits::kMaxKeyBytes) {
    return definite(ErrorCode::bad_request, fmt::format("the key has {} bytes, 1 to {} expected",
                                                        key.size(), limits::kMaxKeyBytes));
  }
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

void Replica::Impl::admit(NodeId peer, RequestId id, Request request, Duration remaining) {
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
  route(requests_.add(std::move(pending)));
}

NodeId Replica::Impl::leader() const {
  if (!raft_) return kNoNode;
  const NodeId leader = raft_->leader();
  return leader == config_.id && !leading() ? kNoNode : leader;
}

bool Replica::Impl::local_reads_allowed() const {
  return node_.membership == Membership::member && raft_ && !node_.cluster.empty() &&
         (!installing_ || canary(Canary::prefix_while_installing));
}

/// A request that waits, or has just come, is served, passed on, refused, or waits on.
void Replica::Impl::route(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  const Request& request = pending.request;
  const bool read = is_read(request.operation);
  if (read && request.consistency.level == Level::prefix) {
    if (recovering()) {
      finish(handle, definite(ErrorCode::recovering,
                              fmt::format("node {} is recovering its data", config_.id)));
      return;
    }
    if (local_reads_allowed()) {
      Reply reply = read_key(request, local_evidence());
      finish(handle, std::move(reply));
      return;
    }
  }
  if (leading()) {
    if (!serving()) {
      wait(handle);
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
  if (now == situation_) return false;
  situation_ = now;
  if (waiting_.empty()) return false;
  clock_waited_for_ = false;
  for (RequestHandle handle : std::exchange(waiting_, {})) {
    PendingRequest* const pending = requests_.find(handle);
    if (pending == nullptr) continue;
    pending->queued = false;
    if (pending->stage == PendingRequest::Stage::waiting) route(handle);
  }
  situation_ = situation();
  return true;
}

// --- Writes
// ---------------------------------------------------------------------------------------

/// Nothing while the clock may not issue: its bound has to become durable first.
std::optional<Stamp> Replica::Impl::issue_stamp() {
  UnixMillis at = now_.physical;
  if (clock_.blocked(at)) {
    // The durable bound lies behind the present: a pause between two writes, or a disk that takes
    // longer than the bound reaches ahead, which would otherwise never let a stamp out. The clock
    // need not show the present, only rise; how far behind it may show is what a skewed clock may.
    const UnixMillis bound = clock_.durable_bound().millis();
    const auto skew = static_cast<std::uint64_t>(config_.max_clock_skew.count());
    if (bound < at && (bound_arrived_ || at.value - bound.value <= skew)) at = bound;
  }
  const std::optional<Hlc> hlc = clock_.issue(at);
  if (!hlc) return std::nullopt;
  return Stamp{*hlc, config_.id};
}

/// Both levels write through the log. A leader gets here only after its term's no-op is applied: it
/// has then observed the stamp of every entry before, so the order of the log is that of the
/// stamps.
void Replica::Impl::propose_write(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  if (skewed_) {
    ++counters_.stamps_refused_for_skew;
    finish(handle, definite(ErrorCode::clock_skew,
                            fmt::format("the clock of node {} is more than {} ms from a majority's",
                                        config_.id, config_.max_clock_skew.count())));
    return;
  }
  if (raft_->transferring()) {
    wait(handle);
    return;
  }
  if (raft_->log().cache_bytes() > limits::kLogCacheBytes + limits::kMaxProposalsInFlightBytes) {
    // Entries that do not commit stay in memory although their requests have gone.
    finish(handle, definite(ErrorCode::overloaded,
                            fmt::format("{} bytes of log entries wait for a majority",
                                        raft_->log().cache_bytes())));
    return;
  }
  const std::optional<Stamp> stamp = issue_stamp();
  if (!stamp) {
    clock_waited_for_ = true;
    wait(handle);
    return;
  }
  const std::string& key = operation_key(pending.request.operation);
  const Result<KeyState> known = keys_.load(key);
  if (!known) {
    finish(handle, definite(ErrorCode::internal, known.error().message));
    fail(known.error());
    return;
  }
  Version version;
  version.stamp = *stamp;
  version.actor = kLogActor;
  version.context = known->context();
  // Whatever the log stamped before is replaced, also what is on its way and not applied yet.
  version.context.advance(kLogActor, Hlc{stamp->hlc.value - 1});
  if (const auto* put = std::get_if<Put>(&pending.request.operation)) {
    version.value = put->value;
    version.content_type = put->content_type;
  } else {
    version.tombstone = true;
  }
  WriteKey command{key, {}};
  command.state.add(std::move(version));
  const std::optional<LogIndex> index = raft_->propose(encode_command(std::move(command)));
  PARALLAX_ASSERT(index, "the leader of term {} does not append", raft_->term());

  pending.stage = PendingRequest::Stage::appended;
  pending.stamp = *stamp;
  const Proposal proposal{*index, raft_->term(), handle};
  // At the end nearly always; a leader that lost its tail and leads again proposes below that.
  const auto place =
      std::upper_bound(proposals_.begin(), proposals_.end(), proposal,
                       [](const Proposal& a, const Proposal& b) { return a.index < b.index; });
  proposals_.insert(place, proposal);
}

/// Entry `index` of `term` is applied: what was proposed there has happened, or never will.
void Replica::Impl::settle_proposals(LogIndex index, Term term) {
  while (!proposals_.empty() && proposals_.front().index <= index) {
    const Proposal proposal = proposals_.front();
    proposals_.pop_front();
    PendingRequest* const pending = requests_.find(proposal.request);
    if (pending == nullptr) continue;  // its deadline has passed
    PARALLAX_ASSERT(proposal.index == index, "a proposal at {} outlived its entry; this is {}",
                    proposal.index, index);
    if (proposal.term != term) {
      finish(proposal.request,
             definite(ErrorCode::no_leader,
                      fmt::format("entry {} was replaced by one of term {}: leadership changed",
                                  index, term)));
    } else {
      Answer answer;
      answer.consistency = pending->request.consistency;
      answer.stamp = pending->stamp;
      answer.evidence = write_evidence(index, term);
      finish(proposal.request, std::move(answer));
    }
  }
}

/// On whose word a committed entry rests: those known to hold it durably.
Evidence Replica::Impl::write_evidence(LogIndex index, Term term) const {
  Evidence evidence{.node = config_.id,
                    .term = term,
                    .index = index,
                    .path = Path::log,
                    .replicas = {config_.id},
                    .sequenced = true};
  if (raft_->is_leader()) {
    for (const auto& [peer, progress] : raft_->progress()) {
      if (progress.match >= index && !progress.recovering) evidence.replicas.push_back(peer);
    }
  } else if (raft_->leader() != kNoNode) {
    evidence.replicas.push_back(raft_->leader());  // it told us: so its log has the entry
  }
  std::sort(evidence.replicas.begin(), evidence.replicas.end());
  return evidence;
}

// --- Reads
// ----------------------------------------------------------------------------------------

void Replica::Impl::start_read(RequestHandle handle) {
  if (canary(Canary::read_without_round)) {
    Evidence evidence = local_evidence();
    evidence.path = Path::read_index;
    Reply reply = read_key(requests_.find(handle)->request, std::move(evidence));
    finish(handle, std::move(reply));
    return;
  }
  const std::optional<RoundId> round = raft_->request_read_round();
  PARALLAX_ASSERT(round, "the leader of term {} begins no round", raft_->term());
  requests_.find(handle)->stage = PendingRequest::Stage::reading;
  round_reads_.push_back({*round, handle});
  if (*round != counted_round_) {
    counted_round_ = *round;
    ++counters_.read_rounds;
  }
}

/// Leadership is gone, and with it the rounds that were under way: the reads begin again elsewhere.
void Replica::Impl::requeue_reads() {
  counted_round_ = RoundId{};
  for (const RoundRead& read : std::exchange(round_reads_, {})) {
    if (requests_.find(read.request) != nullptr) route(read.request);
  }
}

void Replica::Impl::on_confirmed(ConfirmedRound confirmed) {
  ConfirmedReads reads{confirmed.index, raft_->term(), std::move(confirmed.replicas), {}};
  while (!round_reads_.empty() && round_reads_.front().round <= confirmed.round) {
    reads.requests.push_back(round_reads_.front().request);
    round_reads_.pop_front();
  }
  if (!reads.requests.empty()) confirmed_reads_.push_back(std::move(reads));
}

/// What is applied here has everything that was committed when the round began, before which the
/// reads had arrived; that stays true when leadership is lost in between.
///
/// Adopt before showing: what a key holds beyond the log would have to be committed through the log
/// before it is shown here. Only the log writes versions today, so there is nothing to adopt.
void Replica::Impl::answer_confirmed_reads() {
  while (!confirmed_reads_.empty() && confirmed_reads_.front().index <= applied_.index) {
    ConfirmedReads reads = std::move(confirmed_reads_.front());
    confirmed_reads_.pop_front();
    Evidence evidence{.node = config_.id,
                      .term = reads.term,
                      .index = applied_.index,
                      .path = Path::read_index,
                      .replicas = std::move(reads.replicas),
                      .sequenced = true};
    for (RequestHandle handle : reads.requests) {
      PendingRequest* const pending = requests_.find(handle);
      if (pending == nullptr) continue;
      Reply reply = read_key(pending->request, evidence);
      finish(handle, std::move(reply));
    }
  }
}

Evidence Replica::Impl::local_evidence() const {
  return Evidence{.node = config_.id,
                  .term = raft_->term(),
                  .index = applied_.index,
                  .path = Path::local,
                  .replicas = {config_.id},
                  .sequenced = true};
}

/// The winner in what is applied, which is committed, whether it is durable here or not.
Reply Replica::Impl::read_key(const Request& request, Evidence evidence) {
  const Result<KeyState> state = keys_.load(operation_key(request.operation));
  if (!state) {
    fail(state.error());
    return definite(ErrorCode::internal, state.error().message);
  }
  Answer answer;
  answer.consistency = request.consistency;
  answer.evidence = std::move(evidence);
  if (const Version* winner = state->winner()) {
    answer.stamp = winner->stamp;
    answer.found = !winner->tombstone;
    answer.value = winner->value;
    answer.content_type = winner->content_type;
  }
  return answer;
}

// --- Ends
// -----------------------------------------------------------------------------------------

void Replica::Impl::on_due(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  if (now_.monotonic >= pending.deadline) {
    finish(handle, expiry_error(pending));
    return;
  }
  requests_.wake_at(handle, pending.deadline);
  pending.refused_by = kNoNode;
  if (pending.stage == PendingRequest::Stage::forwarded) {
    on_forward_due(handle);
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
      return definite(ErrorCode::timeout, fmt::format("node {} did not get to it before the "
                                                      "deadline",
                                                      leader()));
    case Stage::reading:
      return definite(ErrorCode::timeout, "no majority confirmed the read before the deadline");
    case Stage::appended:
      if (canary(Canary::unknown_called_definite)) {
        return definite(ErrorCode::timeout, "not done, or so it says");
      }
      return indefinite(ErrorCode::timeout,
                        "the write is in the log; whether it commits is not known yet");
    case Stage::forwarded:
      if (read) {
        return definite(ErrorCode::timeout,
                        fmt::format("node {} did not answer before the deadline", pending.sent_to));
      }
      return indefinite(ErrorCode::timeout,
                        fmt::format("the write was passed on to node {}, which has not answered",
                                    pending.sent_to));
  }
  PARALLAX_UNREACHABLE("stage {}", static_cast<int>(pending.stage));
}

void Replica::Impl::finish(RequestHandle handle, Reply reply) {
  PendingRequest& pending = *requests_.find(handle);
  if (pending.stage == PendingRequest::Stage::forwarded) forwards_.erase(pending.forward_id);
  const NodeId peer = pending.peer;
  const RequestId id = pending.id;
  requests_.erase(handle);
  answer(peer, id, std::move(reply));
}

}  // namespace parallax
