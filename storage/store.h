// The store port: an ordered map of byte strings, changed by atomic, synced batches.
//
// One replica owns one store. Its typed contents (key states, log, hard state) are in records.h.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace parallax {

/// Changes that become durable together or not at all; a later one of the same key wins.
class WriteBatch {
 public:
  struct Change {
    std::string key;
    std::optional<Bytes> value;  ///< nothing: the key is removed
  };

  void put(std::string key, Bytes value) {
    bytes_ += key.size() + value.size();
    changes_.push_back({std::move(key), std::move(value)});
  }
  void remove(std::string key) {
    bytes_ += key.size();
    changes_.push_back({std::move(key), std::nullopt});
  }
  /// Adds all of `other` behind what is here.
  void append(WriteBatch other);

  bool empty() const { return changes_.empty(); }
  /// Keys and values, for bounds and metrics.
  std::size_t bytes() const { return bytes_; }
  const std::vector<Change>& changes() const { return changes_; }
  std::vector<Change>& changes() { return changes_; }

 private:
  std::vector<Change> changes_;
  std::size_t bytes_ = 0;
};

struct ScanRange {
  std::string start;  ///< inclusive
  std::string end;    ///< exclusive; empty: to the last key
  bool reverse = false;
};

/// Return false to stop the scan. The views are valid during the call only.
using ScanVisitor = std::function<bool(std::string_view key, std::string_view value)>;

/// Something that can be read: a store, a snapshot of it, an overlay of changes above one.
class ReadView {
 public:
  virtual ~ReadView() = default;
  /// Errors: io, corrupt (both definite).
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  /// In byte order of the keys. Errors as for get().
  virtual Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const = 0;
};

/// Thread safety: reads may run on any threads beside one writer thread.
class Store : public ReadView {
 public:
  /// Atomic, and durable (synced) when it returns without an error. After an error nothing of the
  /// batch is promised either way, and the store refuses every later write: what follows could
  /// otherwise build on what is not there. Errors: io (indefinite).
  virtual Result<void> write(const WriteBatch& batch) = 0;
  /// The contents as they are now, unchanged by later writes. Must not outlive the store.
  virtual std::unique_ptr<ReadView> snapshot() const = 0;
  /// Bytes on disk, about.
  virtual std::uint64_t approximate_bytes() const = 0;
};

}  // namespace parallax
