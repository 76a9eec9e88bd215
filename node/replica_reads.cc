// Reads: rounds, what they show, and the refusals of conditions, which show state like a read.
//
// Adopt before showing: what a key holds beyond the log has to be committed through the log before
// a linearizable answer shows it. Today only the log writes versions; what is left to agree on is
// that a version's time is over.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"

namespace parallax {

void Replica::Impl::start_read(RequestHandle handle) {
  if (canary(Canary::read_without_round)) {
    Evidence evidence = local_evidence();
    evidence.path = Path::read_index;
    answer_confirmed(handle, std::move(evidence));
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

/// Leadership is gone, and with it the rounds that were under way: what waited for them begins
/// again elsewhere. A condition that was refused is evaluated there anew: nothing has happened yet.
void Replica::Impl::requeue_reads() {
  counted_round_ = RoundId{};
  const auto rounds = std::exchange(round_reads_, {});
  const auto late = std::exchange(late_reads_, {});
  const auto again = [this](RequestHandle handle) {
    const PendingRequest* pending = requests_.find(handle);
    if (pending == nullptr) return;
    if (!is_read(pending->request.operation)) mark(Mark::refusal_decided_anew);
    route(handle);
  };
  for (const RoundRead& read : rounds) again(read.request);
  for (const LateRead& read : late) again(read.request);
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
      if (requests_.find(handle) != nullptr) answer_confirmed(handle, evidence);
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
    answer_confirmed(read.request, std::move(read.evidence));
  }
}

void Replica::Impl::answer_confirmed(RequestHandle handle, Evidence evidence) {
  PendingRequest& pending = *requests_.find(handle);
  const Request& request = pending.request;
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
  std::vector<std::string> expired;
  Reply reply = read(request, evidence, expired);
  if (expired.empty() || canary(Canary::expiry_not_agreed)) {
    finish(handle, std::move(reply));
  } else {
    agree_on_expiry(handle, expired, std::move(evidence));
  }
}

/// A linearizable read is about to show that values are gone because their time is over, which each
/// node's clock judges for itself. So that no later read takes that back, the log says so first;
/// then the read looks again.
void Replica::Impl::agree_on_expiry(RequestHandle handle, const std::vector<std::string>& keys,
                                    Evidence evidence) {
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
  for (const std::string& key : keys) {
    const auto proposed = proposed_keys_.find(key);
    if (proposed != proposed_keys_.end()) {
      last = std::max(last, proposed->second.last);  // whatever it is, it replaces or agrees
      continue;
    }
    const Result<KeyState> state = keys_.load(key);
    if (!state) {
      finish(handle, definite(ErrorCode::internal, state.error().message));
      fail(state.error());
      return;
    }
    mark(Mark::expiry_committed);
    last = std::max(last, propose(WriteKey{key, with_expiry(*state, now)}));
  }
  late_reads_.push_back({last, std::move(evidence), handle});
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

/// From what is applied, which is committed, whether it is durable here or not.
Reply Replica::Impl::read(const Request& request, Evidence evidence,
                          std::vector<std::string>& expired) {
  Answer answer;
  answer.consistency = request.consistency;
  answer.session = session_for(request, evidence.index);
  answer.evidence = std::move(evidence);
  if (const Result<void> done = read_into(request, answer, expired); !done) {
    fail(done.error());
    return definite(ErrorCode::internal, done.error().message);
  }
  return answer;
}

namespace {

void show(const Version& version, Answer& answer) {
  answer.found = true;
  answer.value = version.value;
  answer.content_type = version.content_type;
}

void add_siblings(const KeyState& state, UnixMillis now, Answer& answer) {
  for (const Version& version : state.versions()) {
    if (version.tombstone || version.expired_at(now)) continue;
    answer.items.push_back({{}, version.stamp, version.value, version.content_type});
  }
  if (answer.items.size() < 2) answer.items.clear();
}

}  // namespace

Result<void> Replica::Impl::read_into(const Request& request, Answer& answer,
                                      std::vector<std::string>& expired) {
  const UnixMillis now = clock_.peek(now_.physical).millis();
  if (const auto* get = std::get_if<Get>(&request.operation)) {
    PARALLAX_ASSIGN(const KeyState state, keys_.load(get->key));
    answer.context = state.context();
    if (const Version* winner = state.winner()) answer.stamp = winner->stamp;
    if (const Version* present = present_value(state, now)) show(*present, answer);
    if (get->siblings) add_siblings(state, now, answer);
    if (rests_on_expiry(state, now)) expired.push_back(get->key);
  } else if (const auto* many = std::get_if<GetMany>(&request.operation)) {
    std::size_t bytes = 0;
    for (const std::string& key : many->keys) {
      PARALLAX_ASSIGN(const KeyState state, keys_.load(key));
      if (const Version* present = present_value(state, now)) {
        bytes += present->value.size();
        if (bytes > limits::kMaxScanBytes && many->keys.size() > 1) {
          answer.items.clear();
          answer.missing.clear();
          answer.refusal = definite(ErrorCode::payload_too_large,
                                    fmt::format("the values of these {} keys have more than {} "
                                                "bytes; ask for fewer at once",
                                                many->keys.size(), limits::kMaxScanBytes));
          return {};
        }
        answer.items.push_back({key, present->stamp, present->value, present->content_type});
      } else {
        answer.missing.push_back(key);
      }
      if (rests_on_expiry(state, now)) expired.push_back(key);
    }
  } else if (const auto* scan = std::get_if<Scan>(&request.operation)) {
    return scan_into(*scan, now, answer, expired);
  } else if (const auto* history = std::get_if<ReadHistory>(&request.operation)) {
    PARALLAX_ASSIGN(const std::vector<PastVersion> past, keys_.history(history->key));
    answer.history_floor = std::max(applied_.history_floor, cleaned_).millis();
    for (const auto& [version, replaced_by] : past) {
      const UnixMillis at = version.stamp.hlc.millis();
      if (at < history->from || at > history->to) continue;
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

/// One page. It ends after `limit` values, or when it has become large or long enough to hold the
/// turn up; the next one goes on behind what this one looked at, whatever has changed meanwhile.
Result<void> Replica::Impl::scan_into(const Scan& scan, UnixMillis now, Answer& answer,
                                      std::vector<std::string>& expired) {
  std::size_t bytes = 0;
  std::size_t looked_at = 0;
  std::string last;
  return keys_.scan(
      scan.start, scan.end, scan.reverse, [&](std::string_view key, const KeyState& state) {
        if (answer.items.size() == scan.limit || bytes >= limits::kMaxScanBytes ||
            looked_at == limits::kMaxScanKeys) {
          answer.next = scan.reverse ? std::move(last) : std::string(key);
          return false;
        }
        ++looked_at;
        last = key;
        if (rests_on_expiry(state, now)) expired.push_back(last);
        if (const Version* present = present_value(state, now)) {
          bytes += key.size() + (scan.keys_only ? 0 : present->value.size());
          answer.items.push_back({last, present->stamp, scan.keys_only ? Bytes{} : present->value,
                                  present->content_type});
        }
        return true;
      });
}

}  // namespace parallax
