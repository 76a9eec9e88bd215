#include "replication/leader_follower/raft_log.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax {

RaftLog::RaftLog(LogStart start, std::vector<Run> runs, LogIndex last, std::vector<LogEntry> cached)
    : start_(start), runs_(std::move(runs)), last_(last), durable_(last) {
  PARALLAX_ASSERT(last_ >= start_.index, "last {} start {}", last_, start_.index);
  for (LogEntry& entry : cached) {
    cache_bytes_ += entry.bytes();
    cache_.push_back(std::move(entry));
  }
  PARALLAX_ASSERT(check(), "restored log: start {} last {} cached {}", start_.index, last_,
                  cache_.size());
}

Term RaftLog::last_term() const {
  return runs_.empty() ? start_.term : runs_.back().term;
}

std::optional<Term> RaftLog::term_at(LogIndex index) const {
  if (index < start_.index || index > last_) return std::nullopt;
  if (index == start_.index) return start_.term;
  if (index >= runs_.back().first) return runs_.back().term;  // nearly always
  auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                [](LogIndex i, const Run& run) { return i < run.first; });
  return std::prev(after)->term;
}

LogIndex RaftLog::last_at_most(LogIndex index, Term term) const {
  index = std::min(index, last_);
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (run->first > index) continue;
    if (run->term <= term) return index;
    index = run->first.prev();
  }
  return start_.index;
}

void RaftLog::append(LogEntry entry) {
  PARALLAX_ASSERT(entry.index == last_.next(), "entry {} behind {}", entry.index, last_);
  PARALLAX_ASSERT(entry.term >= last_term(), "term {} behind {}", entry.term, last_term());
  if (runs_.empty() || runs_.back().term != entry.term) runs_.push_back({entry.index, entry.term});
  last_ = entry.index;
  cache_bytes_ += entry.bytes();
  cache_.push_back(std::move(entry));
}

void RaftLog::truncate(LogIndex from) {
  PARALLAX_ASSERT(from > start_.index, "truncate from {} at start {}", from, start_.index);
  if (from > last_) return;
  std::uint64_t count = last_ - from + 1;
  while (count-- > 0 && !cache_.empty()) {
    cache_bytes_ -= cache_.back().bytes();
    cache_.pop_back();
  }
  last_ = from.prev();
  durable_ = std::min(durable_, last_);
  while (!runs_.empty() && runs_.back().first > last_) runs_.pop_back();
}

void RaftLog::on_durable(LogIndex index, Term term) {
  // Index and term name an entry for good (log matching, 3.5): where another term stands now, the
  // entry that became durable has been replaced, and its replacement is in a later batch.
  if (index > durable_ && term_at(index) == term) durable_ = index;
}

std::vector<LogEntry> RaftLog::entries(LogIndex from, std::size_t max_bytes,
                                       std::size_t max_count) const {
  PARALLAX_ASSERT(cached(from) && from <= last_.next(), "from {} last {}", from, last_);
  std::vector<LogEntry> result;
  std::size_t bytes = 0;
  for (std::size_t at = from - cache_first(); at < cache_.size(); ++at) {
    bytes += cache_[at].bytes();
    if (!result.empty() && (bytes > max_bytes || result.size() >= max_count)) break;
    result.push_back(cache_[at]);
  }
  return result;
}

const LogEntry& RaftLog::cached_entry(LogIndex index) const {
  PARALLAX_ASSERT(cached(index) && index <= last_, "index {} last {}", index, last_);
  return cache_[index - cache_first()];
}

void RaftLog::trim_cache(LogIndex up_to, std::size_t max_bytes) {
  while (cache_bytes_ > max_bytes && !cache_.empty() && cache_.front().index <= up_to) {
    cache_bytes_ -= cache_.front().bytes();
    cache_.pop_front();
  }
}

void RaftLog::compact(LogIndex index) {
  PARALLAX_ASSERT(index <= last_, "compact to {} of {}", index, last_);
  if (index <= start_.index) return;
  const Term term = *term_at(index);
  while (!cache_.empty() && cache_.front().index <= index) {
    cache_bytes_ -= cache_.front().bytes();
    cache_.pop_front();
  }
  start_ = {index, term};
  while (runs_.size() > 1 && runs_[1].first <= index.next()) runs_.erase(runs_.begin());
  if (index == last_) {
    runs_.clear();
  } else if (runs_.front().first <= index) {
    runs_.front().first = index.next();
  }
  durable_ = std::max(durable_, index);
}

void RaftLog::reset(LogStart start) {
  start_ = start;
  runs_.clear();
  last_ = durable_ = start.index;
  cache_.clear();
  cache_bytes_ = 0;
}

bool RaftLog::check() const {
  if (start_.index > durable_ || durable_ > last_) return false;
  if (cache_.size() > last_ - start_.index) return false;
  if (runs_.empty() != (last_ == start_.index)) return false;
  Term term = start_.term;
  LogIndex first = start_.index;
  for (const Run& run : runs_) {
    if (run.first <= first || run.term < term) return false;
    first = run.first;
    term = run.term;
  }
  if (!runs_.empty() && (runs_.front().first != start_.index.next() || first > last_)) return false;
  if (cache_.empty()) return true;
  return cache_.back().index == last_ && cache_.front().index == cache_first();
}

}  // namespace parallax
