#include "node/io/http_server.h"

#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/node_io/http_world.h"

namespace parallax {
TEST_CASE("http server: a value goes in and comes out over one connection") {
  World world;
  RawClient client(world);
  const std::string put =
      client.send(request("PUT", "/v1/kv/a%20b", "hello", "Content-Type: text/plain\r\n"))
          .receive();
  CHECK(has_status(put, 204));
  CHECK(contains(put, "\r\nETag: \"1-1\"\r\n"));
  CHECK(contains(put, "\r\nParallax-Consistency: linearizable\r\n"));
  CHECK(contains(put, "\r\nParallax-Evidence: node=1, term=3, "));
  CHECK(contains(put, "\r\nDate: "));
  CHECK_FALSE(contains(put, "Content-Length"));

  const std::string get = client.send(request("GET", "/v1/kv/a%20b?consistency=prefix")).receive();
  CHECK(has_status(get, 200));
  CHECK(body_of(get) == "hello");
  CHECK(contains(get, "\r\nContent-Type: text/plain\r\n"));
  CHECK(contains(get, "\r\nParallax-Consistency: prefix\r\n"));

  const std::string head = client.send(request("HEAD", "/v1/kv/a%20b")).receive(true);
  CHECK(has_status(head, 200));
  CHECK(contains(head, "\r\nContent-Length: 5\r\n"));
  CHECK(has_status(
      client.send(request("GET", "/v1/kv/a%20b", "", "If-None-Match: \"1-1\"\r\n")).receive(),
      304));
  CHECK(has_status(client.send(request("DELETE", "/v1/kv/a%20b")).receive(), 204));
  CHECK(has_status(client.send(request("GET", "/v1/kv/a%20b")).receive(), 404));
  CHECK(has_status(client.send(request("HEAD", "/v1/kv/a%20b")).receive(true), 404));
  CHECK(client.received() == 0);
  CHECK(world.server.connections() == 1);
  client.hang_up();
  check_clean(world);
}

TEST_CASE("http server: pipelined requests are answered in order") {
  for (const bool inside : {false, true}) {
    World world;
    world.node.answer_inside = inside;
    RawClient client(world);
    std::string all;
    for (int i = 0; i < 500; ++i) {
      all += request("PUT", fmt::format("/v1/kv/{}", i), fmt::format("value {}", i));
      all += request("GET", fmt::format("/v1/kv/{}", i));
      if (i % 10 == 0) all += "\r\n" + request("GET", "/nowhere");  // an empty line is no request
    }
    client.send(all);
    for (int i = 0; i < 500; ++i) {
      REQUIRE(has_status(client.receive(), 204));
      const std::string got = client.receive();
      REQUIRE(body_of(got) == fmt::format("value {}", i));
      if (i % 10 == 0) REQUIRE(has_status(client.receive(), 404));
    }
  }
}

TEST_CASE("http server: a request may come byte by byte") {
  World world;
  RawClient client(world);
  for (const char c : request("PUT", "/v1/kv/k", "body")) {
    client.send({&c, 1});
    world.io.poll();
  }
  CHECK(has_status(client.receive(), 204));
  CHECK(world.node.values.at("k").value.view() == "body");
}

TEST_CASE("http server: large values") {
  World world;
  RawClient client(world);
  std::string value(1 << 20, 'x');
  for (std::size_t i = 0; i < value.size(); i += 1000) value[i] = static_cast<char>(i / 1000);
  for (int round = 0; round < 2; ++round) {
    CHECK(has_status(client.send(request("PUT", "/v1/kv/k", value)).receive(), 204));
    CHECK((world.node.values.at("k").value.view() == value));
    const std::string got = client.send(request("GET", "/v1/kv/k")).receive();
    CHECK((body_of(got) == value));
  }
}

TEST_CASE("http server: bodies in chunks") {
  World world;
  RawClient client(world);
  const std::string head = "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunks =
      "5\r\nhello\r\n1;name=value\r\n \r\n00006\r\nworld!\r\n0\r\nIf-Match: *\r\n\r\n";
  for (std::size_t step = 1; step < 30; ++step) {
    const std::string all = head + chunks + request("GET", "/v1/kv/k");
    for (std::size_t at = 0; at < all.size(); at += step) {
      client.send(std::string_view(all).substr(at, step));
      world.io.poll();
    }
    CHECK(has_status(client.receive(), 204));
    CHECK(body_of(client.receive()) == "hello world!");
  }
  client.send(head + "0\r\n\r\n");
  CHECK(has_status(client.receive(), 204));
  CHECK(world.node.values.at("k").value.empty());

  std::string large = head;
  for (int i = 0; i < 1024; ++i) large += "400\r\n" + std::string(1024, 'v') + "\r\n";
  client.send(large + "0\r\n\r\n");
  CHECK(has_status(client.receive(), 204));
  CHECK(world.node.values.at("k").value.size() == 1 << 20);
}

TEST_CASE("http server: wrong chunks are refused") {
  const std::string head = "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& chunks :
       {std::string("x\r\nhello\r\n"), std::string("5\r\nhello!\r\n0\r\n\r\n"),
        std::string("-5\r\nhello\r\n0\r\n\r\n"), "1;" + std::string(100'000, 'x'),
        std::string("0\r\nno colon\r\n\r\n")}) {
    World world;
    RawClient client(world);
    const std::string answer = client.send(head + chunks).receive_all();
    CHECK(has_status(answer, 400));
    CHECK(contains(answer, "Connection: close"));
    CHECK(world.node.requests.empty());
    client.hang_up();
    check_clean(world);
  }
}

TEST_CASE("http server: oversized bodies are refused after they were read") {
  HttpServerOptions options{.max_value_bytes = 100'000, .max_discarded_body_bytes = 1 << 20};
  for (const bool chunked : {false, true}) {
    for (const std::size_t size : {100'001u, 900'000u, 3'000'000u}) {
      INFO(size << (chunked ? " in chunks" : ""));
      World world(options);
      RawClient client(world);
      const std::string value(size, 'v');
      client.send(chunked ? fmt::format("PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                        "chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                                        size, value)
                          : request("PUT", "/v1/kv/k", value));
      const std::string answer = client.receive_all();
      if (size < 1 << 20 || !client.reset()) {
        CHECK(has_status(answer, 413));
        CHECK(contains(answer, "\"code\":\"payload-too-large\""));
      }
      if (size < 1 << 20) CHECK_FALSE(client.reset());
      CHECK(world.node.requests.empty());
      client.hang_up();
      check_clean(world);
    }
  }
}

TEST_CASE("http server: expect 100-continue") {
  World world({.max_value_bytes = 100'000});
  RawClient client(world);
  const std::string head =
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: ";
  CHECK(client.send(head + "4\r\n\r\n").receive() == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(has_status(client.send("body").receive(), 204));
  CHECK(world.node.values.at("k").value.view() == "body");
  // Not asked for when the body is there already, and not given for one that is refused.
  CHECK(has_status(client.send(head + "4\r\n\r\nbody").receive(), 204));
  CHECK(has_status(client.send(head + "100001\r\n\r\n").receive_all(), 413));
}

TEST_CASE("http server: heads that are too long") {
  World world;
  RawClient target(world);
  const std::string long_target =
      target.send(request("GET", "/v1/kv/" + std::string(20'000, 'k'))).receive_all();
  CHECK(has_status(long_target, 414));
  CHECK_FALSE(target.reset());
  RawClient endless(world);
  CHECK(has_status(endless.send("GET /" + std::string(200'000, 'k')).receive_all(), 414));
  RawClient header(world);
  const std::string long_header =
      header.send(request("GET", "/healthz", "", "X: " + std::string(17'000, 'x') + "\r\n"))
          .receive_all();
  CHECK(has_status(long_header, 431));
  CHECK_FALSE(header.reset());
  RawClient many(world);
  std::string headers;
  for (int i = 0; i < 5'000; ++i) headers += fmt::format("X-{}: y\r\n", i);
  CHECK(has_status(many.send(request("GET", "/healthz", "", headers)).receive_all(), 431));
  RawClient fits(world);
  CHECK(has_status(
      fits.send(request("GET", "/healthz", "", "X: " + std::string(16'000, 'x') + "\r\n"))
          .receive(),
      200));
  RawClient key(world);  // the connection goes on: what came was whole
  CHECK(has_status(key.send(request("GET", "/v1/kv/" + std::string(1'025, 'k'))).receive(), 414));
  CHECK(has_status(key.send(request("GET", "/healthz")).receive(), 200));
}

TEST_CASE("http server: malformed requests get 400 and a closed connection") {
  const std::string cases[] = {
      "\x16\x03\x01\x02garbage\r\n\r\n",
      "GET\r\n\r\n",
      "GET /healthz\r\n\r\n",
      "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
      "GET /heal thz HTTP/1.1\r\nHost: x\r\n\r\n",
      "G@T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /healthz HTTP/1.1\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
      "GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "PUT /v1/kv/k HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nExpect: magic\r\n\r\n",
  };
  for (const std::string& text : cases) {
    INFO(text);
    World world;
    RawClient client(world);
    const std::string answer = client.send(text).receive_all();
    CHECK(has_status(answer, 400));
    CHECK(contains(answer, "\"code\":\"bad-request\""));
    CHECK(contains(answer, "\"detail\":\"the request is malformed: "));
    CHECK(contains(answer, "Connection: close"));
    CHECK_FALSE(client.reset());
    CHECK(world.node.requests.empty());
    client.hang_up();
    check_clean(world);
  }
}

TEST_CASE("http server: refusals that leave the connection open") {
  World world;
  RawClient client(world);
  for (const std::string& text :
       {request("GET", "/v1/kv/%zz"), request("PUT", "/v1/kv/k?consistency=gold", "v"),
        request("PATCH", "/v1/kv/k", "v"), request("GET", "/v1/faults")}) {
    const std::string answer = client.send(text).receive();
    CHECK(contains(answer, "application/problem+json"));
    CHECK_FALSE(contains(answer, "Connection: close"));
  }
  CHECK(has_status(client.send(request("GET", "/healthz")).receive(), 200));
  CHECK(world.node.requests.empty());
}

TEST_CASE("http server: keep-alive as the client has it") {
  World world;
  RawClient close(world);
  const std::string closed =
      close.send(request("GET", "/healthz", "", "Connection: close\r\n")).receive_all();
  CHECK(has_status(closed, 200));
  CHECK(contains(closed, "\r\nConnection: close\r\n"));
  RawClient old(world);
  CHECK(contains(old.send("GET /healthz HTTP/1.0\r\n\r\n").receive_all(), "Connection: close"));
  RawClient kept(world);
  const std::string again = "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  CHECK(contains(kept.send(again).receive(), "\r\nConnection: keep-alive\r\n"));
  CHECK(contains(kept.send(again).receive(), "\r\nConnection: keep-alive\r\n"));
  RawClient half(world);  // a client that says nothing more still gets its answer
  half.send(request("GET", "/v1/kv/k"));
  half.finish_sending();
  CHECK(has_status(half.receive_all(), 404));
}

TEST_CASE("http server: slow and silent clients are cut off") {
  World world({.slow_request_timeout = 100ms, .idle_timeout = 300ms, .linger_timeout = 100ms});
  RawClient silent(world);
  RawClient head(world);
  RawClient body(world);
  RawClient chunk(world);
  RawClient answered(world);
  RawClient waiting(world);
  world.node.hold = true;
  waiting.send(request("GET", "/v1/kv/k"));
  head.send("GET /healthz HTTP/1.1\r\nHost");
  body.send("PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc");
  chunk.send("PUT /v1/kv/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
  CHECK(has_status(answered.send(request("GET", "/healthz")).receive(), 200));
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::steady_clock::now() - start; };
  // Each drips on, which does not help; not so fast that a head could get too long meanwhile.
  int drips = 0;
  CHECK(world.run_until([&] {
    const bool drip = ++drips < 5'000;
    if (!head.ended() && drip) head.send("x");
    if (!body.ended() && drip) body.send("x");
    return head.ended() && body.ended() && chunk.ended();
  }));
  CHECK(elapsed() >= 50ms);
  for (RawClient* slow : {&head, &body, &chunk}) {
    const std::string answer = slow->receive_all();
    INFO((slow == &head ? "head: " : slow == &body ? "body: " : "chunk: ") << answer);
    CHECK(has_status(answer, 408));
    CHECK(contains(answer, "\"code\":\"request-timeout\""));
    CHECK(contains(answer, "Connection: close"));
  }
  CHECK_FALSE(silent.ended());
  CHECK(world.run_until([&] { return silent.ended() && answered.ended(); }));
  CHECK(elapsed() >= 200ms);
  // A request that the node has is the node's to time.
  CHECK_FALSE(waiting.ended());
  CHECK(world.server.connections() == 1);
  world.node.hold = false;
  world.node.release();
  CHECK(has_status(waiting.receive(), 404));
  CHECK(world.node.requests.size() == 1);
}

TEST_CASE("http server: a client that does not take its answer is cut off") {
  World world({.slow_request_timeout = 100ms, .idle_timeout = 10s});
  world.node.values["k"] = {Bytes(std::string(64 << 20, 'v')), "", Stamp{Hlc{1}, NodeId{1}}};
  asio::io_context other;
  Tcp::socket socket(other);
  socket.connect({asio::ip::address_v4::loopback(), world.port});
  asio::write(socket, asio::buffer(request("GET", "/v1/kv/k")));
  CHECK(world.run_until([&] { return world.server.connections() == 1; }));
  CHECK(world.run_until([&] { return world.server.connections() == 0; }));
}

TEST_CASE("http server: clients that leave take nothing with them") {
  World world;
  world.node.hold = true;
  {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 50; ++i) {
      clients.push_back(std::make_unique<RawClient>(world));
      clients.back()->send(i % 2 == 0 ? request("PUT", "/v1/kv/k", "v")
                                      : request("PUT", "/v1/kv/k", "v").substr(0, 20));
    }
    CHECK(world.run_until([&] {
      return world.server.requests_in_flight() == 25 && world.server.connections() == 50;
    }));
  }
  // Those that wait for the node are noticed when it answers.
  CHECK(world.run_until([&] { return world.server.connections() == 25; }));
  world.node.hold = false;
  world.node.release();
  check_clean(world);
}

TEST_CASE("http server: no more connections than allowed") {
  World world({.max_connections = 3});
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<RawClient>(world));
    CHECK(has_status(clients.back()->send(request("GET", "/healthz")).receive(), 200));
  }
  RawClient extra(world);
  const std::string answer = extra.send(request("GET", "/healthz")).receive_all();
  CHECK(has_status(answer, 429));
  CHECK(contains(answer, "Retry-After: 1"));
  CHECK_FALSE(extra.reset());
  std::vector<std::unique_ptr<RawClient>> flood;
  for (int i = 0; i < 200; ++i) flood.push_back(std::make_unique<RawClient>(world));
  world.run_for(50ms);
  CHECK(world.server.connections() <= 3 + 64);
  for (auto& client : clients) {
    CHECK(has_status(client->send(request("GET", "/healthz")).receive(), 200));
  }
  extra.hang_up();
  flood.clear();
  clients.clear();
  check_clean(world);
}

TEST_CASE("http server: no more requests and bodies in flight than allowed") {
  World world({.max_requests_in_flight = 2, .max_body_bytes_in_flight = 250'000});
  world.node.hold = true;
  RawClient a(world), b(world), c(world);
  a.send(request("PUT", "/v1/kv/a", std::string(100'000, 'a')));
  b.send(request("PUT", "/v1/kv/b", "b"));
  CHECK(world.run_until([&] { return world.server.requests_in_flight() == 2; }));
  CHECK(has_status(c.send(request("GET", "/v1/kv/c")).receive(), 429));
  CHECK(has_status(c.send(request("GET", "/healthz")).receive(), 200));
  CHECK(
      has_status(c.send(request("PUT", "/v1/kv/c", std::string(200'000, 'c'))).receive_all(), 429));
  world.node.hold = false;
  world.node.release();
  CHECK(has_status(a.receive(), 204));
  CHECK(has_status(b.receive(), 204));
  CHECK(has_status(a.send(request("PUT", "/v1/kv/c", std::string(200'000, 'c'))).receive(), 204));
}

TEST_CASE("http server: stopping") {
  World world;
  world.node.hold = true;
  RawClient idle(world), busy(world);
  CHECK(has_status(idle.send(request("GET", "/healthz")).receive(), 200));
  busy.send(request("GET", "/v1/kv/k"));
  CHECK(world.run_until([&] { return world.server.requests_in_flight() == 1; }));
  world.server.stop_accepting();
  CHECK(idle.receive_all().empty());
  CHECK_THROWS(RawClient(world));
  world.node.release();
  const std::string answer = busy.receive_all();
  CHECK(has_status(answer, 404));
  CHECK(contains(answer, "Connection: close"));
  busy.hang_up();
  CHECK(world.run_until([&] { return world.server.connections() == 0; }));
}

TEST_CASE("http server: a server may go while clients are connected") {
  asio::io_context io{1};
  FakeNode node(io);
  auto server = std::make_unique<HttpServer>(io, node, HttpServerOptions{});
  const auto address = server->listen({"127.0.0.1", 0});
  REQUIRE(address.has_value());
  Tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(),
                  static_cast<std::uint16_t>(std::stoi(address->substr(10)))});
  node.hold = true;
  asio::write(socket, asio::buffer(request("GET", "/v1/kv/k")));
  io.run_for(20ms);
  CHECK(server->connections() == 1);
  CHECK(server->requests_in_flight() == 1);
  server.reset();
  node.release();  // an answer for a client that is gone
  io.run_for(20ms);
  CHECK(io.stopped());  // nothing is left to be done
}

TEST_CASE("http server: an address that is taken is refused by name") {
  World world;
  asio::io_context io{1};
  FakeNode node(io);
  HttpServer server(io, node, {});
  const auto address = server.listen({"127.0.0.1", world.port});
  REQUIRE_FALSE(address.has_value());
  CHECK(address.error().code == ErrorCode::refused);
  CHECK(contains(address.error().message, fmt::format("127.0.0.1:{}", world.port)));
}

TEST_CASE("http server: a plan has what requests of its kind have taken") {
  World world;
  RawClient client(world);
  const std::string target = "/v1/explain?op=read&consistency=prefix";
  const std::string before = client.send(request("GET", target)).receive();
  CHECK(has_status(before, 200));
  CHECK(contains(before, "\"level\":\"prefix\",\"consistency\":\"prefix\",\"path\":\"local\","));
  CHECK(contains(before, "\"p50_ms\":null,\"p99_ms\":null,\"observed\":0}"));
  CHECK(world.node.requests.empty());  // nothing was done
  for (int i = 0; i < 3; ++i) {
    client.send(request("GET", "/v1/kv/k?consistency=prefix")).receive();
    client.send(request("PUT", "/v1/kv/k?consistency=prefix", "v")).receive();
  }
  const std::string after = client.send(request("GET", target)).receive();
  CHECK(contains(after, "\"observed\":3}"));
  CHECK_FALSE(contains(after, "null,\"p99_ms\""));

  world.node.error = definite(ErrorCode::not_leader, "node 2 leads");
  world.node.error->leader = NodeId{2};
  world.node.process.addresses = {{NodeId{2}, "127.0.0.1:7102", "127.0.0.1:7202"}};
  const std::string refused = client.send(request("GET", target)).receive();
  CHECK(has_status(refused, 421));
  CHECK(contains(refused, "\"leader_address\":\"127.0.0.1:7102\""));
}

TEST_CASE("http server: administration") {
  World world({.enable_faults = true});
  world.node.status.membership = Membership::member;
  world.node.status.leader = NodeId{2};
  world.node.process.addresses = {{NodeId{2}, "127.0.0.1:7102", "127.0.0.1:7202"}};
  RawClient client(world);
  CHECK(contains(client.send(request("GET", "/v1/cluster")).receive(), "\"leader\":2,"));
  CHECK(contains(client.send(request("GET", "/v1/status")).receive(), "\"role\":\"follower\""));
  CHECK(has_status(client.send(request("GET", "/readyz")).receive(), 503));
  world.node.status.ready = true;
  CHECK(has_status(client.send(request("GET", "/readyz")).receive(), 200));
  CHECK(has_status(
      client.send(request("POST", "/v1/cluster/transfer-leadership", "{\"to\":2}")).receive(),
      202));
  CHECK(world.node.transferred_to == NodeId{2});
  CHECK(has_status(client.send(request("POST", "/v1/faults", "{\"delay_ms\":5}")).receive(), 204));
  REQUIRE(world.node.faults);
  CHECK(world.node.faults->delay == 5ms);
  CHECK(has_status(client.send(request("DELETE", "/v1/faults")).receive(), 204));
  CHECK(world.node.faults->delay == 0ms);

  world.node.error = definite(ErrorCode::not_leader, "node 2 leads");
  world.node.error->leader = NodeId{2};
  const std::string elsewhere = client.send(request("GET", "/v1/kv/k?forward=false")).receive();
  CHECK(has_status(elsewhere, 421));
  CHECK(contains(elsewhere, "\"leader_address\":\"127.0.0.1:7102\""));
  CHECK_FALSE(world.node.requests.back().forward);

  const std::string metrics = client.send(request("GET", "/metrics")).receive();
  CHECK(contains(metrics,
                 "parallax_requests_total{level=\"policy\",op=\"get\","
                 "status=\"421\",outcome=\"not_applied\"} 1\n"));
  CHECK(contains(metrics, "parallax_connections 1\n"));
}

TEST_CASE("http server: thousands of mutated requests never crash it or leave anything behind") {
  const std::string valid[] = {
      request("GET", "/v1/kv/some%20key?consistency=prefix&timeout_ms=50"),
      request("PUT", "/v1/kv/key", "a value of some bytes", "Content-Type: text/plain\r\n"),
      "PUT /v1/kv/key HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
      request("POST", "/v1/faults", R"({"drop_from":[2],"fail_point":{"name":"a"}})"),
      request("POST", "/v1/cluster/transfer-leadership", "{\"to\":2}"),
      request("DELETE", "/v1/kv/key", "", "If-None-Match: \"1-1\"\r\nConnection: close\r\n"),
      request("HEAD", "/v1/cluster", "", "Expect: 100-continue\r\n"),
      request("PUT", "/v1/kv/key?ttl_ms=5", "v",
              "If-Match: \"1-1\", \"2-1\"\r\nIdempotency-Key: a\r\n"),
      request("GET", "/v1/kv?prefix=k&limit=5&reverse=true&next=AQAAAAAAAAAAAAAAAAAA"),
      request("GET", "/v1/kv?key=a&key=%00b"),
      request("POST", "/v1/kv/key/increment", "{\"by\":-1}"),
      request("POST", "/v1/batch",
              R"({"operations":[{"op":"put","key":"a","value_base64":"AA=="},)"
              R"({"op":"get","key":"a","if_none_match":"*"}]})"),
      request("PUT", "/v1/policies/a", R"({"mixing":"deny"})"),
      request("GET", "/v1/history/key?from=1&to=2", "", "Parallax-Session: AQAAAAAA\r\n"),
  };
  World world({.enable_faults = true,
               .slow_request_timeout = 40ms,
               .idle_timeout = 40ms,
               .linger_timeout = 40ms});
  Random random(20);
  const auto mutate = [&](std::string text) {
    for (auto n = random.below(4); n > 0 && !text.empty(); --n) {
      const std::size_t at = random.below(text.size());
      const std::size_t count = std::min<std::size_t>(random.below(12), text.size() - at);
      switch (random.below(6)) {
        case 0:
          text[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          text.erase(at, count);
          break;
        case 2:
          text.insert(at, text.substr(random.below(text.size()), count));
          break;
        case 3:
          text.insert(at, 1, "\r\n:;%0 "[random.below(7)]);
          break;
        case 4:
          text.resize(at);
          break;
        default:
          text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
          break;
      }
    }
    return text;
  };
  int answers = 0;
  for (int round = 0; round < 3'000; ++round) {
    RawClient client(world);
    for (auto n = 1 + random.below(3); n > 0; --n) {
      const std::string text = mutate(valid[random.below(std::size(valid))]);
      const std::size_t cut = random.below(text.size() + 1);
      client.send(text.substr(0, cut));
      if (random.chance(0.3)) world.io.poll();
      client.send(text.substr(cut));
    }
    for (int turn = 0; turn < 20; ++turn) world.io.poll();
    if (client.received() > 0) ++answers;
    if (round % 100 == 0) client.receive_all();  // an answer or a closed connection
  }
  CHECK(answers > 1'500);
  check_clean(world);
}

}  // namespace parallax
