#include "storage/leveldb_log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <boost/crc.hpp>
#include <fcntl.h>
#include <leveldb/env.h>
#include <unistd.h>

#include "base/assert.h"

namespace parallax {
namespace {

// --- Reading -------------------------------------------------------------------------------------

constexpr std::size_t kBlock = 32'768;
constexpr std::size_t kHeader = 7;  // checksum (4), length (2), type (1)

/// What a record is cut into: a piece never reaches into another block.
enum class Piece : std::uint8_t { full = 1, first = 2, middle = 3, last = 4 };

std::uint32_t byte(std::string_view log, std::size_t at) {
  return static_cast<std::uint8_t>(log[at]);
}

/// CRC-32C, changed so that it may itself stand in what has one.
std::uint32_t masked_checksum(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t sum = crc.checksum();
  return ((sum >> 15) | (sum << 17)) + 0xa282ead8U;
}

/// Blocks end with zeros where no header fits.
std::size_t past_trailer(std::size_t at) {
  const std::size_t left = kBlock - at % kBlock;
  return left < kHeader ? at + left : at;
}

/// Where the piece whose header is at `at` says that it ends; nothing: it says nothing that can be.
std::optional<std::size_t> stated_end(std::string_view log, std::size_t at) {
  if (log.size() - std::min(at, log.size()) < kHeader) return std::nullopt;
  const std::size_t length = byte(log, at + 4) | byte(log, at + 5) << 8;
  const std::uint32_t type = byte(log, at + 6);
  const std::size_t end = at + kHeader + length;
  const bool fits = end <= at - at % kBlock + kBlock;
  if (type < 1 || type > 4 || !fits) return std::nullopt;
  return end;
}

/// The piece at `at` if it is one, whole and right, and its end.
std::optional<std::pair<Piece, std::size_t>> read_piece(std::string_view log, std::size_t at) {
  const std::optional<std::size_t> end = stated_end(log, at);
  if (!end || *end > log.size()) return std::nullopt;
  std::uint32_t stored = 0;
  for (std::size_t i = 0; i < 4; ++i) stored |= byte(log, at + i) << (8 * i);
  if (masked_checksum(log.substr(at + 6, *end - at - 6)) != stored) return std::nullopt;
  return std::pair(static_cast<Piece>(byte(log, at + 6)), *end);
}

/// Whether anything was written after the record to which the piece at `at` belongs that cannot be
/// read, or should not be there. Its length may be what is wrong, so every place is looked at.
bool record_follows(std::string_view log, std::size_t at) {
  for (; at + kHeader <= log.size(); ++at) {
    const std::uint32_t type = byte(log, at + 6);
    const bool begins = type == static_cast<std::uint32_t>(Piece::full) ||
                        type == static_cast<std::uint32_t>(Piece::first);
    if (begins && read_piece(log, at)) return true;
  }
  return false;
}

/// Whether a sector's part of [at, end) was not written.
bool lacks_sector(std::string_view log, std::size_t at, std::size_t end) {
  if (end > log.size()) return true;
  while (at < end) {
    const std::size_t next = std::min(end, at - at % kSector + kSector);
    if (log.substr(at, next - at).find_first_not_of('\0') == std::string_view::npos) return true;
    at = next;
  }
  return false;
}

}  // namespace

LogEnd find_log_end(std::string_view log) {
  LogEnd end;
  bool inside = false;
  std::size_t at = 0;
  while (const auto piece = read_piece(log, at)) {
    const bool begins = piece->first == Piece::full || piece->first == Piece::first;
    if (begins == inside) break;
    inside = piece->first == Piece::first || piece->first == Piece::middle;
    if (!inside) end.records = piece->second;
    at = past_trailer(piece->second);
  }
  const std::size_t last = log.find_last_not_of('\0');
  if (last == std::string_view::npos || last < end.records) return end;
  end.fault = at;
  const auto stated = stated_end(log, at);
  const bool nothing_there = last < at;
  const bool unwritten =
      nothing_there || (stated ? lacks_sector(log, at, *stated)
                               : log.size() - at < kHeader || lacks_sector(log, at, last + 1));
  end.kind = unwritten && !record_follows(log, at) ? LogEnd::Kind::torn : LogEnd::Kind::damaged;
  return end;
}

// --- Writing -------------------------------------------------------------------------------------

namespace {

leveldb::Status io_error(const std::string& path, int number) {
  return leveldb::Status::IOError(path, std::strerror(number));  // NOLINT(concurrency-mt-unsafe)
}

/// Writes over what is there, from the beginning.
class PreparedLog final : public leveldb::WritableFile {
 public:
  PreparedLog(int file, std::string path) : file_(file), path_(std::move(path)) {}
  ~PreparedLog() override {
    if (file_ >= 0) static_cast<void>(PreparedLog::Close());
  }

  leveldb::Status Append(const leveldb::Slice& data) override {
    buffer_.append(data.data(), data.size());
    return leveldb::Status::OK();
  }
  leveldb::Status Flush() override {
    for (std::size_t done = 0; done < buffer_.size();) {
      const ssize_t written =
          ::pwrite(file_, buffer_.data() + done, buffer_.size() - done, static_cast<off_t>(at_));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return io_error(path_, errno);
      done += static_cast<std::size_t>(written);
      at_ += static_cast<std::uint64_t>(written);
    }
    buffer_.clear();
    return leveldb::Status::OK();
  }
  leveldb::Status Sync() override {
    leveldb::Status status = Flush();
    if (status.ok() && ::fdatasync(file_) != 0) status = io_error(path_, errno);
    return status;
  }
  leveldb::Status Close() override {
    leveldb::Status status = Flush();
    if (::close(std::exchange(file_, -1)) != 0 && status.ok()) status = io_error(path_, errno);
    return status;
  }

 private:
  int file_;
  const std::string path_;
  std::string buffer_;
  std::uint64_t at_ = 0;
};

}  // namespace

SpareLog::SpareLog(const std::string& directory, std::uint64_t bytes)
    : path_(directory + '/' + kName), bytes_(bytes) {}

SpareLog::~SpareLog() {
  stopping_.store(true);
  if (thread_.joinable()) thread_.join();
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(path_.c_str());
}

void SpareLog::prepare() {
  if (state_.load() != State::none) return;
  if (thread_.joinable()) thread_.join();
  state_.store(State::making);
  thread_ = std::thread([this] { make(); });
}

/// Page by page: the kernel remembers what was written at once as one, and a later sync of a part
/// would count as one of the whole. Synced now and then, so that the log in use need not wait long.
void SpareLog::make() {
  constexpr std::size_t kPage = 4'096;
  constexpr std::uint64_t kSyncedAtOnce = 512 << 10;
  static constexpr std::array<char, kPage> kZeros{};
  const int file = ::open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644);
  bool made = file >= 0;
  for (std::uint64_t at = 0; made && at < bytes_ && !stopping_.load(); at += kPage) {
    made = ::pwrite(file, kZeros.data(), kPage, static_cast<off_t>(at)) == ssize_t{kPage} &&
           ((at + kPage) % kSyncedAtOnce != 0 || ::fdatasync(file) == 0);
  }
  made = made && !stopping_.load() && ::fsync(file) == 0;
  if (made) {
    file_ = file;
  } else if (file >= 0) {
    ::close(file);
    ::unlink(path_.c_str());
  }
  state_.store(made ? State::ready : State::failed);
}

std::unique_ptr<leveldb::WritableFile> SpareLog::take(const std::string& path) {
  if (state_.load() != State::ready) return nullptr;
  if (::rename(path_.c_str(), path.c_str()) != 0) return nullptr;
  state_.store(State::none);
  return std::make_unique<PreparedLog>(std::exchange(file_, -1), path);
}

}  // namespace parallax
