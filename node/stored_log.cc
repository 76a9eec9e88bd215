#include "node/stored_log.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace parallax {

void StoredLog::found(const LogSegment& segment) {
  firsts_.push_back(segment.first);
  last_ = segment.first.prev() + segment.entries.size();
}

void StoredLog::append(const std::vector<LogEntry>& entries, WriteBatch& batch) {
  LogSegment segment;
  std::size_t bytes = 0;
  for (const LogEntry& entry : entries) {
    PARALLAX_ASSERT(entry.index > last_, "entry {} behind entry {}", entry.index, last_);
    if (bytes >= kSegmentBytes) {
      put(std::exchange(segment, {}), batch);
      bytes = 0;
    }
    if (segment.entries.empty()) segment.first = entry.index;
    segment.entries.push_back(entry);
    bytes += entry.bytes();
    last_ = entry.index;
  }
  if (!segment.entries.empty()) put(segment, batch);
}

void StoredLog::truncate(LogIndex from, WriteBatch& batch) {
  while (!firsts_.empty() && firsts_.back() >= from) {
    batch.remove(records::log_segment_key(group_, firsts_.back()));
    firsts_.pop_back();
  }
  // The one before may have entries from there on.
  put({from, {}}, batch);
  last_ = std::min(last_, from.prev());
}

void StoredLog::put(const LogSegment& segment, WriteBatch& batch) {
  records::put(batch, records::log_segment_key(group_, segment.first), segment);
  PARALLAX_ASSERT(firsts_.empty() || firsts_.back() <= segment.first,
                  "segment {} before segment {}", segment.first, firsts_.back());
  if (firsts_.empty() || firsts_.back() < segment.first) firsts_.push_back(segment.first);
}

bool StoredLog::superfluous(LogIndex start) const {
  if (firsts_.empty()) return false;
  return (firsts_.size() > 1 ? firsts_[1].prev() : last_) <= start;
}

void StoredLog::remove_superfluous(LogIndex start, WriteBatch& batch) {
  for (std::size_t left = kSlice; left > 0 && superfluous(start); --left) {
    batch.remove(records::log_segment_key(group_, firsts_.front()));
    firsts_.pop_front();
  }
}

}  // namespace parallax
