// The log in the store: segments of entries, one behind the other, as one batch appended them.
// Their own record each would cost the store more than what is in them: a place among its keys when
// it comes, another one when it goes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/records.h"

namespace parallax {

/// Takes the place of all that earlier segments say from `first` on.
struct LogSegment {
  LogIndex first;
  /// At `first` and behind it without a gap. None: the log was cut off here.
  std::vector<LogEntry> entries;
  friend bool operator==(const LogSegment&, const LogSegment&) = default;
};

namespace records {
std::string log_segment_key(GroupId group, LogIndex first);
/// Segments that begin in this range.
ScanRange log_range(GroupId group, LogIndex from, LogIndex to_exclusive);
}  // namespace records

/// Thread-safe.
std::string pack_segment(const LogSegment& segment);
/// Payloads are views into `bytes`. False: it is no segment. Thread-safe.
bool unpack_segment(const Bytes& bytes, LogSegment& segment);

/// Visits the segments of the log in their order, each with those of its entries that count: the
/// next one has not taken their place. Begins with the segment that has entry `from`, if there is
/// one. Whether there are gaps is not looked at. Return false to stop. Errors: io, corrupt.
Result<void> scan_log(const ReadView& view, GroupId group, LogIndex from,
                      const std::function<bool(LogSegment segment)>& visit);

}  // namespace parallax
