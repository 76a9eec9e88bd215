#include "client/cli/file_io.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace parallax::cli {
namespace {

namespace fs = std::filesystem;

Error io_error(std::string_view what, const fs::path& path) {
  return definite(ErrorCode::io,
                  fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

/// Replacing a device or a directory by a file would be the end of it.
Result<void> check_regular(const fs::path& path) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (!fs::exists(status) || fs::is_regular_file(status)) return {};
  return definite(ErrorCode::refused, fmt::format("{} is no regular file; name one, or one that is "
                                                  "not there yet",
                                                  path.string()));
}

}  // namespace

Result<std::string> read_input(const std::string& path) {
  const auto close = [](std::FILE* open) {
    if (open != stdin) std::fclose(open);
  };
  const std::unique_ptr<std::FILE, decltype(close)> file(
      path == "-" ? stdin : std::fopen(path.c_str(), "rbe"), close);
  const std::string name = path == "-" ? "stdin" : path;
  if (!file) return io_error("read", name);
  std::string bytes;
  char buffer[64 << 10];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get())) {
    bytes.append(buffer, got);
  }
  if (std::ferror(file.get()) != 0) return io_error("read", name);
  return bytes;
}

Result<Replacement> Replacement::begin(const fs::path& path) {
  PARALLAX_TRY(check_regular(path));
  std::error_code ignored;
  fs::path target = fs::is_symlink(path, ignored) ? fs::canonical(path, ignored) : path;
  if (target.empty()) target = path;  // a link to nothing: replaced itself
  std::string temporary = target.string() + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return io_error("write beside", target);
  Replacement made(std::move(target), temporary, fd);
  // As the file it replaces, or as one that the user makes.
  struct stat before {};
  mode_t mode = 0;
  if (::stat(made.path_.c_str(), &before) == 0) {
    mode = before.st_mode & 07777;
  } else {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    mode = 0666 & ~mask;
  }
  if (::fchmod(fd, mode) != 0) return io_error("write", made.temporary_);
  return made;
}

Replacement::Replacement(Replacement&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)) {}

Replacement::~Replacement() {
  if (fd_ >= 0) ::close(fd_);
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove(temporary_, ignored);
}

Result<void> Replacement::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return io_error("write", temporary_);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<void> Replacement::commit() {
  if (::fsync(fd_) != 0) return io_error("write", temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return io_error("replace", path_);
  temporary_.clear();
  return {};
}

Result<FileLock> FileLock::open(const fs::path& path) {
  PARALLAX_TRY(check_regular(path));
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return io_error("write", path);
    FileLock lock(fd);
    while (::flock(fd, LOCK_EX) != 0) {
      if (errno != EINTR) return io_error("lock", path);
    }
    struct stat held {};
    struct stat there {};
    if (::fstat(fd, &held) == 0 && ::stat(path.c_str(), &there) == 0 &&
        held.st_ino == there.st_ino && held.st_dev == there.st_dev) {
      return lock;
    }
  }
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace parallax::cli
