#include "replication/quorum/token_bucket.h"

#include <vector>

#include <catch2/catch.hpp>

#include "tests/clock/cases.h"

namespace parallax::test {

using namespace std::chrono_literals;

TEST_CASE("token bucket: a burst, then the rate") {
  TokenBucket bucket({.per_second = 10, .burst = 3}, MonoTime{});
  for (int i = 0; i < 3; ++i) {
    CHECK(bucket.ready(MonoTime{}));
    bucket.spend(1);
  }
  CHECK_FALSE(bucket.ready(MonoTime{}));
  CHECK(bucket.next(MonoTime{}) == MonoTime{100ms});
  CHECK_FALSE(bucket.ready(MonoTime{99ms}));
  CHECK(bucket.ready(MonoTime{100ms}));
  // No more than the burst gathers, however long nothing happens.
  CHECK(bucket.ready(MonoTime{std::chrono::hours(100'000)}));
  bucket.spend(3);
  CHECK_FALSE(bucket.ready(MonoTime{std::chrono::hours(100'000)}));
}

TEST_CASE("token bucket: what was overspent is paid first") {
  TokenBucket bucket({.per_second = 1'000, .burst = 10}, MonoTime{});
  bucket.spend(510);
  CHECK(bucket.next(MonoTime{}) == MonoTime{501ms});
  CHECK_FALSE(bucket.ready(MonoTime{500ms}));
  CHECK(bucket.ready(MonoTime{501ms}));
}

TEST_CASE("token bucket: never more than burst and rate allow in any stretch of time", "[random]") {
  for_each_seed(3'000, [](Random& random) {
    const TokenBucket::Rate rate{
        .per_second = 1 + random.below(random.chance(0.5) ? 100 : 1u << 30),
        .burst = 1 + random.below(random.chance(0.5) ? 10 : 1u << 30)};
    MonoTime now{Duration{static_cast<std::int64_t>(random.below(1'000'000))}};
    TokenBucket bucket(rate, now);
    std::vector<MonoTime> spent;
    const std::uint64_t step = 1 + random.below(2'000'000'000 / rate.per_second + 2);
    for (int i = 0; i < 60; ++i) {
      now += Duration{static_cast<std::int64_t>(random.below(2 * step))};
      const bool early = bucket.next(now) > now;
      HOLDS(bucket.ready(now) == !early);
      if (early) {
        TokenBucket later = bucket;
        HOLDS(later.ready(bucket.next(now)));
        TokenBucket sooner = bucket;
        HOLDS(!sooner.ready(bucket.next(now) - Duration{1}));
        continue;
      }
      bucket.spend(1);
      spent.push_back(now);
    }
    for (std::size_t from = 0; from < spent.size(); ++from) {
      for (std::size_t to = from; to < spent.size(); ++to) {
        const auto ns = static_cast<unsigned __int128>((spent[to] - spent[from]).count());
        HOLDS((to - from + 1 - std::min<std::uint64_t>(to - from + 1, rate.burst)) *
                  static_cast<unsigned __int128>(1'000'000'000) <=
              ns * rate.per_second);
      }
    }
  });
}

}  // namespace parallax::test
