#include "client/retry.h"

#include <catch2/catch.hpp>

namespace parallax {
namespace {

using namespace std::chrono_literals;  // NOLINT

AttemptFailure answered(ErrorCode code, Certainty certainty, bool retryable) {
  return AttemptFailure{.stage = AttemptStage::answered,
                        .error = {code, certainty, "no", kNoNode},
                        .retryable = retryable,
                        .retry_after = std::nullopt};
}

TEST_CASE("retry: a connection's failure is as certain as its stage") {
  for (const auto stage :
       {AttemptStage::connecting, AttemptStage::sending, AttemptStage::awaiting}) {
    const auto read = connection_failure(stage, true, ErrorCode::io, "broken");
    const auto write = connection_failure(stage, false, ErrorCode::io, "broken");
    CHECK(read.error.definite());
    CHECK(write.error.definite() == (stage != AttemptStage::awaiting));
    CHECK(read.retryable);
  }
}

TEST_CASE("retry: the table") {
  struct Row {
    const char* name;
    AttemptFailure failure;
    bool read;
    bool write;
  };
  const auto sure = Certainty::definite;
  const auto unsure = Certainty::indefinite;
  const std::vector<Row> rows{
      {"definite and retryable", answered(ErrorCode::no_leader, sure, true), true, true},
      {"definite, not retryable", answered(ErrorCode::bad_parameter, sure, false), false, false},
      {"indefinite", answered(ErrorCode::timeout, unsure, true), true, false},
      {"indefinite, not retryable", answered(ErrorCode::internal, unsure, false), false, false},
      {"never sent", connection_failure(AttemptStage::connecting, false, ErrorCode::io, ""), true,
       true},
      {"sent in part", connection_failure(AttemptStage::sending, false, ErrorCode::io, ""), true,
       true},
      {"sent whole", connection_failure(AttemptStage::awaiting, false, ErrorCode::io, ""), true,
       false},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      Random random(1);
      const AttemptHistory history{.attempts = 1, .remaining = 10s};
      CHECK(decide_retry({}, true, row.failure, history, random).retry == row.read);
      CHECK(decide_retry({}, false, row.failure, history, random).retry == row.write);
    }
  }
}

TEST_CASE("retry: waits double up to the cap and are spread over all of it") {
  const RetryPolicy policy{.max_attempts = 1000, .base = 10ms, .cap = 80ms};
  CHECK(backoff_ceiling(policy, 1) == 10ms);
  CHECK(backoff_ceiling(policy, 2) == 20ms);
  CHECK(backoff_ceiling(policy, 4) == 80ms);
  CHECK(backoff_ceiling(policy, 5) == 80ms);
  CHECK(backoff_ceiling(policy, 900) == 80ms);

  Random random(3);
  const auto failure = answered(ErrorCode::overloaded, Certainty::definite, true);
  for (const int attempts : {1, 2, 3, 6}) {
    const double ceiling = std::chrono::duration<double>(backoff_ceiling(policy, attempts)).count();
    double sum = 0;
    double least = 1;
    double most = 0;
    constexpr int kDraws = 2000;
    for (int i = 0; i < kDraws; ++i) {
      const auto decision =
          decide_retry(policy, true, failure, {.attempts = attempts, .remaining = 10s}, random);
      REQUIRE(decision.retry);
      const double share = std::chrono::duration<double>(decision.wait).count() / ceiling;
      sum += share;
      least = std::min(least, share);
      most = std::max(most, share);
    }
    CHECK(sum / kDraws == Approx(0.5).margin(0.03));
    CHECK(least < 0.01);
    CHECK(most > 0.99);
    CHECK(most <= 1.0);
  }
}

TEST_CASE("retry: it ends with the attempts and with the time") {
  Random random(5);
  const RetryPolicy policy{.max_attempts = 3, .base = 0ms, .cap = 0ms};
  const auto failure = answered(ErrorCode::no_leader, Certainty::definite, true);
  CHECK(decide_retry(policy, true, failure, {.attempts = 2, .remaining = 1s}, random).retry);
  CHECK_FALSE(decide_retry(policy, true, failure, {.attempts = 3, .remaining = 1s}, random).retry);
  CHECK_FALSE(decide_retry(policy, true, failure, {.attempts = 1, .remaining = 0s}, random).retry);
  CHECK_FALSE(decide_retry(policy, true, failure, {.attempts = 1, .remaining = -1s}, random).retry);
}

TEST_CASE("retry: an attempt that would be cut short is not begun") {
  Random random(5);
  const RetryPolicy policy{.base = 0ms, .cap = 0ms, .least_attempt = 50ms};
  const auto failure = answered(ErrorCode::no_leader, Certainty::definite, true);
  CHECK(decide_retry(policy, false, failure, {.attempts = 1, .remaining = 51ms}, random).retry);
  CHECK_FALSE(
      decide_retry(policy, false, failure, {.attempts = 1, .remaining = 50ms}, random).retry);
}

TEST_CASE("retry: the node's own wish is the least wait") {
  Random random(5);
  auto failure = answered(ErrorCode::overloaded, Certainty::definite, true);
  failure.retry_after = 1s;
  const auto decision = decide_retry({}, true, failure, {.attempts = 1, .remaining = 3s}, random);
  CHECK(decision == RetryDecision{.retry = true, .wait = 1s});
  // A wait that leaves too little for an attempt is not begun.
  CHECK_FALSE(decide_retry({}, true, failure, {.attempts = 1, .remaining = 1s}, random).retry);
}

TEST_CASE("retry: the first redirect is followed at once and later ones wait") {
  Random random(9);
  const RetryPolicy policy{.base = 100ms, .cap = 100ms};
  const auto failure = answered(ErrorCode::not_leader, Certainty::definite, true);
  for (int i = 0; i < 20; ++i) {
    CHECK(decide_retry(policy, false, failure, {.attempts = 1, .remaining = 1s, .redirects = 1},
                       random) == RetryDecision{.retry = true, .wait = {}});
  }
  Duration most{};
  for (int i = 0; i < 20; ++i) {
    const auto later = decide_retry(policy, false, failure,
                                    {.attempts = 2, .remaining = 1s, .redirects = 2}, random);
    CHECK(later.retry);
    most = std::max(most, later.wait);
  }
  CHECK(most > 10ms);
}

}  // namespace
}  // namespace parallax
