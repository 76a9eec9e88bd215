#include "client/client.h"

#include <future>
#include <memory>
#include <random>
#include <thread>
#include <unordered_set>

#include "base/assert.h"
#include "client/http_reply.h"
#include "client/io/calls.h"

namespace parallax {
namespace {

Error option_error(std::string_view name, std::string_view rule) {
  return definite(ErrorCode::bad_parameter, fmt::format("client option {} {}", name, rule));
}

Result<void> check(const ClientOptions& options) {
  using std::chrono::milliseconds;
  const auto positive = [](milliseconds value) { return value > milliseconds::zero(); };
  if (options.endpoints.empty()) return option_error("endpoints", "must name at least one node");
  if (!positive(options.timeout)) return option_error("timeout", "must be above 0");
  if (!positive(options.connect_timeout)) return option_error("connect_timeout", "must be above 0");
  if (!positive(options.read_attempt_timeout)) {
    return option_error("read_attempt_timeout", "must be above 0");
  }
  if (options.retry.max_attempts < 1) return option_error("retry.max_attempts", "must be above 0");
  if (options.retry.base < milliseconds::zero() || options.retry.cap < options.retry.base) {
    return option_error("retry", "must have 0 <= base <= cap");
  }
  if (options.max_connections_per_endpoint == 0) {
    return option_error("max_connections_per_endpoint", "must be above 0");
  }
  return {};
}

/// What all options structs have.
template <class Options>
OperationOptions common(const Options& options) {
  return {.consistency = options.consistency,
          .timeout = options.timeout,
          .session = options.session,
          .forward = options.forward};
}

Result<void> check_operation(const OperationOptions& options) {
  if (options.timeout && *options.timeout <= std::chrono::milliseconds::zero()) {
    return definite(ErrorCode::bad_parameter, "the operation's timeout must be above 0");
  }
  return {};
}

Result<void> check_key(std::string_view key) {
  if (key.empty() || key.size() > limits::kMaxKeyBytes) {
    return definite(
        ErrorCode::bad_parameter,
        fmt::format("a key has 1 to {} bytes, this one has {}", limits::kMaxKeyBytes, key.size()));
  }
  return {};
}

/// A header's value must not smuggle in another header.
Result<void> check_content_type(std::string_view text) {
  if (text.size() > limits::kMaxContentTypeBytes) {
    return definite(ErrorCode::bad_parameter,
                    fmt::format("a content type has at most {} bytes, this one has {}",
                                limits::kMaxContentTypeBytes, text.size()));
  }
  for (const char c : text) {
    if (c < 0x20 || c == 0x7f) {
      return definite(ErrorCode::bad_parameter, "a content type is printable ASCII");
    }
  }
  return {};
}

}  // namespace

/// The calls' thread, and what turns operations into calls.
class Client::Core {
 public:
  Core(const ClientOptions& options, std::vector<Endpoint> endpoints, std::uint64_t seed)
      : options_(options),
        calls_(options, std::move(endpoints), seed),
        thread_([this] { calls_.run(); }) {}

  ~Core() {
    PARALLAX_ASSERT(!on_own_thread(), "a client was destroyed by one of its own completions");
    calls_.close();
    thread_.join();
  }

  bool on_own_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  std::chrono::milliseconds timeout(const OperationOptions& options) const {
    return options.timeout.value_or(options_.timeout);
  }

  /// Starts a call whose success `read` recognizes.
  template <class T, class Read>
  void start(Call::Spec spec, Read read, Completion<T> done) {
    auto answer = std::make_shared<std::optional<T>>();
    auto call = std::make_shared<Call>();
    call->spec = std::move(spec);
    call->read = [answer,
                  read = std::move(read)](const HttpResponse& response) -> std::optional<Refusal> {
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

  /// A call that ends with `error`, in the way of all others.
  template <class T>
  void refuse(Error error, Completion<T> done) {
    calls_.post([error = std::move(error), done = std::move(done)] { done(Result<T>(error)); });
  }

  void start_kv(KvMethod method, std::string key, OperationOptions options, Call::Message message,
                Completion<Answer> done) {
    if (auto valid = check_key(key); !valid) return refuse(valid.error(), std::move(done));
    if (auto valid = check_operation(options); !valid)
      return refuse(valid.error(), std::move(done));
    message.method = http_method(method);
    message.path = kv_path(key);
    message.consistency = options.consistency;
    message.forward = options.forward;
    // Writes of every level so far, and reads of the default one, are the leader's.
    const bool local_read =
        is_read(method) && options.consistency && options.consistency->level == Level::prefix;
    Call::Spec spec{
        .message = std::move(message),
        .is_read = is_read(method),
        .leader_path = !local_read,
        .only = std::nullopt,
        .timeout = timeout(options),
    };
    const auto read = [this, method](const HttpResponse& response) {
      std::variant<Answer, Refusal> outcome = read_kv_answer(method, response);
      if (const auto* answer = std::get_if<Answer>(&outcome)) calls_.learn(answer->evidence);
      return outcome;
    };
    start<Answer>(std::move(spec), read, std::move(done));
  }

  void start_status(std::string endpoint, OperationOptions options, Completion<NodeStatus> done) {
    if (auto valid = check_operation(options); !valid)
      return refuse(valid.error(), std::move(done));
    if (endpoint.empty()) endpoint = options_.endpoints.front();
    const auto parsed = parse_endpoint(endpoint);
    if (!parsed) return refuse(parsed.error(), std::move(done));
    Call::Spec spec{
        .message = Call::Message::get("/v1/status"),
        .is_read = true,
        .leader_path = false,
        .only = *parsed,
        .timeout = timeout(options),
    };
    const auto read = [name = parsed->to_string()](
                          const HttpResponse& response) -> std::variant<NodeStatus, Refusal> {
      if (response.status != 200) return read_refusal(true, response);
      auto status = parse_node_status(response.body);
      if (!status) return unreadable(status.error());
      status->endpoint = name;
      return std::move(*status);
    };
    start<NodeStatus>(std::move(spec), read, std::move(done));
  }

  void start_cluster(OperationOptions options, Completion<ClusterView> done) {
    if (auto valid = check_operation(options); !valid)
      return refuse(valid.error(), std::move(done));
    const auto read = [this](const HttpResponse& response) {
      std::variant<ClusterView, Refusal> outcome = read_cluster_answer(response);
      if (const auto* view = std::get_if<ClusterView>(&outcome)) calls_.learn(*view);
      return outcome;
    };
    start<ClusterView>(cluster_call(timeout(options)), read, std::move(done));
  }

 private:
  const ClientOptions options_;
  Calls calls_;
  std::thread thread_;
};

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
  core_->start_kv(KvMethod::get, std::move(key), common(options), {}, std::move(done));
}
void Client::async_head(std::string key, GetOptions options, Completion<Answer> done) {
  core_->start_kv(KvMethod::head, std::move(key), common(options), {}, std::move(done));
}
void Client::async_remove(std::string key, RemoveOptions options, Completion<Answer> done) {
  core_->start_kv(KvMethod::remove, std::move(key), common(options), {}, std::move(done));
}
void Client::async_put(std::string key, Bytes value, PutOptions options, Completion<Answer> done) {
  if (auto valid = check_content_type(options.content_type); !valid) {
    return core_->refuse(valid.error(), std::move(done));
  }
  Call::Message message;
  if (!options.content_type.empty()) {
    message.headers.emplace_back("Content-Type", options.content_type);
  }
  message.body = std::move(value);
  core_->start_kv(KvMethod::put, std::move(key), common(options), std::move(message),
                  std::move(done));
}
void Client::async_cluster(OperationOptions options, Completion<ClusterView> done) {
  core_->start_cluster(options, std::move(done));
}
void Client::async_status(std::string endpoint, OperationOptions options,
                          Completion<NodeStatus> done) {
  core_->start_status(std::move(endpoint), options, std::move(done));
}

namespace {

/// Starts an operation with a completion that hands its result to this thread.
template <class T, class Start>
Result<T> wait_for(const Start& start) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = promise->get_future();
  start([promise](Result<T> result) { promise->set_value(std::move(result)); });
  return future.get();
}

}  // namespace

#define PARALLAX_ASSERT_MAY_BLOCK() \
  PARALLAX_ASSERT(!core_->on_own_thread(), "a blocking call inside a completion waits for itself")

Result<Answer> Client::get(std::string key, GetOptions options) {
  PARALLAX_ASSERT_MAY_BLOCK();
  return wait_for<Answer>([&](auto done) { async_get(std::move(key), options, done); });
}
Result<Answer> Client::head(std::string key, GetOptions options) {
  PARALLAX_ASSERT_MAY_BLOCK();
  return wait_for<Answer>([&](auto done) { async_head(std::move(key), options, done); });
}
Result<Answer> Client::put(std::string key, Bytes value, PutOptions options) {
  PARALLAX_ASSERT_MAY_BLOCK();
  return wait_for<Answer>(
      [&](auto done) { async_put(std::move(key), std::move(value), std::move(options), done); });
}
Result<Answer> Client::remove(std::string key, RemoveOptions options) {
  PARALLAX_ASSERT_MAY_BLOCK();
  return wait_for<Answer>([&](auto done) { async_remove(std::move(key), options, done); });
}
Result<ClusterView> Client::cluster(OperationOptions options) {
  PARALLAX_ASSERT_MAY_BLOCK();
  return wait_for<ClusterView>([&](auto done) { async_cluster(options, done); });
}
Result<NodeStatus> Client::status(std::string endpoint, OperationOptions options) {
  PARALLAX_ASSERT_MAY_BLOCK();
  return wait_for<NodeStatus>([&](auto done) { async_status(std::move(endpoint), options, done); });
}

}  // namespace parallax
