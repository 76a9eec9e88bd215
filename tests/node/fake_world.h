// The simulator's world for tests of a few nodes: Raft's properties are checked after every turn,
// and nothing is mended behind a test's back.
#pragma once

#include "simulation/checks.h"
#include "simulation/world.h"
#include "storage/key_space.h"

namespace parallax::testing {

using namespace std::chrono_literals;

using simulation::delete_request;
using simulation::get_request;
using simulation::put_request;
using simulation::WorldOptions;

namespace detail {
/// Before the world, which tells it what happens.
struct WithChecks {
  simulation::Checks checks{{.values_differ = false}};
};
}  // namespace detail

class World : private detail::WithChecks, public simulation::World {
 public:
  explicit World(WorldOptions options)
      : simulation::World(with_damage(options), nullptr, &checks) {}

 private:
  /// A test that damages a store wants to see what the node makes of it.
  static WorldOptions with_damage(WorldOptions options) {
    options.set_damage_aside = false;
    return options;
  }
};

/// A cluster that has a leader, and the other two by name.
struct Elected {
  explicit Elected(WorldOptions options = {}) : world(options) {
    world.start_all();
    leader = world.wait_for_leader();
    follower = world.others(leader)[0];
    third = world.others(leader)[1];
  }
  World world;
  NodeId leader;
  NodeId follower;
  NodeId third;
};

}  // namespace parallax::testing
