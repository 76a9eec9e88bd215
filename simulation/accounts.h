// Whether a write that was acknowledged is still there, and what disks were lost since: for clients
// that ask when the run is over.
#pragma once

#include <cstdint>
#include <string>

#include "client/protocol.h"
#include "simulation/checks.h"
#include "simulation/world.h"
#include "storage/version.h"

namespace parallax::simulation {

/// The actor of the version that a write's answer is about: its context ends with it.
Actor actor_of(const Answer& answer);

/// What the node holds of the key.
KeyState state_of(World& world, NodeId id, const std::string& key);

/// Whether `state` has the version, or one that replaces it in its own context. A context alone is
/// no reason for a version to be gone.
bool accounted_for(const KeyState& state, const Actor& actor, const Stamp& stamp);

/// How many disks of the cluster were lost so far.
std::uint64_t disks_lost(const World& world, const Checks& checks);

}  // namespace parallax::simulation
