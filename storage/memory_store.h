// A store in memory with the crash semantics of a disk, for the simulator and for tests.
//
// A write is staged (visible, not durable) and then synced. A crash loses what is staged, except
// for as many of the oldest staged batches as the caller says: a disk may have written out some of
// what nobody asked it to sync, in order, and a record torn in the middle costs its whole batch.
//
// Single-threaded, unlike what Store promises in general: everything, reads too, on one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/store.h"

namespace parallax {

class MemoryStore : public Store {
 public:
  MemoryStore();

  Result<std::optional<std::string>> get(std::string_view key) const override;
  /// The visitor may write: the scan goes on over the contents as they were.
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override;
  /// stage() and sync().
  Result<void> write(const WriteBatch& batch) override;
  /// Shares the contents; the first write after it copies them once. May outlive the store.
  std::unique_ptr<ReadView> snapshot() const override;
  std::uint64_t approximate_bytes() const override { return bytes_; }

  /// Makes `batch` visible, not durable. Errors as for write().
  Result<void> stage(const WriteBatch& batch);
  /// Makes all that is staged durable. Errors as for write(); what is staged stays so.
  Result<void> sync();
  std::size_t staged_batches() const { return undo_.size(); }

  /// The process or the machine dies and comes back: what is staged is lost except for the oldest
  /// `keep_staged_batches`, which are durable then. A failed store takes writes again.
  void crash(std::size_t keep_staged_batches = 0);

  // --- Faults -----------------------------------------------------------------------------------
  /// The next sync (a write's too) fails, and with it every later write until crash(). The batch
  /// stays staged: a crash may keep it.
  void fail_next_sync() { fail_next_sync_ = true; }
  /// While set, writes are refused before anything is staged; the store has failed then as above.
  void set_disk_full(bool full) { disk_full_ = full; }
  /// Until another one is named, get() of `key` fails. Empty: of none.
  void fail_reads_of(std::string key) { unreadable_ = std::move(key); }
  /// Latent corruption: flips bit `bit` (counted from the first byte's lowest, taken modulo the
  /// size) of the value of `key`. False when there is no such key or its value is empty.
  bool flip_bit(std::string_view key, std::size_t bit);

 private:
  using Map = std::map<std::string, Bytes, std::less<>>;
  class Snapshot;

  static Result<std::optional<std::string>> get_from(const Map& map, std::string_view key);
  static Result<void> scan_in(const Map& map, const ScanRange& range, const ScanVisitor& visit);
  Map& own_map();
  /// Sets `key` and returns what was there.
  std::optional<Bytes> set(const std::string& key, const std::optional<Bytes>& value);
  Error fail(std::string reason);

  std::shared_ptr<Map> map_;  ///< shared with snapshots: changed only while nobody else holds it
  std::uint64_t bytes_ = 0;   ///< keys and values
  std::vector<std::vector<WriteBatch::Change>>
      undo_;  ///< per staged batch, what it changed, in order
  std::optional<Error> failed_;
  bool fail_next_sync_ = false;
  bool disk_full_ = false;
  std::string unreadable_;
};

}  // namespace parallax
