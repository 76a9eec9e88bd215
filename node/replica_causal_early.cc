// States that come beside the log ahead of their causal past, and what of the past may be
// forgotten.
//
// An early state waits for one operation at a time, the first one that is missing; when that is
// applied here it is looked at again. So a turn costs what has come, not what waits.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_causal.h"

namespace parallax {

bool Replica::Impl::Causality::is_early(const VersionVector& context) const {
  // A recovering node serves nothing, and all that it gets is ahead of its vector.
  return core_ && !at_.recovering() && !core_->covers(context);
}

void Replica::Impl::Causality::wait_for_past(const std::string& key, const VersionVector& context) {
  forget_early(key);
  for (const auto& [actor, reading] : context.entries()) {
    if (core_->covers(VersionVector({{actor, reading}}))) continue;
    early_[actor].emplace(reading, key);
    early_keys_.emplace(key, std::pair{actor, reading});
    return;
  }
  PARALLAX_UNREACHABLE("the state of {} is not early", key.size());
}

void Replica::Impl::Causality::forget_early(const std::string& key) {
  const auto found = early_keys_.find(key);
  if (found == early_keys_.end()) return;
  const auto& [actor, reading] = found->second;
  const auto of_actor = early_.find(actor);
  of_actor->second.erase({reading, key});
  if (of_actor->second.empty()) early_.erase(of_actor);
  early_keys_.erase(found);
}

void Replica::Impl::Causality::join_early_states() {
  std::vector<std::string> due;
  for (const auto& [actor, waiting] : early_) {
    for (const auto& [reading, key] : waiting) {
      if (!core_->covers(VersionVector({{actor, reading}}))) break;
      due.push_back(key);
    }
  }
  for (const std::string& key : due) {
    forget_early(key);
    if (!at_.join_early(key)) return;
  }
}

/// What an operation wrote may be gone for good only where that operation will not come again: it
/// is applied here, and in no log from which a node that lost its disk could be given it.
bool Replica::Impl::Causality::may_forget(const VersionVector& context) const {
  for (const auto& [actor, reading] : context.entries()) {
    if (actor.path != ActorPath::causal) continue;
    if (!core_ || !core_->covers(VersionVector({{actor, reading}}))) return false;
    const Origin origin{actor.node, actor.incarnation};
    const OriginLog* const log = core_->log(origin);
    const std::optional<Hlc> first = log == nullptr ? std::nullopt : log->first_reading();
    if (first && *first <= reading) return false;
  }
  return true;
}

}  // namespace parallax
