// Levels without a leader: what goes out, which node is asked, and what an answer must rest on.
#include <atomic>
#include <set>
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

Action answer(int status, const std::string& level, const std::string& path,
              const std::string& replicas, int node = 1) {
  return respond(
      status,
      {{"Parallax-Consistency", level},
       {"ETag", "\"1000-1\""},
       {"Parallax-Evidence", "node=" + std::to_string(node) + ", term=9, index=0, path=" + path +
                                 ", replicas=(" + replicas + "), sequenced=?0, degraded=?0"}},
      status == 200 ? "v" : "");
}

Consistency quorum(std::uint32_t r = 0, std::uint32_t w = 0) {
  return {.level = Level::quorum, .r = r, .w = w};
}

std::string query_of(const Consistency& consistency) {
  FakeServer server([](const SeenRequest&) { return hang_up(); });
  (void)open({server.endpoint()}, 1s)->put("k", "v", {.consistency = consistency});
  REQUIRE(server.seen().size() == 1);
  const std::string query = server.seen()[0].query;
  return query.substr(query.find("consistency="));
}

}  // namespace

TEST_CASE("levels: parameters go out as a query") {
  CHECK(query_of({.level = Level::atomic}) == "consistency=atomic");
  CHECK(query_of({.level = Level::weak}) == "consistency=weak");
  CHECK(query_of(quorum()) == "consistency=quorum");
  CHECK(query_of(quorum(1, Consistency::kAll)) == "consistency=quorum&r=1&w=all");
  CHECK(query_of({Level::quorum, 0, 2, true, true}) ==
        "consistency=quorum&w=2&sloppy=true&repair=blocking");
}

TEST_CASE("levels: in a batch they stand with their parameters in each operation") {
  FakeServer server([](const SeenRequest&) {
    return respond(200, {},
                   R"({"results":[{"status":202,"consistency":"weak"},)"
                   R"({"status":503,"problem":{"code":"not-enough-replicas",)"
                   R"("outcome":"unknown","required":3,"received":1}}]})");
  });
  const auto results =
      open({server.endpoint()})
          ->batch({{.operation = Put{"a", "v"}, .consistency = Consistency{Level::weak}},
                   {.operation = Put{"b", "v"}, .consistency = quorum(1, 3)}});
  REQUIRE(results);
  const std::string body = server.seen()[0].body;
  CHECK(body.find(R"("consistency":"weak")") != std::string::npos);
  CHECK(body.find(R"("consistency":"quorum; r=1; w=3")") != std::string::npos);
  REQUIRE((*results)[0]);
  CHECK((*results)[0]->consistency.level == Level::weak);
  REQUIRE_FALSE((*results)[1]);
  CHECK((*results)[1].error().required == 3);
  CHECK((*results)[1].error().received == 1);
  CHECK_FALSE((*results)[1].error().definite());
}

TEST_CASE("levels: a batch as a whole has one too, and what is about no key has none") {
  FakeServer server([](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    return respond(200, {}, R"({"results":[{"status":204,"consistency":"quorum; r=2; w=2"}]})");
  });
  const auto client = open({server.endpoint()});
  REQUIRE(client->batch({{.operation = Put{"a", "v"}}}, {.consistency = quorum(2)}));
  CHECK(server.seen().back().query.find("consistency=quorum&r=2") != std::string::npos);
  CHECK(client->cluster({.consistency = quorum()}));
}

TEST_CASE("levels: a write is sent again only when it surely did not happen") {
  for (const Level level : {Level::atomic, Level::quorum, Level::eventual, Level::weak}) {
    for (const bool sure : {true, false}) {
      INFO(level_info(level).name << " " << sure);
      std::atomic<int> requests{0};
      FakeServer server([&](const SeenRequest&) {
        if (++requests == 1) {
          return problem_answer(503, "not-enough-replicas", sure ? "not_applied" : "unknown", true,
                                R"(,"required":2,"received":1)", {{"Retry-After", "0"}});
        }
        return answer(level == Level::weak ? 202 : 204, Consistency{level}.to_string(),
                      level == Level::atomic   ? "abd"
                      : level == Level::quorum ? "quorum"
                                               : "local",
                      "1 2");
      });
      const auto result =
          open({server.endpoint()})->put("k", "v", {.consistency = Consistency{level}});
      CHECK(result.has_value() == sure);
      CHECK(requests == (sure ? 2 : 1));
      if (result) continue;
      CHECK(result.error().code == ErrorCode::not_enough_replicas);
      CHECK_FALSE(result.error().definite());
      CHECK(result.error().required == 2);
      CHECK(result.error().received == 1);
    }
  }
}

TEST_CASE("levels: any node is asked, the same one while it does well, and none is taken to lead") {
  std::vector<std::string> endpoints;
  std::atomic<bool> asked_for_members{false};
  const auto node = [&](int id) {
    return [&, id](const SeenRequest& request) {
      if (request.path == "/v1/cluster") {
        asked_for_members = true;
        return cluster_answer(0, {{1, endpoints[0]}, {2, endpoints[1]}});
      }
      if (request.query.find("quorum") == std::string::npos) return stored_answer(id);
      return answer(request.method == "GET" ? 200 : 204, "quorum; r=2; w=2", "quorum", "1 2", id);
    };
  };
  FakeServer a(node(1));
  FakeServer b(node(2));
  endpoints = {a.endpoint(), b.endpoint()};
  // Whoever is drawn: listed last, so that the list's order alone would not have chosen it.
  const auto drawn = [&] {
    for (std::uint64_t seed = 1;; ++seed) {
      const std::size_t before = b.seen().size();
      ClientOptions options = plain_options(endpoints);
      options.seed = seed;
      auto client = std::move(*Client::open(std::move(options)));
      REQUIRE(client->put("k", "v", {.consistency = quorum()}));
      if (b.seen().size() > before) return client;
    }
  };
  const auto client = drawn();
  const std::size_t before = a.seen().size();
  for (int i = 0; i < 6; ++i) {
    REQUIRE(client->put("k", "v", {.consistency = quorum()}));
    REQUIRE(client->get("k", {.consistency = quorum()}));
  }
  CHECK(a.seen().size() == before);
  // Who is known to lead by number alone is asked for at once.
  std::this_thread::sleep_for(50ms);
  CHECK_FALSE(asked_for_members);
  REQUIRE(client->put("k", "v"));
  CHECK(a.seen().size() == before + 1);
}

TEST_CASE("levels: where the usual node fails the next one stays the usual one") {
  std::atomic<int> bad{0};  // the node that refuses
  const auto node = [&](int id) {
    return [&bad, id](const SeenRequest&) {
      if (bad == id) return problem_answer(503, "recovering", "not_applied", true);
      return answer(204, "eventual", "local", std::to_string(id), id);
    };
  };
  FakeServer a(node(1));
  FakeServer b(node(2));
  const auto client = open({a.endpoint(), b.endpoint()});
  const auto asked = [&] {
    const auto result = client->put("k", "v", {.consistency = Consistency{Level::eventual}});
    REQUIRE(result);
    return static_cast<int>(result->evidence.node.value);
  };
  const int usual = asked();
  CHECK(asked() == usual);
  bad = usual;
  const int next = asked();
  CHECK(next != usual);
  bad = 0;
  CHECK(asked() == next);
  CHECK(asked() == next);
}

TEST_CASE("levels: clients with the same list spread over it") {
  FakeServer a([](const SeenRequest&) { return answer(204, "weak", "local", "1", 1); });
  FakeServer b([](const SeenRequest&) { return answer(204, "weak", "local", "2", 2); });
  std::set<NodeId> asked;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ClientOptions options = plain_options({a.endpoint(), b.endpoint()});
    options.seed = seed;
    const auto client = Client::open(std::move(options));
    REQUIRE(client);
    const auto put = (*client)->put("k", "v", {.consistency = Consistency{Level::weak}});
    REQUIRE(put);
    asked.insert(put->evidence.node);
  }
  CHECK(asked.size() == 2);
}

TEST_CASE("levels: an answer that rests on less than it names is none") {
  struct Row {
    const char* level;
    const char* path;
    const char* replicas;
    bool good;
  };
  const auto row = GENERATE(values<Row>({
      {"quorum; r=2; w=1", "quorum", "1 2", true},
      {"quorum; r=2; w=1", "quorum", "1", false},
      {"quorum; r=2; w=1; sloppy", "quorum", "1", true},
      {"quorum; r=1; w=1", "local", "1", true},
      {"quorum; r=2; w=1", "local", "1", false},
      {"atomic", "abd", "1 2", true},
      {"atomic", "quorum", "1 2", false},
      {"atomic", "read-index", "1 2", false},
      {"eventual", "local", "1", true},
      {"eventual", "quorum", "1 2", false},
      {"weak", "local", "1", true},
      {"linearizable", "quorum", "1 2", false},
      {"linearizable", "read-index", "1 2", true},
      {"prefix", "local", "1", true},
      {"prefix", "abd", "1 2", false},
  }));
  CAPTURE(row.level, row.path, row.replicas);
  FakeServer server(
      [&](const SeenRequest&) { return answer(200, row.level, row.path, row.replicas); });
  const auto result = open({server.endpoint()})->get("k");
  CHECK(result.has_value() == row.good);
  if (!result) CHECK(result.error().code == ErrorCode::corrupt);
}

TEST_CASE("levels: what a level cannot carry is refused before anything is sent") {
  FakeServer server([](const SeenRequest&) { return stored_answer(); });
  const auto client = open({server.endpoint()});
  const auto code = [](const auto& result) {
    REQUIRE_FALSE(result);
    CHECK(result.error().definite());
    return result.error().code;
  };
  const Consistency atomic{Level::atomic};
  const ErrorCode condition = ErrorCode::condition_unsupported;
  const ErrorCode parameter = ErrorCode::bad_parameter;
  CHECK(code(client->put("k", "v", {.consistency = atomic, .if_match = any_version()})) ==
        condition);
  CHECK(code(client->remove("k", {.consistency = quorum(), .idempotency_key = "i"})) == condition);
  CHECK(code(client->increment("k", 1, {.consistency = quorum()})) == condition);
  CHECK(code(client->scan({}, {.consistency = quorum()})) == parameter);
  CHECK(code(client->get_many({"a"}, {.consistency = atomic})) == parameter);
  CHECK(code(client->history({.key = "k"}, {.consistency = atomic})) == parameter);
  const auto batch =
      client->batch({{.operation = Increment{"n"}, .consistency = Consistency{Level::weak}}});
  CHECK(code(batch) == condition);
  CHECK(batch.error().message.starts_with("operation 0 of the batch: "));
  CHECK(server.seen().empty());
}

}  // namespace parallax
