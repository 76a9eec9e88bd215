// The log of one origin's operations as one node keeps it: which numbers are in its store, how many
// bytes they take, when they were issued, and the latest ones themselves.
//
// Invariants: the log is the numbers from start() (exclusive) to last() (inclusive), without gaps;
// what is cached is the end of it. It reads nothing: operations that are not cached are the
// owner's to load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "storage/records.h"

namespace parallax {

/// A value.
class OriginLog {
 public:
  OriginLog() = default;
  /// Empty, up to `start`.
  explicit OriginLog(std::uint64_t start) : start_(start) {}

  /// Numbers up to this one are not here.
  std::uint64_t start() const { return start_; }
  std::uint64_t last() const { return start_ + entries_.size(); }
  /// Of all that is here, as CausalOperation::bytes() counts.
  std::uint64_t bytes() const { return end_of(last()) - base_; }
  /// Of those behind `after` and up to `up_to`; both from start() to last().
  std::uint64_t bytes_between(std::uint64_t after, std::uint64_t up_to) const;
  /// The clock reading of the first operation that is here. Nothing when none is.
  std::optional<Hlc> first_reading() const;
  /// Nothing when it is not cached.
  const SharedOperation* cached(std::uint64_t number) const;
  std::uint64_t cached_bytes() const { return cached_bytes_; }

  /// The next one.
  void append(SharedOperation operation);
  /// The next one, which is in the store: it is not cached.
  void restore(std::size_t bytes, Hlc reading);
  /// Lets go of everything up to `up_to`, at most last().
  void trim(std::uint64_t up_to);
  /// Lets go of everything: the next one is behind `number`, which is above last().
  void skip_to(std::uint64_t number);
  /// Takes the first one out of the cache, if it is not above `up_to`. False: there is none.
  bool evict(std::uint64_t up_to);

 private:
  std::uint64_t end_of(std::uint64_t number) const {
    return number == start_ ? base_ : entries_[number - start_ - 1].end;
  }

  struct Entry {
    std::uint64_t end;  ///< bytes up to it
    Hlc reading;
  };

  std::uint64_t start_ = 0;
  std::uint64_t base_ = 0;  ///< bytes up to start_, since the beginning of counting
  std::deque<Entry> entries_;
  std::deque<SharedOperation> cache_;
  std::uint64_t cached_bytes_ = 0;
};

}  // namespace parallax
