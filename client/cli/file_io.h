// Files of the command line: read whole, replaced whole.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace parallax::cli {

/// All of a file, or of standard input for "-". Errors: io naming the file.
Result<std::string> read_input(const std::string& path);

/// A new content for a file that becomes its content at once or not at all: written beside it,
/// synced, then put in its place. Not thread-safe.
class Replacement {
 public:
  /// `path` may be a symbolic link: what it leads to is replaced. Errors: io naming the file;
  /// refused - what is there is no regular file.
  static Result<Replacement> begin(const std::filesystem::path& path);
  Replacement(Replacement&& other) noexcept;
  Replacement& operator=(Replacement&&) = delete;
  /// Without commit() nothing has changed.
  ~Replacement();

  Result<void> write(std::string_view bytes);
  Result<void> commit();

 private:
  Replacement(std::filesystem::path path, std::filesystem::path temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

  std::filesystem::path path_;
  std::filesystem::path temporary_;  ///< empty: nothing to remove
  int fd_;
};

/// An exclusive lock on a file that others may replace meanwhile: held on what is at `path` when
/// open() returns. Waits for it. The file is made where there is none.
class FileLock {
 public:
  /// Errors: io naming the file; refused - what is there is no regular file.
  static Result<FileLock> open(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace parallax::cli
