// The session token: what a client has seen and written, in a form that any node of the cluster
// takes. Opaque to clients, versioned, checksummed.
//
// A token says how far a replica must be before it may answer: the log index for the levels of the
// leader path, a read and a write vector for the causal ones (Terry et al., "Session Guarantees for
// Weakly Consistent Replicated Data", 1994: the read set and the write set, as vectors). Tokens
// join componentwise, so two clients' sessions can be put together.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "clock/origin_vector.h"
#include "clock/stamp.h"

namespace parallax {

/// A value.
struct SessionToken {
  ClusterId cluster;
  Hlc clock;           ///< at least every stamp that the session has seen
  LogIndex index;      ///< the log up to here
  OriginVector read;   ///< causal operations that the session's reads have seen
  OriginVector write;  ///< causal operations that the session has written

  /// Afterwards this is at least as far as either. `other` must be of the same cluster, or one of
  /// the two of none yet.
  void join(const SessionToken& other);
  /// Whether it names a later incarnation of the same node, so that `origin` is seen to be over.
  /// Only such origins may leave a session, once every node has what survives of them: whoever
  /// follows the session can tell that from a node that has forgotten something.
  bool names_later(const Origin& origin) const;

  /// As in Parallax-Session: base64url without padding.
  std::string encode() const;
  /// Appends what encode() gives: the fast path's form.
  void append_to(std::string& out) const;
  /// Errors: bad_session, saying whether it is truncated, altered, or of a newer format.
  /// Thread-safe.
  static Result<SessionToken> decode(std::string_view text);
  /// Whether it belongs to `cluster` and names only `members` (sorted). Errors: bad_session.
  Result<void> check(ClusterId cluster, const std::vector<NodeId>& members) const;

  friend bool operator==(const SessionToken&, const SessionToken&) = default;
};

/// A longer one is refused before it is looked at: room for 3 vectors' worth of members and their
/// ended incarnations.
inline constexpr std::size_t kMaxSessionTokenBytes = 4'096;

}  // namespace parallax
