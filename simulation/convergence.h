// Whether replicas hold the same.
#pragma once

#include <map>

#include "base/ids.h"
#include "storage/store.h"

namespace parallax::simulation {

/// What each node holds, durable or not.
using Views = std::map<NodeId, const ReadView*>;

/// Whether any state still waits for its place in the log.
bool any_early(const Views& views);

/// Of nodes that have applied the same log: asserts that keys that the log alone has written to are
/// the same everywhere. What comes beside the log may still be on its way.
void check_log_equal(const Views& views);

}  // namespace parallax::simulation
