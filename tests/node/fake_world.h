// The simulator's world for tests of a few nodes: Raft's properties are checked after every turn,
// and nothing is mended behind a test's back.
#pragma once

#include "base/assert.h"
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
  /// A world that forgets idempotency keys early is there to see them used again.
  explicit WithChecks(const IdempotencyTable::Limits& rows)
      : checks({.values_differ = false,
                .keys_kept = rows.retention == limits::kIdempotencyRetention}) {}
  simulation::Checks checks;
};
}  // namespace detail

class World : private detail::WithChecks, public simulation::World {
 public:
  explicit World(WorldOptions options)
      : WithChecks(options.idempotency),
        simulation::World(with_damage(options), nullptr, &checks) {}

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

/// Hands leadership to `id`, however often it takes: who has just come back has to catch up first.
inline void lead(World& world, NodeId id) {
  for (int tries = 0; world.leader() != id; ++tries) {
    PARALLAX_ASSERT(tries < 10, "node {} does not become the leader", id);
    (void)world.replica(world.wait_for_leader()).transfer_leadership(id);
    (void)world.run_until([&] { return world.leader() == id; }, 1s);
  }
}

}  // namespace parallax::testing
