// Requests of the levels without a leader, at the node that has taken them: `quorum`, `atomic`,
// `eventual`, `weak`.
//
// The cores (replication/quorum/) count; here is what they ask for: queries and stores of others
// and of this node itself, stamps, answers. Nothing is forwarded: any member coordinates.
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
/// How long late replies are waited for after the answer: for repairs, and to know who has missed a
/// write.
constexpr Duration kLinger = std::chrono::milliseconds(1'000);
/// How often a coordination looks whether those it waits for are still there.
constexpr Duration kLookInterval = std::chrono::milliseconds(200);
/// So many writes that are answered wait for the acknowledgements that are still out; beyond, the
/// oldest waits no longer.
constexpr std::size_t kMostLingering = 20'000;

bool is_local(const Consistency& consistency) {
  return consistency.level == Level::eventual || consistency.level == Level::weak;
}

Error not_enough(Certainty certainty, std::size_t required, std::size_t received,
                 std::string_view what, std::size_t unresolved = 0) {
  std::string message = fmt::format("{} of {} replicas that it takes {}", received, required, what);
  if (unresolved > 0) {
    message += fmt::format("; {} had log entries for the key whose fate is open", unresolved);
  }
  Error error{ErrorCode::not_enough_replicas, certainty, std::move(message)};
  error.required = static_cast<std::uint32_t>(required);
  error.received = static_cast<std::uint32_t>(received);
  return error;
}

}  // namespace

// --- Taking a request in
// -------------------------------------------------------------------------

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
  } else if (is_local(request.consistency) || !reads_one_key(request.operation)) {
    read_here(handle);
  } else if (request.consistency.level == Level::quorum && sizes.r == 1) {
    read_here(handle);
  } else {
    read_quorum(handle, sizes);
  }
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
void Replica::Impl::show(RequestHandle handle, std::uint64_t sequence, Answer answer) {
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
  look_again(pending.coordination, now_.monotonic + kLookInterval);
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
    QuorumRead read(
        {.query = {.replicas = replicas_in_order(),
                   .required = sizes.r,
                   .speculate_after = query_time_.percentile(95).value_or(kFirstSpeculation)},
         .blocking_repair = consistency.blocking_repair},
        now_.monotonic);
    for (const NodeId id : absent_replicas()) read.on_no_answer(id);
    coordinate(handle, std::move(read)).majority = sizes.waits_for_pending_tail();
  }
  advance(pending.coordination);
}

// --- Writes
// --------------------------------------------------------------------------------------

void Replica::Impl::write_leaderless(RequestHandle handle, const QuorumSizes& sizes) {
  PendingRequest& pending = *requests_.find(handle);
  const Request& request = pending.request;
  if (const auto refusal = refuse_stamps()) {
    finish(handle, *refusal);
    return;
  }
  if (request.context && !take_context(*request.context)) {
    finish(handle, definite(ErrorCode::bad_request,
                            "Parallax-Context: its clock is ahead of the cluster's"));
    return;
  }
  if (request.consistency.level == Level::atomic) {
    coordinate(handle, AtomicWrite(atomic_config(), now_.monotonic)).majority = true;
    advance(pending.coordination);
    return;
  }
  QuorumWrite write({.self = config_.id,
                     .replicas = config_.members,
                     .w = sizes.w,
                     .sloppy = request.consistency.sloppy,
                     .absent = absent_replicas()});
  const std::optional<Stamp> stamp = issue_stamp();
  if (!stamp) {
    clock_waited_for_ = true;
    wait(handle);
    return;
  }
  if (!write.start()) {
    const WriteOutcome& outcome = *write.outcome();
    finish(handle, not_enough(Certainty::definite, outcome.required, outcome.received,
                              "can store it: others are recovering"));
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
  if (pending.request.consistency.level == Level::weak) {
    begun.answered = now_.monotonic;
    answer_write(handle, Path::local, {config_.id});
  }
}

/// Why this node may not stamp now; nothing: it may.
std::optional<Error> Replica::Impl::refuse_stamps() {
  if (disk_failed_) {
    return definite(ErrorCode::read_only,
                    "this node's disk refuses writes: " + disk_failed_->message);
  }
  if (!skewed_) return std::nullopt;
  ++counters_.stamps_refused_for_skew;
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

// --- What the cores ask for
// ----------------------------------------------------------------------

namespace {

void expire_core(QuorumCore& core) {
  std::visit([](auto& c) { c.expire(); }, core);
}

bool wants_nothing(const QuorumCore& core) {
  struct Finished {
    bool operator()(const QuorumRead& c) const { return c.finished(); }
    bool operator()(const QuorumWrite& c) const { return c.outcome() && !c.waiting(); }
    bool operator()(const AtomicRead& c) const { return c.outcome().has_value(); }
    bool operator()(const AtomicWrite& c) const {
      // Given up before it was stamped, nothing of it is anywhere.
      const bool begun = c.phase() == AtomicWrite::Phase::store || c.outcome();
      return !begun || (c.outcome() && !c.write().waiting());
    }
  };
  return std::visit(Finished{}, core);
}

}  // namespace

/// Carries out what a core asks for until it asks for nothing more, and answers when it can.
void Replica::Impl::advance(std::uint64_t id) {
  for (bool again = true; again && !fatal_;) {
    const auto found = coordinations_.find(id);
    if (found == coordinations_.end()) return;
    again = carry_out_core(id, found->second);
  }
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end() || fatal_) return;
  answer_core(found->second);
  const auto left = coordinations_.find(id);
  if (left == coordinations_.end() || requests_.find(left->second.request) != nullptr) return;
  if (wants_nothing(left->second.core)) end_coordination(id);
}

/// True when this node's own word may have moved the core.
bool Replica::Impl::carry_out_core(std::uint64_t id, Coordination& at) {
  std::optional<QuorumQueryReply> own;
  const auto ask = [&](const std::vector<NodeId>& replicas) {
    for (const NodeId replica : replicas) {
      if (replica == config_.id) {
        own = query(at.key, at.majority, OwnQuery{id}, request_time_left(at.request));
      } else {
        if (!at.asked) at.asked = now_.monotonic;
        send(replica, QuorumQuery{.call = {config_.life, query_call(id)},
                                  .key = at.key,
                                  .majority = at.majority,
                                  .remaining = request_time_left(at.request)});
      }
    }
  };
  const auto store = [&](std::vector<Repair> stores) {
    for (Repair& repair : stores) {
      if (repair.to == config_.id) {
        if (take_in(at.key, repair.state, applied_.index)) {
          after_batch(next_sequence_, OwnStored{id});
        }
      } else {
        send(repair.to, QuorumStore{.call = {config_.life, store_call(id)},
                                    .key = at.key,
                                    .state = std::move(repair.state)});
      }
    }
  };
  const auto send_state = [&](const std::vector<NodeId>& targets) {
    for (const NodeId target : targets) {
      send(target,
           QuorumStore{.call = {config_.life, store_call(id)}, .key = at.key, .state = *at.state});
    }
  };
  if (auto* read = std::get_if<QuorumRead>(&at.core)) {
    ask(read->take_asks());
    std::vector<Repair> repairs = read->take_repairs();
    if (!repairs.empty()) mark(Mark::read_repaired);
    store(std::move(repairs));
  } else if (auto* atomic = std::get_if<AtomicRead>(&at.core)) {
    ask(atomic->take_asks());
    std::vector<Repair> stores = atomic->take_stores();
    if (canary(Canary::read_not_written_back)) {
      for (const Repair& repair : stores) {
        atomic->step(Sender{.id = repair.to}, QuorumStoreReply{.stored = true});
      }
      stores.clear();
    }
    if (!stores.empty()) mark(Mark::atomic_read_wrote_back);
    store(std::move(stores));
  } else if (auto* write = std::get_if<QuorumWrite>(&at.core)) {
    const std::vector<NodeId> targets = write->take_targets();
    at.handed_out = at.handed_out || !targets.empty();
    send_state(targets);
    stand_in(id, at, *write);
  } else {
    auto& both = std::get<AtomicWrite>(at.core);
    ask(both.take_asks());
    if (both.phase() == AtomicWrite::Phase::stamp) {
      stamp_atomic(id, both);
      return false;
    }
    send_state(both.take_targets());
  }
  if (own) {
    step_core(at.core, Sender{.id = config_.id, .incarnation = node_.incarnation},
              clock_.peek(now_.physical), *own);
  }
  return own.has_value();
}

Duration Replica::Impl::request_time_left(RequestHandle handle) {
  const PendingRequest* pending = requests_.find(handle);
  if (pending == nullptr) return kLinger;
  return std::max(Duration{}, pending->deadline - now_.monotonic);
}

void Replica::Impl::answer_core(Coordination& at) {
  PendingRequest* const pending = requests_.find(at.request);
  if (pending == nullptr) {
    // Answered before it was stored (weak): from here on it waits for late words like others.
    const auto* write = std::get_if<QuorumWrite>(&at.core);
    if (write != nullptr && write->outcome() && !at.answered) at.answered = now_.monotonic;
    return;
  }
  if (pending->stage != PendingRequest::Stage::coordinated) return;
  const bool atomic = pending->request.consistency.level == Level::atomic;
  const std::optional<ReadOutcome>* read = nullptr;
  if (const auto* core = std::get_if<QuorumRead>(&at.core)) read = &core->outcome();
  if (const auto* core = std::get_if<AtomicRead>(&at.core)) read = &core->outcome();
  if (read != nullptr) {
    if (!*read) return;
    const ReadOutcome& outcome = **read;
    at.answered = now_.monotonic;
    if (!outcome.answered) {
      finish(at.request, not_enough(Certainty::definite, outcome.required, outcome.received,
                                    "have answered", outcome.unresolved));
      return;
    }
    Answer answer;
    answer.consistency = pending->request.consistency;
    answer.session = session_for(pending->request, LogIndex{});
    answer.evidence = leaderless_evidence(atomic ? Path::abd : Path::quorum, outcome.replicas);
    // An atomic read has decided what is expired: at the clocks of those who have answered.
    const UnixMillis now = atomic ? UnixMillis{} : clock_.peek(now_.physical).millis();
    show_key(pending->request.operation, outcome.state, strategy_of(at.key), now, answer);
    finish(at.request, std::move(answer));
    return;
  }
  const auto* plain = std::get_if<QuorumWrite>(&at.core);
  const auto& outcome =
      plain != nullptr ? plain->outcome() : std::get<AtomicWrite>(at.core).outcome();
  if (!outcome) return;
  at.answered = now_.monotonic;
  if (outcome->acknowledged) {
    const bool local = pending->request.consistency.level == Level::eventual;
    answer_write(at.request,
                 atomic  ? Path::abd
                 : local ? Path::local
                         : Path::quorum,
                 outcome->replicas);
    return;
  }
  mark(Mark::quorum_write_failed);
  const bool stored = at.state.has_value();
  finish(at.request, not_enough(outcome->certainty, outcome->required, outcome->received,
                                stored ? "have stored it" : "have answered its query"));
}

/// The deadline of its request has passed.
void Replica::Impl::expire_coordination(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  expire_core(found->second.core);
  advance(id);
}

void Replica::Impl::end_coordination(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  const Coordination& at = found->second;
  if (const auto* write = std::get_if<QuorumWrite>(&at.core)) {
    on_missed(at.key, write->missing());
  } else if (const auto* atomic = std::get_if<AtomicWrite>(&at.core)) {
    if (at.state) on_missed(at.key, atomic->write().missing());
  }
  drop_coordination(id);
}

void Replica::Impl::drop_coordination(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  looks_.erase({found->second.look_at, id});
  coordinations_.erase(found);
}

// --- What comes in
// -------------------------------------------------------------------------------

void Replica::Impl::on_own_query(std::uint64_t id, QuorumQueryStatus status,
                                 const KeyState& state) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  const QuorumQueryReply reply{.call = {}, .status = status, .state = state};
  step_core(found->second.core, Sender{.id = config_.id, .incarnation = node_.incarnation},
            clock_.peek(now_.physical), reply);
  advance(id);
}

void Replica::Impl::on_own_stored(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  QuorumCore& core = found->second.core;
  const Sender self{.id = config_.id, .incarnation = node_.incarnation};
  const QuorumStoreReply reply{.call = {}, .stored = true};
  if (auto* write = std::get_if<QuorumWrite>(&core)) {
    write->on_persisted();
  } else if (auto* atomic = std::get_if<AtomicWrite>(&core)) {
    atomic->on_persisted();
  } else if (auto* read = std::get_if<QuorumRead>(&core)) {
    read->step(self, reply);
  } else {
    std::get<AtomicRead>(core).step(self, reply);
  }
  advance(id);
}

void Replica::Impl::on_own_hint(std::uint64_t id, NodeId target) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  if (auto* write = std::get_if<QuorumWrite>(&found->second.core)) write->on_own_hint(target);
  advance(id);
}

void Replica::Impl::on_own_store_failed(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  QuorumCore& core = found->second.core;
  if (auto* write = std::get_if<QuorumWrite>(&core)) {
    write->on_disk_failed();
  } else if (auto* atomic = std::get_if<AtomicWrite>(&core)) {
    atomic->on_disk_failed();
  } else {
    std::visit(
        [&](auto& c) {
          if constexpr (requires { c.step(Sender{}, QuorumStoreReply{}); }) {
            c.step(Sender{.id = config_.id}, QuorumStoreReply{.call = {}, .stored = false});
          }
        },
        core);
  }
  advance(id);
}

void Replica::Impl::step_core(QuorumCore& core, const Sender& from, Hlc clock,
                              const QuorumQueryReply& reply) {
  std::visit(
      [&](auto& c) {
        if constexpr (requires { c.step(from, clock, reply); }) c.step(from, clock, reply);
      },
      core);
}

void Replica::Impl::on_quorum_query_reply(const Envelope& envelope, const QuorumQueryReply& reply) {
  if (reply.call.life != config_.life) return;
  const std::uint64_t id = coordination_of(reply.call.id);
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end() || reply.call.id != query_call(id)) {
    on_other_query_reply(envelope, reply);
    return;
  }
  Coordination& at = found->second;
  if (at.asked && reply.status == QuorumQueryStatus::held) {
    query_time_.add(now_.monotonic - *at.asked);
  }
  step_core(at.core, {envelope.from, envelope.incarnation, envelope.recovering}, envelope.clock,
            reply);
  advance(id);
}

void Replica::Impl::on_quorum_store_reply(const Envelope& envelope, const QuorumStoreReply& reply) {
  if (reply.call.life != config_.life) return;
  const std::uint64_t id = coordination_of(reply.call.id);
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end() || reply.call.id != store_call(id)) {
    on_other_store_reply(envelope, reply);
    return;
  }
  const Sender from{envelope.from, envelope.incarnation, envelope.recovering};
  std::visit([&](auto& core) { core.step(from, reply); }, found->second.core);
  advance(id);
}

/// A later life of a peer, or one that has begun to recover: its earlier word does not count.
void Replica::Impl::heard_life(const Sender& sender) {
  std::vector<std::uint64_t> ids;
  for (auto& [id, at] : coordinations_) {
    std::visit([&](auto& core) { core.heard(sender); }, at.core);
    ids.push_back(id);
  }
  for (const std::uint64_t id : ids) advance(id);
}

// --- Time
// ----------------------------------------------------------------------------------------

void Replica::Impl::look_again(std::uint64_t id, MonoTime at) {
  Coordination& of = coordinations_.at(id);
  looks_.erase({of.look_at, id});
  struct NextTick {
    std::optional<MonoTime> operator()(const QuorumRead& c) const { return c.next_tick(); }
    std::optional<MonoTime> operator()(const QuorumWrite&) const { return std::nullopt; }
    std::optional<MonoTime> operator()(const AtomicRead& c) const { return c.next_tick(); }
    std::optional<MonoTime> operator()(const AtomicWrite& c) const { return c.next_tick(); }
  };
  of.look_at = std::min(at, std::visit(NextTick{}, of.core).value_or(at));
  looks_.emplace(of.look_at, id);
}

void Replica::Impl::look_at_coordinations() {
  while (!looks_.empty() && looks_.begin()->first <= now_.monotonic) {
    const std::uint64_t id = looks_.begin()->second;
    Coordination& at = coordinations_.at(id);
    std::visit(
        [&](auto& core) {
          if constexpr (requires { core.tick(now_.monotonic); }) core.tick(now_.monotonic);
        },
        at.core);
    ask_others_than_silent(at);
    if (at.answered && now_.monotonic - *at.answered >= kLinger) {
      expire_core(at.core);
      advance(id);
      if (coordinations_.contains(id)) end_coordination(id);
      continue;
    }
    look_again(id, now_.monotonic + kLookInterval);
    advance(id);
  }
  // Those that are answered and wait for a last word are not worth unbounded memory.
  while (coordinations_.size() > requests_.size() + kMostLingering) {
    const auto oldest =
        std::find_if(coordinations_.begin(), coordinations_.end(),
                     [&](const auto& c) { return requests_.find(c.second.request) == nullptr; });
    if (oldest == coordinations_.end()) break;
    end_coordination(oldest->first);
  }
}

/// A query that waits for replicas that have fallen silent goes to others, if there are enough. A
/// write that is answered does not wait for their word.
void Replica::Impl::ask_others_than_silent(Coordination& at) {
  std::vector<NodeId> gone;
  for (const NodeId id : config_.members) {
    if (silent(id)) gone.push_back(id);
  }
  if (gone.empty()) return;
  const std::size_t there = config_.members.size() - gone.size();
  if (auto* read = std::get_if<QuorumRead>(&at.core)) {
    if (there < read->query().required()) return;
    for (const NodeId id : gone) read->on_no_answer(id);
  } else if (auto* write = std::get_if<QuorumWrite>(&at.core)) {
    if (!write->outcome()) return;
    for (const NodeId id : gone) write->on_no_answer(id);
  } else if (there >= majority_of(config_.members.size())) {
    for (const NodeId id : gone) {
      std::visit([&](auto& core) { core.on_no_answer(id); }, at.core);
    }
  }
}

}  // namespace parallax
