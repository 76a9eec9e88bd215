#include "replication/quorum/state_content.h"

#include <algorithm>

namespace parallax {
namespace {

bool same(const Version& a, const Version& b) {
  return a.stamp == b.stamp && a.actor == b.actor && a.tombstone == b.tombstone;
}

}  // namespace

bool same_content(const KeyState& a, const KeyState& b) {
  return a.context() == b.context() && std::equal(a.versions().begin(), a.versions().end(),
                                                  b.versions().begin(), b.versions().end(), same);
}

bool committed_in_log(const KeyState& state, LogIndex applied) {
  VersionVector known;
  for (const Version& version : state.versions()) {
    if (version.log_index == LogIndex{} || version.log_index > applied) return false;
    known.join(version.context);
    known.advance(version.actor, version.stamp.hlc);
  }
  return known.dominates(state.context());
}

bool beyond_log(const KeyState& state) {
  return std::any_of(state.versions().begin(), state.versions().end(),
                     [](const Version& version) { return version.log_index == LogIndex{}; });
}

bool holds(const KeyState& state, const Version& version) {
  return std::any_of(state.versions().begin(), state.versions().end(),
                     [&](const Version& mine) { return same(mine, version); });
}

}  // namespace parallax
