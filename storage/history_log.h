// What versions have replaced, in the store: segments, one for what a batch brings, and records of
// their own for what is large or comes once more. A record each would cost the store more than what
// is in it: a place among its keys when it comes, another one when it goes, for every put.
//
// A segment goes by the latest stamp of those whose doing is in it; the others are not further than
// kSpan before that. So what a version has replaced is in one of the segments of the kSpan behind
// its stamp, as a rule the first or second.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "storage/records.h"

namespace parallax {

/// What the version `by` of `key` has replaced.
struct Replacement {
  Stamp by;
  std::string key;
  std::vector<Version> replaced;  ///< by stamp, falling
  friend bool operator==(const Replacement&, const Replacement&) = default;
};

struct HistorySegment {
  std::vector<Replacement> entries;
  friend bool operator==(const HistorySegment&, const HistorySegment&) = default;
};

namespace records {
/// Among the records of history_key(), as that of no key.
std::string history_segment_key(GroupId group, const Stamp& last);
}  // namespace records

/// Gathers what key states let go of until it goes into a batch: the one that says that their
/// changes are applied, for a restart that makes the states anew does not tell it again. Not
/// thread-safe.
class HistoryLog {
 public:
  /// Of stamps in one segment, as a difference of readings: 16 ms.
  static constexpr std::uint64_t kSpan = Hlc::from_millis(UnixMillis{16}).value;
  /// A segment takes nothing more once it has these bytes, and nothing larger than the others: it
  /// is read as a whole for each of its entries.
  static constexpr std::size_t kSegmentBytes = 16 << 10;
  static constexpr std::size_t kEntryBytes = 4 << 10;

  explicit HistoryLog(GroupId group) : group_(group) {}

  /// Takes what `by`, which has never been seen before, has replaced. False, and nothing is taken:
  /// it is large, and needs a record of its own.
  bool add(const Stamp& by, std::string_view key, std::vector<Version>& replaced);
  /// Keys and values that are gathered, about.
  std::size_t bytes() const { return bytes_; }
  /// Nothing that is gathered is of a version below this; the highest reading when nothing is.
  Hlc oldest() const;
  /// Puts all that is gathered into `batch`, which must get into `view` before the next time.
  /// Errors: io, corrupt; then nothing is put, and nothing is lost.
  Result<void> put_into(WriteBatch& batch, const ReadView& view);
  /// What is gathered here of it; nullptr: nothing. Valid until the next change.
  const Replacement* find(const Stamp& by, std::string_view key) const;

 private:
  struct Gathered {
    HistorySegment segment;
    std::size_t bytes = 0;
    Stamp first;
    Stamp last;
  };
  Result<void> look_for_highest(const ReadView& view);
  Result<void> add_stored(Gathered& gathered, const ReadView& view) const;

  GroupId group_;
  std::vector<Gathered> gathered_;  ///< what comes goes to one of the last
  std::size_t bytes_ = 0;
  std::optional<Hlc> highest_;  ///< no segment stands above it; nothing: not known
};

/// Looks up what versions have replaced, one after the other. Not thread-safe.
class HistoryReader {
 public:
  /// `log`: what is not in `view` yet; may be nullptr. Both must outlive it, and not change.
  HistoryReader(const ReadView& view, GroupId group, const HistoryLog* log)
      : view_(view), group_(group), log_(log) {}

  /// In no order. Errors: io, corrupt.
  Result<std::vector<Version>> replaced_by(const Stamp& by, std::string_view key);
  /// Of records that were passed in the search, so far.
  std::size_t bytes_read() const { return bytes_read_; }

 private:
  /// Valid until the next call.
  Result<const Replacement*> in_segments(const Stamp& by, std::string_view key);

  const ReadView& view_;
  const GroupId group_;
  const HistoryLog* const log_;
  HistorySegment recent_;  ///< where something was found: what is asked for next is near
  std::size_t bytes_read_ = 0;
};

}  // namespace parallax
