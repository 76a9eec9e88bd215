#include "consistency/merge/dotted_entries.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax {
namespace {

bool holds(const DottedEntries& entries, const DottedEntry& wanted) {
  const auto found =
      std::lower_bound(entries.begin(), entries.end(), wanted, [](const auto& a, const auto& b) {
        return std::tie(a.actor, a.stamp, a.name) < std::tie(b.actor, b.stamp, b.name);
      });
  return found != entries.end() && found->same_as(wanted);
}

}  // namespace

DottedEntries merged(const KeyState& state, const std::vector<DottedEntries>& held) {
  const std::vector<Version>& versions = state.versions();
  PARALLAX_ASSERT(held.size() == versions.size(), "{} for {} versions", held.size(),
                  versions.size());
  DottedEntries there;
  for (const DottedEntries& of_one : held) {
    for (const DottedEntry& entry : of_one) {
      bool removed = false;
      for (std::size_t i = 0; i < versions.size() && !removed; ++i) {
        removed =
            versions[i].context.covers(entry.actor, entry.stamp.hlc) && !holds(held[i], entry);
      }
      if (!removed) there.push_back(entry);
    }
  }
  std::sort(there.begin(), there.end());
  const auto same = [](const auto& a, const auto& b) { return a.same_as(b); };
  there.erase(std::unique(there.begin(), there.end(), same), there.end());
  return there;
}

bool can_hold(const Version& version, const DottedEntries& entries) {
  return std::all_of(entries.begin(), entries.end(), [&](const DottedEntry& entry) {
    return (entry.actor == version.actor && entry.stamp == version.stamp) ||
           (entry.stamp < version.stamp && version.context.covers(entry.actor, entry.stamp.hlc));
  });
}

}  // namespace parallax
