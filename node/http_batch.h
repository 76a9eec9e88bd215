// A batch that is being carried out: which operations go to the node now, and what has come back.
//
// Pure. All writes go at once, so that they share log entries' rounds and disk syncs; reads go a
// few at a time, and together keep no more than a bound of answers, so that a batch of large values
// cannot fill a node's memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/protocol.h"
#include "node/http_routes.h"

namespace parallax {

/// Not thread-safe. Answers come in any order, each once.
class BatchRun {
 public:
  explicit BatchRun(BatchCall call);

  /// An operation that is to go to the node now, with its place; nothing: wait for answers.
  std::optional<std::pair<std::uint32_t, Request>> next();
  void on_reply(std::uint32_t place, Reply&& reply);
  bool done() const { return answered_ == entries_.size(); }

  struct Entry {
    KvForm form;
    std::optional<Reply> reply;
  };
  /// By place. While not done(), some without a reply.
  const std::vector<Entry>& entries() const { return entries_; }
  const Entry& entry(std::uint32_t place) const { return entries_[place]; }

 private:
  std::vector<Entry> entries_;
  std::vector<std::pair<std::uint32_t, Request>> writes_;  ///< last first
  std::vector<std::pair<std::uint32_t, Request>> reads_;   ///< last first
  std::size_t reads_under_way_ = 0;
  std::size_t kept_bytes_ = 0;
  std::size_t answered_ = 0;
};

}  // namespace parallax
