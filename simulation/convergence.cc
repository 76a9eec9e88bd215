#include "simulation/convergence.h"

#include <algorithm>
#include <string>

#include "base/assert.h"
#include "storage/key_space.h"

namespace parallax::simulation {
namespace {

bool from_log_alone(const KeyState& state) {
  const auto& actors = state.context().entries();
  return std::all_of(actors.begin(), actors.end(),
                     [](const auto& entry) { return entry.first == kLogActor; });
}

}  // namespace

bool any_early(const Views& views) {
  bool any = false;
  for (const auto& [id, view] : views) {
    const Result<void> scanned = view->scan(records::early_range(kOnlyGroup), [&](auto, auto) {
      any = true;
      return false;
    });
    PARALLAX_ASSERT(scanned, "node {}: {}", id, scanned.error().message);
  }
  return any;
}

void check_log_equal(const Views& views) {
  std::map<std::string, std::map<NodeId, KeyState>> held;
  for (const auto& [id, view] : views) {
    const auto take = [&held, id = id](std::string_view key, const KeyState& state) {
      held[std::string(key)].emplace(id, state);
      return true;
    };
    const Result<void> scanned = KeySpace(*view, kOnlyGroup).scan({}, {}, false, take);
    PARALLAX_ASSERT(scanned, "node {}: {}", id, scanned.error().message);
  }
  for (const auto& entry : held) {
    const std::string& key = entry.first;
    const std::map<NodeId, KeyState>& states = entry.second;
    const bool log_alone = std::all_of(states.begin(), states.end(), [](const auto& state) {
      return from_log_alone(state.second);
    });
    if (!log_alone) continue;
    const bool equal = states.size() == views.size() &&
                       std::all_of(states.begin(), states.end(), [&](const auto& state) {
                         return state.second == states.begin()->second;
                       });
    PARALLAX_ASSERT(equal, "'{}' is not the same on all nodes, which have applied the same log",
                    key);
  }
}

}  // namespace parallax::simulation
