#include "simulation/accounts.h"

#include <algorithm>

#include "base/assert.h"
#include "storage/key_space.h"

namespace parallax::simulation {

Actor actor_of(const Answer& answer) {
  for (const auto& [actor, hlc] : answer.context.entries()) {
    const bool writer = actor == kLogActor || actor.node == answer.stamp->node;
    if (hlc == answer.stamp->hlc && writer) return actor;
  }
  PARALLAX_UNREACHABLE("the context {} does not cover {}", answer.context.to_string(),
                       *answer.stamp);
}

KeyState state_of(World& world, NodeId id, const std::string& key) {
  const KeySpace keys(world.replica(id).state(), kOnlyGroup);
  const Result<KeyState> state = keys.load(key);
  PARALLAX_ASSERT(state, "{}", state.error().message);
  return *state;
}

bool accounted_for(const KeyState& state, const Actor& actor, const Stamp& stamp) {
  return std::any_of(state.versions().begin(), state.versions().end(), [&](const Version& v) {
    return v.stamp == stamp || v.context.covers(actor, stamp.hlc);
  });
}

std::uint64_t disks_lost(const World& world, const Checks& checks) {
  std::uint64_t lost = 0;
  for (const NodeId id : world.ids()) lost += checks.losses(id);
  return lost;
}

}  // namespace parallax::simulation
