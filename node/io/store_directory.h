// The directory of a node's data:
//
//   DIR/lock                   held by the one process that uses DIR
//   DIR/store/                 the LevelDB store
//   DIR/damaged                present: the store was found damaged, and why; one line
//   DIR/damaged-store-UNIXMS/  a damaged store that was set aside; kept until somebody removes it
//
// A damaged store never comes back as it is: the node would vote and acknowledge from a memory with
// holes. DIR/damaged is written before the store is moved and removed only once the fresh store
// durably knows that it is recovering, so that a crash between the two forgets nothing.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/ids.h"
#include "storage/leveldb_store.h"

namespace parallax {

/// One thread.
class StoreDirectory {
 public:
  /// Creates DIR if it is not there, and locks it. Errors, naming the directory: refused (in use,
  /// no directory, no permission), io.
  static Result<StoreDirectory> lock(const std::filesystem::path& directory);
  ~StoreDirectory();
  StoreDirectory(StoreDirectory&& other) noexcept;
  StoreDirectory& operator=(StoreDirectory&&) = delete;

  /// What DIR/damaged says, if it is there. Errors: io.
  Result<std::optional<std::string>> damage() const;
  /// Durable when it returns. Errors: io.
  Result<void> mark_damaged(const std::string& reason) const;
  Result<void> clear_damage() const;

  /// Moves the store, which must not be open, to DIR/damaged-store-UNIXMS. Where it went; nothing
  /// if there was none. Errors: io.
  Result<std::optional<std::filesystem::path>> set_aside(UnixMillis now) const;
  /// Errors as LevelDbStore::open().
  Result<std::unique_ptr<LevelDbStore>> open_store(LevelDbOptions options) const;

 private:
  StoreDirectory(std::filesystem::path directory, int lock_fd)
      : directory_(std::move(directory)), lock_fd_(lock_fd) {}

  std::filesystem::path directory_;
  int lock_fd_ = -1;
};

}  // namespace parallax
