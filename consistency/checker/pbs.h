// What staleness to expect of a quorum whose latencies are known.
//
// Bailis et al. (2012, "Probabilistically Bounded Staleness for Practical Partial Quorums"): a
// write goes to all n replicas at once; it is acknowledged when w of them have it (W, the way
// there) and have said so (A). A read that begins a time t later asks all n (R) and returns the
// newest that the first r answers (S) hold. It misses the write if all of those were asked before
// the write had reached them. The four times are drawn apart from measured samples, again and
// again, and how many of the reads see the write is counted (Monte Carlo; the paper's WARS model).
//
// The paper's client reaches all replicas over the network. Where a replica takes the request and
// coordinates it, as in this store, it differs in what `Coordinator` says: the write is durable
// there before the others are sent it, there is no way to it, and a read asks it and r - 1 others,
// not all. What the client's own way to a coordinator takes passes between the acknowledgement and
// the read, too.
//
// What it does not do: failed replicas, repair, replicas whose latencies are not alike, or writes
// that run at the same time. Those make what is measured better or worse than what is predicted.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"

namespace parallax::checker {

/// One-way times in nanoseconds, each list as measured, in any order.
struct WarsSamples {
  std::vector<std::int64_t> write;     ///< W: a write's way to a replica, until it is there
  std::vector<std::int64_t> ack;       ///< A: the acknowledgement's way back
  std::vector<std::int64_t> read;      ///< R: a read's way to a replica
  std::vector<std::int64_t> response;  ///< S: the answer's way back
  /// Between a client and the replica that coordinates, one way; empty: no time. Of no meaning
  /// without one.
  std::vector<std::int64_t> client = {};
};

/// Who sends a write and a read to the replicas, of which they are 0, 1, ... n - 1 in a ring.
enum class Coordinator : std::uint8_t {
  client,   ///< no replica: the paper's model
  same,     ///< one replica both
  another,  ///< the read another one than the write, any of them
};

struct PbsQuestion {
  std::uint32_t n = 3;
  std::uint32_t r = 1;
  std::uint32_t w = 1;
  Coordinator coordinator = Coordinator::client;
  std::uint64_t trials = 100'000;
  std::uint64_t seed = 1;
};

/// How long after its acknowledgement a write is seen. A value; ordered by time.
class PbsPrediction {
 public:
  explicit PbsPrediction(std::vector<std::int64_t> sorted_ns) : sorted_(std::move(sorted_ns)) {}
  /// The share of reads, 0 to 1, that see the write if they begin `after_ns` after it was
  /// acknowledged.
  double seen_after(std::int64_t after_ns) const;
  /// The least time after which at least `share` (above 0, up to 1) of the reads see it.
  std::int64_t time_until(double share) const;

 private:
  std::vector<std::int64_t> sorted_;  ///< of each trial: the time from which on it is seen
};

/// Errors: bad_request, naming what is wrong: a list without samples, or with one that is negative
/// or above 2^60, r or w not from 1 to n, n above 64, another coordinator of one replica, no
/// trials. The same question has the same answer everywhere.
Result<PbsPrediction> predict_staleness(const WarsSamples& samples, const PbsQuestion& question);

}  // namespace parallax::checker
