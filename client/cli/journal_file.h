// A progress file on disk: found, locked, continued, and removed when all is done.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "client/cli/journal.h"

namespace parallax::cli {

/// Where the progress of importing `file` may be kept, best first: beside it, then below the user's
/// state directory under a name made from the file's whole path.
struct JournalPlaces {
  std::filesystem::path beside;
  std::filesystem::path in_state;  ///< empty when there is no home
};
/// `xdg_state_home` and `home` as in the environment; empty: not set.
JournalPlaces journal_places(const std::filesystem::path& file, const std::string& xdg_state_home,
                             const std::string& home);

/// Not thread-safe. Writes are not synced: after a loss of power some records are stored again.
class JournalFile {
 public:
  /// Continues the journal at `path` if it is of this import, else starts anew. Errors: io - it
  /// cannot be written; refused - another import is using it.
  static Result<JournalFile> open(const std::filesystem::path& path,
                                  const ImportIdentity& identity);
  JournalFile(JournalFile&& other) noexcept;
  JournalFile& operator=(JournalFile&&) = delete;
  ~JournalFile();

  const std::filesystem::path& path() const { return path_; }
  /// What an earlier run had stored.
  const Journal& earlier() const { return earlier_; }
  /// There was a journal, of another import.
  bool replaced_another() const { return replaced_another_; }

  Result<void> stored(std::uint64_t record);
  /// The import is complete.
  void remove();

 private:
  JournalFile(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  Result<void> load(const ImportIdentity& identity);

  std::filesystem::path path_;
  int fd_;
  Journal earlier_;
  bool replaced_another_ = false;
};

}  // namespace parallax::cli
