#include "storage/history_log.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace parallax {
namespace {

const Replacement* find_in(const HistorySegment& segment, const Stamp& by, std::string_view key) {
  const auto found =
      std::find_if(segment.entries.begin(), segment.entries.end(),
                   [&](const Replacement& entry) { return entry.by == by && entry.key == key; });
  return found == segment.entries.end() ? nullptr : &*found;
}

std::size_t bytes_of(std::string_view key, const std::vector<Version>& versions) {
  std::size_t bytes = key.size() + 16;
  for (const Version& version : versions) {
    bytes += version.value.size() + version.content_type.size() + 64;
  }
  return bytes;
}

/// Behind the last reading at which a segment with something of `hlc` can stand.
Hlc end_of_span(Hlc hlc) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  return Hlc{hlc.value < kMost - HistoryLog::kSpan ? hlc.value + HistoryLog::kSpan + 1 : kMost};
}

}  // namespace

// --- Writing -------------------------------------------------------------------------------------

bool HistoryLog::add(const Stamp& by, std::string_view key, std::vector<Version>& replaced) {
  const std::size_t bytes = bytes_of(key, replaced);
  if (bytes > kEntryBytes) return false;
  const auto fits = [&](const Gathered& gathered) {
    return gathered.bytes < kSegmentBytes &&
           std::max(gathered.last, by).hlc < end_of_span(std::min(gathered.first, by).hlc);
  };
  // Origins whose operations take their time to come here have segments of their own.
  constexpr std::size_t kOpen = 4;
  const auto end = gathered_.rbegin() +
                   static_cast<std::ptrdiff_t>(std::min<std::size_t>(kOpen, gathered_.size()));
  auto to = std::find_if(gathered_.rbegin(), end, fits);
  if (to == end) {
    gathered_.push_back({.first = by, .last = by});
    to = gathered_.rbegin();
  }
  to->segment.entries.push_back({by, std::string(key), std::move(replaced)});
  to->bytes += bytes;
  to->first = std::min(to->first, by);
  to->last = std::max(to->last, by);
  bytes_ += bytes;
  return true;
}

Hlc HistoryLog::oldest() const {
  Hlc oldest{std::numeric_limits<std::uint64_t>::max()};
  for (const Gathered& gathered : gathered_) oldest = std::min(oldest, gathered.first.hlc);
  return oldest;
}

Result<void> HistoryLog::put_into(WriteBatch& batch, const ReadView& view) {
  if (gathered_.empty()) return {};
  if (!highest_) PARALLAX_TRY(look_for_highest(view));
  for (auto it = gathered_.begin(); it != gathered_.end();) {
    const auto same = std::find_if(
        gathered_.begin(), it, [&](const Gathered& gathered) { return gathered.last == it->last; });
    if (same == it) {
      ++it;
      continue;
    }
    std::vector<Replacement>& entries = it->segment.entries;
    std::move(entries.begin(), entries.end(), std::back_inserter(same->segment.entries));
    same->first = std::min(same->first, it->first);
    it = gathered_.erase(it);
  }
  for (Gathered& gathered : gathered_) {
    if (gathered.last.hlc <= *highest_) PARALLAX_TRY(add_stored(gathered, view));
  }
  for (const Gathered& gathered : gathered_) {
    records::put(batch, records::history_segment_key(group_, gathered.last), gathered.segment);
    highest_ = std::max(*highest_, gathered.last.hlc);
  }
  gathered_.clear();
  bytes_ = 0;
  return {};
}

/// That of any record will do: it is not below that of all segments.
Result<void> HistoryLog::look_for_highest(const ReadView& view) {
  ScanRange all = records::history_range(group_, Hlc{}, Hlc{~std::uint64_t{0}});
  all.reverse = true;
  Hlc highest;
  PARALLAX_TRY(view.scan(all, [&](std::string_view store_key, std::string_view) {
    highest = records::history_hlc(store_key);
    return false;
  }));
  highest_ = highest;
  return {};
}

/// A version that comes once more, after all that was known of its key has gone, can end a segment
/// as it has before: what the store has there of others stays.
Result<void> HistoryLog::add_stored(Gathered& gathered, const ReadView& view) const {
  PARALLAX_ASSIGN(
      std::optional<HistorySegment> present,
      records::load<HistorySegment>(view, records::history_segment_key(group_, gathered.last)));
  if (!present) return {};
  std::vector<Replacement>& entries = gathered.segment.entries;
  for (Replacement& entry : present->entries) {
    if (find_in(gathered.segment, entry.by, entry.key) == nullptr) {
      entries.push_back(std::move(entry));
    }
  }
  return {};
}

// --- Reading -------------------------------------------------------------------------------------

const Replacement* HistoryLog::find(const Stamp& by, std::string_view key) const {
  for (const Gathered& gathered : gathered_) {
    if (by < gathered.first || gathered.last < by) continue;
    if (const Replacement* const found = find_in(gathered.segment, by, key)) return found;
  }
  return nullptr;
}

Result<std::vector<Version>> HistoryReader::replaced_by(const Stamp& by, std::string_view key) {
  std::vector<Version> versions;
  PARALLAX_ASSIGN(std::optional<HistoryRecord> alone,
                  records::load<HistoryRecord>(view_, records::history_key(group_, by, key)));
  if (alone) versions = std::move(alone->replaced);
  PARALLAX_ASSIGN(const Replacement* const found, in_segments(by, key));
  if (found != nullptr) {
    versions.insert(versions.end(), found->replaced.begin(), found->replaced.end());
  }
  return versions;
}

Result<const Replacement*> HistoryReader::in_segments(const Stamp& by, std::string_view key) {
  if (log_ != nullptr) {
    if (const Replacement* const gathered = log_->find(by, key)) return gathered;
  }
  if (const Replacement* const near = find_in(recent_, by, key)) return near;
  const Replacement* found = nullptr;
  std::optional<Error> fault;
  const ScanRange range = records::history_range(group_, by.hlc, end_of_span(by.hlc));
  PARALLAX_TRY(view_.scan(range, [&](std::string_view store_key, std::string_view record) {
    bytes_read_ += record.size();
    if (!records::is_history_segment(store_key)) return true;
    Result<HistorySegment> segment = records::decode<HistorySegment>(store_key, record);
    if (!segment) {
      fault = segment.error();
      return false;
    }
    found = find_in(*segment, by, key);
    if (found == nullptr) return true;
    recent_ = *std::move(segment);  // its entries stay where they are
    return false;
  }));
  if (fault) return *fault;
  return found;
}

}  // namespace parallax
