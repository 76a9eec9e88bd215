// Reads under an agreement by the real client, where nodes become slow, fail and refuse.
#include <atomic>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "client/client.h"
#include "tests/client/io/cli_program.h"
#include "tests/client/io/fake_server.h"
#include "tests/client/io/open_client.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT
using std::chrono::milliseconds;

/// What node `id` of three answers at the level that it was asked for, with all that a client
/// checks.
Action node_answer(const SeenRequest& request, int id, milliseconds delay = 0ms) {
  SessionToken token;
  token.cluster = {1, 1};
  token.clock = Hlc{1'000};
  token.index = LogIndex{120};
  const bool strong = request.query.find("consistency=linearizable") != std::string::npos;
  Action action = respond(
      200,
      {{"Parallax-Consistency", strong ? "linearizable" : "prefix"},
       {"ETag", "\"1000-1\""},
       {"Parallax-Session", token.encode()},
       {"Parallax-Staleness-Ms", strong ? "0" : "5"},
       {"Parallax-Evidence",
        fmt::format("node={}, term=3, index=120, path={}, replicas=({}), sequenced=?1, degraded=?0",
                    id, strong ? "read-index" : "local",
                    strong ? (id == 1 ? "1 2" : fmt::format("1 {}", id)) : std::to_string(id))}},
      "v");
  action.delay = delay;
  return action;
}

const Consistency kStrong{Level::linearizable};
const Consistency kPrefix{Level::prefix};

TEST_CASE("sla read: the choice moves away from a node that is delayed") {
  std::atomic<int> delay_ms{0};
  FakeServer a([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    return node_answer(request, 1, milliseconds{delay_ms.load()});
  });
  // Farther by so much that a is the nearer one, whatever else the machine does.
  FakeServer b([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    return node_answer(request, 2, 300ms);
  });
  const auto client = open({a.endpoint(), b.endpoint()});
  const Sla sla{{{kPrefix, 1'000ms, 1}, {kPrefix, 60'000ms, 0.1}}};
  const auto read = [&] {
    const auto answer = client->get_by_sla("k", sla);
    REQUIRE(answer);
    CHECK(answer->answer.value == Bytes("v"));
    return *answer;
  };
  for (int i = 0; i < 4; ++i) read();
  const SlaAnswer near = read();
  CHECK(near.endpoint == a.endpoint());
  CHECK(near.chosen == 0);
  CHECK(near.met == 0u);
  CHECK(near.expected == 1);
  CHECK(a.seen().size() == 4);
  CHECK(b.seen().size() == 1);

  delay_ms = 1'200;  // not yet too long for an attempt
  const SlaAnswer late = read();
  CHECK(late.endpoint == a.endpoint());
  CHECK(late.met == 1u);
  CHECK(late.took >= 1'200ms);
  for (int i = 0; i < 3; ++i) {
    const SlaAnswer moved = read();
    CHECK(moved.endpoint == b.endpoint());
    CHECK(moved.met == 0u);
  }
  CHECK(a.seen().size() == 5);
}

TEST_CASE("sla read: where a level takes too long a weaker one is asked for") {
  FakeServer server([](const SeenRequest& request) {
    const bool strong = request.query.find("consistency=linearizable") != std::string::npos;
    return node_answer(request, 2, strong ? 1'300ms : 0ms);
  });
  const auto client = open({server.endpoint()});
  const Sla sla{{{kStrong, 1'200ms, 1}, {kPrefix, 1'200ms, 0.9}}};
  const auto first = client->get_by_sla("k", sla);
  REQUIRE(first);
  CHECK(first->chosen == 0);
  CHECK_FALSE(first->met);  // it came too late, which is no error
  CHECK(first->answer.consistency == kStrong);
  for (int i = 0; i < 3; ++i) {
    const auto next = client->get_by_sla("k", sla);
    REQUIRE(next);
    CHECK(next->chosen == 1);
    CHECK(next->met == 1u);
    CHECK(next->answer.consistency == kPrefix);
  }
}

TEST_CASE("sla read: an answer at another level than the one asked for meets nothing") {
  FakeServer server([](const SeenRequest& request) { return node_answer(request, 2); });
  const auto client = open({server.endpoint()});
  const Consistency bounded{.level = Level::bounded, .max_staleness_ms = 10};
  const Sla sla{{{bounded, 5'000ms, 2}, {kPrefix, 5'000ms, 1}}};
  const auto answer = client->get_by_sla("k", sla);
  REQUIRE(answer);
  CHECK(answer->chosen == 0);
  CHECK(answer->answer.consistency == kPrefix);
  CHECK_FALSE(answer->met);
}

TEST_CASE("sla read: another node is asked when the chosen one fails") {
  FakeServer server([](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    return node_answer(request, 2);
  });
  FakeServer refusing([](const SeenRequest&) {
    return problem_answer(503, "level-unattainable", "not_applied", true);
  });
  const auto client = open({refusing.endpoint(), server.endpoint()});
  const Sla sla{{{kStrong, 5'000ms, 1}}};
  for (int i = 0; i < 3; ++i) {
    const auto answer = client->get_by_sla("k", sla);
    REQUIRE(answer);
    CHECK(answer->endpoint == server.endpoint());
    CHECK(answer->met == 0u);
  }
  CHECK(refusing.seen().size() == 1);  // it is known to fail now
}

TEST_CASE("sla read: sessions go along and learn") {
  FakeServer server([](const SeenRequest& request) { return node_answer(request, 2); });
  const auto client = open({server.endpoint()});
  const Session session;
  const Sla sla{{{kPrefix, 5'000ms, 1}}};
  REQUIRE(client->get_by_sla("k", sla, {.session = session}));
  CHECK(session.value().index == LogIndex{120});
  const auto second = client->get_by_sla("k", sla, {.session = session});
  REQUIRE(second);
  CHECK(second->met == 0u);
  CHECK(server.seen().back().headers.at("parallax-session") == session.token());
}

TEST_CASE("sla read: an answer under a lease counts for those who accept leases") {
  FakeServer server([](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    Action action = node_answer(request, 2);
    const auto at = action.bytes.find("path=read-index");
    if (at != std::string::npos) action.bytes.replace(at, 15, "path=lease");
    return action;
  });
  const Sla sla{{{kStrong, 60'000ms, 1}, {kPrefix, 60'000ms, 0.1}}};
  for (const bool accepted : {false, true}) {
    ClientOptions options = plain_options({server.endpoint()});
    options.accept_leases = accepted;
    const auto client = open(options);
    const auto answer = client->get_by_sla("k", sla);
    REQUIRE(answer);
    CHECK(answer->answer.evidence.path == Path::lease);
    CHECK(answer->met == (accepted ? std::optional<std::size_t>(0) : std::nullopt));
  }
}

TEST_CASE("sla: where a lease is accepted its answer carries the weaker levels too") {
  const Answer leased = [] {
    Answer answer;
    answer.consistency = kStrong;
    answer.found = true;
    answer.evidence = {.node = NodeId{2},
                       .term = Term{3},
                       .index = LogIndex{120},
                       .path = Path::lease,
                       .replicas = {NodeId{1}, NodeId{2}},
                       .sequenced = true};
    answer.session.index = LogIndex{120};
    return answer;
  }();
  const Consistency bounded{.level = Level::bounded, .max_staleness_ms = 10};
  for (const Consistency& wanted : {kStrong, kPrefix, bounded, Consistency{Level::sequential}}) {
    INFO(wanted.to_string());
    CHECK(carries(wanted, {.consistency = kStrong, .lease_reads = true}, leased, 5ms));
    CHECK_FALSE(carries(wanted, {.consistency = kStrong}, leased, 5ms));
  }
}

TEST_CASE("sla read: what is no agreement is refused before anything is sent") {
  FakeServer server([](const SeenRequest& request) { return node_answer(request, 2); });
  const auto client = open({server.endpoint()});
  const auto refused = [&](const Sla& sla, GetOptions options = {}) {
    const auto answer = client->get_by_sla("k", sla, std::move(options));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::bad_parameter);
    CHECK(answer.error().definite());
  };
  refused(Sla{});
  refused(Sla{{{kPrefix, 0ms, 1}}});
  refused(Sla{{{kPrefix, 1ms, 1}}}, {.consistency = kPrefix});
  refused(Sla{{{kPrefix, 1ms, 1}}}, {.timeout = 0ms});
  CHECK(server.seen().empty());
}

TEST_CASE("sla read: the command line says what was chosen and what was met") {
  const ScratchDirectory scratch;
  FakeServer server([](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    const bool strong = request.query.find("consistency=linearizable") != std::string::npos;
    return node_answer(request, 2, strong ? 1'500ms : 0ms);
  });
  const std::string at = "--endpoints=" + server.endpoint();
  const std::string agreement = R"([{"level": "linearizable", "latency_ms": 1000, "utility": 1},
      {"level": "prefix", "latency_ms": 60000, "utility": 0.75}])";
  // Without having measured anything the best entry is tried.
  const Ended blind = parallax(scratch, {at, "get", "k", "--sla", agreement, "--probes", "0"});
  CHECK(blind.code == 0);
  CHECK(blind.out == "v");
  CHECK_THAT(blind.err, Catch::Contains("asked " + server.endpoint() +
                                        " for linearizable within 1000 ms; met prefix within "
                                        "60000 ms after "));
  CHECK(server.seen().size() == 1);

  const std::string file = scratch.file("agreement.json", agreement).string();
  const Ended probed =
      parallax(scratch, {at, "get", "k", "--sla", file, "--probes", "2", "--json"});
  CHECK(probed.code == 0);
  CHECK(server.seen().size() == 4);
  const auto sla = boost::json::parse(probed.out).at("sla");
  CHECK(sla.at("chosen").at("level").as_string() == "prefix");
  CHECK(std::string(sla.at("endpoint").as_string().c_str()) == server.endpoint());
  CHECK(sla.at("met").at("latency_ms").as_int64() == 60'000);
  CHECK(sla.at("utility").as_double() == 0.75);
  CHECK(sla.at("expected_utility").as_double() == 0.75);
  CHECK(sla.at("took_ms").as_double() > 0);

  CHECK(parallax(scratch, {at, "get", "k", "--sla", "[{}]"}).code == 2);
  CHECK(parallax(scratch, {at, "get", "k", "--sla", (scratch.path / "none").string()}).code == 3);
  CHECK(parallax(scratch, {at, "get", "k", "--probes", "1"}).code == 2);
  CHECK(parallax(scratch, {at, "get", "k", "--sla", agreement, "--consistency", "prefix"}).code ==
        2);
  CHECK(server.seen().size() == 4);
}

}  // namespace
}  // namespace parallax
