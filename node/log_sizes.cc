#include "node/log_sizes.h"

namespace parallax {

void LogSizes::append(LogIndex index, std::size_t bytes) {
  const std::uint64_t total = (marks_.empty() ? removed_ : marks_.back().total) + bytes;
  const std::uint64_t before = marks_.size() < 2 ? removed_ : marks_[marks_.size() - 2].total;
  // The last mark moves along with the end of the log until it is a step away from the one before.
  if (!marks_.empty() && total - before <= kStep) {
    marks_.back() = {index, total};
  } else {
    marks_.push_back({index, total});
  }
}

void LogSizes::truncate(LogIndex from) {
  // What goes is counted from the mark before it on: too little by at most a step.
  while (!marks_.empty() && marks_.back().last >= from) {
    const std::uint64_t before = marks_.size() < 2 ? removed_ : marks_[marks_.size() - 2].total;
    const LogIndex first = marks_.size() < 2 ? LogIndex{} : marks_[marks_.size() - 2].last;
    if (first.next() < from) {
      marks_.back() = {from.prev(), before};
      return;
    }
    marks_.pop_back();
  }
}

void LogSizes::compact(LogIndex index) {
  while (!marks_.empty() && marks_.front().last <= index) {
    removed_ = marks_.front().total;
    marks_.pop_front();
  }
}

std::size_t LogSizes::bytes() const {
  return marks_.empty() ? 0 : static_cast<std::size_t>(marks_.back().total - removed_);
}

LogIndex LogSizes::excess(std::size_t keep) const {
  LogIndex up_to;
  if (marks_.empty()) return up_to;
  const std::uint64_t end = marks_.back().total;
  for (const Mark& mark : marks_) {
    if (end - removed_ <= keep) break;
    up_to = mark.last;
    if (end - mark.total <= keep) break;
  }
  return up_to;
}

}  // namespace parallax
