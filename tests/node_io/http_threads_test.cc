// The client port on threads of its own (node/io/http_threads.h, node/io/service_link.h).
#include "node/io/http_threads.h"

#include <deque>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>

#include "tests/node_io/http_world.h"

namespace parallax {
namespace {

/// The node is on this thread, which runs only while the test waits for something.
class ThreadedWorld : public Loop {
 public:
  explicit ThreadedWorld(unsigned threads, const HttpServerOptions& options = {})
      : server(io, node, options, threads) {
    connect_to(server.listen({"127.0.0.1", 0}));
    server.start();
  }
  ~ThreadedWorld() { server.stop(); }

  static std::string metric(RawClient& client, std::string_view name) {
    const std::string answer = client.send(request("GET", "/metrics")).receive();
    const std::size_t at = answer.find(fmt::format("\n{} ", name));
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size() + 2;
    return answer.substr(begin, answer.find('\n', begin) - begin);
  }

  HttpThreads server;

 private:
  const asio::executor_work_guard<asio::io_context::executor_type> open_ =
      asio::make_work_guard(io);
};

TEST_CASE("http threads: connections go round, and count as one server's") {
  ThreadedWorld world(3);
  std::deque<RawClient> clients;
  for (int i = 0; i < 7; ++i) {
    RawClient& client = clients.emplace_back(world);
    const std::string target = fmt::format("/v1/kv/k{}", i);
    CHECK(has_status(client.send(request("PUT", target, fmt::format("v{}", i))).receive(), 204));
    const std::string answer = client.send(request("GET", target)).receive();
    CHECK(body_of(answer) == fmt::format("v{}", i));
  }
  CHECK(world.node.requests.size() == 14);
  const std::string puts =
      R"(parallax_requests_total{level="linearizable",op="put",status="204",outcome="done"})";
  CHECK(ThreadedWorld::metric(clients[0], puts) == "7");
  CHECK(ThreadedWorld::metric(clients[1], "parallax_connections") == "7");
}

TEST_CASE("http threads: what is asked together is answered together, to whoever asked it") {
  ThreadedWorld world(2);
  world.node.hold = true;
  std::deque<RawClient> clients;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) {
      RawClient& client = round == 0 ? clients.emplace_back(world) : clients.at(i);
      client.send(request("PUT", fmt::format("/v1/kv/k{}", i), fmt::format("{} {}", i, round)));
    }
    REQUIRE(world.run_until([&] { return world.node.held.size() == 20; }));
    // In another order than they have come.
    std::reverse(world.node.held.begin(), world.node.held.end());
    world.node.release();
    for (RawClient& client : clients) CHECK(has_status(client.receive(), 204));
  }
  for (int i = 0; i < 20; ++i) {
    CHECK(world.node.values.at(fmt::format("k{}", i)).value == Bytes{fmt::format("{} 2", i)});
  }
}

TEST_CASE("http threads: administration reaches the node") {
  ThreadedWorld world(2, {.enable_faults = true});
  world.node.status.term = Term{17};
  for (int i = 0; i < 2; ++i) {
    RawClient client(world);
    CHECK(contains(client.send(request("GET", "/v1/status")).receive(), "\"term\":17"));
    CHECK(has_status(client.send(request("GET", "/v1/explain?op=read&key=k")).receive(), 200));
    CHECK(has_status(
        client.send(request("POST", "/v1/cluster/transfer-leadership", "{\"to\":2}")).receive(),
        202));
    CHECK(world.node.transferred_to == NodeId{2});
    CHECK(
        has_status(client.send(request("POST", "/v1/faults", "{\"delay_ms\":5}")).receive(), 204));
    REQUIRE(world.node.faults.has_value());
    CHECK(world.node.faults->delay == 5ms);
    world.node.transferred_to.reset();
    world.node.faults.reset();
  }
}

TEST_CASE("http threads: the bounds are those of all of them together") {
  ThreadedWorld world(2, {.max_connections = 4});
  std::deque<RawClient> clients;
  for (int i = 0; i < 4; ++i) {
    RawClient& client = clients.emplace_back(world);
    CHECK(has_status(client.send(request("GET", "/healthz")).receive(), 200));
  }
  RawClient one_more(world);
  CHECK(has_status(one_more.send(request("GET", "/healthz")).receive(), 429));
}

TEST_CASE("http threads: what one request may be is not shared out") {
  ThreadedWorld world(64, {.max_value_bytes = 16 << 20});
  RawClient client(world);
  std::string batch;
  for (int i = 0; i < 1'000; ++i) {
    batch += fmt::format(R"({}{{"op":"put","key":"k{}","value":"v"}})", i == 0 ? "" : ",", i);
  }
  const std::string answer =
      client.send(request("POST", "/v1/batch", "{\"operations\":[" + batch + "]}")).receive();
  CHECK(has_status(answer, 200));
  CHECK_FALSE(contains(answer, "overloaded"));
  CHECK(world.node.values.size() == 1'000);
  const std::string large(16 << 20, 'v');
  CHECK(has_status(client.send(request("PUT", "/v1/kv/large", large)).receive(), 204));
  CHECK(body_of(client.send(request("GET", "/v1/kv/large")).receive()) == large);
}

TEST_CASE("http threads: a thread that is full leaves new connections to the others") {
  ThreadedWorld world(2, {.max_connections = 4});
  std::deque<RawClient> clients;
  const auto connect = [&]() -> RawClient& {
    RawClient& client = clients.emplace_back(world);
    CHECK(has_status(client.send(request("GET", "/healthz")).receive(), 200));
    return client;
  };
  for (int i = 0; i < 4; ++i) connect();
  // Both that leave are of one thread, so every other connection would find the full one.
  clients[0].hang_up();
  clients[2].hang_up();
  while (ThreadedWorld::metric(clients[1], "parallax_connections") != "2") {
    world.run_for(1ms);
  }
  connect();
  connect();
}

TEST_CASE("http threads: an end waits for nobody") {
  ThreadedWorld world(2);
  world.node.hold = true;
  std::deque<RawClient> clients;
  for (int i = 0; i < 4; ++i) clients.emplace_back(world).send(request("GET", "/v1/kv/k"));
  REQUIRE(world.run_until([&] { return world.node.held.size() == 4; }));
  for (int i = 0; i < 4; ++i) clients.emplace_back(world).send(request("GET", "/v1/status"));
  // They wait for this thread, which does not run any more.
  std::this_thread::sleep_for(50ms);
  world.server.stop();
  for (RawClient& client : clients) {
    for (int i = 0; i < 1'000 && !client.ended(); ++i) std::this_thread::sleep_for(1ms);
    CHECK(client.ended());
  }
}

TEST_CASE("http threads: no new requests once accepting has stopped") {
  ThreadedWorld world(2);
  world.node.hold = true;
  RawClient busy(world);
  busy.send(request("GET", "/v1/kv/k"));
  REQUIRE(world.run_until([&] { return world.node.held.size() == 1; }));
  RawClient idle(world);
  CHECK(has_status(idle.send(request("GET", "/healthz")).receive(), 200));
  world.server.stop_accepting();
  CHECK(world.run_until([&] { return idle.ended(); }));
  world.node.release();
  CHECK(contains(busy.receive(), "Connection: close"));
}

}  // namespace
}  // namespace parallax
