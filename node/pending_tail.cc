#include "node/pending_tail.h"

#include <algorithm>

#include "replication/command.h"

namespace parallax {

void PendingTail::drop_front() {
  const Entry& entry = entries_.front();
  if (const auto found = by_key_.find(entry.key); found != by_key_.end()) {
    found->second.pop_front();
    if (found->second.empty()) by_key_.erase(found);
  }
  entries_.pop_front();
}

void PendingTail::drop_back() {
  const Entry& entry = entries_.back();
  if (const auto found = by_key_.find(entry.key); found != by_key_.end()) {
    found->second.pop_back();
    if (found->second.empty()) by_key_.erase(found);
  }
  entries_.pop_back();
}

void PendingTail::follow(const RaftLog& log, LogIndex applied) {
  while (!entries_.empty() && entries_.front().index <= applied) drop_front();
  // Of two logs that agree on the last entry's term and index all before it is the same.
  while (!entries_.empty() && log.term_at(entries_.back().index) != entries_.back().term) {
    drop_back();
  }
  LogIndex next = entries_.empty() ? applied.next() : entries_.back().index.next();
  for (; next <= log.last_index(); next = next.next()) {
    const LogEntry& entry = log.cached_entry(next);
    Entry read{next, entry.term, {}};
    if (!entry.payload.empty()) {
      const Result<Command> command = decode_command(entry.payload);
      // One that cannot be read ends the replica when it is applied.
      if (command) {
        if (const auto* write = std::get_if<WriteKey>(&*command)) read.key = write->key;
      }
    }
    if (!read.key.empty()) by_key_[read.key].push_back(next);
    entries_.push_back(std::move(read));
  }
}

LogIndex PendingTail::last(const RaftLog& log, LogIndex applied, LogIndex up_to,
                           const std::string& key) {
  up_to = std::min(up_to, log.last_index());
  if (up_to <= applied) return LogIndex{};
  if (!log.cached(applied.next())) return up_to;
  follow(log, applied);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return LogIndex{};
  for (auto at = found->second.rbegin(); at != found->second.rend(); ++at) {
    if (*at <= up_to) return *at;
  }
  return LogIndex{};
}

}  // namespace parallax
