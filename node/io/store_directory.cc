#include "node/io/store_directory.h"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace parallax {
namespace {

namespace fs = std::filesystem;

Error directory_error(ErrorCode code, const fs::path& directory, std::string_view what) {
  return definite(code, fmt::format("data directory {}: {}", directory.string(), what));
}

std::string errno_text(int number) {
  return std::generic_category().message(number);
}

Result<void> sync_path(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int number = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) return directory_error(ErrorCode::io, path, errno_text(number));
  return {};
}

}  // namespace

Result<StoreDirectory> StoreDirectory::lock(const fs::path& directory) {
  std::error_code failed;
  fs::create_directories(directory, failed);
  if (failed) {
    const bool full = failed == std::errc::no_space_on_device;
    return directory_error(full ? ErrorCode::io : ErrorCode::refused, directory,
                           "cannot be created: " + failed.message());
  }
  const fs::path file = directory / "lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return directory_error(ErrorCode::refused, directory,
                           "cannot be written: " + errno_text(errno));
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int number = errno;
    ::close(fd);
    return directory_error(ErrorCode::refused, directory,
                           number == EWOULDBLOCK ? "in use by another process"
                                                 : "cannot be locked: " + errno_text(number));
  }
  return StoreDirectory(directory, fd);
}

StoreDirectory::~StoreDirectory() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

StoreDirectory::StoreDirectory(StoreDirectory&& other) noexcept
    : directory_(std::move(other.directory_)), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

Result<std::optional<std::string>> StoreDirectory::damage() const {
  const fs::path file = directory_ / "damaged";
  std::error_code failed;
  if (!fs::exists(file, failed)) {
    if (failed) return directory_error(ErrorCode::io, file, failed.message());
    return std::optional<std::string>{};
  }
  std::ifstream in(file);
  std::string reason;
  std::getline(in, reason);
  return std::optional<std::string>(reason);
}

Result<void> StoreDirectory::mark_damaged(const std::string& reason) const {
  const fs::path file = directory_ / "damaged";
  std::ofstream out(file, std::ios::trunc);
  out << reason << '\n';
  out.close();
  if (!out) return directory_error(ErrorCode::io, file, "cannot be written");
  PARALLAX_TRY(sync_path(file, O_RDONLY));
  return sync_path(directory_, O_RDONLY | O_DIRECTORY);
}

Result<void> StoreDirectory::clear_damage() const {
  std::error_code failed;
  fs::remove(directory_ / "damaged", failed);
  if (failed) return directory_error(ErrorCode::io, directory_ / "damaged", failed.message());
  return sync_path(directory_, O_RDONLY | O_DIRECTORY);
}

Result<std::optional<fs::path>> StoreDirectory::set_aside(UnixMillis now) const {
  const fs::path store = directory_ / "store";
  std::error_code failed;
  if (!fs::exists(store, failed)) return std::optional<fs::path>{};
  fs::path aside = directory_ / fmt::format("damaged-store-{}", now);
  for (std::uint64_t later = now.value + 1; fs::exists(aside, failed); ++later) {
    aside = directory_ / fmt::format("damaged-store-{}", later);
  }
  fs::rename(store, aside, failed);
  if (failed) {
    return directory_error(ErrorCode::io, store, "cannot be set aside: " + failed.message());
  }
  PARALLAX_TRY(sync_path(directory_, O_RDONLY | O_DIRECTORY));
  return std::optional<fs::path>(std::move(aside));
}

Result<std::unique_ptr<LevelDbStore>> StoreDirectory::open_store(LevelDbOptions options) const {
  return LevelDbStore::open(directory_ / "store", std::move(options));
}

}  // namespace parallax
