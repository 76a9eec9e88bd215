#include "client/io/calls.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/ranges.h>

#include "base/assert.h"
#include "client/http_protocol.h"

namespace parallax {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

/// The address of a leader that is known by number is asked for at most this often.
constexpr Duration kMembersInterval = std::chrono::seconds{1};

std::chrono::steady_clock::time_point on_steady_clock(MonoTime at) {
  return std::chrono::steady_clock::time_point{
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(at.time_since_epoch())};
}

/// What the node is told: a little less than what is left, so that its answer, which knows what
/// became of the operation, arrives before our own deadline, which does not.
milliseconds node_timeout(Duration remaining) {
  const auto left = std::chrono::duration_cast<milliseconds>(remaining);
  const auto margin = std::min(left / 10, milliseconds{250});
  return std::clamp<milliseconds>(left - margin, milliseconds{1}, limits::kMaxRequestTimeout);
}

long long whole_ms(Duration duration) {
  return std::chrono::duration_cast<milliseconds>(duration).count();
}

}  // namespace

Call::Spec cluster_call(milliseconds timeout) {
  return Call::Spec{
      .request =
          [](milliseconds) {
            return HttpRequest{"GET", "/v1/cluster", {}, {}};
          },
      .timeout = timeout,
  };
}

Refusal unreadable(Error error) {
  return Refusal{.failure = {.stage = AttemptStage::answered,
                             .error = std::move(error),
                             .retryable = true,
                             .retry_after = std::nullopt},
                 .leader = {}};
}

std::variant<ClusterView, Refusal> read_cluster_answer(const HttpResponse& response) {
  if (response.status != 200) return read_refusal(true, response);
  auto view = parse_cluster_view(response.body);
  if (!view) return unreadable(view.error());
  return std::move(*view);
}

MonoTime Calls::now() {
  return MonoTime{
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

Calls::Calls(const ClientOptions& options, std::vector<Endpoint> endpoints, std::uint64_t seed)
    : options_(options),
      context_(1),
      work_(context_.get_executor()),
      random_(seed),
      router_(std::move(endpoints), Router::Options{.follow_leader = options.follow_leader,
                                                    .cooldown = options.cooldown,
                                                    .draw = Random(seed).next()}) {}

void Calls::start(std::shared_ptr<Call> call) {
  // The deadline counts from here, not from when the thread gets to it.
  call->start = now();
  call->deadline = call->start + call->spec.timeout;
  asio::post(context_, [this, call = std::move(call)] { begin(call); });
}

void Calls::post(std::function<void()> work) {
  asio::post(context_, std::move(work));
}

void Calls::close() {
  asio::post(context_, [this] {
    closed_ = true;
    const std::vector<CallPtr> calls(active_.begin(), active_.end());
    for (const CallPtr& call : calls) {
      // A completion may have started another call meanwhile; begin() refuses that one.
      give_up(call, ErrorCode::shutting_down, "the client was closed");
    }
    pools_.clear();
    work_.reset();
  });
}

void Calls::begin(const CallPtr& call) {
  call->timer = std::make_unique<asio::steady_timer>(context_);
  if (closed_) {
    finish(call, definite(ErrorCode::shutting_down, "the client was closed"));
    return;
  }
  if (call->at_hand && call->at_hand()) return finish(call, std::nullopt);
  active_.insert(call);
  attempt(call);
}

void Calls::attempt(const CallPtr& call) {
  const MonoTime time = now();
  ++call->history.attempts;
  auto attempt = std::make_shared<Attempt>();
  attempt->endpoint = choose(call, time);
  call->attempts.push_back(attempt);
  if (call->spec.hedge_after > milliseconds::zero() && !call->spec.only) {
    call->hedge_at = time + call->spec.hedge_after;
  }
  if (auto connection = take_connection(attempt->endpoint)) {
    exchange(call, attempt, std::move(connection));
  } else {
    pools_[attempt->endpoint].waiting.push_back({call, attempt});
    arm_watch(call);
  }
}

Endpoint Calls::choose(const CallPtr& call, MonoTime time) const {
  if (call->spec.only) return *call->spec.only;
  if (!call->spec.choose) return router_.choose(call->spec.asks, call->tried, time);
  const auto choices = router_.choices(call->tried, time);
  return choices[call->spec.choose(choices, time - call->start, time)].endpoint;
}

void Calls::hedge(const CallPtr& call) {
  const auto endpoint = router_.choose_beside(call->attempts.front()->endpoint, now());
  if (!endpoint) return;
  auto connection = take_connection(*endpoint);
  if (!connection) return;  // a second request must not push a first one aside
  ++call->history.attempts;
  auto attempt = std::make_shared<Attempt>();
  attempt->endpoint = *endpoint;
  call->attempts.push_back(attempt);
  exchange(call, attempt, std::move(connection));
}

std::shared_ptr<ClientConnection> Calls::take_idle(Pool& pool) {
  while (!pool.idle.empty()) {
    Idle idle = std::move(pool.idle.back());
    pool.idle.pop_back();
    if (now() - idle.since <= options_.max_idle && idle.connection->reusable()) {
      return idle.connection;
    }
    idle.connection->abandon();
    --pool.open;
  }
  return nullptr;
}

std::shared_ptr<ClientConnection> Calls::take_connection(const Endpoint& endpoint) {
  Pool& pool = pools_[endpoint];
  if (auto idle = take_idle(pool)) return idle;
  if (pool.open >= options_.max_connections_per_endpoint) return nullptr;
  ++pool.open;
  return ClientConnection::create(context_, endpoint,
                                  {.max_response_bytes = options_.max_response_bytes});
}

void Calls::exchange(const CallPtr& call, const AttemptPtr& attempt,
                     std::shared_ptr<ClientConnection> connection) {
  attempt->connection = std::move(connection);
  attempt->start = now();
  HttpRequest request = call->spec.request(node_timeout(call->deadline - attempt->start));
  request.headers.emplace_back("User-Agent", "parallax-client/" PARALLAX_VERSION);
  attempt->connection->exchange(std::move(request), [this, call, attempt](ExchangeResult result) {
    exchanged(call, attempt, std::move(result));
  });
  arm_watch(call);
}

void Calls::exchanged(const CallPtr& call, const AttemptPtr& attempt, ExchangeResult result) {
  if (const auto* failure = std::get_if<ExchangeFailure>(&result)) {
    release(attempt, false);
    router_.failed(attempt->endpoint, now());
    report_end(call, attempt, {});
    attempt_failed(call, attempt,
                   connection_failure(failure->stage, call->spec.is_read,
                                      failure->malformed ? ErrorCode::corrupt : ErrorCode::io,
                                      failure->message));
    return;
  }
  const HttpResponse& response = std::get<HttpResponse>(result);
  release(attempt, true);
  router_.answered(attempt->endpoint);
  if (const auto refusal = call->read(response)) {
    report_end(call, attempt, {.refused = &refusal->failure.error.code});
    refused(call, attempt, *refusal);
  } else {
    report_end(call, attempt, {.answered = true});
    if (call->spec.asks == Asks::any) router_.settle(attempt->endpoint);
    std::erase(call->attempts, attempt);
    finish(call, std::nullopt);
  }
  fetch_members_if_needed();
}

void Calls::release(const AttemptPtr& attempt, bool usable) {
  const auto connection = std::exchange(attempt->connection, nullptr);
  PARALLAX_ASSERT(connection != nullptr, "an attempt without a connection gives one back");
  Pool& pool = pools_[attempt->endpoint];
  if (usable && connection->reusable()) {
    pool.idle.push_back(Idle{connection, now()});
  } else {
    connection->abandon();
    --pool.open;
  }
  if (pool.waiting.empty()) return;
  const Waiting next = pool.waiting.front();
  pool.waiting.pop_front();
  auto free = take_connection(attempt->endpoint);
  PARALLAX_ASSERT(free != nullptr, "no connection where one was given back");
  exchange(next.call, next.attempt, std::move(free));
}

void Calls::report_end(const CallPtr& call, const AttemptPtr& attempt, AttemptEnd end) {
  if (!call->spec.ended) return;
  end.at = now();
  if (attempt->start != MonoTime{}) end.took = end.at - attempt->start;
  end.since_call = end.at - call->start;
  call->spec.ended(end);
}

AttemptStage Calls::abandon(const CallPtr& call, const AttemptPtr& attempt) {
  std::erase(call->attempts, attempt);
  report_end(call, attempt, {});
  if (!attempt->connection) {
    std::erase_if(pools_[attempt->endpoint].waiting,
                  [&](const Waiting& waiting) { return waiting.attempt == attempt; });
    return AttemptStage::connecting;
  }
  const AttemptStage stage = attempt->connection->stage();
  attempt->connection->abandon();
  release(attempt, false);
  return stage;
}

void Calls::refused(const CallPtr& call, const AttemptPtr& attempt, const Refusal& refusal) {
  if (refusal.failure.error.code == ErrorCode::not_leader) {
    ++call->history.redirects;
    if (refusal.leader.node != kNoNode && refusal.leader.endpoint) {
      router_.learn_member(refusal.leader.node, *refusal.leader.endpoint);
    }
    if (refusal.leader.node != kNoNode) {
      router_.learn_leader(refusal.leader.node, Term{0});
    } else if (refusal.leader.endpoint) {
      router_.learn_leader_endpoint(*refusal.leader.endpoint);
    }
  }
  AttemptFailure failure = refusal.failure;
  // An answer that is not Parallax's will hardly become one; another node may do better.
  if (failure.error.code == ErrorCode::corrupt &&
      (call->spec.only || call->tried.size() + 1 >= router_.endpoints().size())) {
    failure.retryable = false;
  }
  failure.error.message += fmt::format(" [{}]", attempt->endpoint.to_string());
  attempt_failed(call, attempt, std::move(failure));
}

namespace {

/// Whether the store decided against the request, on what it holds.
bool is_decision(ErrorCode code) {
  return code == ErrorCode::precondition_failed || code == ErrorCode::not_a_number ||
         code == ErrorCode::too_many_siblings || code == ErrorCode::idempotency_key_reused;
}

}  // namespace

void Calls::attempt_failed(const CallPtr& call, const AttemptPtr& attempt, AttemptFailure failure) {
  std::erase(call->attempts, attempt);
  call->tried.push_back(attempt->endpoint);
  call->last_failure = failure.error.message;
  call->may_have_happened = call->may_have_happened || !failure.error.definite();
  // Under an idempotency key one decision holds for all attempts: there is no other outcome.
  if (call->spec.repeatable && is_decision(failure.error.code)) call->may_have_happened = false;
  // The one beside it may still be answered.
  if (failure.retryable && !call->attempts.empty()) return arm_watch(call);

  const MonoTime time = now();
  call->history.remaining = call->deadline - time;
  const RetryDecision decision =
      decide_retry(options_.retry, call->spec.repeatable, failure, call->history, random_);
  if (decision.retry) {
    call->hedge_at.reset();
    arm(call, time + decision.wait, &Calls::attempt);
    return;
  }
  if (call->history.attempts > 1) {
    failure.error.message += fmt::format(" ({} attempts in {} ms)", call->history.attempts,
                                         whole_ms(time - call->start));
  }
  finish(call, std::move(failure.error));
}

void Calls::finish(const CallPtr& call, std::optional<Error> error) {
  PARALLAX_ASSERT(!call->finished, "a call ended twice");
  call->finished = true;
  ++call->timer_round;
  call->timer->cancel();
  active_.erase(call);
  while (!call->attempts.empty()) abandon(call, AttemptPtr(call->attempts.back()));
  if (error && call->may_have_happened) error->certainty = Certainty::indefinite;
  const auto done = std::exchange(call->done, nullptr);
  done(std::move(error));
}

void Calls::give_up(const CallPtr& call, ErrorCode code, std::string message) {
  Error error = definite(code, std::move(message));
  while (!call->attempts.empty()) {
    const AttemptPtr attempt = call->attempts.back();
    const AttemptStage stage = abandon(call, attempt);
    if (code == ErrorCode::timeout) router_.failed(attempt->endpoint, now());
    const auto failure = connection_failure(stage, call->spec.is_read, code, {});
    if (!failure.error.definite()) error.certainty = Certainty::indefinite;
  }
  finish(call, std::move(error));
}

void Calls::arm(const CallPtr& call, MonoTime at, void (Calls::*then)(const CallPtr&)) {
  const std::uint64_t round = ++call->timer_round;
  call->timer->expires_at(on_steady_clock(at));
  call->timer->async_wait([this, call, round, then](boost::system::error_code) {
    // A wait that was replaced, or whose call ended, may still come through.
    if (call->timer_round == round && !call->finished) (this->*then)(call);
  });
}

void Calls::arm_watch(const CallPtr& call) {
  const MonoTime time = now();
  MonoTime at = call->deadline;
  for (const AttemptPtr& attempt : call->attempts) {
    if (!attempt->connection) continue;
    at = std::min(at, attempt_limit(*call, *attempt, attempt->connection->stage()));
    // It may get further unseen, and be under the other limit then.
    const MonoTime later = attempt_limit(*call, *attempt, AttemptStage::awaiting);
    if (time < later) at = std::min(at, later);
  }
  if (call->hedge_at && call->attempts.size() == 1) at = std::min(at, *call->hedge_at);
  arm(call, at, &Calls::watch);
}

MonoTime Calls::attempt_limit(const Call& call, const Attempt& attempt, AttemptStage stage) const {
  if (stage == AttemptStage::connecting) {
    return std::min<MonoTime>(call.deadline, attempt.start + options_.connect_timeout);
  }
  if (call.spec.repeatable && !call.spec.only && !call.spec.waits &&
      router_.endpoints().size() > 1) {
    return std::min<MonoTime>(call.deadline, attempt.start + options_.read_attempt_timeout);
  }
  return call.deadline;
}

void Calls::watch(const CallPtr& call) {
  const MonoTime time = now();
  if (time >= call->deadline) {
    std::vector<std::string> asked;
    for (const AttemptPtr& attempt : call->attempts) {
      asked.push_back(attempt->endpoint.to_string());
    }
    std::string message = fmt::format("no answer from {} within {} ms", fmt::join(asked, " and "),
                                      whole_ms(call->deadline - call->start));
    if (!call->last_failure.empty()) {
      message +=
          fmt::format(" (attempt {}; before that: {})", call->history.attempts, call->last_failure);
    }
    return give_up(call, ErrorCode::timeout, std::move(message));
  }
  const std::vector<AttemptPtr> attempts = call->attempts;
  for (const AttemptPtr& attempt : attempts) {
    if (!attempt->connection) continue;
    if (time < attempt_limit(*call, *attempt, attempt->connection->stage())) continue;
    std::string message =
        fmt::format("no answer from {} within {} ms", attempt->endpoint.to_string(),
                    whole_ms(time - attempt->start));
    const AttemptStage stage = abandon(call, attempt);
    router_.failed(attempt->endpoint, time);
    attempt_failed(
        call, attempt,
        connection_failure(stage, call->spec.is_read, ErrorCode::timeout, std::move(message)));
    if (call->finished) return;
  }
  if (call->attempts.empty()) return;  // another one is on its way
  if (call->hedge_at && time >= *call->hedge_at) {
    call->hedge_at.reset();
    if (call->attempts.size() == 1) hedge(call);
  }
  arm_watch(call);
}

void Calls::learn(const Evidence& evidence) {
  // Everything else is any node's answer.
  if (evidence.path == Path::read_index || evidence.path == Path::lease ||
      evidence.path == Path::log) {
    router_.learn_leader(evidence.node, evidence.term);
  }
}

void Calls::learn(const ClusterView& view) {
  members_ = view.members.size();
  for (const MemberView& member : view.members) {
    if (const auto endpoint = parse_endpoint(member.client)) {
      router_.learn_member(member.id, *endpoint);
    }
  }
  router_.learn_leader(view.leader, view.term);
}

void Calls::fetch_members_if_needed() {
  if (closed_ || !options_.follow_leader) return;
  const Duration interval =
      router_.leader_address_missing() ? kMembersInterval : options_.discovery_interval;
  const MonoTime time = now();
  if (interval == Duration::zero()) return;
  if (members_fetched_ && time - *members_fetched_ < interval) return;
  members_fetched_ = time;
  auto call = std::make_shared<Call>();
  call->spec = cluster_call(std::chrono::duration_cast<milliseconds>(kMembersInterval));
  call->read = [this](const HttpResponse& response) -> std::optional<Refusal> {
    auto outcome = read_cluster_answer(response);
    if (auto* refusal = std::get_if<Refusal>(&outcome)) return std::move(*refusal);
    learn(std::get<ClusterView>(outcome));
    return std::nullopt;
  };
  call->done = [](std::optional<Error>) {};  // without it we go on with what is known
  start(std::move(call));
}

}  // namespace parallax
