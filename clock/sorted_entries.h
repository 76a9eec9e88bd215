// The one algorithm behind VersionVector and VectorClock: a map from keys to readings, kept as a
// sorted vector of pairs in which no reading is zero.
//
// Vectors have one to three entries on the path of every write, so everything here is a linear walk
// over adjacent memory, and nothing allocates unless an entry is new.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace parallax::sorted_entries {

template <class Key, class Reading>
using Entries = std::vector<std::pair<Key, Reading>>;

/// Sorts; of several entries of one key keeps the highest, and none that is zero.
template <class Key, class Reading>
void normalize(Entries<Key, Reading>& entries) {
  std::erase_if(entries, [](const auto& entry) { return entry.second == Reading{}; });
  // Highest reading first within a key, because unique() keeps the first.
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  });
  const auto same_key = [](const auto& a, const auto& b) { return a.first == b.first; };
  entries.erase(std::unique(entries.begin(), entries.end(), same_key), entries.end());
}

template <class Key, class Reading>
Reading at(const Entries<Key, Reading>& entries, const Key& key) {
  for (const auto& [k, reading] : entries) {
    if (k == key) return reading;
  }
  return Reading{};
}

/// Raises `key` to at least `reading`.
template <class Key, class Reading>
void advance(Entries<Key, Reading>& entries, const Key& key, Reading reading) {
  if (reading == Reading{}) return;
  auto place = entries.begin();
  while (place != entries.end() && place->first < key) ++place;
  if (place != entries.end() && place->first == key) {
    place->second = std::max(place->second, reading);
  } else {
    entries.emplace(place, key, reading);
  }
}

/// Key by key, the higher reading.
template <class Key, class Reading>
void join(Entries<Key, Reading>& mine, const Entries<Key, Reading>& theirs) {
  std::size_t missing = 0;
  auto m = mine.begin();
  for (const auto& [key, reading] : theirs) {
    while (m != mine.end() && m->first < key) ++m;
    if (m != mine.end() && m->first == key) {
      m->second = std::max(m->second, reading);
    } else {
      ++missing;
    }
  }
  if (missing == 0) return;
  // Merges from the back, so that the gap never overtakes what is still to be moved.
  std::size_t from_mine = mine.size();
  std::size_t from_theirs = theirs.size();
  mine.resize(mine.size() + missing);
  for (std::size_t to = mine.size(); from_theirs > 0;) {
    --to;
    if (from_mine == 0 || mine[from_mine - 1].first < theirs[from_theirs - 1].first) {
      mine[to] = theirs[--from_theirs];
    } else {
      if (mine[from_mine - 1].first == theirs[from_theirs - 1].first) --from_theirs;
      mine[to] = mine[--from_mine];
    }
  }
}

/// Whether `mine` is at least `theirs` in every key.
template <class Key, class Reading>
bool dominates(const Entries<Key, Reading>& mine, const Entries<Key, Reading>& theirs) {
  auto m = mine.begin();
  for (const auto& [key, reading] : theirs) {
    while (m != mine.end() && m->first < key) ++m;
    if (m == mine.end() || m->first != key || m->second < reading) return false;
  }
  return true;
}

}  // namespace parallax::sorted_entries
