// The engine under client.h: calls under way, their attempts, connections and timers.
//
// A call is one operation. It makes attempts one after the other, each on one connection, until one
// is answered, the retry rule stops it, or its deadline passes; then its `done` runs, once. A read
// may have a second attempt beside the first (hedging); what either decides is the call's end, and
// the other is abandoned.
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

/// One request at one node.
struct Attempt {
  Endpoint endpoint;
  std::shared_ptr<ClientConnection> connection;  ///< null while waiting for one
  MonoTime start;                                ///< of the exchange
};

/// What became of an attempt.
struct AttemptEnd {
  const ErrorCode* refused = nullptr;  ///< what the node said no with
  bool answered = false;               ///< with what was asked for
  Duration took{};                     ///< from the exchange's start; 0 if it had not begun
  Duration since_call{};
  MonoTime at = {};
};

struct Call {
  struct Spec {
    /// The request that gives the node this long to answer; each attempt asks anew.
    std::function<HttpRequest(std::chrono::milliseconds timeout)> request;
    bool is_read = true;
    bool repeatable = true;  ///< may be sent again when an attempt's outcome is unknown
    Asks asks = Asks::first;
    std::optional<Endpoint> only = std::nullopt;  ///< ask nobody else
    /// In place of the router's choice among `choices` (Router::choices): the index of one. Called
    /// before each attempt; `elapsed` since the call.
    std::function<std::size_t(const std::vector<KnownEndpoint>& choices, Duration elapsed,
                              MonoTime now)>
        choose = nullptr;
    /// Told of each attempt's end, once. May be empty.
    std::function<void(const AttemptEnd&)> ended = nullptr;
    std::chrono::milliseconds timeout{};
    std::chrono::milliseconds hedge_after{0};  ///< 0: never
    bool waits = false;                        ///< a node may well take all the time to answer
  };

  Spec spec;
  /// Takes a response in, or says what it refuses.
  std::function<std::optional<Refusal>(const HttpResponse&)> read;
  std::function<void(std::optional<Error>)> done;
  /// Asked as the call begins: true when it need not go out, and is done. May be empty.
  std::function<bool()> at_hand;

  // What follows is the engine's.
  MonoTime start;
  MonoTime deadline;
  AttemptHistory history{.attempts = 0};
  std::vector<Endpoint> tried;                     ///< of the attempts that failed, in order
  std::vector<std::shared_ptr<Attempt>> attempts;  ///< under way; none between two
  std::optional<MonoTime> hedge_at;                ///< when a second one is due
  std::unique_ptr<boost::asio::steady_timer> timer;
  std::uint64_t timer_round = 0;  ///< tells the armed wait from earlier ones
  std::string last_failure;
  bool may_have_happened = false;  ///< an attempt that failed has an unknown outcome
  bool finished = false;
};

Call::Spec cluster_call(std::chrono::milliseconds timeout);
std::variant<ClusterView, Refusal> read_cluster_answer(const HttpResponse& response);
/// An answer to a read that has the wrong shape.
Refusal unreadable(Error error);

class Calls {
 public:
  Calls(const ClientOptions& options, std::vector<Endpoint> endpoints, std::uint64_t seed);

  /// This process's monotonic time.
  static MonoTime now();

  /// Serves until close(), then until nothing is under way.
  void run() { context_.run(); }
  void start(std::shared_ptr<Call> call);
  void post(std::function<void()> work);
  /// Ends every call, those that come later too, with shutting_down.
  void close();

  // On the thread in run():
  void learn(const Evidence& evidence);
  void learn(const ClusterView& view);
  /// How many members the cluster has; 0: not known yet.
  std::size_t members() const { return members_; }

 private:
  using CallPtr = std::shared_ptr<Call>;
  using AttemptPtr = std::shared_ptr<Attempt>;
  struct Idle {
    std::shared_ptr<ClientConnection> connection;
    MonoTime since;
  };
  struct Waiting {
    CallPtr call;
    AttemptPtr attempt;
  };
  struct Pool {
    std::vector<Idle> idle;  ///< the one used last is used next
    std::size_t open = 0;    ///< idle and busy ones
    std::deque<Waiting> waiting;
  };

  void begin(const CallPtr& call);
  Endpoint choose(const CallPtr& call, MonoTime time) const;
  /// Begins an attempt when none is under way.
  void attempt(const CallPtr& call);
  /// Begins one beside the one under way, if another node can be asked at once.
  void hedge(const CallPtr& call);
  std::shared_ptr<ClientConnection> take_idle(Pool& pool);
  /// An idle connection or a new one; null when there are as many as there may be.
  std::shared_ptr<ClientConnection> take_connection(const Endpoint& endpoint);
  void exchange(const CallPtr& call, const AttemptPtr& attempt,
                std::shared_ptr<ClientConnection> connection);
  void exchanged(const CallPtr& call, const AttemptPtr& attempt, ExchangeResult result);
  /// Gives the attempt's connection back; `usable` says whether it can serve again.
  void release(const AttemptPtr& attempt, bool usable);
  /// The attempt is over without a result: its connection is closed, or it waits for none any more.
  /// How far it had come.
  AttemptStage abandon(const CallPtr& call, const AttemptPtr& attempt);
  void refused(const CallPtr& call, const AttemptPtr& attempt, const Refusal& refusal);
  static void report_end(const CallPtr& call, const AttemptPtr& attempt, AttemptEnd end);
  /// Decides what follows. `attempt` is over.
  void attempt_failed(const CallPtr& call, const AttemptPtr& attempt, AttemptFailure failure);
  void finish(const CallPtr& call, std::optional<Error> error);
  /// Ends the call, whatever is under way.
  void give_up(const CallPtr& call, ErrorCode code, std::string message);

  void arm(const CallPtr& call, MonoTime at, void (Calls::*then)(const CallPtr&));
  /// Waits for what is due next while attempts are under way.
  void arm_watch(const CallPtr& call);
  /// Until when the attempt may stay at `stage`.
  MonoTime attempt_limit(const Call& call, const Attempt& attempt, AttemptStage stage) const;
  void watch(const CallPtr& call);

  void fetch_members_if_needed();

  const ClientOptions options_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Random random_;
  Router router_;
  std::map<Endpoint, Pool> pools_;
  std::unordered_set<CallPtr> active_;
  std::size_t members_ = 0;
  std::optional<MonoTime> members_fetched_;
  bool closed_ = false;
};

}  // namespace parallax
