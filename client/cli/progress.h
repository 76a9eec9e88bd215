// How far a long command is, how fast, and how long it will take: arithmetic and text, no terminal
// and no clock.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/ids.h"

namespace parallax::cli {

class Progress {
 public:
  /// `total` steps of which `already` were done earlier (they count as done, not as speed).
  Progress(std::string verb, std::uint64_t total, std::uint64_t already, MonoTime start);
  /// With a total that nobody knows before the end: a count and a speed, no bar and no time left.
  Progress(std::string verb, MonoTime start);

  /// `done` steps are done now, `already` included; never less than before. `now` never goes back.
  void update(std::uint64_t done, MonoTime now);

  std::uint64_t done() const { return done_; }
  /// Between 0 and 1; 1 when there is nothing to do; 0 when the total is unknown.
  double fraction() const;
  /// Steps a second over the last kWindow; absent before there is something to measure.
  std::optional<double> rate() const;
  /// Steps a second from the start; absent likewise.
  std::optional<double> mean_rate() const;
  /// At the present rate; absent when that is unknown or nothing moves, 0 when all is done.
  std::optional<Duration> time_left() const;
  Duration elapsed() const { return now_ - start_; }

  /// For a terminal of `width` columns: one line, never wider, no newline.
  std::string bar(std::size_t width) const;
  /// For a log: one line, no newline.
  std::string line() const;

  /// Speed is measured over this span: long enough to be calm, short enough to follow a change.
  static constexpr Duration kWindow = std::chrono::seconds{5};

 private:
  struct Point {
    MonoTime at;
    std::uint64_t done;
  };
  std::string figures() const;

  std::string verb_;
  std::optional<std::uint64_t> total_;
  std::uint64_t already_;
  std::uint64_t done_;
  MonoTime start_;
  MonoTime now_;
  /// Oldest first; the first one is the newest that is at least kWindow old, or the start.
  std::deque<Point> window_;
};

/// "1,234,567".
std::string with_commas(std::uint64_t number);
/// "0:07", "12:30", "3:02:01"; rounded up, so that 0:00 means done.
std::string clock_text(Duration duration);

}  // namespace parallax::cli
