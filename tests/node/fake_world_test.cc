// The checks that watch the tests of this folder can fail.
#include "tests/node/fake_world.h"

#include <stdexcept>

#include <catch2/catch.hpp>

#include "base/assert.h"
#include "base/canary.h"
#include "tests/node/printing.h"

#ifdef PARALLAX_TEST_BUILD

namespace parallax::testing {
namespace {

/// A deliberate bug, and assertions that throw, for as long as this lives.
struct Broken {
  explicit Broken(Canary bug) {
    g_active_canary = bug;
    set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  }
  ~Broken() {
    g_active_canary = Canary::none;
    set_assertion_handler(nullptr);
  }
};

}  // namespace

TEST_CASE("fake world: what is said before it is durable ends a test") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  world.run_for(200ms);  // they are members for good
  for (NodeId other : world.others(leader)) world.slow_disk(other, 1s);
  const Broken bug(Canary::acknowledge_before_sync);
  CHECK_THROWS_WITH(world.put(leader, "k", "v"), Catch::Contains("durable before said"));
}

TEST_CASE("fake world: a stamp that comes twice ends a test") {
  World world({.nodes = 1});
  const NodeId id{1};
  world.start_all();
  world.wait_for_leader();
  REQUIRE(world.put(id, "k", "v"));
  // Stamped within the bound that is durable, and lost with the disk's tail.
  world.hold_disk(id, true);
  world.submit(id, put_request("k", "lost"), [](const Reply&) {});
  world.run_for(20ms);
  world.crash(id, 0);
  world.set_clock(id, -1min);
  const Broken bug(Canary::stamp_reused_after_restart);
  REQUIRE(world.start(id));
  world.wait_for_leader();
  CHECK_THROWS_WITH(world.put(id, "k", "next"), Catch::Contains("is used twice"));
}

}  // namespace parallax::testing

#endif
