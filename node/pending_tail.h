// Which keys the log holds unapplied entries for.
//
// A replica that answers a majority query while its log holds such an entry for the key waits until
// what its log held when the query arrived is applied or truncated (docs/ARCHITECTURE.md, "Pending
// tail"): a write that is acknowledged was in the log of a majority before, so one of those who are
// asked has it there, and shows it once it is applied.
//
// Read on demand: a log that nobody asks about costs nothing. What has been read is checked against
// the log's terms, so nobody has to tell it about truncation.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "replication/leader_follower/raft_log.h"

namespace parallax {

/// A value; not thread-safe.
class PendingTail {
 public:
  /// The last entry about `key` in (applied, up_to]; 0: there is none. Where the log cannot be
  /// looked at from memory, or an entry does not say what it is about, it is taken to be about
  /// every key.
  LogIndex last(const RaftLog& log, LogIndex applied, LogIndex up_to, const std::string& key);

 private:
  struct Entry {
    LogIndex index;
    Term term;
    std::string key;  ///< empty: about none
  };
  void follow(const RaftLog& log, LogIndex applied);
  void drop_front();
  void drop_back();

  std::deque<Entry> entries_;  ///< without gaps
  std::map<std::string, std::deque<LogIndex>, std::less<>> by_key_;
};

}  // namespace parallax
