// Writes: what they come to, the entries that say so, and the answers once those are applied.
//
// Conditions, increments, expiry and idempotency keys are decided here, at a leader whose term's
// no-op is applied, against what is applied and what it has proposed itself. Entries carry the
// outcome. Since an entry commits only with all before it, an outcome that rests on an earlier
// proposal happens only if that one does.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"
#include "replication/quorum/state_content.h"

namespace parallax {
namespace {

/// Commands that a leader keeps beside their entries, and the bytes of one.
constexpr std::size_t kMostDecoded = 4'096;
constexpr std::size_t kMostDecodedBytes = 4 << 10;

/// What is to be remembered of a decided request: nothing without an idempotency key.
std::optional<IdempotencyRow> row_for(const PendingRequest& pending, const Stamp& stamp) {
  const Request& request = pending.request;
  if (request.idempotency_key.empty()) return std::nullopt;
  IdempotencyRow row{request.idempotency_key,
                     {.at = stamp.hlc,
                      .fingerprint = request_fingerprint(request),
                      .stamp = pending.outcome.stamp,
                      .number = pending.outcome.number}};
  if (const std::optional<Error>& refusal = pending.outcome.refusal) {
    row.record.refusal = error_info(refusal->code).name;
    row.record.message = refusal->message;
  }
  return row;
}

}  // namespace

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

/// All levels of the leader path write through the log. A leader gets here only after its term's
/// no-op is applied: it has then observed the stamp of every entry before, so the order of the log
/// is that of the stamps.
void Replica::Impl::propose_write(RequestHandle handle) {
  PendingRequest& pending = *requests_.find(handle);
  const Request& request = pending.request;
  if (const auto refusal = refuse_stamps()) {
    finish(handle, *refusal);
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
  if (const auto* set = std::get_if<SetPolicy>(&request.operation)) {
    append(handle, WritePolicy{set->prefix, to_record(set->policy)});
    return;
  }
  if (const auto refusal = take_context(request)) {
    finish(handle, *refusal);
    return;
  }
  const std::optional<Stamp> stamp = issue_stamp();
  if (!stamp) {
    clock_waited_for_ = true;
    wait(handle);
    return;
  }
  if (!request.idempotency_key.empty() && answered_before(handle, *stamp)) return;

  const std::string& key = *operation_key(request.operation);
  const Result<KeyState> known = proposed_state(key);
  if (!known) {
    finish(handle, definite(ErrorCode::internal, known.error().message));
    fail(known.error());
    return;
  }
  const UnixMillis now = clock_.peek(now_.physical).millis();
  Evaluation evaluation = evaluate(request, *known, *stamp, now);
  if (evaluation.refusal) {
    pending.outcome = {evaluation.stamp, std::move(evaluation.refusal), std::nullopt,
                       known->context()};
    refuse(handle, *known, *stamp, now);
    return;
  }
  pending.outcome = {evaluation.stamp, std::nullopt, evaluation.number, evaluation.next.context()};
  append(handle, WriteKey{key, std::move(evaluation.next), row_for(pending, *stamp)});
}

/// A version's stamp has to be above all that its context covers. An error when the context cannot
/// have come from this cluster: what it names would never come, however long one waits, and would
/// stay in the key's state for good.
std::optional<Error> Replica::Impl::take_context(const Request& request) {
  if (!request.context) return std::nullopt;
  for (const auto& [actor, reading] : request.context->entries()) {
    if (actor == kLogActor) continue;
    const bool member = actor.node == config_.id || peers_.contains(actor.node);
    if (!member || actor.path == ActorPath::log) {
      return definite(ErrorCode::bad_request,
                      fmt::format("Parallax-Context: it names node {}, which is no member of this "
                                  "cluster",
                                  actor.node));
    }
    if (actor.incarnation <= known_incarnation(actor.node)) continue;
    if (too_far_ahead(drawn_at(actor.incarnation))) {
      return definite(ErrorCode::bad_request,
                      fmt::format("Parallax-Context: it names an incarnation of node {} that never "
                                  "was",
                                  actor.node));
    }
    // The causal levels wait until what it names is here. Others would store it.
    if (level_info(request.consistency.level).protocol == Protocol::causal) continue;
    return definite(ErrorCode::level_unattainable,
                    fmt::format("node {} has not heard of the incarnation of node {} that "
                                "Parallax-Context names",
                                config_.id, actor.node));
  }
  if (too_far_ahead(request.context->highest().millis())) {
    return definite(ErrorCode::bad_request,
                    "Parallax-Context: its clock is ahead of the cluster's");
  }
  clock_.observe(request.context->highest());
  return std::nullopt;
}

/// What is applied, and what this leader has proposed since.
Result<KeyState> Replica::Impl::proposed_state(const std::string& key) const {
  PARALLAX_ASSIGN(KeyState state, known_state(key));
  const auto proposed = proposed_keys_.find(key);
  if (proposed != proposed_keys_.end() && !canary(Canary::condition_without_pending)) {
    mark(Mark::condition_on_proposal);
    state.join(proposed->second.state);
  }
  return state;
}

/// Whether `known` has a version that neither the log has nor what this leader has proposed.
bool Replica::Impl::beyond_proposals(const std::string& key, const KeyState& known) const {
  if (!beyond_log(known)) return false;
  const auto proposed = proposed_keys_.find(key);
  if (proposed == proposed_keys_.end()) return true;
  const KeyState& state = proposed->second.state;
  return std::any_of(known.versions().begin(), known.versions().end(), [&](const Version& v) {
    if (v.log_index != LogIndex{} || holds(state, v)) return false;
    // Replaced by what is proposed; else it is not there, or not buried there.
    const bool alive_there =
        std::any_of(state.versions().begin(), state.versions().end(),
                    [&](const Version& other) { return other.stamp == v.stamp; });
    return alive_there || !state.context().covers(v.actor, v.stamp.hlc);
  });
}

/// Whether the request's idempotency key has been seen: its first outcome is then the answer, or
/// will be. Every entry of earlier leaderships is applied here, so a row that is neither applied
/// nor proposed does not exist, or will not.
bool Replica::Impl::answered_before(RequestHandle handle, const Stamp& stamp) {
  PendingRequest& pending = *requests_.find(handle);
  const Request& request = pending.request;
  const auto proposed = proposed_rows_.find(request.idempotency_key);
  if (proposed != proposed_rows_.end()) {
    pending.stage = PendingRequest::Stage::waiting;
    proposed->second.push_back(handle);
    mark(Mark::retry_waited_for_first);
    return true;
  }
  if (canary(Canary::retry_not_recognized)) return false;
  const auto found = idempotency_.find(request.idempotency_key, stamp.hlc);
  if (!found) {
    finish(handle, definite(ErrorCode::internal, found.error().message));
    fail(found.error());
    return true;
  }
  if (!*found) return false;
  const IdempotencyRecord& row = **found;
  pending.outcome = {row.stamp, std::nullopt, row.number, {}};
  const bool same = row.fingerprint == request_fingerprint(request);
  if (!same) {
    pending.outcome.stamp.reset();
    pending.outcome.number.reset();
    pending.outcome.refusal =
        definite(ErrorCode::idempotency_key_reused,
                 "the idempotency key was used for another request; a new request needs a new key");
  } else if (!row.refusal.empty()) {
    const ErrorInfo* info = find_error(row.refusal);
    Error refusal =
        definite(info == nullptr ? ErrorCode::precondition_failed : info->code, row.message);
    if (row.stamp) refusal.etag = row.stamp->to_string();
    pending.outcome.refusal = std::move(refusal);
  }
  Answer answer = write_answer(pending, write_evidence(row.index, raft_->term()));
  answer.replayed = same;
  mark(Mark::retry_answered_from_row);
  finish_write(handle, std::move(answer), row.index);
  return true;
}

/// A refusal shows state. Where it is to be remembered, or rests on an expiry or on a version that
/// the log does not have, it goes through the log; else a read round that starts now shows that
/// this leader knew the newest, and the answer waits for the proposals that it rests on.
void Replica::Impl::refuse(RequestHandle handle, const KeyState& known, const Stamp& stamp,
                           UnixMillis now) {
  PendingRequest& pending = *requests_.find(handle);
  const std::string& key = *operation_key(pending.request.operation);
  const bool foreign = beyond_proposals(key, known);
  const bool unsettled =
      (foreign && !canary(Canary::refusal_not_adopted)) || rests_on_expiry(known, now);
  std::optional<IdempotencyRow> row = row_for(pending, stamp);
  if (unsettled || row) {
    if (row) mark(Mark::refusal_remembered);
    if (foreign) mark(Mark::refusal_adopted);
    append(handle, WriteKey{key, unsettled ? with_expiry(known, now) : KeyState{}, std::move(row)});
    return;
  }
  if (canary(Canary::refusal_without_round)) {
    Answer answer = write_answer(pending, local_evidence());
    finish(handle, std::move(answer));
    return;
  }
  const auto proposed = proposed_keys_.find(key);
  pending.refused_after = proposed == proposed_keys_.end() ? applied_.index : proposed->second.last;
  pending.refused_in = raft_->term();
  start_read(handle);
}

/// Makes an entry of `command`, which only a leader that serves and hands nothing over may.
LogIndex Replica::Impl::propose(Command command) {
  if (auto* write = std::get_if<WriteKey>(&command)) {
    const auto floor = idempotency_.next_floor(
        clock_.last(), proposed_floor_, write->idempotency.has_value(), proposed_rows_.size());
    // One that cannot be read is found by whoever needs it.
    if (floor) write->idempotency_floor = proposed_floor_ = *floor;
  }
  Bytes payload = encode_command(command);
  const bool small = payload.size() <= kMostDecodedBytes;
  const std::optional<LogIndex> index = raft_->propose(std::move(payload));
  PARALLAX_ASSERT(index, "the leader of term {} does not append", raft_->term());
  if (auto* write = std::get_if<WriteKey>(&command)) {
    if (!write->state.empty()) {
      if (not_durable_beside_log(write->key)) {
        mark(Mark::entry_held_for_disk);
        raft_->hold_last_until_durable();
      }
      ProposedKey& proposed = proposed_keys_[write->key];
      proposed.state = write->state;
      proposed.last = *index;
    }
    if (write->idempotency) proposed_rows_[write->idempotency->key];
  }
  if (small && proposed_commands_.size() < kMostDecoded) {
    proposed_commands_.push_back({*index, raft_->term(), std::move(command)});
  }
  return *index;
}

/// What an entry says, which its leader knows. An index of one term has one entry.
Result<Command> Replica::Impl::command_of(const LogEntry& entry) {
  std::deque<ProposedCommand>& proposed = proposed_commands_;
  while (!proposed.empty() && proposed.front().index < entry.index) proposed.pop_front();
  if (proposed.empty() || proposed.front().index != entry.index ||
      proposed.front().term != entry.term) {
    return decode_command(entry.payload);
  }
  Command command = std::move(proposed.front().command);
  proposed.pop_front();
  return command;
}

void Replica::Impl::append(RequestHandle handle, Command command) {
  const LogIndex index = propose(std::move(command));
  requests_.find(handle)->stage = PendingRequest::Stage::appended;
  const Proposal proposal{index, raft_->term(), handle};
  // At the end nearly always; a leader that lost its tail and leads again proposes below that.
  const auto place =
      std::upper_bound(proposals_.begin(), proposals_.end(), proposal,
                       [](const Proposal& a, const Proposal& b) { return a.index < b.index; });
  proposals_.insert(place, proposal);
  note_ack(handle, index);
  remember_stamp(index);
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
      Answer answer = write_answer(*pending, write_evidence(index, term));
      finish_write(proposal.request, std::move(answer), index);
    }
  }
}

/// An entry about a key is applied: nothing is proposed for it any more, unless something came
/// later; who waits for the outcome of its idempotency key may look.
void Replica::Impl::settle_keys(const WriteKey& command, LogIndex index, Term term) {
  if (term != led_term_) return;
  const auto key = proposed_keys_.find(command.key);
  if (key != proposed_keys_.end() && key->second.last == index) proposed_keys_.erase(key);
  if (!command.idempotency) return;
  const auto row = proposed_rows_.find(command.idempotency->key);
  if (row == proposed_rows_.end()) return;
  for (RequestHandle handle : row->second) route_soon(handle);
  proposed_rows_.erase(row);
}

/// Leadership is gone: what was proposed may happen or not, and somebody else decides from here on.
void Replica::Impl::forget_proposals() {
  proposed_keys_.clear();
  proposed_commands_.clear();
  proposed_floor_ = Hlc{};
  // In the order of their handles: that of the table shows in no trace.
  std::vector<RequestHandle> waiters;
  for (auto& [key, handles] : proposed_rows_) {
    waiters.insert(waiters.end(), handles.begin(), handles.end());
  }
  proposed_rows_.clear();
  std::sort(waiters.begin(), waiters.end(),
            [](RequestHandle a, RequestHandle b) { return a.slot < b.slot; });
  for (RequestHandle handle : waiters) route_soon(handle);
}

Answer Replica::Impl::write_answer(const PendingRequest& pending, Evidence evidence) const {
  Answer answer;
  answer.consistency = pending.request.consistency;
  answer.stamp = pending.outcome.stamp;
  answer.refusal = pending.outcome.refusal;
  answer.number = pending.outcome.number;
  answer.context = pending.outcome.context;
  answer.crdt = pending.outcome.crdt;
  answer.session = session_for(pending.request, evidence.index);
  answer.evidence = std::move(evidence);
  return answer;
}

/// On whose word an entry rests: those known to hold it durably, which the leader itself need not.
Evidence Replica::Impl::write_evidence(LogIndex index, Term term) const {
  Evidence evidence{
      .node = config_.id, .term = term, .index = index, .path = Path::log, .sequenced = true};
  if (raft_->is_leader()) {
    evidence.replicas = holders_of(index);
    return evidence;
  }
  // Committed by this node, which has lost its office since, or by whoever leads now.
  std::vector<NodeId>& replicas = evidence.replicas;
  if (raft_->log().durable() >= index) replicas.push_back(config_.id);
  if (raft_->leader() != kNoNode) replicas.push_back(raft_->leader());  // it told us: so it has it
  if (matches_.term == term) {
    for (const auto& [member, match] : matches_.members) {
      if (match >= index) replicas.push_back(member);
    }
  }
  std::sort(replicas.begin(), replicas.end());
  replicas.erase(std::unique(replicas.begin(), replicas.end()), replicas.end());
  return evidence;
}

}  // namespace parallax
