#include "node/io/faults.h"

#include <algorithm>

namespace parallax {
namespace {

using namespace std::chrono_literals;

/// A reordered message is held back by up to this beyond those sent after it.
constexpr auto kMostReordering = 50ms;

bool contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

Result<void> check_faults(const FaultSettings& faults) {
  // The files are cut by the process itself on its way out; a SIGKILL from outside leaves no time.
  const bool crashes = faults.fail_point && faults.fail_point->action == "crash";
  if (faults.on_crash != FaultSettings::OnCrash::keep && !crashes) {
    return definite(ErrorCode::bad_parameter,
                    "on_crash: drop_unsynced and torn_tail are supported only together with a "
                    "fail_point whose action is crash; expected keep");
  }
  return {};
}

void PeerFaults::set(const FaultSettings& faults) {
  faults_ = faults;
  std::erase(faults_.drop_from, self_);
  std::erase(faults_.drop_to, self_);
  none_ = faults_.drop_from.empty() && faults_.drop_to.empty() && faults_.drop_probability == 0 &&
          faults_.delay == 0ms && faults_.duplicate_probability == 0 &&
          faults_.reorder_probability == 0;
}

bool PeerFaults::drops_from(NodeId from) const {
  return !none_ && contains(faults_.drop_from, from);
}

std::vector<Duration> PeerFaults::deliveries(NodeId to) {
  if (contains(faults_.drop_to, to) || random_.chance(faults_.drop_probability)) return {};
  const std::size_t copies = random_.chance(faults_.duplicate_probability) ? 2 : 1;
  std::vector<Duration> delays;
  for (std::size_t i = 0; i < copies; ++i) {
    Duration delay = faults_.delay;
    if (random_.chance(faults_.reorder_probability)) {
      delay += std::chrono::milliseconds(random_.between(1, kMostReordering.count()));
    }
    delays.push_back(delay);
  }
  return delays;
}

}  // namespace parallax
