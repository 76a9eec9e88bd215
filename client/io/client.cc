#include "client/client.h"

#include <future>
#include <memory>
#include <random>
#include <thread>
#include <type_traits>

#include "base/assert.h"
#include "client/http_reply.h"
#include "client/http_request.h"
#include "client/io/calls.h"
#include "client/io/sla_read.h"

namespace parallax {
namespace {

using std::chrono::milliseconds;

Error option_error(std::string_view name, std::string_view rule) {
  return definite(ErrorCode::bad_parameter, fmt::format("client option {} {}", name, rule));
}

Result<void> check(const ClientOptions& options) {
  const auto positive = [](milliseconds value) { return value > milliseconds::zero(); };
  if (options.endpoints.empty()) return option_error("endpoints", "must name at least one node");
  if (!positive(options.timeout)) return option_error("timeout", "must be above 0");
  if (!positive(options.connect_timeout)) return option_error("connect_timeout", "must be above 0");
  if (!positive(options.read_attempt_timeout)) {
    return option_error("read_attempt_timeout", "must be above 0");
  }
  if (options.hedge_after < milliseconds::zero()) {
    return option_error("hedge_after", "must be 0 (never) or above");
  }
  if (options.discovery_interval < milliseconds::zero()) {
    return option_error("discovery_interval", "must be 0 (never) or above");
  }
  if (options.retry.max_attempts < 1) return option_error("retry.max_attempts", "must be above 0");
  if (options.retry.base < milliseconds::zero() || options.retry.cap < options.retry.base) {
    return option_error("retry", "must have 0 <= base <= cap");
  }
  if (const auto& cache = options.near_cache;
      cache && (!positive(cache->ttl) || cache->max_entries == 0 ||
                cache->default_delay < milliseconds::zero())) {
    return option_error("near_cache", "must have ttl > 0, max_entries > 0 and default_delay >= 0");
  }
  if (options.max_connections_per_endpoint == 0) {
    return option_error("max_connections_per_endpoint", "must be above 0");
  }
  return {};
}

template <class Options>
Request make_request(Operation operation, const Options& options, milliseconds timeout) {
  Request request{.operation = std::move(operation)};
  request.consistency = options.consistency.value_or(Consistency{});
  request.level_by_policy = !options.consistency;
  request.timeout = options.timeout.value_or(timeout);
  request.forward = options.forward;
  if (options.session) {
    SessionToken seen = options.session->value();
    if (seen != SessionToken{}) request.session = std::move(seen);
  }
  if constexpr (requires { options.if_match; }) request.conditions.if_match = options.if_match;
  if constexpr (std::is_same_v<Options, GetOptions>) {
    if (options.if_none_match) {
      request.conditions.if_none_match = this_version(*options.if_none_match);
    }
  } else if constexpr (requires { options.if_none_match; }) {
    request.conditions.if_none_match = options.if_none_match;
  }
  if constexpr (requires { options.idempotency_key; }) {
    request.idempotency_key = options.idempotency_key;
  }
  if constexpr (requires { options.context; }) request.context = options.context;
  return request;
}

template <class Options>
milliseconds hedge_after(const Options& options, milliseconds fallback) {
  if constexpr (requires { options.hedge_after; }) return options.hedge_after.value_or(fallback);
  return milliseconds{0};
}

/// Who is to be asked. A level that is the policy's to say is probably the leader's matter.
Asks who_is_asked(bool is_read, const std::optional<Consistency>& consistency) {
  if (!consistency) return Asks::leader;
  if (level_info(consistency->level).protocol != Protocol::leader_follower) return Asks::any;
  return is_read && read_anywhere(consistency->level) ? Asks::first : Asks::leader;
}

}  // namespace

/// The calls' thread, and what turns operations into calls.
class Client::Core {
 public:
  Core(const ClientOptions& options, std::vector<Endpoint> endpoints, std::uint64_t seed)
      : options_(options), calls_(options, std::move(endpoints), seed) {
    if (options.near_cache) cache_.emplace(*options.near_cache);
    thread_ = std::thread([this] { calls_.run(); });
  }

  ~Core() {
    PARALLAX_ASSERT(!on_own_thread(), "a client was destroyed by one of its own completions");
    calls_.close();
    thread_.join();
  }

  bool on_own_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

  /// A call that ends with `error`, in the way of all others.
  template <class T>
  void refuse(Error error, Completion<T> done) {
    calls_.post([error = std::move(error), done = std::move(done)] { done(Result<T>(error)); });
  }

  template <class Options>
  void start_operation(Operation operation, const Options& options, Completion<Answer> done,
                       bool head = false) {
    Request request = make_request(std::move(operation), options, options_.timeout);
    auto valid = check_request(request);
    if (valid) valid = check_level(request);
    if (!valid) return refuse(valid.error(), std::move(done));
    Call::Spec spec = make_spec(request, options);
    const auto shared = std::make_shared<Request>(std::move(request));
    spec.request = [shared, head](milliseconds timeout) {
      shared->timeout = timeout;
      return render_request(*shared, head);
    };
    auto at_hand = through_cache(shared, head, done);
    start<Answer>(std::move(spec), told(options.session, *shared), read_as(shared, head),
                  std::move(done), std::move(at_hand));
  }

  void start_by_sla(std::string key, Sla sla, const GetOptions& options,
                    Completion<SlaAnswer> done) {
    auto reading = std::make_shared<SlaRead>();
    reading->request =
        make_request(Get{std::move(key), options.siblings}, options, options_.timeout);
    reading->request.level_by_policy = false;
    if (auto valid = check_sla_read(reading->request, sla, options); !valid) {
      return refuse(valid.error(), std::move(done));
    }
    reading->sla = std::move(sla);
    Call::Spec spec = make_spec(reading->request, options);
    follow_sla(reading, monitor_, spec);
    const std::shared_ptr<Request> shared(reading, &reading->request);
    Completion<Answer> judged = [this, reading, done = std::move(done)](Result<Answer> answer) {
      if (!answer) return done(answer.error());
      done(judge_sla_read(*reading, std::move(*answer), calls_.members()));
    };
    (void)through_cache(shared, false, judged);  // what it shows; a node is asked in any case
    start<Answer>(std::move(spec), told(options.session, *shared), read_as(shared, false),
                  std::move(judged));
  }

  void start_continued_scan(const std::string& next, const OperationOptions& options,
                            Completion<Answer> done) {
    Request request = make_request(Scan{}, options, options_.timeout);
    auto valid = check_request(request);
    if (valid) valid = check_level(request);
    if (valid && next.empty()) {
      valid = definite(ErrorCode::bad_parameter,
                       "next must be what an earlier page gave; a first page has none");
    }
    if (!valid) return refuse(valid.error(), std::move(done));
    Call::Spec spec = make_spec(request, options);
    const auto shared = std::make_shared<Request>(std::move(request));
    spec.request = [shared, next](milliseconds timeout) {
      shared->timeout = timeout;
      return render_continued_scan(*shared, next);
    };
    (void)through_cache(shared, false, done);
    start<Answer>(std::move(spec), told(options.session, *shared), read_as(shared, false),
                  std::move(done));
  }

  void start_batch(std::vector<BatchOperation> operations, const OperationOptions& options,
                   Completion<BatchAnswers> done) {
    Request request = make_request(Scan{}, options, options_.timeout);
    auto valid = check_request(request);
    if (valid) valid = check_batch(operations);
    if (!valid) return refuse(valid.error(), std::move(done));
    Call::Spec spec = make_spec(request, options);
    spec.asks = Asks::first;
    for (const BatchOperation& operation : operations) {
      const bool read = std::holds_alternative<Get>(operation.operation);
      const auto& level = operation.consistency ? operation.consistency : options.consistency;
      spec.is_read = spec.is_read && read;
      spec.repeatable = spec.repeatable && (read || !operation.idempotency_key.empty());
      spec.asks = std::max(spec.asks, who_is_asked(read, level));
    }
    if (!spec.is_read) spec.hedge_after = milliseconds{0};
    const auto shared = std::make_shared<std::vector<BatchOperation>>(std::move(operations));
    auto session = told(options.session, request);
    spec.request = [shared, request](milliseconds timeout) mutable {
      request.timeout = timeout;
      return render_batch(request, *shared);
    };
    const auto read = [shared](const HttpResponse& response) {
      return read_batch_answers(*shared, response);
    };
    auto at_hand = batch_through_cache(*shared, done);
    start<BatchAnswers>(std::move(spec), std::move(session), read, std::move(done),
                        std::move(at_hand));
  }

  void start_status(std::string endpoint, const OperationOptions& options,
                    Completion<NodeStatus> done) {
    const auto parsed = parse_endpoint(endpoint.empty() ? options_.endpoints.front() : endpoint);
    if (!parsed) return refuse(parsed.error(), std::move(done));
    const Request request = make_request(Scan{}, options, options_.timeout);
    if (auto valid = check_request(request); !valid) return refuse(valid.error(), std::move(done));
    Call::Spec spec{
        .request =
            [](milliseconds) {
              return HttpRequest{"GET", "/v1/status", {}, {}};
            },
        .only = *parsed,
        .timeout = request.timeout,
    };
    const auto read = [name = parsed->to_string()](
                          const HttpResponse& response) -> std::variant<NodeStatus, Refusal> {
      if (response.status != 200) return read_refusal(true, response);
      auto status = parse_node_status(response.body);
      if (!status) return unreadable(status.error());
      status->endpoint = name;
      return std::move(*status);
    };
    start<NodeStatus>(std::move(spec), std::nullopt, read, std::move(done));
  }

  void start_explain(bool write, std::string key, const OperationOptions& options,
                     Completion<PlanView> done) {
    Request request = make_request(Scan{}, options, options_.timeout);
    auto valid = check_request(request);
    if (write) {
      request.operation = Put{std::move(key), {}};
    } else {
      request.operation = Get{std::move(key)};
    }
    if (valid) valid = check_level(request);
    if (!valid) return refuse(valid.error(), std::move(done));
    Call::Spec spec{
        .request =
            [request](milliseconds timeout) mutable {
              request.timeout = timeout;
              return render_explain(request);
            },
        .timeout = request.timeout,
    };
    const auto read = [](const HttpResponse& response) -> std::variant<PlanView, Refusal> {
      if (response.status != 200) return read_refusal(true, response);
      auto plan = parse_plan(response.body);
      if (!plan) return unreadable(plan.error());
      return std::move(*plan);
    };
    start<PlanView>(std::move(spec), std::nullopt, read, std::move(done));
  }

  void start_cluster(const OperationOptions& options, Completion<ClusterView> done) {
    const Request request = make_request(Scan{}, options, options_.timeout);
    if (auto valid = check_request(request); !valid) return refuse(valid.error(), std::move(done));
    const auto read = [this](const HttpResponse& response) {
      auto outcome = read_cluster_answer(response);
      if (const auto* view = std::get_if<ClusterView>(&outcome)) calls_.learn(*view);
      return outcome;
    };
    start<ClusterView>(cluster_call(request.timeout), std::nullopt, read, std::move(done));
  }

 private:
  template <class Options>
  Call::Spec make_spec(const Request& request, const Options& options) const {
    const bool read = is_read(request.operation);
    return Call::Spec{
        .is_read = read,
        .repeatable = read || !request.idempotency_key.empty(),
        .asks = who_is_asked(read, options.consistency),
        .timeout = request.timeout,
        .hedge_after = read ? hedge_after(options, options_.hedge_after) : milliseconds{0},
        .waits = std::holds_alternative<CountReplicas>(request.operation),
    };
  }

  std::function<std::variant<Answer, Refusal>(const HttpResponse&)> read_as(
      std::shared_ptr<const Request> request, bool head) {
    return [this, request = std::move(request), head](const HttpResponse& response) {
      auto outcome = read_answer(request->operation, head, response);
      if (const auto* answer = std::get_if<Answer>(&outcome)) {
        calls_.learn(answer->evidence);
        monitor_.heard(*answer, Calls::now());
      }
      return outcome;
    };
  }

  template <class T>
  using AtHand = std::function<std::optional<T>()>;

  /// Tells the near-cache, if there is one, of a call's end, through `done`, and of its beginning,
  /// through what is returned.
  AtHand<Answer> through_cache(std::shared_ptr<const Request> request, bool head,
                               Completion<Answer>& done) {
    if (!cache_) return nullptr;
    const auto ticket = std::make_shared<std::uint64_t>(0);
    done = [this, request, head, ticket, done = std::move(done)](Result<Answer> result) {
      const bool from_cache = result && result->cached_for;
      if (!from_cache) cache_->ended(*request, head, *ticket, result, Calls::now());
      done(std::move(result));
    };
    return [this, request = std::move(request), head, ticket] {
      NearCache::Begun begun = cache_->began(*request, head, Calls::now());
      *ticket = begun.ticket;
      return std::move(begun.answer);
    };
  }

  /// Likewise. A batch is sent in any case.
  AtHand<BatchAnswers> batch_through_cache(const std::vector<BatchOperation>& operations,
                                           Completion<BatchAnswers>& done) {
    if (!cache_) return nullptr;
    const auto requests = std::make_shared<std::vector<Request>>(operations.size());
    for (std::size_t i = 0; i < operations.size(); ++i) {
      std::visit([&](const auto& operation) { (*requests)[i].operation = operation; },
                 operations[i].operation);
    }
    done = [this, requests, done = std::move(done)](Result<BatchAnswers> results) {
      for (std::size_t i = 0; i < requests->size(); ++i) {
        const Result<Answer> result = results ? (*results)[i] : Result<Answer>(results.error());
        cache_->ended((*requests)[i], false, 0, result, Calls::now());
      }
      done(std::move(results));
    };
    return [this, requests]() -> std::optional<BatchAnswers> {
      for (const Request& request : *requests) cache_->began(request, false, Calls::now());
      return std::nullopt;
    };
  }

  /// A session, and what of it went with a request.
  struct Told {
    Session session;
    SessionToken sent;
  };
  static std::optional<Told> told(const std::optional<Session>& session, const Request& request) {
    if (!session) return std::nullopt;
    return Told{*session, request.session.value_or(SessionToken{})};
  }

  /// Starts a call whose success `read` recognizes. Whatever a response says, the session takes its
  /// token in: a refusal shows state too. Where there is something `at_hand` nobody is asked.
  template <class T, class Read>
  void start(Call::Spec spec, std::optional<Told> session, Read read, Completion<T> done,
             AtHand<T> at_hand = nullptr) {
    auto answer = std::make_shared<std::optional<T>>();
    auto call = std::make_shared<Call>();
    if (at_hand) {
      call->at_hand = [answer, at_hand = std::move(at_hand)] {
        *answer = at_hand();
        return answer->has_value();
      };
    }
    call->spec = std::move(spec);
    call->read = [answer, session = std::move(session), read = std::move(read),
                  is_read =
                      call->spec.is_read](const HttpResponse& response) -> std::optional<Refusal> {
      if (session) {
        const auto token = read_session(response);
        if (!token) return refuse_misunderstood(is_read, token.error().message);
        const auto joined =
            *token ? Session(session->session).follow(session->sent, **token) : Result<void>();
        if (!joined) return refuse_misunderstood(is_read, joined.error().message);
      }
      std::variant<T, Refusal> outcome = read(response);
      if (auto* refusal = std::get_if<Refusal>(&outcome)) return std::move(*refusal);
      *answer = std::move(std::get<T>(outcome));
      return std::nullopt;
    };
    call->done = [answer, done = std::move(done)](std::optional<Error> error) {
      if (error) {
        done(Result<T>(std::move(*error)));
      } else {
        done(Result<T>(std::move(**answer)));
      }
    };
    calls_.start(std::move(call));
  }

  const ClientOptions options_;
  Calls calls_;
  // Of the calls' thread:
  SlaMonitor monitor_;
  std::optional<NearCache> cache_;

  std::thread thread_;
};

std::string draw_idempotency_key() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

Result<std::unique_ptr<Client>> Client::open(ClientOptions options) {
  PARALLAX_TRY(check(options));
  std::vector<Endpoint> endpoints;
  for (const std::string& text : options.endpoints) {
    PARALLAX_ASSIGN(Endpoint endpoint, parse_endpoint(text));
    endpoints.push_back(std::move(endpoint));
  }
  std::uint64_t seed = options.seed;
  if (seed == 0) {
    std::random_device device;
    seed = (std::uint64_t{device()} << 32) | device();
  }
  return std::unique_ptr<Client>(
      new Client(std::make_unique<Core>(options, std::move(endpoints), seed)));
}

Client::Client(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Client::~Client() = default;

void Client::async_get(std::string key, GetOptions options, Completion<Answer> done) {
  core_->start_operation(Get{std::move(key), options.siblings}, options, std::move(done));
}
void Client::async_get_by_sla(std::string key, Sla sla, GetOptions options,
                              Completion<SlaAnswer> done) {
  core_->start_by_sla(std::move(key), std::move(sla), options, std::move(done));
}
void Client::async_head(std::string key, GetOptions options, Completion<Answer> done) {
  core_->start_operation(Get{std::move(key)}, options, std::move(done), true);
}
void Client::async_put(std::string key, Bytes value, PutOptions options, Completion<Answer> done) {
  Put put{std::move(key), std::move(value), std::move(options.content_type), options.ttl};
  core_->start_operation(std::move(put), options, std::move(done));
}
void Client::async_remove(std::string key, RemoveOptions options, Completion<Answer> done) {
  core_->start_operation(Delete{std::move(key)}, options, std::move(done));
}
void Client::async_increment(std::string key, std::int64_t by, IncrementOptions options,
                             Completion<Answer> done) {
  core_->start_operation(Increment{std::move(key), by}, options, std::move(done));
}
void Client::async_update_crdt(std::string key, CrdtType type, CrdtUpdate update,
                               OperationOptions options, Completion<Answer> done) {
  core_->start_operation(UpdateCrdt{std::move(key), type, std::move(update)}, options,
                         std::move(done));
}
void Client::async_get_crdt(std::string key, OperationOptions options, Completion<Answer> done) {
  core_->start_operation(GetCrdt{std::move(key)}, options, std::move(done));
}
void Client::async_wait_for(std::uint32_t replicas, OperationOptions options,
                            Completion<Answer> done) {
  options.consistency = Consistency{};
  core_->start_operation(CountReplicas{replicas}, options, std::move(done));
}
void Client::async_scan(Scan range, OperationOptions options, Completion<Answer> done) {
  core_->start_operation(std::move(range), options, std::move(done));
}
void Client::async_continue_scan(std::string next, OperationOptions options,
                                 Completion<Answer> done) {
  core_->start_continued_scan(next, options, std::move(done));
}
void Client::async_get_many(std::vector<std::string> keys, OperationOptions options,
                            Completion<Answer> done) {
  core_->start_operation(GetMany{std::move(keys)}, options, std::move(done));
}
void Client::async_batch(std::vector<BatchOperation> operations, OperationOptions options,
                         Completion<BatchAnswers> done) {
  core_->start_batch(std::move(operations), options, std::move(done));
}
void Client::async_history(ReadHistory which, OperationOptions options, Completion<Answer> done) {
  core_->start_operation(std::move(which), options, std::move(done));
}
void Client::async_get_policy(std::string prefix, OperationOptions options,
                              Completion<Answer> done) {
  core_->start_operation(GetPolicy{std::move(prefix)}, options, std::move(done));
}
void Client::async_list_policies(OperationOptions options, Completion<Answer> done) {
  core_->start_operation(ListPolicies{}, options, std::move(done));
}
void Client::async_set_policy(std::string prefix, Policy policy, OperationOptions options,
                              Completion<Answer> done) {
  core_->start_operation(SetPolicy{std::move(prefix), policy}, options, std::move(done));
}
void Client::async_remove_policy(std::string prefix, OperationOptions options,
                                 Completion<Answer> done) {
  core_->start_operation(SetPolicy{std::move(prefix), std::nullopt}, options, std::move(done));
}
void Client::async_explain(bool write, std::string key, OperationOptions options,
                           Completion<PlanView> done) {
  core_->start_explain(write, std::move(key), options, std::move(done));
}
void Client::async_cluster(OperationOptions options, Completion<ClusterView> done) {
  core_->start_cluster(options, std::move(done));
}
void Client::async_status(std::string endpoint, OperationOptions options,
                          Completion<NodeStatus> done) {
  core_->start_status(std::move(endpoint), options, std::move(done));
}

template <class T, class Start, class... Arguments>
Result<T> Client::wait(Start start, Arguments&&... arguments) {
  PARALLAX_ASSERT(!core_->on_own_thread(), "a blocking call inside a completion waits for itself");
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = promise->get_future();
  (this->*start)(std::forward<Arguments>(arguments)...,
                 [promise](Result<T> result) { promise->set_value(std::move(result)); });
  return future.get();
}

Result<Answer> Client::get(std::string key, GetOptions options) {
  return wait<Answer>(&Client::async_get, std::move(key), std::move(options));
}
Result<SlaAnswer> Client::get_by_sla(std::string key, Sla sla, GetOptions options) {
  return wait<SlaAnswer>(&Client::async_get_by_sla, std::move(key), std::move(sla),
                         std::move(options));
}
Result<Answer> Client::head(std::string key, GetOptions options) {
  return wait<Answer>(&Client::async_head, std::move(key), std::move(options));
}
Result<Answer> Client::put(std::string key, Bytes value, PutOptions options) {
  return wait<Answer>(&Client::async_put, std::move(key), std::move(value), std::move(options));
}
Result<Answer> Client::remove(std::string key, RemoveOptions options) {
  return wait<Answer>(&Client::async_remove, std::move(key), std::move(options));
}
Result<Answer> Client::increment(std::string key, std::int64_t by, IncrementOptions options) {
  return wait<Answer>(&Client::async_increment, std::move(key), by, std::move(options));
}
Result<Answer> Client::update_crdt(std::string key, CrdtType type, CrdtUpdate update,
                                   OperationOptions options) {
  return wait<Answer>(&Client::async_update_crdt, std::move(key), type, std::move(update),
                      std::move(options));
}
Result<Answer> Client::get_crdt(std::string key, OperationOptions options) {
  return wait<Answer>(&Client::async_get_crdt, std::move(key), std::move(options));
}
Result<Answer> Client::wait_for(std::uint32_t replicas, OperationOptions options) {
  return wait<Answer>(&Client::async_wait_for, replicas, std::move(options));
}
Result<Answer> Client::scan(Scan range, OperationOptions options) {
  return wait<Answer>(&Client::async_scan, std::move(range), std::move(options));
}
Result<Answer> Client::continue_scan(std::string next, OperationOptions options) {
  return wait<Answer>(&Client::async_continue_scan, std::move(next), std::move(options));
}
Result<Answer> Client::get_many(std::vector<std::string> keys, OperationOptions options) {
  return wait<Answer>(&Client::async_get_many, std::move(keys), std::move(options));
}
Result<Client::BatchAnswers> Client::batch(std::vector<BatchOperation> operations,
                                           OperationOptions options) {
  return wait<BatchAnswers>(&Client::async_batch, std::move(operations), std::move(options));
}
Result<Answer> Client::history(ReadHistory which, OperationOptions options) {
  return wait<Answer>(&Client::async_history, std::move(which), std::move(options));
}
Result<Answer> Client::get_policy(std::string prefix, OperationOptions options) {
  return wait<Answer>(&Client::async_get_policy, std::move(prefix), std::move(options));
}
Result<Answer> Client::list_policies(OperationOptions options) {
  return wait<Answer>(&Client::async_list_policies, std::move(options));
}
Result<Answer> Client::set_policy(std::string prefix, Policy policy, OperationOptions options) {
  return wait<Answer>(&Client::async_set_policy, std::move(prefix), std::move(policy),
                      std::move(options));
}
Result<Answer> Client::remove_policy(std::string prefix, OperationOptions options) {
  return wait<Answer>(&Client::async_remove_policy, std::move(prefix), std::move(options));
}
Result<PlanView> Client::explain(bool write, std::string key, OperationOptions options) {
  return wait<PlanView>(&Client::async_explain, write, std::move(key), std::move(options));
}
Result<ClusterView> Client::cluster(OperationOptions options) {
  return wait<ClusterView>(&Client::async_cluster, std::move(options));
}
Result<NodeStatus> Client::status(std::string endpoint, OperationOptions options) {
  return wait<NodeStatus>(&Client::async_status, std::move(endpoint), std::move(options));
}

}  // namespace parallax
