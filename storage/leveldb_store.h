// The store on a disk: LevelDB, every write synced.
//
// Every write is synced because LevelDB may, after a crash, have lost the unsynced tail of an older
// log file and kept a newer one. It keeps checksums of all its blocks and we have it check them on
// every read from a file; above it every record has its own checksum (records.h), over its key too.
//
// What it cannot find out: damage to the length of the last record of the youngest log file, or one
// that leaves a sector of that record zeros, looks like a write torn by a crash (leveldb_log.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "storage/store.h"

namespace parallax {

/// Faults of the disk below a LevelDbStore, set at any time from any thread.
struct DiskFaults {
  std::atomic<std::uint32_t> fsync_delay_ms{0};  ///< every sync takes this much longer
  std::atomic<bool> disk_full{false};            ///< nothing can be appended to any file
  std::atomic<bool> sync_fails{false};           ///< what is appended is not synced: an error
};

/// What a simulated power failure leaves of what was written and not synced.
enum class UnsyncedTail : std::uint8_t {
  keep,  ///< all of it: what the end of the process alone leaves
  drop,  ///< nothing
  tear,  ///< about half of it, cut anywhere
};

struct LevelDbOptions {
  /// Changes held in memory before they become a table; twice that for a moment. So large, too, is
  /// a log that is made before it is needed.
  std::size_t write_buffer_bytes = 8 << 20;
  std::size_t block_cache_bytes = 8 << 20;
  /// Tables kept open, with their index and filter in memory: about 50 KiB each.
  int max_open_files = 256;
  /// Snappy. Takes a fifth more CPU per write and fills the block cache where plain tables are read
  /// in place; turn it on for large values that are worth it. Tables of both kinds are read.
  bool compress = false;
  /// Consulted at every file operation if given.
  std::shared_ptr<const DiskFaults> faults;
};

/// As Store says. write() may be called from one thread at a time, everything else from any.
/// A scan that ends in an error may have left out keys before: discard what it visited.
class LevelDbStore : public Store {
 public:
  /// Opens the store in `directory`, which is created (with its parents) if it is not there.
  /// Errors, all definite, one line that names the directory: refused (in use, not a directory, no
  /// permission), corrupt, io (disk full and the rest).
  static Result<std::unique_ptr<LevelDbStore>> open(const std::filesystem::path& directory,
                                                    LevelDbOptions options = {});
  /// All snapshots must be gone.
  ~LevelDbStore() override;

  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override;
  Result<void> write(const WriteBatch& batch) override;
  /// Its scans leave the block cache alone: they are for walking over everything.
  std::unique_ptr<ReadView> snapshot() const override;
  /// Sum of the file sizes: walks the directory.
  std::uint64_t approximate_bytes() const override;

  /// A power failure, for fault tests: cuts every open file back to what was synced (and `tail`),
  /// and lets nothing be written any more. The process must end itself next, and tell nobody
  /// anything.
  void lose_power(UnsyncedTail tail);

 private:
  struct Impl;
  class Snapshot;
  explicit LevelDbStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace parallax
