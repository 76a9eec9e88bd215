// Reads: rounds, what they show, and the refusals of conditions, which show state like a read.
//
// Adopt before showing: what a key holds beyond the log (versions of other protocols, the end of a
// version's time) is committed through the log before a linearizable answer shows it, or that
// nothing is there. What such an answer has shown no failover takes back.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "consistency/merge/conflict.h"
#include "node/replica_causal.h"
#include "replication/quorum/state_content.h"

namespace parallax {

void Replica::Impl::start_read(RequestHandle handle) {
  if (canary(Canary::read_without_round)) {
    Evidence evidence = local_evidence();
    evidence.path = Path::read_index;
    answer_confirmed(handle, std::move(evidence));
    return;
  }
  if (may_read_under_lease(requests_.find(handle)->request)) {
    requests_.find(handle)->stage = PendingRequest::Stage::reading;
    lease_reads_.push_back(handle);
    return;
  }
  begin_read_round(handle);
}

void Replica::Impl::begin_read_round(RequestHandle handle) {
  const std::optional<RoundId> round = raft_->request_read_round();
  PARALLAX_ASSERT(round, "the leader of term {} begins no round", raft_->term());
  PendingRequest& pending = *requests_.find(handle);
  pending.stage = PendingRequest::Stage::reading;
  pending.fresh.asked_at = now_.monotonic;
  pending.fresh.confirmed = LogIndex{};  // of an earlier question: it says nothing of this time
  round_reads_.push_back({*round, handle});
  if (*round != counted_round_) {
    counted_round_ = *round;
    ++counters_.read_rounds;
  }
}

/// Leadership is gone, and with it the rounds that were under way: what waited for them begins
/// again elsewhere. A condition that was refused is evaluated there anew: nothing has happened yet.
void Replica::Impl::requeue_reads() {
  counted_round_ = RoundId{};
  const auto rounds = std::exchange(round_reads_, {});
  const auto late = std::exchange(late_reads_, {});
  const auto leased = std::exchange(lease_reads_, {});
  const auto again = [this](RequestHandle handle) {
    const PendingRequest* pending = requests_.find(handle);
    if (pending == nullptr) return;
    if (!is_read(pending->request.operation)) mark(Mark::refusal_decided_anew);
    route(handle);
  };
  for (const RoundRead& read : rounds) again(read.request);
  for (const LateRead& read : late) again(read.request);
  for (const RequestHandle handle : leased) again(handle);
}

void Replica::Impl::on_confirmed(ConfirmedRound confirmed) {
  answer_index_queries(confirmed);
  ConfirmedReads reads{confirmed.index, raft_->term(), std::move(confirmed.replicas), {}};
  while (!round_reads_.empty() && round_reads_.front().round <= confirmed.round) {
    reads.requests.push_back(round_reads_.front().request);
    round_reads_.pop_front();
  }
  if (!reads.requests.empty()) confirmed_reads_.push_back(std::move(reads));
}

/// What is applied here has everything that was committed when the round began, before which the
/// reads had arrived; that stays true when leadership is lost in between.
void Replica::Impl::answer_confirmed_reads() {
  while (!confirmed_reads_.empty() && confirmed_reads_.front().index <= applied_.index) {
    ConfirmedReads reads = std::move(confirmed_reads_.front());
    confirmed_reads_.pop_front();
    const Evidence evidence{.node = config_.id,
                            .term = reads.term,
                            .index = applied_.index,
                            .path = Path::read_index,
                            .replicas = std::move(reads.replicas),
                            .sequenced = true};
    for (RequestHandle handle : reads.requests) {
      PendingRequest* const pending = requests_.find(handle);
      if (pending == nullptr) continue;
      pending->fresh.confirmed = reads.index;
      answer_confirmed(handle, evidence);
    }
  }
  if (late_reads_.empty()) return;
  for (LateRead& read : std::exchange(late_reads_, {})) {
    if (requests_.find(read.request) == nullptr) continue;
    if (read.index > applied_.index) {
      late_reads_.push_back(std::move(read));
      continue;
    }
    read.evidence.index = applied_.index;
    answer_confirmed(read.request, std::move(read.evidence), std::move(read.adopted));
  }
}

void Replica::Impl::answer_confirmed(RequestHandle handle, Evidence evidence, Adopted adopted) {
  PendingRequest& pending = *requests_.find(handle);
  const Request& request = pending.request;
  if (std::holds_alternative<CountReplicas>(request.operation)) {
    answer_count(handle, std::move(evidence));
    return;
  }
  if (!is_read(request.operation)) {
    if (!leading() || raft_->term() != pending.refused_in) {
      mark(Mark::refusal_decided_anew);
      route(handle);
    } else if (pending.refused_after > applied_.index) {
      mark(Mark::refusal_waited_for_proposal);
      late_reads_.push_back({pending.refused_after, std::move(evidence), handle});
    } else {
      evidence.index = pending.refused_after;  // what it was decided on
      Answer answer = write_answer(pending, std::move(evidence));
      finish(handle, std::move(answer));
    }
    return;
  }
  if (read_anywhere(request.consistency.level)) {
    // More than it needs, unless the round has taken longer than its bound: then it begins anew.
    if (const std::optional<Behind> still = behind(pending)) {
      if (!refuse_or_wait(handle, *still)) route_soon(handle);
    } else {
      show_local(handle, std::move(evidence));
    }
    return;
  }
  ReadScope scope{.known = true, .agreed = true, .adopted = &adopted};
  Reply reply = read(request, evidence, scope);
  if (scope.unsettled.empty()) {
    finish(handle, std::move(reply));
  } else {
    const std::vector<std::string> keys = std::move(scope.unsettled);
    adopt(handle, keys, std::move(adopted), std::move(evidence));
  }
}

/// A linearizable read is about to show what the log does not have. The log gets it first, then the
/// read looks again. Where still more has come meanwhile it shows what the entry carries: it would
/// never end otherwise, and that is a place in the log's order behind the read's beginning.
void Replica::Impl::adopt(RequestHandle handle, const std::vector<std::string>& keys,
                          Adopted adopted, Evidence evidence) {
  if (!serving() || raft_->transferring()) {
    if (leading()) {
      wait(handle);
    } else {
      route(handle);
    }
    return;
  }
  const UnixMillis now = clock_.peek(now_.physical).millis();
  LogIndex last;
  std::size_t bytes = 0;
  std::size_t proposals = 0;
  for (const std::string& key : keys) {
    const Result<KeyState> state = proposed_state(key);
    if (!state) {
      finish(handle, definite(ErrorCode::internal, state.error().message));
      fail(state.error());
      return;
    }
    const bool foreign = beyond_proposals(key, *state);
    const auto proposed = proposed_keys_.find(key);
    if (proposed != proposed_keys_.end() && !foreign && !rests_on_expiry(*state, now)) {
      // On its way already: behind it the log has all that is known here.
      last = std::max(last, proposed->second.last);
      adopted.insert_or_assign(key, AdoptedState{*state, proposed->second.last});
      continue;
    }
    mark(foreign ? Mark::foreign_version_adopted : Mark::expiry_committed);
    KeyState carried = with_expiry(*state, now);
    for (const Version& version : carried.versions()) bytes += version.value.size();
    const LogIndex index = propose(WriteKey{key, carried});
    last = std::max(last, index);
    adopted.insert_or_assign(key, AdoptedState{std::move(carried), index});
    // The read looks again behind these, and the rest is adopted then.
    if (bytes > limits::kMaxScanBytes || ++proposals == limits::kMaxScanLimit) break;
  }
  late_reads_.push_back({last, std::move(evidence), handle, std::move(adopted)});
}

bool Replica::Impl::local_reads_allowed() const {
  return node_.membership == Membership::member && raft_ && !node_.cluster.empty() &&
         (!installing_ || canary(Canary::prefix_while_installing));
}

Evidence Replica::Impl::local_evidence() const {
  return Evidence{.node = config_.id,
                  .term = raft_->term(),
                  .index = applied_.index,
                  .path = Path::local,
                  .replicas = {config_.id},
                  .sequenced = true};
}

/// Where a session stands that has seen the log up to `index`.
SessionToken Replica::Impl::session_for(const Request& request, LogIndex index) const {
  SessionToken token = request.session.value_or(SessionToken{});
  token.cluster = node_.cluster;
  token.clock = std::max(token.clock, clock_.last());
  token.index = std::max(token.index, index);
  return token;
}

/// From this replica's state: of the log, or all that is known.
Reply Replica::Impl::read(const Request& request, Evidence evidence, ReadScope& scope) {
  Answer answer;
  answer.consistency = request.consistency;
  if (const Result<void> done = read_into(request, answer, scope); !done) {
    fail(done.error());
    return definite(ErrorCode::internal, done.error().message);
  }
  // A range is of no one place in the log: each key is of its own.
  if (reads_one_key(request.operation) && scope.shown_at != LogIndex{})
    evidence.index = scope.shown_at;
  answer.session = session_for(request, evidence.index);
  answer.evidence = std::move(evidence);
  return answer;
}

/// What a read shows of a key: `state`, about which it notes what has to happen before that may be
/// shown. Where other protocols go on writing, what the log has agreed on for this read.
const KeyState& Replica::Impl::settle(ReadScope& scope, const std::string& key,
                                      const KeyState& state, UnixMillis now) const {
  if (scope.causal) {
    scope.early = scope.early || !causal_->covers(state);
    scope.shown_after =
        std::max({scope.shown_after, last_change(key), causal_->shown_after(state)});
    return state;
  }
  if (!scope.agreed) {
    scope.shown_after = std::max(scope.shown_after, shown_after(key, state));
    return state;
  }
  const KeyState* shown = &state;
  bool foreign = beyond_log(state) && !canary(Canary::answer_not_adopted);
  if (foreign) {
    if (const auto adopted = scope.adopted->find(key); adopted != scope.adopted->end()) {
      shown = &adopted->second.state;
      scope.shown_at = std::max(scope.shown_at, adopted->second.index);
      foreign = false;
    }
  }
  const bool expiry = rests_on_expiry(*shown, now) && !canary(Canary::expiry_not_agreed);
  if (expiry || foreign) scope.unsettled.push_back(key);
  return *shown;
}

Result<KeyState> Replica::Impl::state_in(ReadScope& scope, const std::string& key,
                                         UnixMillis now) const {
  PARALLAX_ASSIGN(const KeyState state, scope.known ? known_state(key) : keys_.load(key));
  return settle(scope, key, state, now);
}

/// What becomes of versions of a key that do not replace each other.
ConflictStrategy Replica::Impl::strategy_of(const std::string& key) const {
  const Policy* policy = policies_.find(key);
  return policy == nullptr ? ConflictStrategy::last_writer : policy->conflict;
}

Result<void> Replica::Impl::read_into(const Request& request, Answer& answer, ReadScope& scope) {
  const UnixMillis now = clock_.peek(now_.physical).millis();
  if (reads_one_key(request.operation)) {
    const std::string& key = *operation_key(request.operation);
    PARALLAX_ASSIGN(const KeyState state, state_in(scope, key, now));
    show_key(request.operation, state, strategy_of(key), now, answer);
  } else if (const auto* many = std::get_if<GetMany>(&request.operation)) {
    return read_many_into(*many, now, answer, scope);
  } else if (const auto* scan = std::get_if<Scan>(&request.operation)) {
    return scan_into(*scan, now, answer, scope);
  } else if (const auto* history = std::get_if<ReadHistory>(&request.operation)) {
    PARALLAX_ASSIGN(const KeyState state, state_in(scope, history->key, now));
    const PastBounds bounds{history->from, history->to, limits::kMaxHistoryVersions,
                            limits::kMaxScanBytes, limits::kMaxHistoryBytesRead};
    PARALLAX_ASSIGN(const Past past, keys_.history(history->key, bounds));
    answer.history_floor =
        std::max(std::max(applied_.history_floor, cleaned_).millis(), past.complete_from);
    for (const auto& [version, replaced_by] : past.versions) {
      answer.versions.push_back(
          {version.stamp, version.tombstone, version.value, version.content_type});
    }
  } else if (const auto* policy = std::get_if<GetPolicy>(&request.operation)) {
    if (const Policy* present = policies_.at(policy->prefix)) {
      answer.policies.emplace_back(policy->prefix, *present);
    }
  } else {
    PARALLAX_ASSERT(std::holds_alternative<ListPolicies>(request.operation), "operation {}",
                    request.operation.index());
    answer.policies = policies_.list();
  }
  return {};
}

Result<void> Replica::Impl::read_many_into(const GetMany& many, UnixMillis now, Answer& answer,
                                           ReadScope& scope) {
  std::size_t bytes = 0;
  for (const std::string& key : many.keys) {
    PARALLAX_ASSIGN(const KeyState state, state_in(scope, key, now));
    std::optional<Shown> present = resolve(state, strategy_of(key), now);
    if (!present) {
      answer.missing.push_back(key);
      continue;
    }
    bytes += present->value.size();
    if (bytes > limits::kMaxScanBytes && many.keys.size() > 1) {
      answer.items.clear();
      answer.missing.clear();
      answer.refusal = definite(ErrorCode::payload_too_large,
                                fmt::format("the values of these {} keys have more than {} "
                                            "bytes; ask for fewer at once",
                                            many.keys.size(), limits::kMaxScanBytes));
      return {};
    }
    answer.items.push_back(
        {key, present->stamp, std::move(present->value), std::move(present->content_type)});
  }
  return {};
}

/// One page. It ends after `limit` values, or when it has become large or long enough to hold the
/// turn up; the next one goes on behind what this one looked at, whatever has changed meanwhile.
Result<void> Replica::Impl::scan_into(const Scan& scan, UnixMillis now, Answer& answer,
                                      ReadScope& scope) {
  std::size_t bytes = 0;
  std::size_t looked_at = 0;
  std::string last;
  const auto visit = [&](std::string_view key, const KeyState& state) {
    if (answer.items.size() == scan.limit || bytes >= limits::kMaxScanBytes ||
        looked_at == limits::kMaxScanKeys) {
      answer.next = scan.reverse ? std::move(last) : std::string(key);
      return false;
    }
    ++looked_at;
    last = key;
    const KeyState& shown = settle(scope, last, state, now);
    if (std::optional<Shown> present = resolve(shown, strategy_of(last), now)) {
      bytes += key.size() + (scan.keys_only ? 0 : present->value.size());
      if (scan.keys_only) present->value = Bytes{};
      answer.items.push_back(
          {last, present->stamp, std::move(present->value), std::move(present->content_type)});
    }
    return true;
  };
  PARALLAX_TRY(scope.known ? scan_known(scan, visit)
                           : keys_.scan(scan.start, scan.end, scan.reverse, visit));
  if (canary(Canary::range_not_adopted)) scope.unsettled.clear();
  return {};
}

}  // namespace parallax
