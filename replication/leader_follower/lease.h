// The lease of a leader: for how long after a read round a majority elects nobody else, so that the
// leader's own state is the newest without asking again.
//
// Source: Ongaro 2014, section 6.4.1; leases after Gray and Cheriton, "Leases: An Efficient
// Fault-Tolerant Mechanism for Distributed File Cache Consistency" (SOSP 1989).
//
// Why it holds. A follower with leases on does not campaign, and puts off whoever asks for its vote
// in whatever term, for its shortest election timeout after it heard the leader, by its own
// monotonic clock; after a start it does so as if it had just heard one, for it may have promised
// in its life before. It heard the leader after the leader sent. So from the moment at which the
// leader sent a round that a majority has answered, nobody else is elected for that timeout.
// A monotonic clock runs at a rate within 1 - d and 1 + d of the true one, d being the bound. The
// follower's timeout takes at least timeout / (1 + d) of true time; what the leader measures as t
// took at most t / (1 - d). The lease is over at t = timeout * (1 - d) / (1 + d).
//
// It ends for good in a term in which the leader has told another member to campaign: that one's
// request for votes overrides what the others have promised, and may come late.
//
// The promise is the follower's and is given in its answer (HeartbeatReply::hold): a member whose
// leases are off gives none, and its word makes no lease. It cannot take back what it has promised:
// a process that is started with leases off, or with a shorter timeout, must come up more than the
// promised timeout after the one that promised has ended.
//
// Nothing here looks at physical clocks. A clock outside its bound breaks linearizability: that is
// what is bought.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace parallax {

inline constexpr std::uint32_t kPpm = 1'000'000;

/// How long a lease lasts by the leader's clock, when followers hold still for `hold` by theirs and
/// clocks are within `drift_ppm` (below kPpm) of the true rate. Rounded down.
constexpr Duration lease_span(Duration hold, std::uint32_t drift_ppm) {
  return Duration{hold.count() / (kPpm + drift_ppm) * (kPpm - drift_ppm)};
}

}  // namespace parallax
