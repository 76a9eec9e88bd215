// Requests at `causal` and `session`: what they wait for, what they show, what their tokens say.
//
// A request is served in one turn, from the state that this turn finds: a read of several keys, or
// of a page of a range, shows one causal cut. It waits first until the vector has come to what its
// session rests on (consistency/session_guarantees.h), or is passed on, or refused.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_causal.h"

namespace parallax {
namespace {

SessionGuarantees guarantees_of(const Consistency& consistency) {
  return consistency.level == Level::causal ? kAllGuarantees : consistency.guarantees;
}

/// Whether the answer to a write shows what others have written.
bool shows_state(const Request& request) {
  return std::holds_alternative<UpdateCrdt>(request.operation);
}

}  // namespace

/// What its session asks of the vector.
OriginVector Replica::Impl::Causality::needed(const Request& request) const {
  if (!request.session) return {};
  const SessionGuarantees guarantees = guarantees_of(request.consistency);
  if (is_read(request.operation)) return read_waits_for(guarantees, *request.session);
  OriginVector vector = write_waits_for(guarantees, *request.session);
  // Its answer shows what it made of the value: it is a read as well.
  if (shows_state(request)) vector.join(read_waits_for(guarantees, *request.session));
  return vector;
}

void Replica::Impl::Causality::serve(RequestHandle handle) {
  const Request& request = at_.requests_.find(handle)->request;
  if (at_.recovering()) {
    at_.finish(handle, definite(ErrorCode::recovering,
                                fmt::format("node {} is recovering its data", at_.config_.id)));
    return;
  }
  if (at_.node_.membership != Membership::member || !core_ || at_.node_.cluster.empty()) {
    at_.wait(handle);  // the cluster is only beginning
    return;
  }
  const bool is_a_read = is_read(request.operation);
  if (!is_a_read) {
    if (const auto refusal = at_.refuse_stamps()) {
      at_.finish(handle, *refusal);
      return;
    }
    if (const auto refusal = at_.take_context(request)) {
      at_.finish(handle, *refusal);
      return;
    }
  }
  const bool forget = !is_a_read && canary(Canary::causal_write_too_early);
  const OriginVector vector = forget ? OriginVector{} : needed(request);
  if (!may_serve(request, vector)) {
    behind(handle, vector);
  } else if (is_a_read) {
    read(handle, vector);
  } else {
    write(handle, vector);
  }
}

/// Where the disk has failed the vector may be ahead of the states: of what came last some may not
/// have been joined, and the rest is never shown, as it will not be durable.
bool Replica::Impl::Causality::has_come_to(const OriginVector& needed) const {
  if (at_.disk_failed_ && !core_->durable().dominates(needed)) return false;
  return core_->consistent() && core_->covers(needed);
}

bool Replica::Impl::Causality::may_serve(const Request& request, const OriginVector& needed) const {
  const bool context_here = !request.context || core_->covers(*request.context);
  return has_come_to(needed) && context_here;
}

// --- Not yet ------------------------------------------------------------------------------------

void Replica::Impl::Causality::behind(RequestHandle handle, const OriginVector& needed) {
  PendingRequest& pending = *at_.requests_.find(handle);
  if (!pending.behind_since) pending.behind_since = at_.now_.monotonic;
  pending.stage = PendingRequest::Stage::behind;
  if (pending.peer == kNoNode && pending.request.consistency.on_violation == OnViolation::reject) {
    Error error = late_error(pending);
    error.code = ErrorCode::level_unattainable;
    at_.finish(handle, std::move(error));
    return;
  }
  // What else it waits for, a key's past or a transfer's end, the others may lack as well.
  if (may_be_passed_on(pending) && !has_come_to(needed)) {
    if (const NodeId to = who_is_there(needed, pending.refused_by); to != kNoNode) {
      mark(Mark::causal_passed_on);
      at_.forward(handle, to, at_.peers_.at(to).life);
      return;
    }
  }
  mark(Mark::causal_waited);
  await(handle, needed);
}

/// Once only: what it asks for then, whoever has it waits for.
bool Replica::Impl::Causality::may_be_passed_on(const PendingRequest& pending) const {
  return pending.peer == kNoNode && pending.request.forward &&
         pending.request.consistency.on_violation == OnViolation::forward;
}

/// For one operation at a time, as long as its origin goes on: what comes of others says nothing
/// about it. What is left of an origin that is over, the past of a key or the end of a transfer may
/// come with any message.
void Replica::Impl::Causality::await(RequestHandle handle, const OriginVector& needed) {
  for (const auto& [origin, number] : needed.entries()) {
    if (core_->applied().covers(origin, number) || over(origin)) continue;
    awaited_[origin].emplace(std::pair(number, handle.slot), handle);
    at_.requests_.find(handle)->awaits = {origin, number};
    return;
  }
  waiting_.push_back(handle);
}

void Replica::Impl::Causality::forget_waiting(RequestHandle handle) {
  const auto awaits = std::exchange(at_.requests_.find(handle)->awaits, std::nullopt);
  if (!awaits) return;
  const auto found = awaited_.find(awaits->first);
  found->second.erase({awaits->second, handle.slot});
  if (found->second.empty()) awaited_.erase(found);
}

/// Whatever they wait for.
void Replica::Impl::Causality::wake_all() {
  for (const auto& [origin, requests] : std::exchange(awaited_, {})) {
    for (const auto& [number, handle] : requests) {
      at_.requests_.find(handle)->awaits.reset();
      waiting_.push_back(handle);
    }
  }
  woken_ = true;
}

NodeId Replica::Impl::Causality::who_is_there(const OriginVector& needed, NodeId but) const {
  for (const auto& [id, peer] : at_.peers_) {
    if (id == but || peer.life == 0 || !at_.reachable(id)) continue;
    if (core_->peer_covers(id, needed)) return id;
  }
  return kNoNode;
}

Error Replica::Impl::Causality::late_error(const PendingRequest& pending) const {
  if (core_ && core_->covers(needed(pending.request))) {
    return definite(
        ErrorCode::timeout,
        fmt::format("node {} does not have what the key's versions depend on", at_.config_.id));
  }
  return definite(
      ErrorCode::timeout,
      fmt::format("node {} does not have what the session has seen: it has {}, {} is needed",
                  at_.config_.id, core_ ? core_->applied().to_string() : "nothing",
                  needed(pending.request).to_string()));
}

void Replica::Impl::Causality::serve_waiting() {
  std::vector<RequestHandle> due;
  if (std::exchange(woken_, false)) due.swap(waiting_);
  const bool told = std::exchange(told_, false);
  for (const auto& [origin, requests] : awaited_) {
    const std::uint64_t reached = core_->applied().at(origin);
    for (const auto& [number, handle] : requests) {
      if (number.first <= reached || over(origin)) {
        due.push_back(handle);
      } else if (!told) {
        break;
      } else if (may_be_passed_on(*at_.requests_.find(handle))) {
        due.push_back(handle);
      }
    }
  }
  for (const RequestHandle handle : due) {
    const PendingRequest* const pending = at_.requests_.find(handle);
    if (pending == nullptr || pending->stage != PendingRequest::Stage::behind) continue;
    forget_waiting(handle);
    serve(handle);
  }
}

// --- Answers ------------------------------------------------------------------------------------

Evidence Replica::Impl::Causality::evidence(const PendingRequest& pending) const {
  Evidence evidence = at_.leaderless_evidence(Path::causal, {at_.config_.id});
  if (pending.behind_since) evidence.waited = at_.waited(pending);
  return evidence;
}

/// Where a session stands that has been shown something of what has `shown`.
SessionToken Replica::Impl::Causality::session(const Request& request,
                                               const OriginVector& shown) const {
  SessionToken token = at_.session_for(request, LogIndex{});
  if (!canary(Canary::causal_read_forgotten)) note_read(token, core_->told(shown));
  // What every node has need not be said, however long the session has carried it, where the
  // session can see that its incarnation is over.
  const auto shed = [&](const OriginVector& vector) {
    OriginVector told = core_->told(vector);
    if (told.entries().size() == vector.entries().size()) return told;
    std::vector<OriginVector::Entry> kept;
    for (const OriginVector::Entry& entry : vector.entries()) {
      if (told.at(entry.first) != 0 || !token.names_later(entry.first)) kept.push_back(entry);
    }
    return OriginVector(std::move(kept));
  };
  OriginVector read = shed(token.read);
  token.write = shed(token.write);
  token.read = std::move(read);
  return token;
}

void Replica::Impl::Causality::read(RequestHandle handle, const OriginVector& needed) {
  const PendingRequest& pending = *at_.requests_.find(handle);
  const Request& request = pending.request;
  Answer answer;
  answer.consistency = request.consistency;
  answer.evidence = evidence(pending);
  ReadScope scope{.causal = true};
  if (const Result<void> done = at_.read_into(request, answer, scope); !done) {
    at_.fail(done.error());
    at_.finish(handle, definite(ErrorCode::internal, done.error().message));
    return;
  }
  if (scope.early) {
    behind(handle, needed);
    return;
  }
  const std::uint64_t sequence = canary(Canary::shown_before_durable) ? 0 : scope.shown_after;
  answer.session = session(request, vector_of_batch(scope.shown_after));
  at_.show(handle, sequence, std::move(answer));
}

void Replica::Impl::Causality::write(RequestHandle handle, const OriginVector& needed) {
  PendingRequest& pending = *at_.requests_.find(handle);
  const Request& request = pending.request;
  const std::string key = *operation_key(request.operation);
  Result<KeyState> known = at_.keys_.load(key);
  if (!known) {
    at_.finish(handle, definite(ErrorCode::internal, known.error().message));
    at_.fail(known.error());
    return;
  }
  if (!covers(*known)) {
    behind(handle, needed);
    return;
  }
  const std::optional<Stamp> stamp = at_.issue_stamp();
  if (!stamp) {
    at_.clock_waited_for_ = true;
    at_.wait(handle);
    return;
  }
  const Origin origin = core_->origin();
  const UnixMillis now = at_.clock_.peek(at_.now_.physical).millis();
  Evaluation evaluation = evaluate(request, *known, *stamp, now,
                                   {.actor = {ActorPath::causal, origin.node, origin.incarnation},
                                    .conflict = at_.strategy_of(key)});
  pending.outcome = {evaluation.stamp, std::move(evaluation.refusal), evaluation.number,
                     known->context(), std::move(evaluation.crdt)};
  if (pending.outcome.refusal) {
    if (request.session &&
        !core_->covers(read_waits_for(guarantees_of(request.consistency), *request.session))) {
      behind(handle, needed);
      return;
    }
    const std::uint64_t shown_in = std::max(at_.last_change(key), shown_after(*known));
    Answer answer = at_.write_answer(pending, evidence(pending));
    answer.session = session(request, vector_of_batch(shown_in));
    at_.show(handle, shown_in, std::move(answer));
    return;
  }
  const auto& versions = evaluation.next.versions();
  const auto written = std::find_if(versions.begin(), versions.end(), [&](const Version& version) {
    return version.stamp == *stamp;
  });
  PARALLAX_ASSERT(written != versions.end(), "the write of {} is not in its outcome", *stamp);
  const std::uint64_t number = core_->propose(key, *written, needed);
  proposed_ = stirred_ = true;
  changed_in_ = at_.next_sequence_;
  pending.outcome.context = evaluation.next.context();
  const auto next =
      at_.take_in(key, *std::move(known), evaluation.next, at_.applied_.index, Arrival::operation);
  if (!next) return;  // the process is about to end
  at_.clean_credit_ += 2;
  Answer answer = at_.write_answer(pending, evidence(pending));
  answer.session =
      shows_state(request) ? session(request, core_->applied()) : session(request, OriginVector{});
  if (!canary(Canary::causal_write_forgotten)) note_write(answer.session, origin, number);
  at_.show(handle, at_.next_sequence_, std::move(answer));
  if (PendingRequest* const left = at_.requests_.find(handle)) {
    left->stage = PendingRequest::Stage::stored;
  }
}

}  // namespace parallax
