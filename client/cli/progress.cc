#include "client/cli/progress.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace parallax::cli {
namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string rate_text(double rate) {
  return rate < 10 ? fmt::format("{:.1f}/s", rate)
                   : with_commas(static_cast<std::uint64_t>(std::llround(rate))) + "/s";
}

/// Points are kept at least this far apart, which bounds the window's size.
constexpr Duration kPointSpacing = Progress::kWindow / 50;

}  // namespace

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string clock_text(Duration duration) {
  const auto total =
      std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::seconds>(duration).count());
  const auto hours = total / 3600;
  const auto minutes = total / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60)
                   : fmt::format("{}:{:02}", minutes, total % 60);
}

Progress::Progress(std::string verb, std::uint64_t total, std::uint64_t already, MonoTime start)
    : verb_(std::move(verb)),
      total_(total),
      already_(already),
      done_(already),
      start_(start),
      now_(start),
      window_{Point{start, already}} {
  PARALLAX_ASSERT(already <= total, "{} of {} done", already, total);
}

Progress::Progress(std::string verb, MonoTime start)
    : verb_(std::move(verb)),
      already_(0),
      done_(0),
      start_(start),
      now_(start),
      window_{Point{start, 0}} {}

void Progress::update(std::uint64_t done, MonoTime now) {
  PARALLAX_ASSERT(done >= done_ && done <= total_.value_or(done), "from {} to {} of {}", done_,
                  done, total_.value_or(done));
  PARALLAX_ASSERT(now >= now_, "time went back by {} ns", (now_ - now).count());
  done_ = done;
  now_ = now;
  if (now - window_.back().at >= kPointSpacing) window_.push_back(Point{now, done});
  while (window_.size() > 1 && now - window_[1].at >= kWindow) window_.pop_front();
}

double Progress::fraction() const {
  if (!total_) return 0.0;
  return *total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(*total_);
}

std::optional<double> Progress::rate() const {
  const Duration span = now_ - window_.front().at;
  if (span <= Duration::zero()) return std::nullopt;
  return static_cast<double>(done_ - window_.front().done) / seconds(span);
}

std::optional<double> Progress::mean_rate() const {
  if (elapsed() <= Duration::zero()) return std::nullopt;
  return static_cast<double>(done_ - already_) / seconds(elapsed());
}

std::optional<Duration> Progress::time_left() const {
  if (!total_) return std::nullopt;
  if (done_ == *total_) return Duration::zero();
  const auto speed = rate();
  if (!speed || *speed <= 0) return std::nullopt;
  const double left = static_cast<double>(*total_ - done_) / *speed;
  constexpr double kMost = 1'000'000;  // eleven days: more is not worth a figure
  if (left > kMost) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(left));
}

std::string Progress::figures() const {
  if (!total_) {
    std::string text = with_commas(done_);
    if (const auto speed = rate()) text += "  " + rate_text(*speed);
    return text + "  in " + clock_text(elapsed());
  }
  std::string text = fmt::format("{:>3}%  {}/{}", static_cast<int>(fraction() * 100),
                                 with_commas(done_), with_commas(*total_));
  if (done_ == *total_) {
    if (const auto speed = mean_rate()) text += "  " + rate_text(*speed);
    return text + "  in " + clock_text(elapsed());
  }
  if (const auto speed = rate()) text += "  " + rate_text(*speed);
  const auto left = time_left();
  return text + "  " + (left ? clock_text(*left) + " left" : "time left unknown");
}

std::string Progress::bar(std::size_t width) const {
  const std::string text = figures();
  std::string out = verb_ + "  ";
  // verb, two spaces, [bar], two spaces, figures
  const std::size_t fixed = out.size() + 2 + 2 + text.size();
  if (total_ && width >= fixed + 10) {
    const std::size_t cells = std::min<std::size_t>(width - fixed, 40);
    const auto full = static_cast<std::size_t>(fraction() * static_cast<double>(cells));
    out += '[' + std::string(full, '#') + std::string(cells - full, '-') + "]  ";
  }
  out += text;
  return out.substr(0, width);
}

std::string Progress::line() const {
  return verb_ + "  " + figures();
}

}  // namespace parallax::cli
