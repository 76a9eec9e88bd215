#include "storage/overlay.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "storage/records.h"

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
    put(change.key, change.value, sequence, sequence);
    if (const auto it = deferred_.find(change.key); it != deferred_.end()) drop(*it);
    if (remembers(change.key)) recent_.outdate(change.key);
  }
}

void Overlay::put(const std::string& key, std::optional<Bytes> value, std::uint64_t sequence,
                  std::uint64_t changed) {
  auto [it, inserted] = changes_.try_emplace(key);
  Entry& entry = it->second;
  if (inserted) {
    bytes_ += key.size();
  } else if (entry.value) {
    bytes_ -= entry.value->size();
  }
  if (value) bytes_ += value->size();
  entry = {std::move(value), sequence, changed};
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

// --- What waits ----------------------------------------------------------------------------------

bool Overlay::defer(std::string_view key, KeyState state, std::uint64_t sequence, bool durable) {
  PARALLAX_ASSERT(sequence >= last_added_ && sequence > forgotten_,
                  "sequence {} after {}, forgotten up to {}", sequence, last_added_, forgotten_);
  last_added_ = sequence;
  auto it = deferred_.find(key);
  const bool again = it != deferred_.end();
  if (!again) {
    if (remembers(key)) recent_.outdate(key);
    it = deferred_.try_emplace(std::string(key)).first;
    it->second.since = sequence;
    it->second.place = by_age_.insert(by_age_.end(), &*it);
    in_order_.emplace(it->first, &*it);
  }
  Deferred& deferred = it->second;
  deferred_bytes_ -= deferred.bytes;
  deferred.state = compacted(std::move(state));
  deferred.bytes = cost(key, deferred.state);
  deferred.changed = durable ? 0 : sequence;
  deferred_bytes_ += deferred.bytes;
  return again;
}

void Overlay::take_deferred(std::uint64_t until, std::size_t most_bytes, std::uint64_t sequence,
                            WriteBatch& batch) {
  while (!by_age_.empty()) {
    auto& [key, deferred] = *by_age_.front();
    if (deferred.since > until && deferred_bytes_ <= most_bytes) return;
    const Bytes record = records::encode(key, deferred.state);
    batch.put(key, record);
    put(key, record, sequence, deferred.changed);
    if (remembers(key)) recent_.put(key, std::move(deferred.state));
    drop(*by_age_.front());
  }
}

std::optional<std::uint64_t> Overlay::deferred_since() const {
  if (by_age_.empty()) return std::nullopt;
  return by_age_.front()->second.since;
}

void Overlay::drop(const Waiting::value_type& deferred) {
  deferred_bytes_ -= deferred.second.bytes;
  by_age_.erase(deferred.second.place);
  in_order_.erase(deferred.first);
  deferred_.erase(deferred_.find(deferred.first));
}

// --- Reading -------------------------------------------------------------------------------------

std::uint64_t Overlay::last_change(std::string_view key) const {
  std::uint64_t changed = 0;
  if (const auto it = deferred_.find(key); it != deferred_.end()) {
    changed = it->second.changed;
  } else if (const auto found = changes_.find(key); found != changes_.end()) {
    changed = found->second.changed;
  }
  return changed > forgotten_ ? changed : 0;
}

Result<std::optional<std::string>> Overlay::get(std::string_view key) const {
  const auto text = [](const std::optional<Bytes>& value) {
    return value ? std::optional<std::string>{value->to_string()} : std::nullopt;
  };
  if (const auto it = deferred_.find(key); it != deferred_.end()) {
    return text(records::encode(key, it->second.state));
  }
  if (const auto it = changes_.find(key); it != changes_.end()) return text(it->second.value);
  return below_.get(key);
}

const KeyState* Overlay::kept(std::string_view key) const {
  if (const auto it = deferred_.find(key); it != deferred_.end()) return &it->second.state;
  return remembers(key) ? recent_.find(key) : nullptr;
}

void Overlay::keep(std::string_view key, KeyState state) const {
  if (remembers(key)) recent_.put(key, compacted(std::move(state)));
}

namespace {

/// What waits has no bytes yet.
template <class Deferred>
bool show(const std::pair<const std::string_view, const Deferred*>& entry,
          const ScanVisitor& visit) {
  return visit(entry.first, records::encode(entry.first, entry.second->second.state).view());
}
/// A record that is removed is not shown, and the scan goes on.
template <class Entry>
bool show(const std::pair<const std::string, Entry>& entry, const ScanVisitor& visit) {
  return !entry.second.value || visit(entry.first, entry.second.value->view());
}

/// Merges two ordered runs of keys: [at, end) from above wins over what `scan_below` visits.
/// `before(a, b)`: whether key a comes before b in the direction of the scan.
template <class Iterator, class ScanBelow, class Before>
Result<void> merge_scan(Iterator at, Iterator end, const ScanVisitor& visit, Before before,
                        const ScanBelow& scan_below) {
  bool stopped = false;
  const auto visit_above = [&] {
    stopped = !show(*at, visit);
    ++at;
  };
  PARALLAX_TRY(scan_below([&](std::string_view key, std::string_view value) {
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

/// Likewise of what of `above` is in `range`.
template <class Changes, class ScanBelow>
Result<void> scan_above(const Changes& above, const ScanRange& range, const ScanVisitor& visit,
                        const ScanBelow& scan_below) {
  const auto first = above.lower_bound(range.start);
  const auto last = range.end.empty() ? above.end() : above.lower_bound(range.end);
  if (first == last) return scan_below(visit);
  if (!range.reverse) return merge_scan(first, last, visit, std::less<>{}, scan_below);
  return merge_scan(std::make_reverse_iterator(last), std::make_reverse_iterator(first), visit,
                    std::greater<>{}, scan_below);
}

}  // namespace

Result<void> Overlay::scan(const ScanRange& range, const ScanVisitor& visit) const {
  if (!range.end.empty() && range.end <= range.start) return {};
  return scan_above(in_order_, range, visit, [&](const ScanVisitor& to) {
    return scan_above(changes_, range, to,
                      [&](const ScanVisitor& bottom) { return below_.scan(range, bottom); });
  });
}

}  // namespace parallax
