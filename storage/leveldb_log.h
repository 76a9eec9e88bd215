// LevelDB's log files, made before they are needed: as long as they will get, and full of zeros.
//
// A sync of a file that grows writes the file's size and the places of its new blocks as well, one
// of a file whose blocks are there already writes what was appended and nothing else: a fifth to a
// quarter less time for each synced write. The price: the end of such a file is not the end of its
// records. LevelDB takes zeros for the end, but a record that a power failure has left half
// written, which it forgives at the end of a file, for damage. So the end is looked for here, and
// cut off, before LevelDB reads the file.
//
// The format is LevelDB's (doc/log_format.md there). What follows rests on how its one writer
// works here: each write is one record, and is synced before the next one begins.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

namespace leveldb {
class WritableFile;
}

namespace parallax {

/// What a disk writes at once, in bytes, at least: all of it or nothing.
inline constexpr std::uint64_t kSector = 512;

struct LogEnd {
  enum class Kind : std::uint8_t {
    complete,  ///< records, then nothing or zeros
    torn,      ///< behind the records is part of one whose sync was never over
    damaged,   ///< a record that was synced is not as it was written
  };
  Kind kind = Kind::complete;
  /// Bytes of whole records: where the file may be cut unless it is damaged.
  std::uint64_t records = 0;
  /// Of what is torn or damaged: where that begins.
  std::uint64_t fault = 0;
};

/// Looks through a whole log file. A record that cannot be read is torn if nothing was written
/// behind it and a part of it as large as a disk writes at once, a sector, is zeros or not there.
/// So two kinds of damage to the last record are taken for a torn one, and a write that was synced
/// is lost without a word: to its length, and what leaves a sector of it zeros. The other way
/// round: a torn record whose value was made to look like a record of the log is told as damage.
/// Thread-safe.
LogEnd find_log_end(std::string_view log);

/// The next log file. One at most, made in the background. Not thread-safe; prepare() and take()
/// belong to the thread that writes to the store.
class SpareLog {
 public:
  /// In `directory`, which need not exist yet, of `bytes` bytes. One that an earlier process has
  /// left there is written over.
  SpareLog(const std::string& directory, std::uint64_t bytes);
  /// Ends what is under way and removes what was not taken.
  ~SpareLog();
  SpareLog(const SpareLog&) = delete;
  SpareLog& operator=(const SpareLog&) = delete;

  static constexpr const char* kName = "next-log";

  /// Begins to make it unless it is there or under way. Where that fails, say because the disk is
  /// full, there will be none: logs that grow will do.
  void prepare();
  /// Gives it the name `path`; nullptr: there is none, or it cannot be named so. What is appended
  /// beyond its bytes makes it grow as any file.
  std::unique_ptr<leveldb::WritableFile> take(const std::string& path);
  std::uint64_t bytes() const { return bytes_; }

 private:
  enum class State : std::uint8_t { none, making, ready, failed };
  void make();

  const std::string path_;
  const std::uint64_t bytes_;
  std::atomic<State> state_{State::none};
  std::atomic<bool> stopping_{false};
  int file_ = -1;  // once ready
  std::thread thread_;
};

}  // namespace parallax
