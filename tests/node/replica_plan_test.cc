// Plans (GET /v1/explain): what is said beforehand is what then happens.
#include <algorithm>

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "node/plan.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

namespace json = boost::json;

constexpr Duration kOneWay = 10ms;

/// Messages take as long as each other, and disks take none: time counts round trips.
struct Planned : Elected {
  explicit Planned(bool lease_reads = false)
      : Elected(WorldOptions{.min_latency = kOneWay,
                             .max_latency = kOneWay,
                             .min_write = 0ms,
                             .max_write = 0ms,
                             .lease_reads = lease_reads}) {
    session = world.put(leader, "k", "v")->session;
    REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
    world.run_for(2s);
  }
  SessionToken session;
};

Request read_at(Consistency consistency) {
  Request request = get_request("k");
  request.consistency = consistency;
  return request;
}

Request write_at(Consistency consistency) {
  Request request = put_request("k", "v");
  request.consistency = consistency;
  return request;
}

std::vector<Request> requests_of_every_level() {
  std::vector<Request> all;
  const auto add = [&](const Consistency& consistency) {
    all.push_back(read_at(consistency));
    all.push_back(write_at(consistency));
  };
  add({Level::linearizable});
  add({Level::sequential});
  add({.level = Level::bounded, .max_staleness_ms = 1'000});
  add({.level = Level::bounded, .max_lag = 0});
  add({.level = Level::bounded, .max_lag = 5, .on_violation = OnViolation::forward});
  add({Level::prefix});
  for (const Ack ack : {Ack::leader, Ack::semi_sync, Ack::all}) {
    all.push_back(write_at({.level = Level::linearizable, .ack = ack}));
  }
  // On keys of their own: what one protocol writes the other takes another step for.
  const std::size_t of_log = all.size();
  add({Level::atomic});
  add({.level = Level::quorum, .r = 1, .w = 1});
  add({Level::quorum});
  add({.level = Level::quorum, .r = Consistency::kAll, .w = Consistency::kAll});
  add({.level = Level::quorum, .r = 1, .w = 3, .sloppy = true});
  add({Level::causal});
  add({.level = Level::session, .guarantees = {.monotonic_reads = true}});
  add({Level::eventual});
  add({Level::weak});
  for (std::size_t i = of_log; i < all.size(); ++i) {
    const std::string key =
        level_info(all[i].consistency.level).protocol == Protocol::causal ? "c" : "q";
    std::visit(
        [&](auto& operation) {
          if constexpr (requires { operation.key; }) operation.key = key;
        },
        all[i].operation);
  }
  return all;
}

/// The plan's refusal, or nothing.
std::string refusal(const Result<Plan>& plan) {
  return plan ? ""
              : fmt::format("{}: {}", error_info(plan.error().code).name, plan.error().message);
}

}  // namespace

TEST_CASE("plan: every level goes the way that its plan says, in as many round trips") {
  const bool lease_reads = GENERATE(false, true);
  Planned cluster(lease_reads);
  World& world = cluster.world;
  for (const Request& request : requests_of_every_level()) {
    for (const NodeId at : {cluster.leader, cluster.follower}) {
      const bool read = is_read(request.operation);
      INFO((read ? "read " : "write ") << request.consistency.to_string() << " at "
                                       << (at == cluster.leader ? "the leader" : "a follower"));
      const Result<Plan> plan = world.replica(at).plan(request);
      REQUIRE(plan);
      CHECK(plan->is_read == read);
      CHECK_FALSE(plan->promises.empty());
      const MonoTime begun = world.now();
      const Reply reply = world.call(at, request);
      REQUIRE(reply);
      CHECK(plan->path == reply->evidence.path);
      CHECK(plan->consistency == reply->consistency);
      CHECK(plan->node == reply->evidence.node);
      CHECK(plan->forwarded == (plan->node != at));
      CHECK((world.now() - begun) / (2 * kOneWay) == plan->round_trips);
      CHECK((world.now() - begun) % (2 * kOneWay) == Duration::zero());
      CHECK(plan->round_trips <= plan->round_trips_most);
      CHECK(std::includes(plan->replicas.begin(), plan->replicas.end(),
                          reply->evidence.replicas.begin(), reply->evidence.replicas.end()));
      CHECK(plan->needed <= plan->replicas.size());
      if (plan->path != Path::log && plan->path != Path::local) {
        CHECK(reply->evidence.replicas.size() >= plan->needed);
      }
      world.run_for(1s);
    }
  }
}

TEST_CASE("plan: as many nodes may be down as it says, and no more") {
  for (const Request& request : requests_of_every_level()) {
    Planned cluster;
    World& world = cluster.world;
    INFO((is_read(request.operation) ? "read " : "write ") << request.consistency.to_string());
    const Result<Plan> plan = world.replica(cluster.leader).plan(request);
    REQUIRE(plan);
    REQUIRE(plan->nodes_down <= 2);
    const NodeId others[] = {cluster.follower, cluster.third};
    for (std::size_t i = 0; i < plan->nodes_down; ++i) world.crash(others[i]);
    if (plan->nodes_down > 0) world.run_for(3s);
    CHECK(world.call(cluster.leader, request));
    if (plan->nodes_down == 2 || request.consistency.ack == Ack::semi_sync) continue;
    // Bounded staleness has some time left without a leader.
    if (plan->path == Path::local) continue;
    world.crash(others[plan->nodes_down]);
    Request last = request;
    last.timeout = 2s;
    world.run_for(3s);
    CHECK_FALSE(world.call(cluster.leader, last));
  }
}

TEST_CASE("plan: figures") {
  Planned cluster;
  struct Case {
    Request request;
    std::size_t needed;
    std::size_t nodes_down;
    std::optional<std::size_t> disks_lost;
    std::string promises;
  };
  const auto c = GENERATE_COPY(values<Case>({
      {read_at({Level::linearizable}), 2, 1, std::nullopt, "linearizability"},
      {write_at({Level::linearizable}), 2, 1, 1, "linearizability"},
      {write_at({.level = Level::linearizable, .ack = Ack::all}), 3, 0, 2, "linearizability"},
      {write_at({.level = Level::prefix, .ack = Ack::leader}), 1, 1, std::nullopt,
       "a consistent prefix of the log, from when it is committed: until then it may be lost with "
       "the leader"},
      {read_at({Level::prefix}), 1, 2, std::nullopt, "a consistent prefix of the log"},
      {read_at({Level::sequential}), 1, 2, std::nullopt, "a consistent prefix of the log"},
      {write_at({Level::atomic}), 2, 1, 1, "linearizability, without a leader"},
      {write_at({.level = Level::quorum, .r = 1, .w = 3}), 3, 0, 2,
       "no read is older than a write completed before it began"},
      {read_at({.level = Level::quorum, .r = 2, .w = 1}), 2, 1, std::nullopt,
       "convergence: r + w is not above n"},
      {write_at({.level = Level::quorum, .r = 2, .w = 2, .sloppy = true}), 2, 2, 0,
       "convergence: hints count, so that no r + w meets all writes"},
      {read_at({.level = Level::session, .guarantees = {.read_your_writes = true}}), 1, 2,
       std::nullopt, "of the session's guarantees: ryw"},
      {write_at({Level::causal}), 1, 2, 0, "causal consistency, and convergence"},
      {write_at({Level::eventual}), 1, 2, 0, "convergence"},
      {write_at({Level::weak}), 1, 2, std::nullopt, "none"},
  }));
  INFO((is_read(c.request.operation) ? "read " : "write ") << c.request.consistency.to_string());
  const Result<Plan> plan = cluster.world.replica(cluster.leader).plan(c.request);
  REQUIRE(plan);
  CHECK(plan->needed == c.needed);
  CHECK(plan->nodes_down == c.nodes_down);
  CHECK(plan->disks_lost == c.disks_lost);
  CHECK(plan->promises == c.promises);
}

TEST_CASE("plan: what would be refused is refused, in the same words") {
  Planned cluster;
  World& world = cluster.world;
  std::vector<Request> wrong;
  wrong.push_back(read_at({.level = Level::quorum, .r = 4}));
  wrong.push_back(write_at({.level = Level::quorum, .w = 9}));
  wrong.push_back(read_at({Level::linearizable}));
  wrong.back().forward = false;
  wrong.push_back(write_at({Level::prefix}));
  wrong.back().forward = false;
  wrong.push_back(read_at({.level = Level::sequential, .on_violation = OnViolation::reject}));
  wrong.back().session = cluster.session;
  wrong.back().session->index = LogIndex{1'000};
  wrong.push_back(read_at({Level::causal}));
  wrong.back().session = cluster.session;
  wrong.back().session->cluster.low ^= 1;
  Request policy = get_request("");
  policy.operation = SetPolicy{
      "p/", Policy{.default_consistency = Consistency{Level::quorum}, .mixing = Mixing::deny}};
  REQUIRE(world.call(cluster.leader, policy));
  world.run_for(1s);
  wrong.push_back(put_request("p/1", "v"));
  for (const Request& request : wrong) {
    INFO(request.consistency.to_string());
    const Result<Plan> plan = world.replica(cluster.follower).plan(request);
    const Reply reply = world.call(cluster.follower, request);
    REQUIRE_FALSE(reply);
    CHECK(refusal(plan) ==
          fmt::format("{}: {}", error_info(reply.error().code).name, reply.error().message));
  }
}

TEST_CASE("plan: a write for which too many are recovering is refused") {
  Planned cluster;
  World& world = cluster.world;
  // The leader away, nobody ends the recovery.
  world.crash(cluster.leader);
  world.wipe(cluster.third);
  world.start(cluster.third);
  world.run_for(1s);
  const Request all = write_at({.level = Level::quorum, .r = 1, .w = 3});
  const Result<Plan> plan = world.replica(cluster.follower).plan(all);
  const Reply reply = world.call(cluster.follower, all);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == ErrorCode::not_enough_replicas);
  CHECK(reply.error().definite());
  CHECK(refusal(plan) ==
        fmt::format("{}: {}", error_info(reply.error().code).name, reply.error().message));
}

TEST_CASE("plan: the policy of the key names the level") {
  Planned cluster;
  Request policy = get_request("");
  policy.operation = SetPolicy{"p/", Policy{.default_consistency = Consistency{Level::atomic}}};
  REQUIRE(cluster.world.call(cluster.leader, policy));
  cluster.world.run_for(1s);
  Request read = get_request("p/1");
  read.level_by_policy = true;
  CHECK(cluster.world.replica(cluster.third).plan(read)->consistency == Consistency{Level::atomic});
  std::get<Get>(read.operation).key = "other";
  CHECK(cluster.world.replica(cluster.third).plan(read)->consistency == Consistency{});
}

TEST_CASE("plan: it says what has to come first") {
  Planned cluster;
  World& world = cluster.world;
  Request ahead = read_at({Level::sequential});
  ahead.session = cluster.session;
  ahead.session->index = LogIndex{1'000};
  CHECK(world.replica(cluster.follower)
            .plan(ahead)
            ->waits_for.value()
            .starts_with("the session has seen entry 1000, applied is "));
  world.crash(cluster.leader);
  world.crash(cluster.third);
  world.run_for(3s);
  const Result<Plan> alone = world.replica(cluster.follower).plan(read_at({}));
  REQUIRE(alone);
  CHECK(alone->node == kNoNode);
  CHECK(alone->waits_for == "a leader");
}

TEST_CASE("plan: as JSON") {
  Plan plan{.is_read = false,
            .consistency = {.level = Level::quorum, .r = 2, .w = 3},
            .path = Path::quorum,
            .node = NodeId{2},
            .replicas = {NodeId{1}, NodeId{2}, NodeId{3}},
            .needed = 3,
            .round_trips = 1,
            .round_trips_most = 1,
            .disks_lost = 2,
            .promises = "something"};
  RequestMetrics metrics;
  const RequestMetrics::Answered put{.level = Level::quorum, .op = KvOp::put, .path = Path::quorum};
  for (int i = 0; i < 98; ++i) metrics.count(put, 100us);
  for (int i = 0; i < 2; ++i) metrics.count(put, 3ms);
  metrics.count({.level = Level::quorum, .op = KvOp::get, .path = Path::quorum}, 1s);
  metrics.count({.level = Level::quorum, .op = KvOp::put, .path = Path::local}, 1s);
  const auto observed = metrics.observed(Level::quorum, false, Path::quorum);
  const json::object object = json::parse(render_plan(plan, observed)).as_object();
  CHECK(
      json::serialize(object) ==
      R"({"op":"write","level":"quorum","consistency":"quorum; r=2; w=3","path":"quorum","node":2,)"
      R"("forwarded":false,"replicas":[1,2,3],"needed":3,"round_trips":1,"round_trips_most":1,)"
      R"("waits_for":null,"survives":{"nodes_down":0,"disks_lost":2},"promises":"something",)"
      R"("p50_ms":1.28E-1,"p99_ms":4.096E0,"observed":100})");
  plan.node = kNoNode;
  plan.disks_lost.reset();
  plan.waits_for = "a leader";
  const json::object other = json::parse(render_plan(plan, {})).as_object();
  CHECK(other.at("node").is_null());
  CHECK(other.at("p50_ms").is_null());
  CHECK(other.at("p99_ms").is_null());
  CHECK(other.at("observed") == 0);
  CHECK(other.at("waits_for") == "a leader");
  CHECK(other.at("survives").as_object().at("disks_lost").is_null());
}

TEST_CASE("plan: percentiles are upper bounds, and the longest time where there is none") {
  LatencyHistogram histogram;
  CHECK_FALSE(histogram.percentile(50));
  histogram.add(10us);
  CHECK(histogram.percentile(50) == 16us);
  CHECK(histogram.percentile(99) == 16us);
  histogram.add(1h);
  CHECK(histogram.percentile(50) == 16us);
  CHECK(histogram.percentile(99) == Duration{limits::kMaxRequestTimeout});
}

}  // namespace parallax::testing
