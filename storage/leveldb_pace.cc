#include "storage/leveldb_pace.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace parallax {
namespace {

constexpr std::uint64_t kPiece = 64 << 10;  // LevelDB's files gather as much before they write it
constexpr std::uint64_t kPage = 4'096;
constexpr std::uint64_t kWrittenAtOnce = 512 << 10;
constexpr double kRest = 3;
constexpr Duration kLongest = std::chrono::milliseconds(10);

Duration monotonic() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

}  // namespace

Duration rest_after(Duration busy, double filled) {
  const double part = kRest * std::max(0.0, 1 - 2 * filled);
  const std::chrono::duration<double, Duration::period> rest = busy * part;
  return rest < kLongest ? std::chrono::duration_cast<Duration>(rest) : kLongest;
}

std::uint64_t surely_written(std::uint64_t written) {
  return written < kPiece ? 0 : (written - kPiece) / kPage * kPage;
}

TablePace::~TablePace() {
  if (file_ >= 0) ::close(file_);
}

void TablePace::appended(std::uint64_t written, double filled) {
  if (written - rested_at_ < kPiece) return;
  rested_at_ = written;
  const std::uint64_t there = surely_written(written);
  if (there >= begun_ + kWrittenAtOnce) {
    // Where that fails the sync at the end has more to do.
    if (file_ < 0) file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file_ >= 0) {
      static_cast<void>(::sync_file_range(file_, static_cast<off_t>(begun_),
                                          static_cast<off_t>(there - begun_),
                                          SYNC_FILE_RANGE_WRITE));
    }
    begun_ = there;
  }
  if (resumed_ != Duration{}) {
    std::this_thread::sleep_for(rest_after(monotonic() - resumed_, filled));
  }
  resumed_ = monotonic();
}

}  // namespace parallax
