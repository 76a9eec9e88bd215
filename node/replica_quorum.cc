// Requests of the levels without a leader, at the node that has taken them: `quorum`, `atomic`,
// `eventual`, `weak`.
//
// Here they are taken in, and writes get their stamps; replica_coordinate.cc carries out what the
// cores (replication/quorum/) ask for, which count. Nothing is forwarded: any member coordinates.
//
// Rules kept here:
//   - versions are those of an actor of their own, this incarnation's quorum path, and go into the
//     store and to others as part of whole states;
//   - a write leaves only once it is durable here, as the state that was durable with it: a later
//     version that a crash takes back must not have been seen elsewhere;
//   - what an answer shows of this node's own store is durable, except at `weak`.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"
#include "replication/quorum/sizes.h"

namespace parallax {
namespace {

/// A reply that has not come by then is asked of another, before there is an estimate.
constexpr Duration kFirstSpeculation = std::chrono::milliseconds(50);

bool is_local(const Consistency& consistency) {
  return consistency.level == Level::eventual || consistency.level == Level::weak;
}

}  // namespace

// --- Taking a request in -------------------------------------------------------------------------

/// The numbers that hold in this cluster, in place of those that are left open.
Result<QuorumSizes> Replica::Impl::quorum_sizes(Consistency& consistency) const {
  const std::size_t n = config_.members.size();
  const auto fill = [n](std::uint32_t& number) {
    if (number == 0) number = static_cast<std::uint32_t>(majority_of(n));
    if (number == Consistency::kAll) number = static_cast<std::uint32_t>(n);
  };
  fill(consistency.r);
  fill(consistency.w);
  const QuorumSizes sizes{.n = n, .r = consistency.r, .w = consistency.w};
  PARALLAX_TRY(sizes.check());
  return sizes;
}

void Replica::Impl::serve_leaderless(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  Request& request = pending.request;
  if (recovering()) {
    finish(handle, definite(ErrorCode::recovering,
                            fmt::format("node {} is recovering its data", config_.id)));
    return;
  }
  if (node_.membership != Membership::member || !raft_ || node_.cluster.empty()) {
    wait(handle);  // the cluster is only beginning
    return;
  }
  QuorumSizes sizes{.n = config_.members.size(), .r = 1, .w = 1};
  if (request.consistency.level == Level::quorum) {
    const Result<QuorumSizes> asked = quorum_sizes(request.consistency);
    if (!asked) {
      finish(handle, asked.error());
      return;
    }
    sizes = *asked;
  }
  if (!is_read(request.operation)) {
    write_leaderless(handle, sizes);
  } else if (reads_here(request, sizes)) {
    read_here(handle);
  } else {
    read_quorum(handle, sizes);
  }
}

/// Whether a read takes this node's own state and asks nobody.
bool Replica::Impl::reads_here(const Request& request, const QuorumSizes& sizes) {
  return is_local(request.consistency) || !reads_one_key(request.operation) ||
         (request.consistency.level == Level::quorum && sizes.r == 1);
}

/// From this node's own store; at `weak` also what is not durable.
void Replica::Impl::read_here(RequestHandle handle) {
  const Request& request = requests_.find(handle)->request;
  Answer answer;
  answer.consistency = request.consistency;
  answer.session = session_for(request, LogIndex{});
  answer.evidence = leaderless_evidence(Path::local, {config_.id});
  ReadScope scope{.known = true};
  if (const Result<void> done = read_into(request, answer, scope); !done) {
    fail(done.error());
    finish(handle, definite(ErrorCode::internal, done.error().message));
    return;
  }
  const bool weak = request.consistency.level == Level::weak;
  show(handle, weak ? 0 : scope.shown_after, std::move(answer));
}

/// Answers once batch `sequence` is durable; 0: at once.
void Replica::Impl::show(RequestHandle handle, std::uint64_t sequence, Answer&& answer) {
  if (sequence == 0) {
    finish(handle, std::move(answer));
    return;
  }
  mark(Mark::answer_waited_for_batch);
  if (disk_failed_) {
    finish(handle, definite(ErrorCode::read_only,
                            "this node's disk refuses writes: " + disk_failed_->message));
    return;
  }
  requests_.find(handle)->stage = PendingRequest::Stage::durable;
  after_batch(sequence, HeldReply{handle, std::move(answer)});
}

Evidence Replica::Impl::leaderless_evidence(Path path, std::vector<NodeId> replicas) const {
  std::sort(replicas.begin(), replicas.end());
  return Evidence{.node = config_.id,
                  .term = raft_->term(),
                  .index = applied_.index,
                  .path = path,
                  .replicas = std::move(replicas),
                  .sequenced = false};
}

bool Replica::Impl::silent(NodeId id) const {
  if (id == config_.id) return false;
  const Peer& peer = peers_.at(id);
  return !peer.heard || now_.monotonic - *peer.heard >= config_.election_timeout_max;
}

/// All replicas: this node, those that are there, those that seem not to be.
std::vector<NodeId> Replica::Impl::replicas_in_order() const {
  std::vector<NodeId> order{config_.id};
  // Everybody begins with another one, so that no replica gets all the queries.
  const auto self = std::find(config_.members.begin(), config_.members.end(), config_.id);
  for (auto at = std::next(self); at != config_.members.end(); ++at) order.push_back(*at);
  for (auto at = config_.members.begin(); at != self; ++at) order.push_back(*at);
  std::stable_partition(order.begin(), order.end(), [&](NodeId id) { return !silent(id); });
  return order;
}

std::vector<NodeId> Replica::Impl::absent_replicas() const {
  std::vector<NodeId> absent;
  for (const auto& [id, peer] : peers_) {
    if (peer.recovering) absent.push_back(id);
  }
  return absent;
}

QuorumWrite::Config Replica::Impl::write_config(const Consistency& level,
                                                const QuorumSizes& sizes) const {
  return {.self = config_.id,
          .replicas = config_.members,
          .w = sizes.w,
          .sloppy = level.sloppy,
          .absent = absent_replicas()};
}

AtomicConfig Replica::Impl::atomic_config() const {
  return {.self = config_.id,
          .replicas = replicas_in_order(),
          .speculate_after = query_time_.percentile(95).value_or(kFirstSpeculation),
          .absent = absent_replicas()};
}

Coordination& Replica::Impl::coordinate(RequestHandle handle, QuorumCore core) {
  PendingRequest& pending = *requests_.find(handle);
  pending.stage = PendingRequest::Stage::coordinated;
  pending.coordination = next_coordination_++;
  Coordination& begun = coordinations_
                            .emplace(pending.coordination,
                                     Coordination{.core = std::move(core),
                                                  .request = handle,
                                                  .key = *operation_key(pending.request.operation),
                                                  .begun = now_.monotonic})
                            .first->second;
  look_again(pending.coordination, now_.monotonic + kCoordinationLook);
  return begun;
}

void Replica::Impl::read_quorum(RequestHandle handle, const QuorumSizes& sizes) {
  const PendingRequest& pending = *requests_.find(handle);
  const Consistency& consistency = pending.request.consistency;
  if (consistency.level == Level::atomic) {
    // What has expired is judged by the clocks of the replies, and an idle cluster's stand still.
    clock_.observe(clock_.peek(now_.physical));
    coordinate(handle, AtomicRead(atomic_config(), now_.monotonic)).majority = true;
  } else {
    coordinate(handle, quorum_read(consistency, sizes)).majority = sizes.waits_for_pending_tail();
  }
  advance(pending.coordination);
}

QuorumRead Replica::Impl::quorum_read(const Consistency& consistency,
                                      const QuorumSizes& sizes) const {
  QuorumRead read(
      {.query = {.replicas = replicas_in_order(),
                 .required = sizes.r,
                 .speculate_after = query_time_.percentile(95).value_or(kFirstSpeculation)},
       .blocking_repair = consistency.blocking_repair},
      now_.monotonic);
  for (const NodeId id : absent_replicas()) read.on_no_answer(id);
  return read;
}

// --- Writes --------------------------------------------------------------------------------------

void Replica::Impl::write_leaderless(RequestHandle handle, const QuorumSizes& sizes) {
  PendingRequest& pending = *requests_.find(handle);
  const Request& request = pending.request;
  if (const auto refusal = refuse_stamps()) {
    finish(handle, *refusal);
    return;
  }
  if (const auto refusal = take_context(request)) {
    finish(handle, *refusal);
    return;
  }
  if (request.consistency.level == Level::atomic) {
    coordinate(handle, AtomicWrite(atomic_config(), now_.monotonic)).majority = true;
    advance(pending.coordination);
    return;
  }
  QuorumWrite write(write_config(request.consistency, sizes));
  const std::optional<Stamp> stamp = issue_stamp();
  if (!stamp) {
    clock_waited_for_ = true;
    wait(handle);
    return;
  }
  if (!write.start()) {
    finish(handle, too_few_can_store(*write.outcome()));
    return;
  }
  const Result<KeyState> known = known_state(*operation_key(request.operation));
  if (!known) {
    finish(handle, definite(ErrorCode::internal, known.error().message));
    fail(known.error());
    return;
  }
  Coordination& begun = coordinate(handle, std::move(write));
  const std::uint64_t id = pending.coordination;
  begun.state = written(handle, *known, *stamp);
  if (!begun.state) {
    drop_coordination(id);
    return;
  }
  const Level level = pending.request.consistency.level;
  if (level == Level::weak || (level == Level::eventual && canary(Canary::eventual_before_disk))) {
    begun.answered = now_.monotonic;
    answer_write(handle, Path::local, {config_.id});
  }
}

std::optional<Error> Replica::Impl::refuse_stamps() {
  std::optional<Error> refusal = stamp_refusal();
  if (refusal && !disk_failed_) ++counters_.stamps_refused_for_skew;
  return refusal;
}

/// Why this node may not stamp now; nothing: it may.
std::optional<Error> Replica::Impl::stamp_refusal() const {
  if (disk_failed_) {
    return definite(ErrorCode::read_only,
                    "this node's disk refuses writes: " + disk_failed_->message);
  }
  if (!skewed_) return std::nullopt;
  return definite(ErrorCode::clock_skew,
                  fmt::format("the clock of node {} is more than {} ms from a majority's",
                              config_.id, config_.max_clock_skew.count()));
}

Actor Replica::Impl::quorum_actor() const {
  if (canary(Canary::one_actor_for_all_paths)) return kLogActor;
  return Actor{ActorPath::quorum, config_.id, node_.incarnation};
}

/// Puts what the request comes to, on top of what is `known`, into this turn's batch. Returns what
/// the key holds then; nothing when the request has been answered: it was refused.
std::optional<KeyState> Replica::Impl::written(RequestHandle handle, const KeyState& known,
                                               const Stamp& stamp) {
  PendingRequest& pending = *requests_.find(handle);
  const std::string key = *operation_key(pending.request.operation);
  const UnixMillis now = clock_.peek(now_.physical).millis();
  Evaluation evaluation = evaluate(pending.request, known, stamp, now,
                                   {.actor = quorum_actor(), .conflict = strategy_of(key)});
  pending.outcome = {evaluation.stamp, std::move(evaluation.refusal), evaluation.number,
                     evaluation.next.context(), std::move(evaluation.crdt)};
  if (pending.outcome.refusal) {
    pending.outcome.context = known.context();
    Answer answer = write_answer(pending, leaderless_evidence(Path::local, {config_.id}));
    answer.session = session_for(pending.request, LogIndex{});
    show(handle, shown_after(key, known), std::move(answer));
    return std::nullopt;
  }
  std::optional<KeyState> next = take_in(key, evaluation.next, applied_.index);
  if (!next) return std::nullopt;  // the process is about to end
  clean_credit_ += 2;
  after_batch(next_sequence_, OwnStored{pending.coordination});
  if (canary(Canary::sent_before_durable)) {
    for (const auto& [id, peer] : peers_) {
      send(id, QuorumStore{.call = {config_.life, store_call(pending.coordination)},
                           .key = key,
                           .state = *next});
    }
  }
  return next;
}

void Replica::Impl::answer_write(RequestHandle handle, Path path, std::vector<NodeId> replicas) {
  PendingRequest& pending = *requests_.find(handle);
  Answer answer = write_answer(pending, leaderless_evidence(path, std::move(replicas)));
  answer.session = session_for(pending.request, LogIndex{});  // it is in no log yet
  finish(handle, std::move(answer));
}

/// An atomic write knows what a majority holds: it stamps above that.
void Replica::Impl::stamp_atomic(std::uint64_t id, AtomicWrite& write) {
  Coordination& at = coordinations_.at(id);
  const PendingRequest* const pending = requests_.find(at.request);
  // Given up, or refused, before anything has happened.
  if (pending == nullptr || pending->stage != PendingRequest::Stage::coordinated) return;
  if (const auto refusal = refuse_stamps()) {
    finish(at.request, *refusal);
    return;
  }
  const AtomicWrite::StampRequest asked = *write.stamp_request();
  clock_.observe(asked.above);
  std::optional<Stamp> stamp = issue_stamp();
  if (!stamp) {
    clock_waited_for_ = true;
    stamps_waited_for_.insert(id);
    return;
  }
  if (canary(Canary::stamp_not_above_seen)) stamp->hlc = Hlc::from_millis(now_.physical);
  Result<KeyState> known = known_state(at.key);
  if (!known) {
    finish(at.request, definite(ErrorCode::internal, known.error().message));
    fail(known.error());
    return;
  }
  known->join(asked.seen);
  std::optional<KeyState> next = written(at.request, *known, *stamp);
  if (!next) return;
  at.state = std::move(next);
  write.on_stamped(*stamp);
}

void Replica::Impl::retry_stamps() {
  for (const std::uint64_t id : std::exchange(stamps_waited_for_, {})) advance(id);
}

}  // namespace parallax
