// The client's operations with Asio's completion tokens.
#include "client/io/async.h"

#include <future>
#include <thread>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>

#include "tests/client/io/fake_server.h"
#include "tests/client/io/open_client.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

namespace asio = boost::asio;
using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT

Action answer(const SeenRequest& request) {
  if (request.path == "/v1/cluster") return cluster_answer(1, {{1, "h:1"}});
  if (request.path == "/v1/status") return respond(200, {}, R"({"id":1})");
  if (request.path == "/v1/batch")
    return respond(200, {}, R"({"results":[{"status":204,"consistency":"prefix"}]})");
  const std::vector<std::pair<std::string, std::string>> level{{"Parallax-Consistency", "prefix"}};
  if (request.path.ends_with("increment")) return respond(200, level, R"({"value":3})");
  if (request.path == "/v1/kv") return respond(200, level, R"({"items":[],"next":"n"})");
  if (request.path.starts_with("/v1/history")) return respond(200, level, R"({"versions":[]})");
  if (request.path == "/v1/policies") return respond(200, level, R"({"policies":[]})");
  if (request.path.starts_with("/v1/policies") && request.method == "GET") {
    return respond(200, level, "{}");
  }
  if (request.method == "PUT" || request.method == "DELETE") return stored_answer();
  return value_answer(request.method == "HEAD" ? "" : "v", 1, "prefix");
}

/// Every operation once; what failed first, or "all good".
asio::awaitable<std::string> use_all(Client& client, std::thread::id& where) {
  const AsyncClient async(client);
  const auto token = asio::use_awaitable;
  // gcc 12 destroys a braced temporary inside a co_await expression twice.
  const GetOptions get_options;
  const PutOptions put_options{.ttl = 5s};
  const RemoveOptions remove_options;
  const IncrementOptions increment_options;
  const OperationOptions options;
  const Scan range;
  const Result<Answer> put = co_await async.put("k", "v", put_options, token);
  if (!put) co_return "put";
  where = std::this_thread::get_id();
  const Result<Answer> get = co_await async.get("k", get_options, token);
  if (!get || get->value.view() != "v") co_return "get";
  if (!co_await async.head("k", get_options, token)) co_return "head";
  if (!co_await async.remove("k", remove_options, token)) co_return "remove";
  const Result<Answer> sum = co_await async.increment("n", 3, increment_options, token);
  if (!sum || sum->number != 3) co_return "increment";
  const Result<Answer> page = co_await async.scan(range, options, token);
  if (!page || !page->next) co_return "scan";
  if (!co_await async.continue_scan(*page->next, options, token)) co_return "continue_scan";
  std::vector<std::string> keys{"a"};
  if (!co_await async.get_many(keys, options, token)) co_return "get_many";
  std::vector<BatchOperation> operations(1);
  operations[0].operation = Put{"k", "v"};
  const Result<Client::BatchAnswers> batch = co_await async.batch(operations, options, token);
  if (!batch || !batch->at(0)) co_return "batch";
  ReadHistory which{.key = "k"};
  if (!co_await async.history(which, options, token)) co_return "history";
  if (!co_await async.get_policy("p", options, token)) co_return "get_policy";
  if (!co_await async.list_policies(options, token)) co_return "list_policies";
  if (!co_await async.set_policy("p", Policy{}, options, token)) co_return "set_policy";
  if (!co_await async.remove_policy("p", options, token)) co_return "remove_policy";
  if (!co_await async.cluster(options, token)) co_return "cluster";
  if (!co_await async.status("", options, token)) co_return "status";
  const Result<Answer> refused = co_await async.get("", get_options, token);
  if (refused || refused.error().code != ErrorCode::bad_parameter) co_return "refusal";
  co_return "all good";
}

TEST_CASE("async: coroutines wait for every operation on their own executor") {
  FakeServer server(answer);
  const auto client = open({server.endpoint()});
  asio::io_context context;
  std::thread::id where;
  std::string outcome;
  asio::co_spawn(context, use_all(*client, where),
                 [&](const std::exception_ptr&, std::string text) { outcome = std::move(text); });
  context.run();
  CHECK(outcome == "all good");
  CHECK(where == std::this_thread::get_id());
}

TEST_CASE("async: futures") {
  FakeServer server(answer);
  const auto client = open({server.endpoint()});
  const AsyncClient async(*client);
  std::future<Result<Answer>> written = async.put("k", "v", {}, asio::use_future);
  std::future<Result<Answer>> read = async.get("k", {}, asio::use_future);
  CHECK(written.get());
  const auto got = read.get();
  REQUIRE(got);
  CHECK(got->value.view() == "v");
}

TEST_CASE("async: callbacks run where they are bound, else on the client's thread") {
  FakeServer server(answer);
  const auto client = open({server.endpoint()});
  const AsyncClient async(*client);
  std::promise<std::thread::id> free;
  // A handler that cannot be copied.
  async.get("k", {}, [&, only = std::make_unique<int>(1)](Result<Answer>) {
    free.set_value(std::this_thread::get_id());
  });
  CHECK(free.get_future().get() != std::this_thread::get_id());

  asio::io_context context;
  std::thread::id bound;
  async.get("k", {}, asio::bind_executor(context, [&](Result<Answer> result) {
              REQUIRE(result);
              bound = std::this_thread::get_id();
            }));
  // The operation keeps the context running until its end.
  context.run();
  CHECK(bound == std::this_thread::get_id());
}

TEST_CASE("async: nothing is sent before a lazy token is used") {
  FakeServer server(answer);
  const auto client = open({server.endpoint()});
  const AsyncClient async(*client);
  auto later = async.get("k", {}, asio::deferred);
  std::this_thread::sleep_for(50ms);
  CHECK(server.seen().empty());
  CHECK(std::move(later)(asio::use_future).get());
  CHECK(server.seen().size() == 1);
}

}  // namespace
}  // namespace parallax
