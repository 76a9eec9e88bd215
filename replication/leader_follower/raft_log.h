// The replicated log as one replica sees it: which entries there are, which of them are durable
// here, and the recent ones themselves.
//
// Older entries live in the store alone; the terms of all are kept, run by run, so that the
// consistency check of AppendEntries (Ongaro 2014, section 3.5) never has to read.
//
// Invariants, checked by check():
//   - start().index <= durable() <= last_index();
//   - terms never fall along the log;
//   - the cache holds a contiguous run that ends at last_index().
//
// It does not know what is committed: that is the core's business.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "storage/records.h"

namespace parallax {

/// A value; not thread-safe.
class RaftLog {
 public:
  /// First index of a run of entries with one term.
  struct Run {
    LogIndex first;
    Term term;
    friend bool operator==(const Run&, const Run&) = default;
  };

  RaftLog() = default;
  /// What a store holds: everything in it is durable. `cached` is a suffix of the log, maybe empty.
  RaftLog(LogStart start, std::vector<Run> runs, LogIndex last, std::vector<LogEntry> cached);

  LogStart start() const { return start_; }
  LogIndex last_index() const { return last_; }
  Term last_term() const;
  LogIndex durable() const { return durable_; }
  /// The term of an entry; of start() too. Nothing below it or above last_index().
  std::optional<Term> term_at(LogIndex index) const;
  /// The highest entry at or below `index` whose term is at most `term` (fast back-up, 3.5).
  LogIndex last_at_most(LogIndex index, Term term) const;

  /// `entry.index` must be last_index() + 1 and its term at least last_term().
  void append(LogEntry entry);
  /// Removes `from` and all behind it.
  void truncate(LogIndex from);
  /// A batch that ended with this entry is durable. Ignored when the entry was replaced since.
  void on_durable(LogIndex index, Term term);

  /// Whether all of [from, last_index()] is in memory.
  bool cached(LogIndex from) const { return from >= cache_first(); }
  /// Entries from `from` on, within the bounds but at least one if there is one. Must be cached().
  std::vector<LogEntry> entries(LogIndex from, std::size_t max_bytes, std::size_t max_count) const;
  const LogEntry& cached_entry(LogIndex index) const;
  /// Drops cached entries up to `up_to` while the cache is above `max_bytes`.
  void trim_cache(LogIndex up_to, std::size_t max_bytes);

  /// Forgets everything up to `index`, which must be in the log (or its start).
  void compact(LogIndex index);
  /// The log is empty behind `start` (a snapshot was installed). It counts as durable.
  void reset(LogStart start);

  /// Bytes of entries in the cache.
  std::size_t cache_bytes() const { return cache_bytes_; }
  bool check() const;

 private:
  LogIndex cache_first() const { return LogIndex{last_.value + 1 - cache_.size()}; }

  LogStart start_;
  std::vector<Run> runs_;  ///< of the entries behind start_
  LogIndex last_;
  LogIndex durable_;
  std::deque<LogEntry> cache_;
  std::size_t cache_bytes_ = 0;
};

}  // namespace parallax
