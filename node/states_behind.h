// How far the key states in the store go, while the last changes of some of them wait in memory
// (storage/overlay.h, Overlay::defer).
//
// What is committed is in the log, and a causal operation in its origin's: with those durable a key
// state need not be written at once. It waits, and of a key that changes often only the last state
// is written. Nothing is shown or acknowledged later or earlier by that: a batch is durable when it
// holds all that a restart needs to make the states of that moment anew.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/assert.h"
#include "base/ids.h"
#include "storage/records.h"

namespace parallax {

/// Not thread-safe; a plain value.
class StatesBehind {
 public:
  /// `states`: what the store's key states have. `first`: the first batch of this life.
  void begin(std::uint64_t first, StatesRecord states) { gathering_ = {first, {}, states}; }

  /// A change waits that would have been in the batch being gathered. Some of what it holds may be
  /// in the store before the rest.
  void defer(MonoTime now) {
    if (!places_.empty() && places_.back().sequence == gathering_.sequence) return;
    gathering_.since = now;
    places_.push_back(gathering_);
  }

  /// The last batch whose changes have waited for so long; 0: none.
  std::uint64_t due(MonoTime now, Duration wait) const {
    std::uint64_t due = 0;
    for (const Place& place : places_) {
      if (now - place.since < wait) break;
      due = place.sequence;
    }
    return due;
  }
  /// Whether some have waited for twice as long: no batch has come along that they could go with.
  bool overdue(MonoTime now, Duration wait) const {
    return !places_.empty() && now - places_.front().since >= 2 * wait;
  }

  /// The batch being gathered is complete: `states` is applied, and what waits has waited since
  /// batch `since`; nothing: nothing waits. Returns what the store's key states have with it.
  StatesRecord complete(StatesRecord states, std::optional<std::uint64_t> since) {
    while (!places_.empty() && (!since || places_.front().sequence < *since)) places_.pop_front();
    PARALLAX_ASSERT(!since || !places_.empty(), "states wait since batch {}, from no place",
                    *since);
    gathering_ = {gathering_.sequence + 1, {}, std::move(states)};
    return places_.empty() ? gathering_.states : places_.front().states;
  }

  bool all = false;                    ///< nothing waits longer than until the next batch
  MonoTime all_until{};                ///< nor until any batch before then
  std::optional<StatesRecord> stored;  ///< the record in the store, or on its way

 private:
  struct Place {
    std::uint64_t sequence = 0;
    MonoTime since{};
    StatesRecord states;  ///< at the beginning of that batch
  };
  Place gathering_{.sequence = 1};
  std::deque<Place> places_;  ///< rising; of every batch since which something waits
};

/// Whether states wait at all: that pays where a key is changed again while it waits, and costs
/// where it is not. One key in kOfSample always waits; what becomes of those decides for all. Not
/// thread-safe; a plain value.
class WaitingPays {
 public:
  static constexpr std::uint64_t kOfSample = 16;
  static constexpr int kDecided = 256;  ///< changes of the sample that decide for the next ones

  /// For the key with this hash.
  bool pays(std::uint64_t hash) const { return pays_ || hash % kOfSample == 0; }
  /// A change waits, `again`: of a key that has waited already. It pays from every second one on.
  void count(std::uint64_t hash, bool again) {
    if (hash % kOfSample != 0) return;
    again_ += again ? 1 : 0;
    if (++changes_ < kDecided) return;
    pays_ = 2 * again_ >= changes_;
    again_ = changes_ = 0;
  }

 private:
  bool pays_ = true;
  int again_ = 0;
  int changes_ = 0;
};

}  // namespace parallax
