// Which of several writes a read saw: of deletions, of values that were written again, and of the
// beginning, where a value alone does not tell.
//
// Under causal consistency (and all above it) a read cannot have seen a write that comes after it,
// or one that another write of the key comes after and before the read. Where one source is left,
// or none, that is what it saw. Where several are left any choice may be right: a history is
// consistent if one choice makes it so. Choosing well is guessing; a "yes" for a guess is a proof,
// a "no" for a guess says nothing.
#pragma once

#include <cstdint>

#include "consistency/checker/events.h"

namespace parallax::checker {

/// Resolves the reads that have at most one source that causal consistency allows, over and over.
/// With none, a read is given one that it cannot have seen: the patterns of causal.h find that.
void resolve_forced(const History& history, Events& events, std::uint64_t max_bytes);

/// Resolves all others: rather what the session knew of than what it did not, and rather late than
/// early.
void resolve_by_guess(const History& history, Events& events, std::uint64_t max_bytes);

}  // namespace parallax::checker
