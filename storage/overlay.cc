#include "storage/overlay.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace parallax {

// --- What is kept in memory ----------------------------------------------------------------------

namespace {

/// About what the allocator takes for nodes, strings, versions and their contexts.
std::size_t cost(std::string_view key, const KeyState& state) {
  constexpr std::size_t kBeside = 200;
  constexpr std::size_t kOfVersion = sizeof(Version) + 100;
  constexpr std::size_t kOfActor = sizeof(VersionVector::Entry);
  std::size_t bytes = kBeside + key.size() + kOfActor * state.context().entries().size();
  for (const Version& version : state.versions()) {
    bytes += kOfVersion + kOfActor * version.context.entries().size() + version.value.size() +
             version.content_type.size();
  }
  return bytes;
}

/// Values come in the buffers of requests and messages, which must not be kept.
KeyState compacted(KeyState state) {
  const auto& versions = state.versions();
  const bool all_right = std::none_of(versions.begin(), versions.end(), [](const Version& version) {
    return version.value.is_small_part();
  });
  if (all_right) return state;
  state.revise([](Version& version) {
    if (version.value.is_small_part()) version.value = Bytes{version.value.to_string()};
  });
  return state;
}

}  // namespace

/// Among the young afterwards.
RecentStates::Entry* RecentStates::entry(std::string_view key) {
  if (const auto it = young_.find(key); it != young_.end()) return &it->second;
  const auto it = old_.find(key);
  if (it == old_.end()) return nullptr;
  Entry* const entry = &it->second;
  young_.insert(old_.extract(it));
  old_bytes_ -= entry->bytes;
  young_bytes_ += entry->bytes;
  return entry;
}

const KeyState* RecentStates::find(std::string_view key) {
  const Entry* const found = entry(key);
  if (found == nullptr || !found->state) return nullptr;
  age();  // where it is does not change by that
  return &*found->state;
}

void RecentStates::put(std::string_view key, KeyState state) {
  const std::size_t bytes = cost(key, state);
  // One that would push out most of the others is not worth it.
  if (bytes > most_bytes_ / 8) return outdate(key);
  Entry* place = entry(key);
  if (place == nullptr) place = &young_.emplace(std::string(key), Entry{}).first->second;
  young_bytes_ += bytes - place->bytes;
  *place = {std::move(state), bytes};
  age();
}

void RecentStates::outdate(std::string_view key) {
  const auto drop = [&](States& states) {
    const auto it = states.find(key);
    if (it != states.end()) it->second.state.reset();
    return it != states.end();
  };
  if (!drop(young_)) drop(old_);
}

/// The young grow old together before one more, an eighth of the room at most, could be too much:
/// so both generations keep to a half.
void RecentStates::age() {
  if (young_bytes_ <= most_bytes_ / 8 * 3) return;
  old_ = std::exchange(young_, {});
  old_bytes_ = std::exchange(young_bytes_, 0);
}

// --- The overlay ---------------------------------------------------------------------------------

/// None where nothing is remembered: the range is the whole store then.
bool Overlay::remembers(std::string_view key) const {
  return remembered_.most_bytes > 0 && key >= remembered_.keys.start &&
         (remembered_.keys.end.empty() || key < remembered_.keys.end);
}

void Overlay::add(const WriteBatch& batch, std::uint64_t sequence) {
  PARALLAX_ASSERT(sequence >= last_added_ && sequence > forgotten_,
                  "sequence {} after {}, forgotten up to {}", sequence, last_added_, forgotten_);
  last_added_ = sequence;
  for (const WriteBatch::Change& change : batch.changes()) {
    auto [it, inserted] = changes_.try_emplace(change.key);
    Entry& entry = it->second;
    if (inserted) {
      bytes_ += change.key.size();
    } else if (entry.value) {
      bytes_ -= entry.value->size();
    }
    if (change.value) bytes_ += change.value->size();
    entry.value = change.value;
    entry.sequence = sequence;
    if (remembers(change.key)) recent_.outdate(change.key);
  }
}

void Overlay::forget(std::uint64_t sequence) {
  forgotten_ = std::max(forgotten_, sequence);
  for (auto it = changes_.begin(); it != changes_.end();) {
    if (it->second.sequence > sequence) {
      ++it;
      continue;
    }
    bytes_ -= it->first.size() + (it->second.value ? it->second.value->size() : 0);
    it = changes_.erase(it);
  }
}

std::uint64_t Overlay::last_change(std::string_view key) const {
  const auto it = changes_.find(key);
  return it == changes_.end() ? 0 : it->second.sequence;
}

Result<std::optional<std::string>> Overlay::get(std::string_view key) const {
  const auto text = [](const std::optional<Bytes>& value) {
    return value ? std::optional<std::string>{value->to_string()} : std::nullopt;
  };
  if (const auto it = changes_.find(key); it != changes_.end()) return text(it->second.value);
  return below_.get(key);
}

const KeyState* Overlay::kept(std::string_view key) const {
  return remembers(key) ? recent_.find(key) : nullptr;
}

void Overlay::keep(std::string_view key, KeyState state) const {
  if (remembers(key)) recent_.put(key, compacted(std::move(state)));
}

namespace {

/// Merges two ordered runs of keys: [at, end) from above wins over what the visits from below
/// bring. `before(a, b)`: whether key a comes before b in the direction of the scan.
template <class Iterator, class Before>
Result<void> merge_scan(Iterator at, Iterator end, const ReadView& below, const ScanRange& range,
                        const ScanVisitor& visit, Before before) {
  bool stopped = false;
  const auto visit_above = [&] {
    if (at->second.value) stopped = !visit(at->first, at->second.value->view());
    ++at;
  };
  PARALLAX_TRY(below.scan(range, [&](std::string_view key, std::string_view value) {
    while (!stopped && at != end && before(std::string_view(at->first), key)) visit_above();
    if (stopped) return false;
    if (at != end && at->first == key) {
      visit_above();
    } else {
      stopped = !visit(key, value);
    }
    return !stopped;
  }));
  while (!stopped && at != end) visit_above();
  return {};
}

}  // namespace

Result<void> Overlay::scan(const ScanRange& range, const ScanVisitor& visit) const {
  if (!range.end.empty() && range.end <= range.start) return {};
  const auto first = changes_.lower_bound(range.start);
  const auto last = range.end.empty() ? changes_.end() : changes_.lower_bound(range.end);
  if (!range.reverse) return merge_scan(first, last, below_, range, visit, std::less<>{});
  return merge_scan(std::make_reverse_iterator(last), std::make_reverse_iterator(first), below_,
                    range, visit, std::greater<>{});
}

}  // namespace parallax
