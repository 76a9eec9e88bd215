// How many bytes of log entries a store holds, about: a running sum, noted every kStep bytes, from
// which it can be said up to where the log must go to keep within a number of bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/ids.h"

namespace parallax {

/// A value; not thread-safe.
class LogSizes {
 public:
  static constexpr std::size_t kStep = 64 << 10;

  /// `index` rises, except after truncate().
  void append(LogIndex index, std::size_t bytes);
  /// `from` and all behind it are gone.
  void truncate(LogIndex from);
  /// Everything up to `index` is gone.
  void compact(LogIndex index);

  /// Of the entries that are there, within kStep.
  std::size_t bytes() const;
  /// The lowest index that may be removed with all before it so that at most `keep` bytes (within
  /// kStep) stay; 0 when nothing has to go.
  LogIndex excess(std::size_t keep) const;

 private:
  struct Mark {
    LogIndex last;        ///< entries up to here ...
    std::uint64_t total;  ///< ... come to this, since the beginning of counting
  };
  std::deque<Mark> marks_;
  std::uint64_t removed_ = 0;  ///< total before the first mark
};

}  // namespace parallax
