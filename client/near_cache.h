// The client's near-cache: values that nodes gave a moment ago, for reads that promise no recency.
//
// It serves and fills single-key reads at `prefix`, `eventual` and `weak`, named by the request,
// each level from its own answers; all others pass it by. What it gives was a node's answer at that
// level up to `ttl` ago, and nothing more: no evidence, no staleness bound, no say in a session.
// Answer::cached_for says so, and verify() takes none of it for a node's answer.
//
// A value is dropped after `ttl`, when more than `max_entries` keys are remembered (the one used
// longest ago goes), when this client writes the key, and when any reply shows a newer version of
// it. What other clients write it learns of in no other way.
//
// The hazard is the stale refill: a reader misses and reads the old value; a writer writes and
// invalidates; the reader, late, fills in the old value, and hits show it from then on. Two modes:
//
//  delayed_double_delete  A write deletes before it goes out, when it has ended, and once more a
//    delay later. A refill that comes before the second delete is stale until then; one that comes
//    behind it is stale until `ttl`: the window is narrowed, not closed. The delay is the largest
//    lag that replicas have lately reported, so that a reader of a replica that was behind is
//    covered too, but no longer than `ttl`; `default_delay` as long as none has reported one.
//  versioned  A key's record keeps the newest version that this client has written or been shown,
//    with or without a value. A fill below it is refused, whenever it comes. A fill whose record
//    was forgotten meanwhile, to keep the bound, is refused too; and so is one whose read began
//    before the end of a write of unknown outcome, whose version nobody knows. So a hit is never
//    older than what this client knew of the key, as long as it remembers the key, and a stale
//    refill is ruled out however long a reader pauses.
//
// Source of the hazard, and of fills that an invalidation revokes: Nishtala et al., "Scaling
// Memcache at Facebook" (NSDI 2013), section 3.2.1 (leases). Here stamps do what lease tokens do
// there, and are compared, not only revoked.
//
// Invariants: at most `max_entries` records and, in the first mode, as many deletes to come; a
// record with a value holds none below its version.
//
// Pure: time comes in; what is due is done when it is next called. It does not merge
// concurrent versions, remember that a key is absent, or know of a value's own TTL at the node.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "client/protocol.h"

namespace parallax {

enum class NearCacheMode : std::uint8_t { delayed_double_delete, versioned };

struct NearCacheOptions {
  NearCacheMode mode = NearCacheMode::versioned;
  std::chrono::milliseconds ttl{1'000};          ///< above 0
  std::size_t max_entries = 10'000;              ///< at least 1
  std::chrono::milliseconds default_delay{500};  ///< of the second delete, while no lag is known
};

/// Whether reads at `level` may be served from a cache.
constexpr bool may_be_cached(Level level) {
  return level == Level::prefix || level == Level::eventual || level == Level::weak;
}

class NearCache {
 public:
  /// `options` must be as they say.
  explicit NearCache(NearCacheOptions options);
  NearCache(const NearCache&) = delete;
  NearCache& operator=(const NearCache&) = delete;

  /// Of a read that may fill something in.
  struct Ticket {
    std::uint64_t number = 0;  ///< 0: it may not
    MonoTime began{};
  };
  struct Begun {
    std::optional<Answer> answer = std::nullopt;  ///< a hit: no node need be asked
    Ticket ticket = {};                           ///< for ended()
  };
  /// A request is about to go out. `head`: a Get without the value.
  Begun began(const Request& request, bool head, MonoTime now);
  /// It has ended, with what a node answered or with an error. Also for requests that did not
  /// begin here (no ticket): their answers show versions too.
  void ended(const Request& request, bool head, Ticket ticket, const Result<Answer>& result,
             MonoTime now);

  /// Of the second delete, as it would be now.
  std::chrono::milliseconds delay() const;
  /// Keys that are remembered, with or without a value.
  std::size_t size() const { return records_.size(); }

 private:
  struct Value {
    Answer answer;  ///< as it is given, but for its age
    MonoTime at;    ///< when its read began: a node had it then or later
  };
  struct Record {
    std::string key;
    std::optional<Value> value = std::nullopt;
    // versioned:
    Stamp newest = {};         ///< the version known; empty: none
    std::uint64_t since = 0;   ///< reads that began before it was made do not fill it
    std::uint64_t barred = 0;  ///< nor do reads up to this one
  };
  using Records = std::list<Record>;  ///< the one used last first

  bool versioned() const { return options_.mode == NearCacheMode::versioned; }
  Record* find(std::string_view key);
  /// Finds it or makes it, and uses it.
  Record& touch(const std::string& key);
  void forget(const std::string& key);
  std::optional<Answer> hit(const Request& request, const std::string& key, MonoTime now);
  void fill(const std::string& key, Ticket ticket, const Answer& answer, MonoTime now);
  /// A reply or a write has shown that `stamp` is there, or that nothing is.
  void shown(const std::string& key, const std::optional<Stamp>& stamp, bool found);
  void shown(const Request& request, const Answer& answer);
  void write_ended(const std::string& key, const Result<Answer>& result, MonoTime now);
  void delete_later(const std::string& key, MonoTime now);
  void do_what_is_due(MonoTime now);

  NearCacheOptions options_;
  Records records_;
  std::unordered_map<std::string_view, Records::iterator> by_key_;  ///< views of Record::key
  std::uint64_t tickets_ = 0;                                       ///< given so far
  // delayed_double_delete:
  std::multimap<MonoTime, std::string> deletes_;
  MonoTime no_fill_before_;         ///< while there were too many deletes to remember
  std::deque<std::uint64_t> lags_;  ///< ms, the latest that were reported
};

}  // namespace parallax
