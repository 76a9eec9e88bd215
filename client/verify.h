// Whether an answer is what it says it is, derived from its evidence.
//
// An answer names its level, and carries whose state it came from, how, at which place of the log,
// and on whose word it rests. This derives from the latter what the former can be, and says where
// it does not follow: a level other than the one asked for and not announced, a majority that is
// none, a bound that does not hold, a session that goes back. It takes the evidence at its word:
// who signs false evidence is not found here, but by histories (docs/CHECKING.md). In particular
// nothing but the answer itself says in which term it was given (any but 0 passes), how old a state
// was (below the bound), how far a state is that need not have what the session has seen, and that
// a leader has named more than the session had seen (`confirmed`).
//
// Pure; thread-safe.
#pragma once

#include <cstddef>
#include <optional>

#include "client/protocol.h"

namespace parallax {

/// What was asked, as far as an answer can be held to it.
struct Asked {
  bool is_read = true;
  bool is_count = false;  ///< of replicas (CountReplicas), which is a read, too
  /// Absent: the policy's level, whatever it was.
  std::optional<Consistency> consistency = std::nullopt;
  std::optional<SessionToken> session = std::nullopt;  ///< that was sent along
  std::size_t members = 3;                             ///< of the cluster
  /// Whether its nodes may answer linearizable reads under a lease (GET /v1/status): a promise that
  /// rests on clocks, which is to be accepted knowingly.
  bool lease_reads = false;
};

/// Errors: corrupt, naming the first thing that does not follow.
Result<void> verify(const Asked& asked, const Answer& answer);

}  // namespace parallax
