// The client against a server that misbehaves on purpose: what is retried, what is certain, where
// requests go, how long they take.
#include "client/client.h"

#include <atomic>
#include <condition_variable>
#include <future>
#include <regex>

#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/client/io/fake_server.h"
#include "tests/client/io/open_client.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT
using Clock = std::chrono::steady_clock;

std::size_t count(const FakeServer& server, const std::string& method) {
  const auto seen = server.seen();
  return static_cast<std::size_t>(
      std::count_if(seen.begin(), seen.end(),
                    [&](const SeenRequest& request) { return request.method == method; }));
}

TEST_CASE("client: each operation sends its request and reads its answer") {
  FakeServer server([](const SeenRequest& request) {
    if (request.method == "PUT" || request.method == "DELETE") return stored_answer(2);
    Action action = value_answer(request.method == "HEAD" ? "" : std::string("a\0b\n", 4), 2);
    return action;
  });
  const auto client = open({server.endpoint()});

  const auto put = client->put("dir/a key\xff", "value",
                               {.consistency = Consistency{}, .content_type = "text/x"});
  REQUIRE(put);
  CHECK(put->stamp == Stamp::parse("1001-1"));
  CHECK(put->consistency.level == Level::linearizable);
  CHECK(put->evidence.node == NodeId{2});
  CHECK(put->evidence.path == Path::log);

  const auto get = client->get("k", {.consistency = Consistency{Level::prefix}});
  REQUIRE(get);
  CHECK(get->found);
  CHECK(get->value.view() == std::string_view("a\0b\n", 4));
  CHECK(get->content_type == "text/plain");
  CHECK(get->stamp == Stamp::parse("1000-1"));
  CHECK(get->evidence.replicas == std::vector{NodeId{1}, NodeId{2}});
  REQUIRE(client->head("k"));
  REQUIRE(client->remove("..", {.forward = false}));

  const auto seen = server.seen();
  REQUIRE(seen.size() == 4);
  CHECK(seen[0].method == "PUT");
  CHECK(seen[0].path == "/v1/kv/dir/a%20key%FF");
  CHECK(seen[0].body == "value");
  CHECK(seen[0].headers.at("content-type") == "text/x");
  CHECK(seen[0].query.find("consistency=linearizable") != std::string::npos);
  CHECK(seen[1].query.find("consistency=prefix") != std::string::npos);
  CHECK(seen[2].method == "HEAD");
  CHECK(seen[2].query.find("consistency") == std::string::npos);
  CHECK(seen[3].method == "DELETE");
  CHECK(seen[3].path == "/v1/kv/%2E%2E");
  CHECK(seen[3].query.find("forward=false") != std::string::npos);
}

TEST_CASE("client: an absent key is an answer and a foreign 404 is not") {
  FakeServer server([](const SeenRequest& request) {
    return request.path == "/v1/kv/absent" ? absent_answer() : respond(404, {}, "no such page");
  });
  const auto client = open({server.endpoint()});
  const auto absent = client->get("absent");
  REQUIRE(absent);
  CHECK_FALSE(absent->found);
  CHECK_FALSE(absent->stamp);
  CHECK(absent->evidence.node == NodeId{1});
  const auto foreign = client->get("foreign");
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == ErrorCode::not_found);
  const auto foreign_head = client->head("foreign");
  REQUIRE_FALSE(foreign_head);
  CHECK(foreign_head.error().code == ErrorCode::not_found);
}

// ---- which failure of which operation is retried, and how certain it is

struct Row {
  const char* name;
  Action action;  ///< to the first request; later ones succeed
  bool read_retried;
  bool write_retried;
  ErrorCode code;             ///< where it is not retried
  Certainty write_certainty;  ///< likewise
};

TEST_CASE("client: retry decisions") {
  const Action half{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", .close = true};
  const Action garbage{.bytes = "SSH-2.0-OpenSSH_9.2\r\n\r\n", .close = true};
  const Certainty sure = Certainty::definite;
  const Certainty unsure = Certainty::indefinite;
  const auto code = [](const char* name) { return find_error(name)->code; };
  const std::vector<Row> rows{
      {"closed without an answer", hang_up(), true, false, ErrorCode::io, unsure},
      {"closed in mid-answer", half, true, false, ErrorCode::io, unsure},
      {"not HTTP", garbage, true, false, ErrorCode::corrupt, unsure},
      {"503 not applied", problem_answer(503, "no-leader", "not_applied", true), true, true,
       code("no-leader"), sure},
      {"503 unknown", problem_answer(503, "not-enough-replicas", "unknown", true), true, false,
       code("not-enough-replicas"), unsure},
      {"503 not to be retried", problem_answer(503, "read-only", "not_applied", false), false,
       false, code("read-only"), sure},
      {"503 of a newer node", problem_answer(503, "brand-new", "not_applied", true), true, true,
       ErrorCode::level_unattainable, sure},
      {"503 without a problem", respond(503, {}, "busy"), true, false,
       ErrorCode::level_unattainable, unsure},
      {"500 without a problem", respond(500, {}, "oops"), false, false, ErrorCode::internal,
       unsure},
      {"504 unknown", problem_answer(504, "timeout", "unknown", true), true, false,
       ErrorCode::timeout, unsure},
      {"504 not applied", problem_answer(504, "timeout", "not_applied", true), true, true,
       ErrorCode::timeout, sure},
      {"429", problem_answer(429, "overloaded", "not_applied", true), true, true,
       ErrorCode::overloaded, sure},
      {"429 without a problem", respond(429, {{"Retry-After", "0"}}, ""), true, true,
       ErrorCode::overloaded, sure},
      {"421", problem_answer(421, "not-leader", "not_applied", true), true, true,
       ErrorCode::not_leader, sure},
      {"400", problem_answer(400, "bad-parameter", "not_applied", false), false, false,
       ErrorCode::bad_parameter, sure},
      {"413", respond(413, {}, ""), false, false, ErrorCode::payload_too_large, sure},
      {"a success that names no level", respond(200, {}, "hello"), false, false, ErrorCode::corrupt,
       unsure},
      {"a level that does not exist", respond(200, {{"Parallax-Consistency", "wish"}}, ""), false,
       false, ErrorCode::corrupt, unsure},
      {"an ETag that is none",
       respond(200, {{"Parallax-Consistency", "prefix"}, {"ETag", "\"x\""}}, ""), false, false,
       ErrorCode::corrupt, unsure},
      {"evidence that is none",
       respond(200, {{"Parallax-Consistency", "prefix"}, {"Parallax-Evidence", "node=0;"}}, ""),
       false, false, ErrorCode::corrupt, unsure},
      {"a redirect of HTTP", respond(302, {{"Location", "/"}}, ""), false, false,
       ErrorCode::corrupt, unsure},
      {"status 100", respond(100, {}, ""), false, false, ErrorCode::corrupt, unsure},
  };
  for (const Row& row : rows) {
    for (const bool is_read : {true, false}) {
      DYNAMIC_SECTION(row.name << (is_read ? ", read" : ", write")) {
        std::atomic<int> requests{0};
        FakeServer server([&](const SeenRequest& request) {
          if (++requests == 1) return row.action;
          return request.method == "GET" ? value_answer("v", 1) : stored_answer(1);
        });
        const auto client = open({server.endpoint()});
        const auto result = is_read ? client->get("k") : client->put("k", "v");
        const bool retried = is_read ? row.read_retried : row.write_retried;
        CHECK(count(server, is_read ? "GET" : "PUT") == (retried ? 2 : 1));
        REQUIRE(result.has_value() == retried);
        if (retried) continue;
        INFO(result.error().message);
        CHECK(result.error().code == row.code);
        CHECK(result.error().certainty == (is_read ? Certainty::definite : row.write_certainty));
      }
    }
  }
}

TEST_CASE("client: a refused connection is definite and tried elsewhere") {
  FakeServer server([](const SeenRequest&) { return stored_answer(); });
  const std::string dead = refusing_endpoint();
  CHECK(open({dead, server.endpoint()})->put("k", "v"));

  const auto alone = open({dead}, 300ms)->put("k", "v");
  REQUIRE_FALSE(alone);
  CHECK(alone.error().code == ErrorCode::io);
  CHECK(alone.error().definite());
  CHECK(alone.error().message.find(dead) != std::string::npos);
  CHECK(alone.error().message.find("attempts") != std::string::npos);
}

TEST_CASE("client: a write whose request never left whole is definite and retried") {
  std::atomic<int> headers{0};
  std::atomic<int> whole{0};
  // The first connection is reset while megabytes are still to come. A system short of buffers may
  // reset a later one too: what counts is that the write is tried until it arrived whole, once.
  FakeServer server(
      [&](const SeenRequest&) {
        ++whole;
        return stored_answer();
      },
      [&](const SeenRequest&) { return Action{.close = true, .before_body = ++headers == 1}; });
  const auto client = open({server.endpoint()});
  CHECK(client->put("k", Bytes(std::string(64 << 20, 'x'))));
  CHECK(headers >= 2);
  CHECK(whole == 1);
}

TEST_CASE("client: an answer that comes before the body is gone counts") {
  FakeServer server([](const SeenRequest&) { return stored_answer(); },
                    [](const SeenRequest&) {
                      Action action =
                          problem_answer(413, "payload-too-large", "not_applied", false);
                      action.before_body = true;
                      action.delay = 50ms;
                      return action;
                    });
  // The server goes on reading nothing and keeps the connection, so the answer can be read.
  const auto result = open({server.endpoint()}, 2s)->put("k", Bytes(std::string(256 << 10, 'x')));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::payload_too_large);
  CHECK(result.error().definite());
}

TEST_CASE("client: Retry-After is waited for") {
  std::atomic<int> requests{0};
  std::atomic<int> wait{1};
  FakeServer server([&](const SeenRequest&) {
    if (++requests > 1) return stored_answer();
    return problem_answer(429, "overloaded", "not_applied", true, "",
                          {{"Retry-After", std::to_string(wait)}});
  });
  const auto start = Clock::now();
  CHECK(open({server.endpoint()})->put("k", "v"));
  CHECK(Clock::now() - start >= 1s);

  // Longer than the deadline: the error comes at once.
  requests = 0;
  wait = 30;
  const auto again = Clock::now();
  const auto result = open({server.endpoint()}, 10s)->put("k", "v");
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::overloaded);
  CHECK(Clock::now() - again < 5s);
}

// ---- where requests go

TEST_CASE("client: a redirect leads to the leader and is remembered") {
  FakeServer leader([](const SeenRequest& request) {
    return request.method == "GET" ? value_answer("v", 2) : stored_answer(2);
  });
  FakeServer follower([&](const SeenRequest&) {
    return problem_answer(421, "not-leader", "not_applied", true,
                          ",\"leader\":2,\"leader_address\":\"" + leader.endpoint() + "\"");
  });
  const auto client = open({follower.endpoint()});
  const auto start = Clock::now();
  REQUIRE(client->put("k", "v", {.forward = false}));
  CHECK(Clock::now() - start < 500ms);
  REQUIRE(client->put("k", "v"));
  REQUIRE(client->get("k"));
  CHECK(follower.seen().size() == 1);
  CHECK(leader.seen().size() == 3);
}

TEST_CASE("client: evidence names the leader and the cluster says where it listens") {
  std::string leader_endpoint;
  FakeServer leader([&](const SeenRequest& request) {
    return request.method == "GET" ? value_answer("v", 2) : stored_answer(2);
  });
  std::atomic<bool> asked{false};
  FakeServer follower([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") {
      asked = true;
      return cluster_answer(2, {{1, "127.0.0.1:1"}, {2, leader.endpoint()}});
    }
    if (request.method == "PUT") return stored_answer(2);  // forwarded
    return value_answer("local", 1, "prefix");
  });
  const auto client = open({follower.endpoint()});
  REQUIRE(client->put("k", "v"));
  for (int i = 0; i < 200 && !asked; ++i) std::this_thread::sleep_for(5ms);
  REQUIRE(asked);
  // The answer to that question may still be on its way in.
  for (int i = 0; i < 200 && leader.seen().empty(); ++i) REQUIRE(client->put("k", "v"));
  const std::size_t before = follower.seen().size();
  REQUIRE(client->put("k", "v"));
  REQUIRE(client->get("k"));
  CHECK(follower.seen().size() == before);
  // A local read stays where it was.
  const auto local = client->get("k", {.consistency = Consistency{Level::prefix}});
  REQUIRE(local);
  CHECK(local->value.view() == "local");
}

TEST_CASE("client: a leader that died is given up for the listed nodes") {
  auto leader = std::make_unique<FakeServer>([](const SeenRequest&) { return stored_answer(2); });
  std::atomic<bool> leads{false};
  const std::string leader_endpoint = leader->endpoint();
  FakeServer other([&](const SeenRequest&) {
    if (leads) return stored_answer(1);
    return problem_answer(421, "not-leader", "not_applied", true,
                          ",\"leader\":2,\"leader_address\":\"" + leader_endpoint + "\"");
  });
  const auto client = open({other.endpoint()});
  REQUIRE(client->put("k", "v"));
  REQUIRE(leader->seen().size() == 1);
  leader.reset();
  leads = true;
  CHECK(client->put("k", "v"));
}

TEST_CASE("client: nodes that point at each other are not asked in a tight loop") {
  std::string second;
  FakeServer a([&](const SeenRequest&) {
    return problem_answer(421, "not-leader", "not_applied", true,
                          ",\"leader\":2,\"leader_address\":\"" + second + "\"");
  });
  FakeServer b([&](const SeenRequest&) {
    return problem_answer(421, "not-leader", "not_applied", true,
                          ",\"leader\":1,\"leader_address\":\"" + a.endpoint() + "\"");
  });
  second = b.endpoint();
  const auto result = open({a.endpoint(), b.endpoint()}, 500ms)->put("k", "v");
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::not_leader);
  CHECK(result.error().definite());
  CHECK(a.seen().size() + b.seen().size() < 40);
}

TEST_CASE("client: with follow_leader off only the listed node is asked") {
  FakeServer leader([](const SeenRequest&) { return stored_answer(2); });
  FakeServer follower([&](const SeenRequest&) {
    return problem_answer(421, "not-leader", "not_applied", true,
                          ",\"leader\":2,\"leader_address\":\"" + leader.endpoint() + "\"");
  });
  ClientOptions options = plain_options({follower.endpoint()});
  options.follow_leader = false;
  options.timeout = 500ms;
  const auto result = open(std::move(options))->put("k", "v");
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::not_leader);
  CHECK(result.error().leader == NodeId{2});
  CHECK(leader.seen().empty());
}

// ---- deadlines

TEST_CASE("client: the deadline ends what is never answered") {
  FakeServer server([](const SeenRequest&) { return never_answer(); });
  const auto client = open({server.endpoint()}, 300ms);
  for (const bool is_read : {true, false}) {
    const auto start = Clock::now();
    const auto result = is_read ? client->get("k") : client->put("k", "v");
    const auto took = Clock::now() - start;
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::timeout);
    CHECK(result.error().definite() == is_read);
    CHECK(took >= 300ms);
    CHECK(took < 900ms);
  }
  CHECK(count(server, "PUT") == 1);
  // The node was told to stop a little earlier, so that it would have the last word.
  const std::string query = server.seen().back().query;
  const auto told = std::stoi(query.substr(query.find("timeout_ms=") + 11));
  CHECK(told <= 275);
  CHECK(told >= 200);
}

TEST_CASE("client: the deadline spans all attempts and their waits") {
  FakeServer server(
      [](const SeenRequest&) { return problem_answer(503, "no-leader", "not_applied", true); });
  const auto start = Clock::now();
  const auto result = open({server.endpoint()}, 400ms)->put("k", "v");
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::no_leader);
  CHECK(result.error().definite());
  CHECK(Clock::now() - start <= 450ms);
  CHECK(server.seen().size() >= 3);
}

TEST_CASE("client: a write that waited for a connection until its deadline is definite") {
  FakeServer server([](const SeenRequest&) { return never_answer(); });
  ClientOptions options = plain_options({server.endpoint()});
  options.max_connections_per_endpoint = 1;
  const auto client = open(std::move(options));
  std::promise<Result<Answer>> first;
  client->async_put("first", "v", {.timeout = 600ms},
                    [&](Result<Answer> result) { first.set_value(std::move(result)); });
  const auto second = client->put("second", "v", {.timeout = 200ms});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::timeout);
  CHECK(second.error().definite());
  const auto result = first.get_future().get();
  REQUIRE_FALSE(result);
  CHECK_FALSE(result.error().definite());
  CHECK(server.seen().size() == 1);
}

TEST_CASE("client: a node that accepts nobody costs the connect timeout and no more") {
  // A listener whose queue is full drops connection requests: connecting hangs.
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 0) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::vector<int> fill;
  for (int i = 0; i < 4; ++i) {
    fill.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)::connect(fill.back(), reinterpret_cast<sockaddr*>(&address), size);
  }
  std::this_thread::sleep_for(50ms);
  const std::string full = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));

  FakeServer server([](const SeenRequest&) { return stored_answer(); });
  ClientOptions options = plain_options({full, server.endpoint()});
  options.connect_timeout = 200ms;
  const auto client = open(std::move(options));
  const auto start = Clock::now();
  CHECK(client->put("k", "v"));
  CHECK(Clock::now() - start >= 200ms);
  CHECK(Clock::now() - start < 2s);
  const auto again = Clock::now();
  CHECK(client->put("k", "v"));  // remembered
  CHECK(Clock::now() - again < 150ms);
  for (const int fd : fill) ::close(fd);
  ::close(listener);
}

TEST_CASE("client: a paused node delays a read by one attempt only") {
  FakeServer paused([](const SeenRequest&) { return never_answer(); });
  FakeServer server([](const SeenRequest&) { return value_answer("v"); });
  ClientOptions options = plain_options({paused.endpoint(), server.endpoint()});
  options.read_attempt_timeout = 200ms;
  const auto client = open(std::move(options));
  const auto start = Clock::now();
  CHECK(client->get("k"));
  CHECK(Clock::now() - start >= 200ms);
  CHECK(Clock::now() - start < 1s);
}

// ---- connections

TEST_CASE("client: connections are used again") {
  FakeServer server([](const SeenRequest&) { return value_answer("v", 1, "prefix"); });
  const auto client = open({server.endpoint()});
  for (int i = 0; i < 20; ++i) REQUIRE(client->get("k"));
  REQUIRE(server.seen().size() == 20);
  for (const SeenRequest& request : server.seen()) CHECK(request.connection == 1);
}

TEST_CASE("client: a connection that the node closed while idle is not used for a write") {
  FakeServer server([](const SeenRequest&) { return stored_answer(); });
  const auto client = open({server.endpoint()});
  for (int i = 0; i < 10; ++i) {
    REQUIRE(client->put("k", "v"));
    server.drop_connections();
    std::this_thread::sleep_for(5ms);
  }
  CHECK(server.seen().size() == 10);
}

TEST_CASE("client: a node's wish to close is respected") {
  FakeServer server([](const SeenRequest&) {
    Action action =
        respond(200, {{"Parallax-Consistency", "prefix"}, {"Connection", "close"}}, "v");
    return action;  // and does not close: the client has to
  });
  const auto client = open({server.endpoint()});
  REQUIRE(client->get("k"));
  REQUIRE(client->get("k"));
  CHECK(server.seen().back().connection == 2);
}

TEST_CASE("client: more bytes than the answer spoil the connection and nothing else") {
  FakeServer server([](const SeenRequest&) {
    Action action = value_answer("v", 1, "prefix");
    action.bytes += "HTTP/1.1 200 OK\r\n";
    return action;
  });
  const auto client = open({server.endpoint()});
  for (int i = 0; i < 3; ++i) {
    const auto result = client->get("k");
    REQUIRE(result);
    CHECK(result->value.view() == "v");
  }
  CHECK(server.seen().back().connection == 3);
}

TEST_CASE("client: a body above the bound is refused") {
  FakeServer server([](const SeenRequest&) { return value_answer(std::string(2000, 'x')); });
  ClientOptions options = plain_options({server.endpoint()});
  options.max_response_bytes = 1000;
  options.timeout = 200ms;
  const auto result = open(std::move(options))->get("k");
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::corrupt);
}

// ---- many at once

/// Waits until `wanted` have come, or a second has passed.
class Gate {
 public:
  explicit Gate(int wanted) : wanted_(wanted) {}
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait_for(lock, 2s, [this] { return arrived_ >= wanted_; });
  }

 private:
  const int wanted_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
};

TEST_CASE("client: 32 requests are under way at once") {
  Gate gate(32);
  FakeServer server([&](const SeenRequest& request) {
    gate.pass();
    return value_answer(request.path);
  });
  const auto client = open({server.endpoint()});
  std::vector<std::promise<Result<Answer>>> answers(32);
  const auto start = Clock::now();
  for (int i = 0; i < 32; ++i) {
    client->async_get(std::to_string(i), {}, [&answers, i](Result<Answer> result) {
      answers[static_cast<std::size_t>(i)].set_value(std::move(result));
    });
  }
  for (int i = 0; i < 32; ++i) {
    const auto result = answers[static_cast<std::size_t>(i)].get_future().get();
    REQUIRE(result);
    CHECK(result->value.view() == "/v1/kv/" + std::to_string(i));
  }
  CHECK(server.peak() == 32);
  CHECK(Clock::now() - start < 2s);
}

TEST_CASE("client: connections to a node are bounded and the rest wait in order") {
  FakeServer server([](const SeenRequest& request) {
    Action action = value_answer(request.path);
    action.delay = 5ms;
    return action;
  });
  ClientOptions options = plain_options({server.endpoint()});
  options.max_connections_per_endpoint = 3;
  const auto client = open(std::move(options));
  std::mutex mutex;
  std::vector<int> order;
  std::promise<void> all;
  for (int i = 0; i < 60; ++i) {
    client->async_get(std::to_string(i), {}, [&, i](Result<Answer> result) {
      const std::lock_guard lock(mutex);
      order.push_back(result ? i : -1);
      if (order.size() == 60) all.set_value();
    });
  }
  all.get_future().get();
  CHECK(server.peak() <= 3);
  CHECK(server.connections() <= 4);  // three, and one that asks for the leader's address
  CHECK(std::find(order.begin(), order.end(), -1) == order.end());
  // Three at a time: nobody is overtaken by more than those beside it.
  for (int i = 0; i < 60; ++i) CHECK(std::abs(order[static_cast<std::size_t>(i)] - i) <= 3);
}

TEST_CASE("client: completions may start operations and calls come from many threads") {
  FakeServer server([](const SeenRequest&) { return value_answer("v"); });
  const auto client = open({server.endpoint()});
  std::promise<int> chained;
  std::function<void(int)> next = [&](int left) {
    client->async_get("k", {}, [&, left](Result<Answer> result) {
      if (!result || left == 0) return chained.set_value(left);
      next(left - 1);
    });
  };
  next(20);
  CHECK(chained.get_future().get() == 0);

  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) good += client->get("k").has_value() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 100);
}

TEST_CASE("client: closing ends what is under way with what is known of it") {
  FakeServer server([](const SeenRequest&) { return never_answer(); });
  std::mutex mutex;
  std::map<std::string, Error> errors;
  {
    ClientOptions options = plain_options({server.endpoint()});
    options.max_connections_per_endpoint = 2;
    const auto client = open(std::move(options));
    const auto keep = [&](const char* name) {
      return [&, name](Result<Answer> result) {
        const std::lock_guard lock(mutex);
        if (!result) errors[name] = result.error();
      };
    };
    client->async_get("k", {}, keep("read"));
    client->async_put("k", "v", {}, keep("write"));
    for (int i = 0; i < 400 && server.seen().size() < 2; ++i) std::this_thread::sleep_for(5ms);
    client->async_put("k", "v", {}, keep("queued"));
  }
  REQUIRE(errors.size() == 3);
  for (const auto& [name, error] : errors) CHECK(error.code == ErrorCode::shutting_down);
  CHECK(errors["read"].definite());
  CHECK_FALSE(errors["write"].definite());
  CHECK(errors["queued"].definite());
}

// ---- the cluster and its nodes

TEST_CASE("client: the cluster and a node's status are read") {
  FakeServer server([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(2, {{1, "h:1"}, {2, "h:2"}});
    return respond(200, {}, R"({"id":3,"role":"follower","commit_index":7,"causal":{"a":1}})");
  });
  const auto client = open({server.endpoint()});
  const auto view = client->cluster();
  REQUIRE(view);
  CHECK(view->leader == NodeId{2});
  CHECK(view->members.size() == 2);
  const auto status = client->status();
  REQUIRE(status);
  CHECK(status->id == NodeId{3});
  CHECK(status->endpoint == server.endpoint());
  CHECK(status->fields.back() == StatusField{"causal.a", "1"});
}

TEST_CASE("client: a plan is asked for with what the operation itself would be asked with") {
  FakeServer server([](const SeenRequest& request) {
    if (request.path != "/v1/explain") return respond(404, {}, "");
    return respond(200, {}, R"({"path":"quorum","survives":{"nodes_down":1},"p50_ms":null})");
  });
  const auto client = open({server.endpoint()});
  const auto plan = client->explain(
      true, "a&b", {.consistency = Consistency{.level = Level::quorum, .r = 1, .w = 2}});
  REQUIRE(plan);
  CHECK(plan->fields == std::vector<StatusField>{
                            {"path", "quorum"}, {"survives.nodes_down", "1"}, {"p50_ms", "-"}});
  REQUIRE(client->explain(false, "", {.timeout = 700ms}));
  std::vector<std::string> queries;
  for (const SeenRequest& request : server.seen()) {
    if (request.path != "/v1/explain") continue;
    // What is left of the time is not always the same.
    queries.push_back(std::regex_replace(request.query, std::regex("timeout_ms=[0-9]+"), "T"));
  }
  CHECK(queries ==
        std::vector<std::string>{"op=write&key=a%26b&T&consistency=quorum&r=1&w=2", "op=read&T"});
  const auto none = client->explain(true, "k", {.timeout = 0ms});
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ErrorCode::bad_parameter);
}

TEST_CASE("client: status asks the named node and nobody else") {
  FakeServer server([](const SeenRequest&) { return respond(200, {}, R"({"id":1})"); });
  const auto client = open({server.endpoint()}, 300ms);
  const std::string dead = refusing_endpoint();
  const auto status = client->status(dead);
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find(dead) != std::string::npos);
  CHECK(server.seen().empty());
}

// ---- what is refused before anything is sent

TEST_CASE("client: wrong options and arguments are refused here") {
  const auto refused = [](auto change) {
    ClientOptions options = plain_options({"127.0.0.1:1"});
    change(options);
    const auto client = Client::open(std::move(options));
    return !client && client.error().code == ErrorCode::bad_parameter;
  };
  CHECK(refused([](ClientOptions& o) { o.endpoints.clear(); }));
  CHECK(refused([](ClientOptions& o) { o.endpoints = {"nowhere"}; }));
  CHECK(refused([](ClientOptions& o) { o.timeout = 0ms; }));
  CHECK(refused([](ClientOptions& o) { o.connect_timeout = 0ms; }));
  CHECK(refused([](ClientOptions& o) { o.retry.max_attempts = 0; }));
  CHECK(refused([](ClientOptions& o) { o.retry.cap = 1ms; }));
  CHECK(refused([](ClientOptions& o) { o.max_connections_per_endpoint = 0; }));

  FakeServer server([](const SeenRequest&) { return stored_answer(); });
  const auto client = open({server.endpoint()});
  for (const auto& result :
       {client->get(""), client->get(std::string(1025, 'k')), client->get("k", {.timeout = 0ms}),
        client->put("k", "v", {.content_type = "text/plain\r\nX-Injected: 1"}),
        client->put("k", "v", {.content_type = std::string(300, 't')})}) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::bad_parameter);
    CHECK(result.error().definite());
  }
  CHECK(server.seen().empty());
  CHECK(client->put(std::string(1024, 'k'), "v"));
}

}  // namespace
}  // namespace parallax
