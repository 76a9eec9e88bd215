// Requests that are sent more than once: writes with an idempotency key, hedged reads; and where
// they go: discovery.
#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

#include "client/client.h"
#include "tests/client/io/fake_server.h"
#include "tests/client/io/open_client.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT
using Clock = std::chrono::steady_clock;

// ---- idempotency keys

TEST_CASE("repeat: a write with an idempotency key is sent again after an unknown outcome") {
  const std::vector<Action> failures{hang_up(), problem_answer(504, "timeout", "unknown", true),
                                     problem_answer(503, "not-enough-replicas", "unknown", true)};
  for (const Action& failure : failures) {
    std::atomic<int> requests{0};
    FakeServer server([&](const SeenRequest& request) {
      if (++requests == 1) return failure;
      if (request.path.ends_with("increment")) {
        return respond(200, {{"Parallax-Consistency", "linearizable"}}, "{\"value\":1}");
      }
      return stored_answer();
    });
    const auto client = open({server.endpoint()});
    const auto sent_twice = [&] {
      const auto seen = server.seen();
      return seen.size() == 2 && seen[0].headers.at("idempotency-key") == "once" &&
             seen[1].headers.at("idempotency-key") == "once";
    };
    SECTION("put") {
      CHECK(client->put("k", "v", {.idempotency_key = "once"}));
      CHECK(sent_twice());
    }
    SECTION("remove") {
      CHECK(client->remove("k", {.idempotency_key = "once"}));
      CHECK(sent_twice());
    }
    SECTION("increment") {
      CHECK(client->increment("k", 1, {.idempotency_key = "once"}));
      CHECK(sent_twice());
    }
    SECTION("without a key it is not") {
      const auto result = client->put("k", "v");
      REQUIRE_FALSE(result);
      CHECK_FALSE(result.error().definite());
      CHECK(server.seen().size() == 1);
    }
  }
}

TEST_CASE("repeat: a node that keeps a write with a key waiting is left for another") {
  FakeServer paused([](const SeenRequest&) { return never_answer(); });
  FakeServer other([](const SeenRequest&) { return stored_answer(); });
  ClientOptions options = plain_options({paused.endpoint(), other.endpoint()});
  options.read_attempt_timeout = 100ms;
  const auto client = open(options);
  const auto start = Clock::now();
  CHECK(client->put("k", "v", {.idempotency_key = "once"}));
  CHECK(Clock::now() - start < 2s);
  CHECK(other.seen().size() == 1);
}

TEST_CASE("repeat: a node may take all the time that a count of replicas has") {
  const auto count = [](const SeenRequest&) {
    Action action = respond(200, {{"Parallax-Consistency", "linearizable"}}, R"({"replicas":2})");
    action.delay = 400ms;
    return action;
  };
  FakeServer server(count);
  FakeServer other(count);
  ClientOptions options = plain_options({server.endpoint(), other.endpoint()});
  options.read_attempt_timeout = 100ms;
  const auto client = open(options);
  Session session;
  REQUIRE(session.join(SessionToken{.cluster = {1, 2}, .index = LogIndex{3}}));
  const auto reply = client->wait_for(3, {.session = session, .timeout = 2s});
  CHECK(reply);
  CHECK(server.seen().size() + other.seen().size() == 1);
}

TEST_CASE("repeat: the end of a repeated write is as uncertain as its least certain attempt") {
  std::atomic<int> requests{0};
  FakeServer server([&](const SeenRequest&) {
    if (++requests == 1) return hang_up();
    return problem_answer(400, "bad-parameter", "not_applied", false);
  });
  const auto client = open({server.endpoint()});
  const auto result = client->put("k", "v", {.idempotency_key = "once"});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::bad_parameter);
  CHECK_FALSE(result.error().definite());
}

TEST_CASE("repeat: a batch is sent again only if all its writes have a key") {
  std::atomic<int> requests{0};
  FakeServer server([&](const SeenRequest&) {
    if (++requests == 1) return hang_up();
    return respond(200, {},
                   R"({"results":[{"status":204,"consistency":"linearizable"},)"
                   R"({"status":204,"consistency":"linearizable"}]})");
  });
  const auto client = open({server.endpoint()});
  BatchOperation with_key{.operation = Put{"k", "v"}, .idempotency_key = "a"};
  BatchOperation without{.operation = Delete{"k"}};
  const auto refused = client->batch({with_key, without});
  REQUIRE_FALSE(refused);
  CHECK_FALSE(refused.error().definite());
  CHECK(requests == 1);
  requests = 0;
  without.idempotency_key = "b";
  CHECK(client->batch({with_key, without}));
  CHECK(requests == 2);
}

TEST_CASE("repeat: drawn keys differ") {
  CHECK(draw_idempotency_key().size() == 32);
  CHECK(draw_idempotency_key() != draw_idempotency_key());
}

// ---- hedged reads

struct Hedged {
  explicit Hedged(FakeServer::Script a, FakeServer::Script b,
                  std::chrono::milliseconds after = 50ms)
      : first(std::move(a)), second(std::move(b)) {
    ClientOptions options = plain_options({first.endpoint(), second.endpoint()});
    options.hedge_after = after;
    client = open(options);
  }
  FakeServer first;
  FakeServer second;
  std::unique_ptr<Client> client;
};

FakeServer::Script always(Action action) {
  return [action](const SeenRequest&) { return action; };
}
Action slow(Action action, std::chrono::milliseconds delay) {
  action.delay = delay;
  return action;
}

TEST_CASE("hedge: the second node answers for a slow first one") {
  Hedged pair(always(slow(value_answer("slow"), 1500ms)), always(value_answer("fast")));
  const auto start = Clock::now();
  const auto result = pair.client->get("k");
  const auto took = Clock::now() - start;
  REQUIRE(result);
  CHECK(result->value.view() == "fast");
  CHECK(took >= 50ms);
  CHECK(took < 1s);
  // The loser's connection is closed: its late answer must not be taken for another request's.
  const auto next = pair.client->get("k", {.hedge_after = 0ms});
  REQUIRE(next);
  CHECK(pair.first.seen().size() == 2);
  CHECK(pair.first.seen()[1].connection != pair.first.seen()[0].connection);
}

TEST_CASE("hedge: a first node that answers in time is alone") {
  Hedged pair(always(value_answer("first")), always(value_answer("second")), 1000ms);
  for (int i = 0; i < 5; ++i) CHECK(pair.client->get("k")->value.view() == "first");
  CHECK(pair.second.seen().empty());
}

TEST_CASE("hedge: off by default, and per operation") {
  FakeServer first(always(slow(value_answer("slow"), 150ms)));
  FakeServer second(always(value_answer("fast")));
  const auto client = open(plain_options({first.endpoint(), second.endpoint()}));
  CHECK(client->get("k")->value.view() == "slow");
  CHECK(client->get("k", {.hedge_after = 20ms})->value.view() == "fast");
}

TEST_CASE("hedge: writes are never sent twice") {
  Hedged pair(always(slow(stored_answer(), 200ms)), always(stored_answer()), 20ms);
  CHECK(pair.client->put("k", "v"));
  CHECK(pair.client->put("k", "v", {.idempotency_key = "once"}));
  CHECK(pair.client->remove("k"));
  CHECK(pair.second.seen().empty());
}

TEST_CASE("hedge: one that fails leaves the word to the other") {
  const Action failure = problem_answer(503, "no-leader", "not_applied", true);
  SECTION("the second") {
    Hedged pair(always(slow(value_answer("slow"), 300ms)), always(failure));
    CHECK(pair.client->get("k")->value.view() == "slow");
    CHECK(pair.first.seen().size() == 1);
    CHECK(pair.second.seen().size() == 1);
  }
  SECTION("the first") {
    Hedged pair(always(slow(failure, 150ms)), always(slow(value_answer("second"), 300ms)));
    CHECK(pair.client->get("k")->value.view() == "second");
    CHECK(pair.second.seen().size() == 1);
  }
  SECTION("both, then a retry") {
    std::atomic<int> requests{0};
    Hedged pair(always(slow(failure, 150ms)), [&](const SeenRequest&) {
      return ++requests == 1 ? failure : value_answer("later");
    });
    CHECK(pair.client->get("k")->value.view() == "later");
  }
}

TEST_CASE("hedge: what cannot be retried is the answer") {
  Hedged pair(always(never_answer()),
              always(problem_answer(400, "bad-parameter", "not_applied", false)));
  const auto start = Clock::now();
  const auto result = pair.client->get("k");
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::bad_parameter);
  CHECK(Clock::now() - start < 1s);
}

TEST_CASE("hedge: the deadline ends both") {
  Hedged pair(always(never_answer()), always(never_answer()));
  const auto start = Clock::now();
  const auto result = pair.client->get("k", {.timeout = 300ms});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::timeout);
  CHECK(result.error().definite());
  CHECK(result.error().message.find(pair.first.endpoint()) != std::string::npos);
  CHECK(result.error().message.find(pair.second.endpoint()) != std::string::npos);
  CHECK(Clock::now() - start < 900ms);
}

TEST_CASE("hedge: many at once, and a client that closes amid them") {
  Hedged pair(always(slow(value_answer("slow"), 30ms)), always(slow(value_answer("fast"), 5ms)),
              10ms);
  std::atomic<int> ended{0};
  for (int i = 0; i < 200; ++i) {
    pair.client->async_get("k", {}, [&](Result<Answer>) { ++ended; });
  }
  std::this_thread::sleep_for(40ms);
  pair.client.reset();
  CHECK(ended == 200);
}

// ---- discovery

TEST_CASE("discovery: members that nobody listed are asked when the listed ones fail") {
  FakeServer unlisted(always(value_answer("unlisted", 2)));
  auto listed = std::make_unique<FakeServer>([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {{2, unlisted.endpoint()}});
    return value_answer("listed", 1, "prefix");
  });
  ClientOptions options = plain_options({listed->endpoint()});
  options.discovery_interval = 10s;
  const auto client = open(options);
  CHECK(client->get("k")->value.view() == "listed");
  CHECK(unlisted.seen().empty());
  // The question follows the first answer; its own answer may take a moment.
  REQUIRE(client->cluster());
  listed.reset();
  const auto found = client->get("k");
  REQUIRE(found);
  CHECK(found->value.view() == "unlisted");
}

TEST_CASE("discovery: members are asked for once in an interval") {
  std::atomic<int> asked{0};
  FakeServer server([&](const SeenRequest& request) {
    if (request.path != "/v1/cluster") return value_answer("v", 1, "prefix");
    ++asked;
    return cluster_answer(0, {});
  });
  ClientOptions options = plain_options({server.endpoint()});
  options.discovery_interval = 100ms;
  const auto client = open(options);
  for (int i = 0; i < 20; ++i) CHECK(client->get("k"));
  for (int i = 0; i < 200 && asked == 0; ++i) std::this_thread::sleep_for(5ms);
  CHECK(asked == 1);
  std::this_thread::sleep_for(150ms);
  for (int i = 0; i < 20; ++i) CHECK(client->get("k"));
  for (int i = 0; i < 200 && asked == 1; ++i) std::this_thread::sleep_for(5ms);
  CHECK(asked == 2);
}

}  // namespace
}  // namespace parallax
