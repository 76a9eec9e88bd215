// The four session guarantees (Terry et al., "Session Guarantees for Weakly Consistent Replicated
// Data", 1994), each alone, from what clients saw.
//
//   read your writes     a read shows the session's own last write of the key, or something newer
//   monotonic reads      a read shows what the session last read of the key, or something newer
//   monotonic writes     who has seen a write sees its session's earlier writes
//   writes follow reads  who has seen a write sees what its session had read before it
//
// Newer needs an order of each key's versions, which clients do not see. Any order will do that
// agrees with the writers: a write is newer than each version of the key that its session wrote or
// read before it. A guarantee holds if one such order satisfies it; then its demands on the order
// have no cycle. Read your writes and monotonic reads are judged so, key by key.
//
// The two others are about what other sessions see, and across keys: monotonic writes says of a
// session that read a later write, of another key, by another session s, that its next read of a
// key shows s's last earlier write of that, or something newer. Writes follow reads says the same
// of what s had last read of the key before its write. (Within one key both are the writers' order
// itself. A cycle in that is a violation of writes follow reads, because one session's writes have
// none.) Clients tell such a violation only by reading twice, so the reader is taken to read
// monotonically across keys: do not ask for these two where nobody promises that. Where a key's
// reads are monotonic in the above sense, they say what is newer, too.
//
// All four hold for a causally convergent history (Brzeziński, Sobaniec and Wawrzyniak, "From
// Session Causality to Causal Consistency", 2004: together the four are causal consistency); each
// alone takes one step of a causal chain, so all can hold where causality does not.
//
// A key's first state is older than all else. A value that nobody wrote violates all four. What
// sessions, unknown outcomes and values with several writers come to is in events.h. Linear, but
// for the two about other sessions: reads times sessions.
//
// What it does not do: transactions; reading stamps (stamped_guarantees.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"
#include "consistency/checker/witness.h"

namespace parallax::checker {

enum class Guarantee : std::uint8_t {
  read_your_writes,
  monotonic_reads,
  monotonic_writes,
  writes_follow_reads,
};
inline constexpr std::array kGuarantees{Guarantee::read_your_writes, Guarantee::monotonic_reads,
                                        Guarantee::monotonic_writes,
                                        Guarantee::writes_follow_reads};
/// In words: "read your writes".
std::string_view to_string(Guarantee guarantee);

struct GuaranteeOptions {
  /// What every key holds at the beginning; nothing by default.
  std::optional<std::string> initial;
};

struct GuaranteeResult {
  Verdict verdict = Verdict::undecided;
  std::string reason;              ///< of undecided
  std::optional<Witness> witness;  ///< of no
};

/// In the order of kGuarantees.
using GuaranteeResults = std::array<GuaranteeResult, kGuarantees.size()>;
GuaranteeResults check_session_guarantees(const History& history,
                                          const GuaranteeOptions& options = {});

}  // namespace parallax::checker
