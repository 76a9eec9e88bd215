// How tables are written while the store is in use. LevelDB's own thread writes one as fast as it
// can whenever the write buffer is full. Replicas of one log are full at the same time: on few
// processors that thread takes all of one for tens of milliseconds, and the sync of a whole table
// goes to the disk at once, before the small ones that clients wait for. Both can be spread out: a
// table has to be there when the write buffer is full again, and not earlier. (RocksDB calls it
// rate_limiter and bytes_per_sync.)
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"

namespace parallax {

/// How long to rest from the writing of a table after `busy`. `filled`: how much of the write
/// buffer is full, 0 to 1. Three times as long while it is empty, less and less up to the half,
/// then not at all; at most 10 ms.
Duration rest_after(Duration busy, double filled);

/// Up to where a file of which `written` bytes were appended is with the kernel, at least: LevelDB
/// keeps back less than 64 KiB of it. Whole pages.
std::uint64_t surely_written(std::uint64_t written);

/// Beside a table that is being written. Not thread-safe.
class TablePace {
 public:
  explicit TablePace(std::string path) : path_(std::move(path)) {}
  ~TablePace();
  TablePace(const TablePace&) = delete;
  TablePace& operator=(const TablePace&) = delete;

  /// `written` bytes have been appended. Lets the disk begin with them, and rests.
  void appended(std::uint64_t written, double filled);

 private:
  const std::string path_;
  int file_ = -1;
  std::uint64_t rested_at_ = 0;
  std::uint64_t begun_ = 0;  ///< up to here the disk has been told to write
  Duration resumed_{};       ///< monotonic; 0: it has not rested yet
};

}  // namespace parallax
