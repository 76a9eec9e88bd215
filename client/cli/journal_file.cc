#include "client/cli/journal_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/checksum.h"

namespace parallax::cli {
namespace {

Error io_error(std::string_view what, const std::filesystem::path& path, int number) {
  return definite(ErrorCode::io, fmt::format("cannot {} the progress file {}: {}", what,
                                             path.string(), std::strerror(number)));
}

Result<std::string> read_all(int fd, const std::filesystem::path& path) {
  std::string text;
  char buffer[64 << 10];
  while (true) {
    const ssize_t got = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("read", path, errno);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<void> append(int fd, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return io_error("write", path, errno);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

}  // namespace

JournalPlaces journal_places(const std::filesystem::path& file, const std::string& xdg_state_home,
                             const std::string& home) {
  JournalPlaces places;
  places.beside = file.string() + ".progress";
  std::filesystem::path state;
  if (!xdg_state_home.empty()) {
    state = xdg_state_home;
  } else if (!home.empty()) {
    state = std::filesystem::path(home) / ".local" / "state";
  }
  if (!state.empty()) {
    const std::string whole = std::filesystem::absolute(file).lexically_normal().string();
    places.in_state = state / "parallax" /
                      fmt::format("{}-{:08x}.progress", file.filename().string(), crc32(whole));
  }
  return places;
}

Result<JournalFile> JournalFile::open(const std::filesystem::path& path,
                                      const ImportIdentity& identity) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0666);
  if (fd < 0) return io_error("open", path, errno);
  JournalFile journal(path, fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return io_error("lock", path, errno);
    return definite(
        ErrorCode::refused,
        fmt::format("another import is using the progress file {}; wait for it, or name "
                    "another one with --progress-file",
                    path.string()));
  }
  PARALLAX_TRY(journal.load(identity));
  return Result<JournalFile>(std::move(journal));
}

Result<void> JournalFile::load(const ImportIdentity& identity) {
  PARALLAX_ASSIGN(const std::string text, read_all(fd_, path_));
  if (auto journal = read_journal(text, identity)) {
    earlier_ = std::move(*journal);
    // A line that was cut off would run into the next one.
    if (::ftruncate(fd_, static_cast<off_t>(earlier_.bytes)) != 0) {
      return io_error("shorten", path_, errno);
    }
    return {};
  }
  replaced_another_ = text.starts_with("parallax-import ");
  if (!text.empty() && !replaced_another_) {
    return definite(
        ErrorCode::refused,
        fmt::format("{} is not a progress file and is left alone; name another one with "
                    "--progress-file",
                    path_.string()));
  }
  earlier_.stored.assign(identity.records, false);
  if (::ftruncate(fd_, 0) != 0) return io_error("shorten", path_, errno);
  return append(fd_, journal_header(identity), path_);
}

JournalFile::JournalFile(JournalFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      earlier_(std::move(other.earlier_)),
      replaced_another_(other.replaced_another_) {}

JournalFile::~JournalFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> JournalFile::stored(std::uint64_t record) {
  return append(fd_, journal_line(record), path_);
}

void JournalFile::remove() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace parallax::cli
