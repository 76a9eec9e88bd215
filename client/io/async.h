// The client library's operations with Asio's completion tokens: callbacks, futures, coroutines.
//
//   Result<Answer> answer = co_await async.get("key", {}, boost::asio::use_awaitable);
//   std::future<Result<Answer>> answer = async.get("key", {}, boost::asio::use_future);
//
// The completion's signature is void(Result<T>): errors are values, nothing throws. It runs on the
// token's executor where that has one (a coroutine's own, bind_executor), else on the client's
// thread, where it must not block.
//
// A view: copy freely; the Client must outlive it and its operations. Thread safety: as Client.
// Operations do not take part in Asio's cancellation: each ends at its deadline.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include "client/client.h"

namespace parallax {

class AsyncClient {
 public:
  explicit AsyncClient(Client& client) : client_(&client) {}

  template <class Token>
  auto get(std::string key, GetOptions options, Token&& token) const {
    return start<Answer>(&Client::async_get, token, std::move(key), std::move(options));
  }
  template <class Token>
  auto get_by_sla(std::string key, Sla sla, GetOptions options, Token&& token) const {
    return start<SlaAnswer>(&Client::async_get_by_sla, token, std::move(key), std::move(sla),
                            std::move(options));
  }
  template <class Token>
  auto head(std::string key, GetOptions options, Token&& token) const {
    return start<Answer>(&Client::async_head, token, std::move(key), std::move(options));
  }
  template <class Token>
  auto put(std::string key, Bytes value, PutOptions options, Token&& token) const {
    return start<Answer>(&Client::async_put, token, std::move(key), std::move(value),
                         std::move(options));
  }
  template <class Token>
  auto remove(std::string key, RemoveOptions options, Token&& token) const {
    return start<Answer>(&Client::async_remove, token, std::move(key), std::move(options));
  }
  template <class Token>
  auto increment(std::string key, std::int64_t by, IncrementOptions options, Token&& token) const {
    return start<Answer>(&Client::async_increment, token, std::move(key), by, std::move(options));
  }
  template <class Token>
  auto update_crdt(std::string key, CrdtType type, CrdtUpdate update, OperationOptions options,
                   Token&& token) const {
    return start<Answer>(&Client::async_update_crdt, token, std::move(key), type, std::move(update),
                         std::move(options));
  }
  template <class Token>
  auto get_crdt(std::string key, OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_get_crdt, token, std::move(key), std::move(options));
  }
  template <class Token>
  auto wait_for(std::uint32_t replicas, OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_wait_for, token, replicas, std::move(options));
  }
  template <class Token>
  auto scan(Scan range, OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_scan, token, std::move(range), std::move(options));
  }
  template <class Token>
  auto continue_scan(std::string next, OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_continue_scan, token, std::move(next), std::move(options));
  }
  template <class Token>
  auto get_many(std::vector<std::string> keys, OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_get_many, token, std::move(keys), std::move(options));
  }
  template <class Token>
  auto batch(std::vector<BatchOperation> operations, OperationOptions options,
             Token&& token) const {
    return start<Client::BatchAnswers>(&Client::async_batch, token, std::move(operations),
                                       std::move(options));
  }
  template <class Token>
  auto history(ReadHistory which, OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_history, token, std::move(which), std::move(options));
  }
  template <class Token>
  auto get_policy(std::string prefix, OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_get_policy, token, std::move(prefix), std::move(options));
  }
  template <class Token>
  auto list_policies(OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_list_policies, token, std::move(options));
  }
  template <class Token>
  auto set_policy(std::string prefix, Policy policy, OperationOptions options,
                  Token&& token) const {
    return start<Answer>(&Client::async_set_policy, token, std::move(prefix), std::move(policy),
                         std::move(options));
  }
  template <class Token>
  auto remove_policy(std::string prefix, OperationOptions options, Token&& token) const {
    return start<Answer>(&Client::async_remove_policy, token, std::move(prefix),
                         std::move(options));
  }
  template <class Token>
  auto cluster(OperationOptions options, Token&& token) const {
    return start<ClusterView>(&Client::async_cluster, token, std::move(options));
  }
  template <class Token>
  auto status(std::string endpoint, OperationOptions options, Token&& token) const {
    return start<NodeStatus>(&Client::async_status, token, std::move(endpoint), std::move(options));
  }
  template <class Token>
  auto explain(bool write, std::string key, OperationOptions options, Token&& token) const {
    return start<PlanView>(&Client::async_explain, token, write, std::move(key),
                           std::move(options));
  }

 private:
  template <class T, class Method, class Token, class... Arguments>
  auto start(Method method, Token& token, Arguments... arguments) const {
    return boost::asio::async_initiate<Token, void(Result<T>)>(Initiate<T>{}, token, client_,
                                                               method, std::move(arguments)...);
  }

  /// Called when the token says so, which for a lazy one (use_awaitable) is later.
  template <class T>
  struct Initiate {
    template <class Handler, class Method, class... Arguments>
    void operator()(Handler&& handler, Client* client, Method method,
                    Arguments&&... arguments) const {
      using Kept = std::decay_t<Handler>;
      // A Completion is copyable, a handler need not be. The guard keeps the executor's context
      // running until the handler is on it.
      auto kept = std::make_shared<Kept>(std::forward<Handler>(handler));
      auto guard = boost::asio::make_work_guard(boost::asio::get_associated_executor(*kept));
      Client::Completion<T> done = [kept, guard](Result<T> result) {
        // Without an executor of its own this runs here, on the client's thread.
        boost::asio::dispatch(guard.get_executor(), [kept, result = std::move(result)]() mutable {
          Kept last = std::move(*kept);
          last(std::move(result));
        });
      };
      (client->*method)(std::forward<Arguments>(arguments)..., std::move(done));
    }
  };

  Client* client_;
};

}  // namespace parallax
