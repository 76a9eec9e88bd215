// The engine under client.h: calls under way, their attempts, connections and timers.
//
// A call is one operation. It makes attempts one after the other, each on one connection, until one
// is answered, the retry rule stops it, or its deadline passes; then its `done` runs, once.
//
// All state belongs to the thread in run(); start(), post() and close() may be called from any.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/random.h"
#include "client/client.h"
#include "client/http_reply.h"
#include "client/io/http_connection.h"
#include "client/routing.h"

namespace parallax {

struct Call {
  /// A request without its timeout, which each attempt says anew.
  struct Message {
    std::string method;
    std::string path;
    std::optional<Consistency> consistency;
    bool forward = true;
    HttpHeaders headers;
    Bytes body;
    static Message get(std::string path) {
      Message message;
      message.method = "GET";
      message.path = std::move(path);
      return message;
    }
  };
  struct Spec {
    Message message;
    bool is_read = true;
    bool leader_path = false;
    std::optional<Endpoint> only;  ///< ask nobody else
    std::chrono::milliseconds timeout{};
  };

  Spec spec;
  /// Takes a response in, or says what it refuses.
  std::function<std::optional<Refusal>(const HttpResponse&)> read;
  std::function<void(std::optional<Error>)> done;

  // What follows is the engine's.
  MonoTime start;
  MonoTime deadline;
  MonoTime attempt_start;
  AttemptHistory history{.attempts = 0};
  std::vector<Endpoint> tried;                 ///< endpoints of the attempts that failed, in order
  Endpoint endpoint;                           ///< of the present attempt
  std::shared_ptr<HttpConnection> connection;  ///< null while waiting for one, or between attempts
  std::unique_ptr<boost::asio::steady_timer> timer;
  std::uint64_t timer_round = 0;  ///< tells the armed wait from earlier ones
  std::string last_failure;
  bool finished = false;
};

Call::Spec cluster_call(std::chrono::milliseconds timeout);
std::variant<ClusterView, Refusal> read_cluster_answer(const HttpResponse& response);
/// An answer to a read that has the wrong shape.
Refusal unreadable(Error error);

class Calls {
 public:
  Calls(const ClientOptions& options, std::vector<Endpoint> endpoints, std::uint64_t seed);

  /// Serves until close(), then until nothing is under way.
  void run() { context_.run(); }
  void start(std::shared_ptr<Call> call);
  void post(std::function<void()> work);
  /// Ends every call, those that come later too, with shutting_down.
  void close();

  // On the thread in run():
  void learn(const Evidence& evidence);
  void learn(const ClusterView& view);

 private:
  using CallPtr = std::shared_ptr<Call>;
  struct Idle {
    std::shared_ptr<HttpConnection> connection;
    MonoTime since;
  };
  struct Pool {
    std::vector<Idle> idle;  ///< the one used last is used next
    std::size_t open = 0;    ///< idle and busy ones
    std::deque<CallPtr> waiting;
  };

  void begin(const CallPtr& call);
  void attempt(const CallPtr& call);
  std::shared_ptr<HttpConnection> take_idle(Pool& pool);
  void exchange(const CallPtr& call, std::shared_ptr<HttpConnection> connection);
  void exchanged(const CallPtr& call, ExchangeResult result);
  /// Gives the call's connection back; `usable` says whether it can serve again.
  void release(const CallPtr& call, bool usable);
  void refused(const CallPtr& call, const Refusal& refusal);
  void attempt_failed(const CallPtr& call, AttemptFailure failure);
  void finish(const CallPtr& call, std::optional<Error> error);

  void arm(const CallPtr& call, MonoTime at, void (Calls::*then)(const CallPtr&));
  /// Until when the present attempt may stay in `stage`.
  MonoTime attempt_limit(const Call& call, AttemptStage stage) const;
  void attempt_overdue(const CallPtr& call);
  /// Abandons the attempt. `code` says why.
  void give_up_attempt(const CallPtr& call, ErrorCode code, std::string message, bool may_retry);

  void fetch_members_if_needed();

  const ClientOptions options_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Random random_;
  Router router_;
  std::map<Endpoint, Pool> pools_;
  std::unordered_set<CallPtr> active_;
  std::optional<MonoTime> members_fetched_;
  bool closed_ = false;
};

}  // namespace parallax
