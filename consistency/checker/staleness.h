// How old was what reads returned?
//
// Golab, Li and Shah (2011, "Analyzing Consistency Properties for Fun and Profit") judge a register
// whose written values are unique by the zones of zones.h. Two measures of time:
//   - of one read: the time from the moment at which its value surely was not the newest any more
//   to
//     the read's call. That moment is when a value is first known to be in place whose write began
//     after the read's value was known to be in place. 0 for a read that was as fresh as can be
//     told;
//   - delta, of a key: the smallest time such that the key would be linearizable if every read had
//     been called so much earlier. It is 0 exactly if the key is linearizable (without
//     compare-and-sets, see below), and no read's own staleness is above it; it is larger where
//     reads contradict each other without either being old by itself.
// And one of versions: k, the number of newest values among which every read's value is
// (k_atomicity.h): 1, 2 or more.
//
// A compare-and-set that succeeded is taken for a read and a write; that nothing came between the
// two is not judged here, and k not at all for such a key.
//
// What it does not do: keys with writes of equal values, deletes, increments, appends (counted in
// `keys_left_out`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "consistency/checker/history.h"

namespace parallax::checker {

struct StaleRead {
  Operation read;
  Operation newer;          ///< by when this had returned, the read's value was replaced
  std::int64_t age_ns = 0;  ///< the read's call after that
  std::string text;         ///< in words
};

struct Staleness {
  std::size_t keys = 0;           ///< that were judged
  std::size_t keys_left_out = 0;  ///< that could not be
  std::size_t reads = 0;          ///< that were judged
  std::size_t stale_reads = 0;    ///< of them, with an age above 0
  /// Of no reads at all: 0. The q-quantile is the smallest age that at least q of the reads do not
  /// exceed.
  std::int64_t p50_ns = 0;
  std::int64_t p99_ns = 0;
  std::int64_t max_ns = 0;
  std::int64_t delta_ns = 0;  ///< the largest of all keys'
  /// Reads of what nobody wrote, or had begun to write when they returned. No age explains them:
  /// they are not among `reads`, and of their keys there is no k.
  std::size_t impossible_reads = 0;
  std::size_t keys_1_atomic = 0;
  std::size_t keys_2_atomic = 0;   ///< and not 1-atomic
  std::size_t keys_beyond_2 = 0;   ///< not 2-atomic
  std::optional<StaleRead> worst;  ///< the oldest of all reads, if any is stale
};

struct StalenessOptions {
  /// What every key holds at the beginning; nothing by default.
  std::optional<std::string> initial;
  bool judge_k = true;
};

Staleness measure_staleness(const History& history, const StalenessOptions& options = {});

}  // namespace parallax::checker
