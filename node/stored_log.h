// The log in the store, as batches change it: which segments there are (storage/log_segment.h),
// what goes away with the log's tail and, a slice at a time, with its beginning.
#pragma once

#include <deque>
#include <vector>

#include "base/ids.h"
#include "storage/log_segment.h"
#include "storage/store.h"

namespace parallax {

/// A value; not thread-safe. Batches must go into the store in the order in which they were filled.
class StoredLog {
 public:
  /// Segments removed at once: more than a batch appends.
  static constexpr std::size_t kSlice = 1'024;
  /// A segment takes no further entry once its entries have these bytes: it is read as a whole.
  static constexpr std::size_t kSegmentBytes = 64 << 10;

  explicit StoredLog(GroupId group) : group_(group) {}

  /// What the store has, in the order of scan_log().
  void found(const LogSegment& segment);
  /// Numbered one behind the other, the first behind what is there or beyond.
  void append(const std::vector<LogEntry>& entries, WriteBatch& batch);
  /// `from` and all behind it counts no more.
  void truncate(LogIndex from, WriteBatch& batch);

  /// Whether there are segments of which nothing is above `start`.
  bool superfluous(LogIndex start) const;
  /// Takes a slice of them away, the lowest first.
  void remove_superfluous(LogIndex start, WriteBatch& batch);

 private:
  void put(const LogSegment& segment, WriteBatch& batch);

  GroupId group_;
  std::deque<LogIndex> firsts_;  ///< where the segments begin, rising
  LogIndex last_;                ///< of the entries that count
};

}  // namespace parallax
