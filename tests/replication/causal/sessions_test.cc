// Each session guarantee by itself: what it promises, and what may happen without it (Terry et al.
// 1994, section 3). Three nodes; the links that matter are cut.
#include <catch2/catch.hpp>

#include "tests/replication/causal/causal_world.h"

namespace parallax::test {
namespace {

using namespace std::chrono_literals;

/// Nodes have met; all links are up.
CausalWorld three() {
  CausalWorld world({});
  world.run_for(500ms);
  return world;
}

}  // namespace

TEST_CASE("session: read your writes") {
  CausalWorld world = three();
  const bool asked = GENERATE(true, false);
  CausalWorld::Session session{.token = {}, .guarantees = {.read_your_writes = asked}};
  world.isolate(2);
  REQUIRE(world.write(session, 1, "x", false));
  CHECK(world.value(2, "x").empty());
  // Not at a node that does not have it yet; without the guarantee it is missing there.
  CHECK(world.read(session, 2, {"x"}) != asked);
  CHECK(world.read(session, 1, {"x"}));
  world.heal();
  world.run_for(1s);
  CHECK(world.read(session, 2, {"x"}));
  CHECK_FALSE(world.value(2, "x").empty());
  CHECK(world.broken().empty());
}

TEST_CASE("session: monotonic reads") {
  CausalWorld world = three();
  const bool asked = GENERATE(true, false);
  CausalWorld::Session other;
  CausalWorld::Session session{.token = {}, .guarantees = {.monotonic_reads = asked}};
  world.isolate(2);
  REQUIRE(world.write(other, 1, "x", false));
  CHECK(world.read(session, 2, {"x"}));
  CHECK(world.read(session, 1, {"x"}));
  // Back in time.
  CHECK(world.read(session, 2, {"x"}) != asked);
  world.heal();
  world.run_for(1s);
  CHECK(world.read(session, 2, {"x"}));
  CHECK(world.broken().empty());
}

TEST_CASE("session: monotonic writes") {
  CausalWorld world = three();
  const bool asked = GENERATE(true, false);
  CausalWorld::Session session{.token = {}, .guarantees = {.monotonic_writes = asked}};
  world.isolate(1);
  REQUIRE(world.write(session, 1, "x", false));
  // Node 2 lacks the first write: it takes the second one only if nobody minds.
  CHECK(world.write(session, 2, "y", false) != asked);
  world.run_for(500ms);
  CHECK(world.value(3, "x").empty());
  CHECK(world.value(3, "y").empty() == asked);
  world.heal();
  world.run_for(1s);
  CHECK(world.write(session, 2, "y", false));
  CHECK(world.broken().empty());
}

TEST_CASE("session: writes follow reads") {
  CausalWorld world = three();
  const bool asked = GENERATE(true, false);
  CausalWorld::Session author;
  CausalWorld::Session session{.token = {}, .guarantees = {.writes_follow_reads = asked}};
  world.isolate(1);
  REQUIRE(world.write(author, 1, "post", false));
  REQUIRE(world.read(session, 1, {"post"}));
  CHECK(world.write(session, 2, "comment", false) != asked);
  world.run_for(500ms);
  // The comment without the post.
  CHECK(world.value(3, "post").empty());
  CHECK(world.value(3, "comment").empty() == asked);
  world.heal();
  world.run_for(1s);
  CHECK(world.write(session, 2, "comment", false));
  CHECK(world.broken().empty());
}

TEST_CASE("causal: a comment is not seen before its post (Lloyd et al. 2011, section 2)") {
  CausalWorld world = three();
  CausalWorld::Session author;
  CausalWorld::Session commenter;
  // The post is slow on its way to node 3.
  world.cut(1, 3);
  REQUIRE(world.write(author, 1, "post", false));
  while (world.value(2, "post").empty()) world.deliver(0);
  REQUIRE(world.read(commenter, 2, {"post"}));
  REQUIRE(world.write(commenter, 2, "comment", false));
  while (!world.packets().empty()) world.deliver(0);
  CHECK(world.core(3).waiting(world.origin(2)) == 1);
  CHECK(world.value(3, "comment").empty());
  // Node 2 relays it: nobody waits for node 1.
  world.run_for(2s);
  CHECK_FALSE(world.value(3, "post").empty());
  CHECK_FALSE(world.value(3, "comment").empty());
  CHECK(world.broken().empty());
}

TEST_CASE("causal: a dead origin stalls nobody who can reach a survivor") {
  CausalWorld world({.nodes = 4});
  world.run_for(500ms);
  CausalWorld::Session session;
  // Node 2 alone has what node 1 wrote, and node 4 hears of it from node 3 alone.
  world.cut(1, 3);
  world.cut(1, 4);
  world.cut(2, 4);
  REQUIRE(world.write(session, 1, "x", false));
  while (world.value(2, "x").empty()) world.deliver(0);
  world.crash(1);
  world.run_for(10s);
  CHECK_FALSE(world.value(3, "x").empty());
  CHECK_FALSE(world.value(4, "x").empty());
  CHECK(world.read(session, 4, {"x"}));
  CHECK(world.broken().empty());
}

TEST_CASE("causal: two nodes can bring each other what neither has in its log") {
  CausalWorld world({.nodes = 3, .log_bytes = 300, .page_keys = 1});
  world.run_for(500ms);
  world.isolate(1);
  world.isolate(2);
  CausalWorld::Session sessions[2];
  for (int i = 0; i < 20; ++i) {
    for (std::uint32_t id : {1u, 2u}) {
      const std::string key = "k" + std::to_string(id) + std::to_string(i % 5);
      REQUIRE(world.write(sessions[id - 1], id, key, false));
    }
    world.run_for(100ms);
  }
  world.crash(3);
  world.heal();
  world.run_for(10s);
  CHECK(world.counters().transfers >= 2);
  CHECK(world.core(1).applied() == world.core(2).applied());
  CHECK(world.core(1).consistent());
  CHECK(world.core(2).consistent());
  world.restart(3);
  world.run_for(10s);
  world.check_converged(false);
  CHECK(world.broken() == "");
}

TEST_CASE("causal: whoever is brought key states catches up while others go on writing") {
  CausalWorld world({.nodes = 3, .log_bytes = 2'000, .page_keys = 1});
  world.run_for(500ms);
  world.isolate(3);
  CausalWorld::Session session;
  const auto write_on = [&](int count) {
    for (int i = 0; i < count; ++i) {
      REQUIRE(world.write(session, 1, "k" + std::to_string(i % 20), false));
      world.run_for(20ms);
    }
  };
  write_on(60);
  world.heal();
  // Thirty operations a log, twenty pages a transfer, an operation with every page.
  write_on(100);
  world.run_for(5s);
  CHECK(world.counters().transfers == 1);
  CHECK(world.core(3).applied() == world.core(1).applied());
  CHECK(world.broken().empty());
}

}  // namespace parallax::test
