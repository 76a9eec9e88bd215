#include "replication/quorum/latency_estimate.h"

#include <algorithm>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/clock/cases.h"

namespace parallax::test {

using namespace std::chrono_literals;

TEST_CASE("latency estimate: nothing before there is enough to say") {
  LatencyEstimate estimate;
  for (std::uint32_t i = 1; i < LatencyEstimate::kFewest; ++i) {
    estimate.add(5ms);
    CHECK_FALSE(estimate.percentile(95));
  }
  estimate.add(5ms);
  REQUIRE(estimate.percentile(95));
  CHECK(*estimate.percentile(95) >= 5ms);
  CHECK(*estimate.percentile(95) <= Duration{5ms} + Duration{5ms} / 8);
}

TEST_CASE("latency estimate: within an eighth above the exact percentile", "[random]") {
  for_each_seed(2'000, [](Random& random) {
    LatencyEstimate estimate;
    std::vector<std::int64_t> exact;
    const std::uint64_t count =
        random.between(LatencyEstimate::kFewest, LatencyEstimate::kWindow - 1);
    const std::uint64_t scale = std::uint64_t{2'000} << random.below(22);
    for (std::uint64_t i = 0; i < count; ++i) {
      // Mostly quick, now and then ten times as long.
      std::uint64_t ns = 2'000 + random.below(scale);
      if (random.chance(0.1)) ns += 10 * random.below(scale);
      ns = std::min<std::uint64_t>(ns, 60'000'000'000);
      exact.push_back(static_cast<std::int64_t>(ns));
      estimate.add(Duration{exact.back()});
    }
    std::sort(exact.begin(), exact.end());
    for (const unsigned percent : {1u, 50u, 95u, 99u, 100u}) {
      const std::int64_t wanted = exact[(exact.size() * percent + 99) / 100 - 1];
      const std::int64_t said = estimate.percentile(percent)->count();
      HOLDS(said > wanted);
      HOLDS(said <= wanted + wanted / 8 + 1);
    }
  });
}

TEST_CASE("latency estimate: old times fade") {
  LatencyEstimate estimate;
  for (std::uint32_t i = 0; i < 10 * LatencyEstimate::kWindow; ++i) estimate.add(1ms);
  // Halved each window: what was all of it is below a twentieth after five.
  for (std::uint32_t i = 0; i < 5 * LatencyEstimate::kWindow; ++i) estimate.add(200ms);
  CHECK(*estimate.percentile(95) > 199ms);
  for (std::uint32_t i = 0; i < 8 * LatencyEstimate::kWindow; ++i) estimate.add(1ms);
  CHECK(*estimate.percentile(95) < 2ms);
}

TEST_CASE("latency estimate: no time is out of its range") {
  LatencyEstimate estimate;
  for (int i = 0; i < 30; ++i) estimate.add(Duration{-5});
  CHECK(*estimate.percentile(100) < 2us);
  for (int i = 0; i < 30; ++i) estimate.add(std::chrono::hours(10'000));
  CHECK(*estimate.percentile(100) > 60s);
  CHECK(*estimate.percentile(100) < 70s);
}

}  // namespace parallax::test
