#include "client/retry.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace parallax {

AttemptFailure connection_failure(AttemptStage stage, bool is_read, ErrorCode code,
                                  std::string message) {
  PARALLAX_ASSERT(stage != AttemptStage::answered, "an answer is not a connection's failure: {}",
                  message);
  const bool maybe_applied = !is_read && stage == AttemptStage::awaiting;
  return AttemptFailure{
      .stage = stage,
      .error =
          maybe_applied ? indefinite(code, std::move(message)) : definite(code, std::move(message)),
      .retryable = true,
      .retry_after = std::nullopt,
  };
}

Duration backoff_ceiling(const RetryPolicy& policy, int attempts) {
  // 2^20 times any base is above every sensible cap; more would overflow.
  const int doublings = std::clamp(attempts - 1, 0, 20);
  return std::min<Duration>(policy.cap, policy.base * (std::int64_t{1} << doublings));
}

RetryDecision decide_retry(const RetryPolicy& policy, bool repeatable,
                           const AttemptFailure& failure, const AttemptHistory& history,
                           Random& random) {
  constexpr RetryDecision kStop{};
  if (!failure.retryable || history.attempts >= policy.max_attempts) return kStop;
  if (!repeatable && !failure.error.definite()) return kStop;

  const bool first_redirect =
      failure.error.code == ErrorCode::not_leader && history.redirects <= 1 && !failure.retry_after;
  Duration wait{};
  if (!first_redirect) {
    const auto ceiling = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, backoff_ceiling(policy, history.attempts).count()));
    wait = Duration{static_cast<std::int64_t>(random.below(ceiling + 1))};
  }
  if (failure.retry_after) wait = std::max<Duration>(wait, *failure.retry_after);
  // Nor is a wait begun that outlasts the deadline: it would only delay the same error.
  if (wait + policy.least_attempt >= history.remaining) return kStop;
  return RetryDecision{.retry = true, .wait = wait};
}

}  // namespace parallax
