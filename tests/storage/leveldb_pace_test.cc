// How tables are written while the store is in use (storage/leveldb_pace.h).
#include "storage/leveldb_pace.h"

#include <chrono>

#include "tests/storage/support.h"

namespace parallax::test {

using namespace std::chrono_literals;

TEST_CASE("pace: rests are long while there is time, and none when there is not") {
  CHECK(rest_after(1ms, 0) == 3ms);
  CHECK(rest_after(1ms, 0.25) == 1500us);
  CHECK(rest_after(1ms, 0.5) == 0ms);
  CHECK(rest_after(1ms, 1) == 0ms);
  CHECK(rest_after(1ms, 7) == 0ms);
  CHECK(rest_after(1h, 0) == 10ms);
  CHECK(rest_after(0ms, 0) == 0ms);
}

TEST_CASE("pace: the disk is told to begin with what the kernel has") {
  CHECK(surely_written(0) == 0);
  CHECK(surely_written(65'535) == 0);
  CHECK(surely_written(65'536) == 0);
  CHECK(surely_written(65'536 + 4'095) == 0);
  CHECK(surely_written(65'536 + 4'096) == 4'096);
  CHECK(surely_written(1 << 20) == (1 << 20) - 65'536);
}

TEST_CASE("pace: rests between pieces only, and a file that is not there is no matter") {
  const TempDirectory temp;
  const auto took = [&](double filled) {
    TablePace pace((temp.path() / "none").string());
    const auto began = std::chrono::steady_clock::now();
    const auto busy = [] {
      const auto until = std::chrono::steady_clock::now() + 2ms;
      while (std::chrono::steady_clock::now() < until) {
      }
    };
    for (std::uint64_t written = 16 << 10; written <= 1 << 20; written += 16 << 10) {
      if (written % (128 << 10) == 0) busy();
      pace.appended(written, filled);
    }
    return std::chrono::steady_clock::now() - began;
  };
  // Eight times two milliseconds; with rests of six each behind all but the first.
  CHECK(took(0) >= 16ms + 7 * 6ms);
  CHECK(took(1) >= 16ms);
  CHECK(took(1) < took(0));
}

}  // namespace parallax::test
