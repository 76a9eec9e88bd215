// What the client does after an attempt failed: ask again, and when, or give the error up.
//
// The rule: an operation is attempted again only if the failed attempt can have had no effect, or
// if a second one cannot add to it. The first is so for every read, and for a write whose error is
// definite (the node refused the connection, the request never left whole, or the answer says
// not_applied and retryable); the second for a write with an idempotency key. Any other write that
// may have been applied is never sent twice: its error goes to the caller as indefinite. And when a
// write that was sent again fails in the end, its error is as uncertain as its least certain
// attempt.
//
// The wait before attempt n is drawn uniformly from [0, min(cap, base * 2^(n-1))], exponential
// backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015),
// and is at least what the node asked for with Retry-After.
//
// Pure: time, seed and failures come in as values. Deadlines and sockets are client/io's.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/random.h"

namespace parallax {

struct RetryPolicy {
  /// Attempts of one operation, the first included. The deadline is the bound that should matter.
  int max_attempts = 64;
  std::chrono::milliseconds base{20};
  std::chrono::milliseconds cap{1'000};
  /// An attempt that would have less time than this before the deadline is not begun: cut short, it
  /// would only turn a definite error into an unknown outcome.
  std::chrono::milliseconds least_attempt{50};
};

/// How far one attempt came. In the order of time: a request counts as sent once its last byte was
/// handed to the kernel. Before that no node can have acted on it, because nodes act on whole
/// requests only.
enum class AttemptStage {
  connecting,  ///< waiting for a connection, or opening one
  sending,     ///< part of the request was handed over, not all
  awaiting,    ///< the whole request was handed over; the answer did not arrive whole
  answered,    ///< a whole answer arrived and says no
};

/// One attempt that failed.
struct AttemptFailure {
  AttemptStage stage = AttemptStage::connecting;
  /// `certainty` is that of the attempt alone, as the stage or the answer has it.
  Error error;
  /// The node, or the nature of the failure, says that asking again can help.
  bool retryable = false;
  std::optional<std::chrono::milliseconds> retry_after;  ///< what the node asked to wait
};

/// The failure of an attempt whose connection failed, or whose time ran out, at `stage` (not
/// `answered`). For a write the certainty follows from the stage; a read has no effect to be unsure
/// of.
AttemptFailure connection_failure(AttemptStage stage, bool is_read, ErrorCode code,
                                  std::string message);

/// What an operation has behind it when an attempt has failed.
struct AttemptHistory {
  int attempts = 1;      ///< made so far, the failed one included
  Duration remaining{};  ///< until the operation's deadline
  int redirects = 0;     ///< how many of them were answered not_leader
};

struct RetryDecision {
  bool retry = false;
  Duration wait{};  ///< before the next attempt
  friend bool operator==(const RetryDecision&, const RetryDecision&) = default;
};

/// Decides. `repeatable`: a read, or a write with an idempotency key. A decision to stop means:
/// hand `failure.error` to the caller. The first redirect to a leader is followed at once; later
/// ones wait, so that two nodes that point at each other are not asked in a tight loop.
RetryDecision decide_retry(const RetryPolicy& policy, bool repeatable,
                           const AttemptFailure& failure, const AttemptHistory& history,
                           Random& random);

/// The upper end of the draw before attempt `attempts + 1`.
Duration backoff_ceiling(const RetryPolicy& policy, int attempts);

}  // namespace parallax
