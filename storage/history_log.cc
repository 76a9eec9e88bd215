#include "storage/history_log.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace parallax {
namespace {

const Replaced* find_in(const HistorySegment& segment, const Stamp& by, std::string_view key) {
  const auto found =
      std::find_if(segment.entries.begin(), segment.entries.end(),
                   [&](const Replaced& entry) { return entry.by == by && entry.key == key; });
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
  bool fits = false;
  if (!gathered_.empty()) {
    const Gathered& last = gathered_.back();
    fits = std::max(last.last.hlc, by.hlc) < end_of_span(std::min(last.first, by.hlc));
    if (!fits && by < last.last) return false;
    fits = fits && last.bytes < kSegmentBytes;
  }
  if (!fits) gathered_.push_back({{}, 0, by.hlc, by});
  Gathered& to = gathered_.back();
  to.segment.entries.push_back({by, std::string(key), std::move(replaced)});
  to.bytes += bytes;
  to.first = std::min(to.first, by.hlc);
  to.last = std::max(to.last, by);
  bytes_ += bytes;
  return true;
}

Result<void> HistoryLog::put_into(WriteBatch& batch, const ReadView& view) {
  if (gathered_.empty()) return {};
  if (!highest_) PARALLAX_TRY(look_for_highest(view));
  for (Gathered& gathered : gathered_) {
    if (gathered.last.hlc <= *highest_) PARALLAX_TRY(extend(gathered, view));
  }
  for (auto it = gathered_.begin(); it != gathered_.end(); ++it) {
    // Two can end with one stamp, when many keys were changed with it.
    const auto same = std::find_if(std::next(it), gathered_.end(),
                                   [&](const Gathered& later) { return later.last == it->last; });
    if (same != gathered_.end()) {
      std::move(it->segment.entries.begin(), it->segment.entries.end(),
                std::back_inserter(same->segment.entries));
      continue;
    }
    records::put(batch, records::history_segment_key(group_, it->last), it->segment);
    highest_ = std::max(*highest_, it->last.hlc);
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
/// as it has before: what the store has there stays.
Result<void> HistoryLog::extend(Gathered& gathered, const ReadView& view) const {
  PARALLAX_ASSIGN(
      std::optional<HistorySegment> present,
      records::load<HistorySegment>(view, records::history_segment_key(group_, gathered.last)));
  if (!present) return {};
  std::vector<Replaced>& entries = gathered.segment.entries;
  for (Replaced& entry : present->entries) {
    if (find_in(gathered.segment, entry.by, entry.key) == nullptr) {
      entries.push_back(std::move(entry));
    }
  }
  return {};
}

// --- Reading -------------------------------------------------------------------------------------

const Replaced* HistoryLog::find(const Stamp& by, std::string_view key) const {
  for (const Gathered& gathered : gathered_) {
    if (const Replaced* const found = find_in(gathered.segment, by, key)) return found;
  }
  return nullptr;
}

Result<std::vector<Version>> HistoryReader::replaced(const Stamp& by, std::string_view key) {
  std::vector<Version> versions;
  PARALLAX_ASSIGN(std::optional<HistoryRecord> late,
                  records::load<HistoryRecord>(view_, records::history_key(group_, by, key)));
  if (late) versions = std::move(late->replaced);
  PARALLAX_ASSIGN(const Replaced* const found, in_segments(by, key));
  if (found != nullptr) {
    versions.insert(versions.end(), found->versions.begin(), found->versions.end());
  }
  return versions;
}

Result<const Replaced*> HistoryReader::in_segments(const Stamp& by, std::string_view key) {
  if (log_ != nullptr) {
    if (const Replaced* const gathered = log_->find(by, key)) return gathered;
  }
  if (const Replaced* const near = find_in(last_, by, key)) return near;
  const Replaced* found = nullptr;
  std::optional<Error> fault;
  const ScanRange range = records::history_range(group_, by.hlc, end_of_span(by.hlc));
  PARALLAX_TRY(view_.scan(range, [&](std::string_view store_key, std::string_view record) {
    if (!records::is_history_segment(store_key)) return true;
    Result<HistorySegment> segment = records::decode<HistorySegment>(store_key, record);
    if (!segment) {
      fault = segment.error();
      return false;
    }
    last_ = *std::move(segment);
    found = find_in(last_, by, key);
    return found == nullptr;
  }));
  if (fault) return *fault;
  return found;
}

}  // namespace parallax
