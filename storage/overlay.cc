#include "storage/overlay.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>

#include "base/assert.h"

namespace parallax {

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
    it = changes_.erase(it);
  }
}

std::uint64_t Overlay::last_change(std::string_view key) const {
  const auto it = changes_.find(key);
  return it == changes_.end() ? 0 : it->second.sequence;
}

Result<std::optional<std::string>> Overlay::get(std::string_view key) const {
  const auto it = changes_.find(key);
  if (it == changes_.end()) return below_.get(key);
  if (!it->second.value) return std::optional<std::string>{};
  return std::optional<std::string>{it->second.value->to_string()};
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
