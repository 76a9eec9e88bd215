// Do all replicas come to hold the same, and when?
//
// Every replica is asked for a digest of what it holds, now and then. They have converged at the
// first moment from which the last known digest of every replica is the same, and stays so to the
// end of the record. What it does not do: compute digests, or say what differs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "consistency/checker/verdict.h"

namespace parallax::checker {

struct DigestSeen {
  std::int64_t at_ns = 0;
  NodeId node;
  std::string digest;
};

struct ConvergenceResult {
  Verdict verdict = Verdict::undecided;
  std::string reason;                              ///< of no and undecided
  std::optional<std::int64_t> converged_after_ns;  ///< of yes: since `healed_ns`; 0 if before that
};

/// `seen` in any order. Undecided if a node of `nodes` was never asked after `healed_ns`.
ConvergenceResult check_convergence(std::vector<DigestSeen> seen, const std::vector<NodeId>& nodes,
                                    std::int64_t healed_ns);

}  // namespace parallax::checker
