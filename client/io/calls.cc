#include "client/io/calls.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/assert.h"
#include "client/http_protocol.h"

namespace parallax {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

/// The leader's address is asked for at most this often.
constexpr Duration kMembersInterval = std::chrono::seconds{1};

MonoTime now() {
  return MonoTime{
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

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
      .message = Call::Message::get("/v1/cluster"),
      .is_read = true,
      .leader_path = false,
      .only = std::nullopt,
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

Calls::Calls(const ClientOptions& options, std::vector<Endpoint> endpoints, std::uint64_t seed)
    : options_(options),
      context_(1),
      work_(context_.get_executor()),
      random_(seed),
      router_(std::move(endpoints), Router::Options{.follow_leader = options.follow_leader,
                                                    .cooldown = options.cooldown}) {}

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
      give_up_attempt(call, ErrorCode::shutting_down, "the client was closed", false);
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
  active_.insert(call);
  attempt(call);
}

void Calls::attempt(const CallPtr& call) {
  call->attempt_start = now();
  ++call->history.attempts;
  call->endpoint = call->spec.only
                       ? *call->spec.only
                       : router_.choose(call->spec.leader_path, call->tried, call->attempt_start);
  Pool& pool = pools_[call->endpoint];
  if (auto connection = take_idle(pool)) {
    exchange(call, std::move(connection));
  } else if (pool.open < options_.max_connections_per_endpoint) {
    ++pool.open;
    exchange(call, HttpConnection::create(context_, call->endpoint,
                                          {.max_response_bytes = options_.max_response_bytes}));
  } else {
    pool.waiting.push_back(call);
    arm(call, call->deadline, &Calls::attempt_overdue);
  }
}

std::shared_ptr<HttpConnection> Calls::take_idle(Pool& pool) {
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

void Calls::exchange(const CallPtr& call, std::shared_ptr<HttpConnection> connection) {
  call->connection = std::move(connection);
  call->attempt_start = now();
  const Call::Message& message = call->spec.message;
  HttpRequest request{
      .method = message.method,
      .target = message.path + kv_query(message.consistency,
                                        node_timeout(call->deadline - call->attempt_start),
                                        message.forward),
      .headers = message.headers,
      .body = message.body,
  };
  // The query belongs to operations on keys; the others take none.
  if (!message.path.starts_with(kKeyPathPrefix)) request.target = message.path;
  request.headers.emplace_back("User-Agent", "parallax-client/" PARALLAX_VERSION);
  call->connection->exchange(std::move(request), [this, call](ExchangeResult result) {
    exchanged(call, std::move(result));
  });
  // Whichever of the two stages it is in by then has its own limit.
  arm(call,
      std::min(attempt_limit(*call, AttemptStage::connecting),
               attempt_limit(*call, AttemptStage::awaiting)),
      &Calls::attempt_overdue);
}

void Calls::exchanged(const CallPtr& call, ExchangeResult result) {
  if (const auto* failure = std::get_if<ExchangeFailure>(&result)) {
    release(call, false);
    router_.failed(call->endpoint, now());
    attempt_failed(call, connection_failure(failure->stage, call->spec.is_read,
                                            failure->malformed ? ErrorCode::corrupt : ErrorCode::io,
                                            failure->message));
    return;
  }
  const HttpResponse& response = std::get<HttpResponse>(result);
  release(call, true);
  router_.answered(call->endpoint);
  if (const auto refusal = call->read(response)) {
    refused(call, *refusal);
  } else {
    finish(call, std::nullopt);
  }
  fetch_members_if_needed();
}

void Calls::release(const CallPtr& call, bool usable) {
  const auto connection = std::exchange(call->connection, nullptr);
  PARALLAX_ASSERT(connection != nullptr, "a call without a connection gives one back");
  Pool& pool = pools_[call->endpoint];
  if (usable && connection->reusable()) {
    pool.idle.push_back(Idle{connection, now()});
  } else {
    connection->abandon();
    --pool.open;
  }
  if (pool.waiting.empty()) return;
  const CallPtr next = pool.waiting.front();
  pool.waiting.pop_front();
  if (auto reused = take_idle(pool)) {
    exchange(next, std::move(reused));
  } else {
    ++pool.open;
    exchange(next, HttpConnection::create(context_, next->endpoint,
                                          {.max_response_bytes = options_.max_response_bytes}));
  }
}

void Calls::refused(const CallPtr& call, const Refusal& refusal) {
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
  failure.error.message += fmt::format(" [{}]", call->endpoint.to_string());
  attempt_failed(call, std::move(failure));
}

void Calls::attempt_failed(const CallPtr& call, AttemptFailure failure) {
  call->tried.push_back(call->endpoint);
  call->last_failure = failure.error.message;
  const MonoTime time = now();
  call->history.remaining = call->deadline - time;
  const RetryDecision decision =
      decide_retry(options_.retry, call->spec.is_read, failure, call->history, random_);
  if (decision.retry) {
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
  PARALLAX_ASSERT(!call->finished, "a call ended twice: {} {}", call->spec.message.method,
                  call->spec.message.path);
  call->finished = true;
  ++call->timer_round;
  call->timer->cancel();
  active_.erase(call);
  const auto done = std::exchange(call->done, nullptr);
  done(std::move(error));
}

void Calls::arm(const CallPtr& call, MonoTime at, void (Calls::*then)(const CallPtr&)) {
  const std::uint64_t round = ++call->timer_round;
  call->timer->expires_at(on_steady_clock(at));
  call->timer->async_wait([this, call, round, then](boost::system::error_code) {
    // A wait that was replaced, or whose call ended, may still come through.
    if (call->timer_round == round && !call->finished) (this->*then)(call);
  });
}

MonoTime Calls::attempt_limit(const Call& call, AttemptStage stage) const {
  MonoTime limit = call.deadline;
  if (stage == AttemptStage::connecting) {
    limit = std::min<MonoTime>(limit, call.attempt_start + options_.connect_timeout);
  } else if (call.spec.is_read && !call.spec.only && router_.endpoints().size() > 1) {
    limit = std::min<MonoTime>(limit, call.attempt_start + options_.read_attempt_timeout);
  }
  return limit;
}

void Calls::attempt_overdue(const CallPtr& call) {
  const MonoTime time = now();
  if (time >= call->deadline) {
    std::string message = fmt::format("no answer from {} within {} ms", call->endpoint.to_string(),
                                      whole_ms(call->deadline - call->start));
    if (!call->last_failure.empty()) {
      message +=
          fmt::format(" (attempt {}; before that: {})", call->history.attempts, call->last_failure);
    }
    return give_up_attempt(call, ErrorCode::timeout, std::move(message), false);
  }
  PARALLAX_ASSERT(call->connection != nullptr,
                  "a call that waits for a connection was armed early");
  const MonoTime limit = attempt_limit(*call, call->connection->stage());
  if (time < limit) return arm(call, limit, &Calls::attempt_overdue);
  give_up_attempt(call, ErrorCode::timeout,
                  fmt::format("no answer from {} within {} ms", call->endpoint.to_string(),
                              whole_ms(time - call->attempt_start)),
                  true);
}

void Calls::give_up_attempt(const CallPtr& call, ErrorCode code, std::string message,
                            bool may_retry) {
  AttemptStage stage = AttemptStage::connecting;
  if (call->connection) {
    stage = call->connection->stage();
    call->connection->abandon();
    release(call, false);
    if (code == ErrorCode::timeout) router_.failed(call->endpoint, now());
  } else {
    std::erase(pools_[call->endpoint].waiting, call);
  }
  AttemptFailure failure = connection_failure(stage, call->spec.is_read, code, std::move(message));
  if (may_retry) {
    attempt_failed(call, std::move(failure));
  } else {
    finish(call, std::move(failure.error));
  }
}

void Calls::learn(const Evidence& evidence) {
  // A local answer is any replica's; the others are the leader's.
  if (evidence.path != Path::local) router_.learn_leader(evidence.node, evidence.term);
}

void Calls::learn(const ClusterView& view) {
  for (const MemberView& member : view.members) {
    if (const auto endpoint = parse_endpoint(member.client)) {
      router_.learn_member(member.id, *endpoint);
    }
  }
  router_.learn_leader(view.leader, view.term);
}

void Calls::fetch_members_if_needed() {
  if (closed_ || !router_.leader_address_missing()) return;
  const MonoTime time = now();
  if (members_fetched_ && time - *members_fetched_ < kMembersInterval) return;
  members_fetched_ = time;
  auto call = std::make_shared<Call>();
  call->spec = cluster_call(std::chrono::duration_cast<milliseconds>(kMembersInterval));
  call->read = [this](const HttpResponse& response) -> std::optional<Refusal> {
    auto outcome = read_cluster_answer(response);
    if (auto* refusal = std::get_if<Refusal>(&outcome)) return std::move(*refusal);
    learn(std::get<ClusterView>(outcome));
    return std::nullopt;
  };
  call->done = [](std::optional<Error>) {};  // a hint that could not be had
  start(std::move(call));
}

}  // namespace parallax
