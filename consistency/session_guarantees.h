// Session guarantees: what a read must wait for, and what a write must wait for and depend on, from
// what the session has read and written so far.
//
// Source: Terry et al., "Session Guarantees for Weakly Consistent Replicated Data" (PDIS 1994),
// sections 3 and 4. Its table of when a session's vectors are looked at:
//
//   guarantee             reads look at    writes look at
//   read your writes      what it wrote
//   monotonic reads       what it read
//   monotonic writes                       what it wrote
//   writes follow reads                    what it read
//
// All four together are causal consistency (Brzezinski et al., "From Session Causality to Causal
// Consistency", PDP 2004), as long as whoever applies a write has applied what it depends on; the
// causal protocol (replication/causal/causal.h) sees to that.
//
// Vectors are updated by every operation, whatever its guarantees (unlike in the paper's table): a
// session may ask for more later, and gets it for what it has done before.
//
// Pure functions; what waits, and how long, is the replica's business. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "clock/origin_vector.h"
#include "consistency/session_token.h"

namespace parallax {

/// A set. Empty: the session promises nothing.
struct SessionGuarantees {
  bool read_your_writes = false;
  bool monotonic_reads = false;
  bool monotonic_writes = false;
  bool writes_follow_reads = false;

  /// "ryw,mr,mw,wfr", in this order; what is not in the set is left out.
  std::string to_string() const;
  friend bool operator==(const SessionGuarantees&, const SessionGuarantees&) = default;
};

/// Those of the level `causal`.
inline constexpr SessionGuarantees kAllGuarantees{true, true, true, true};

/// Names as above, between commas, in any order. Errors: bad_parameter, naming what is no guarantee
/// or comes twice, and the valid choices.
Result<SessionGuarantees> parse_guarantees(std::string_view text);

/// Everything up to here must be applied where the session's next read is served.
OriginVector read_waits_for(const SessionGuarantees& guarantees, const SessionToken& session);

/// Everything up to here must be applied where the session's next write is accepted, and, as its
/// dependencies, wherever it is applied.
OriginVector write_waits_for(const SessionGuarantees& guarantees, const SessionToken& session);

/// A read was served from what had `applied`. Clock and index are the caller's to join.
void note_read(SessionToken& session, const OriginVector& applied);

/// A write was accepted, as operation `number` of `origin`.
void note_write(SessionToken& session, const Origin& origin, std::uint64_t number);

}  // namespace parallax
