#include "storage/overlay.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/assert.h"

namespace parallax {

// --- What is kept in memory ----------------------------------------------------------------------

/// Nodes, strings and shared buffers: about what the allocator takes for them.
std::size_t RecentRecords::cost(std::string_view key, const std::optional<Bytes>& value) {
  constexpr std::size_t kBeside = 160;
  return kBeside + key.size() + (value ? value->size() : 0);
}

const std::optional<Bytes>* RecentRecords::find(std::string_view key) {
  if (const auto it = young_.find(key); it != young_.end()) return &it->second;
  const auto it = old_.find(key);
  if (it == old_.end()) return nullptr;
  const std::size_t bytes = cost(it->first, it->second);
  const std::optional<Bytes>* const value = &it->second;
  young_.insert(old_.extract(it));
  old_bytes_ -= bytes;
  young_bytes_ += bytes;
  age();  // where records are does not change by that
  return value;
}

void RecentRecords::put(std::string key, std::optional<Bytes> value) {
  const std::size_t bytes = cost(key, value);
  // One that would push out most of the others is not worth it.
  if (bytes > most_bytes_ / 8) return erase(key);
  if (const auto it = young_.find(key); it != young_.end()) {
    young_bytes_ -= cost(it->first, it->second);
    it->second = std::move(value);
  } else {
    erase(key);
    young_.emplace(std::move(key), std::move(value));
  }
  young_bytes_ += bytes;
  age();
}

void RecentRecords::erase(std::string_view key) {
  if (const auto it = young_.find(key); it != young_.end()) {
    young_bytes_ -= cost(it->first, it->second);
    young_.erase(it);
  } else if (const auto aged = old_.find(key); aged != old_.end()) {
    old_bytes_ -= cost(aged->first, aged->second);
    old_.erase(aged);
  }
}

/// The young grow old together when they are too many.
void RecentRecords::age() {
  if (young_bytes_ <= most_bytes_ / 2) return;
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
    const auto change = it++;
    if (remembers(change->first)) {
      auto node = changes_.extract(change);
      recent_.put(std::move(node.key()), std::move(node.mapped().value));
    } else {
      changes_.erase(change);
    }
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
  if (!remembers(key)) return below_.get(key);
  if (const std::optional<Bytes>* const value = recent_.find(key)) return text(*value);
  PARALLAX_ASSIGN(std::optional<std::string> found, below_.get(key));
  recent_.put(std::string(key), found ? std::optional<Bytes>{*found} : std::nullopt);
  return found;
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
