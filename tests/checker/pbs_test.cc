#include "consistency/checker/pbs.h"

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax::checker {
namespace {

PbsPrediction predict(const WarsSamples& samples, const PbsQuestion& question) {
  const auto prediction = predict_staleness(samples, question);
  REQUIRE(prediction.has_value());
  return *prediction;
}

std::string error_of(const WarsSamples& samples, const PbsQuestion& question) {
  const auto prediction = predict_staleness(samples, question);
  REQUIRE(prediction.has_error());
  CHECK(prediction.error().code == ErrorCode::bad_request);
  return prediction.error().message;
}

/// Times between 1 and `most` of what a network with a long tail shows.
WarsSamples long_tailed(std::int64_t most) {
  Random random(3);
  const auto draw = [&] {
    std::vector<std::int64_t> samples(1000);
    for (auto& sample : samples) {
      sample = random.chance(0.1) ? most : static_cast<std::int64_t>(random.between(1, 100));
    }
    return samples;
  };
  return {draw(), draw(), draw(), draw()};
}

}  // namespace

TEST_CASE("pbs: quorums that overlap never miss a write") {
  for (const auto& [r, w] : {std::pair(2u, 2u), std::pair(3u, 1u), std::pair(1u, 3u)}) {
    const auto prediction = predict(long_tailed(10'000), {.r = r, .w = w, .trials = 20'000});
    CHECK(prediction.seen_after(0) == 1.0);
    CHECK(prediction.time_until(1.0) == 0);
  }
}

TEST_CASE("pbs: one of two replicas by hand") {
  // A write takes 0 or 100 to be there and no time to be acknowledged, a read no time at all: the
  // read asks one of two at random, as the answers come at once. It misses the write if that one is
  // slow and the other was not: a chance of 1/2 * 1/2.
  const WarsSamples samples{{0, 100}, {0}, {0}, {0, 1}};
  const auto prediction = predict(samples, {.n = 2, .trials = 200'000, .seed = 7});
  CHECK(prediction.seen_after(0) == Approx(0.75).margin(0.005));
  CHECK(prediction.seen_after(99) == Approx(0.75).margin(0.005));
  CHECK(prediction.seen_after(100) == 1.0);
  CHECK(prediction.time_until(0.7) == 0);
  CHECK(prediction.time_until(0.99) == 100);
  CHECK(prediction.time_until(1.0) == 100);
}

TEST_CASE("pbs: a slow way to read makes up for a slow way to write") {
  const auto seen = [](std::int64_t read) {
    return predict({{0, 100}, {0}, {read}, {0, 1}}, {.n = 2, .trials = 20'000}).seen_after(0);
  };
  CHECK(seen(99) < 0.8);
  CHECK(seen(100) == 1.0);
}

TEST_CASE("pbs: a replica that coordinates both sees its own write at once") {
  const WarsSamples samples = {{100}, {1}, {5}, {5}};
  for (const std::uint32_t r : {1u, 2u, 3u}) {
    const auto own = predict(samples, {.r = r, .coordinator = Coordinator::same, .trials = 1'000});
    CHECK(own.seen_after(0) == 1.0);
  }
}

TEST_CASE("pbs: a read at another replica sees a write once it has come there") {
  // The write is there after 100; it was acknowledged at 0, for which w is 1, or at 120. The
  // client's two ways take 20 together.
  const WarsSamples samples = {{100}, {20}, {30}, {0}, {10}};
  const auto until = [&](std::uint32_t r, std::uint32_t w) {
    return predict(samples, {.n = 5, .r = r, .w = w, .coordinator = Coordinator::another})
        .time_until(1.0);
  };
  CHECK(until(1, 1) == 80);
  CHECK(until(1, 2) == 0);
  // The others are asked 30 later than the one that coordinates.
  CHECK(until(2, 1) == 50);
  // One of four is in front of the writer in the ring, and asks it: that sees the write.
  const auto prediction =
      predict(samples, {.n = 5, .r = 2, .coordinator = Coordinator::another, .trials = 200'000});
  CHECK(prediction.seen_after(0) == Approx(0.25).margin(0.005));
  CHECK(prediction.seen_after(49) == Approx(0.25).margin(0.005));
}

TEST_CASE("pbs: quorums that overlap never miss a write whoever coordinates") {
  for (const auto& [r, w] : {std::pair(2u, 2u), std::pair(3u, 1u), std::pair(1u, 3u)}) {
    const auto prediction =
        predict(long_tailed(10'000),
                {.r = r, .w = w, .coordinator = Coordinator::another, .trials = 20'000});
    CHECK(prediction.seen_after(0) == 1.0);
  }
}

TEST_CASE("pbs: more time and more replicas asked never hurt") {
  const WarsSamples samples = long_tailed(2'000);
  double before = 0;
  for (std::uint32_t r = 1; r <= 3; ++r) {
    const auto prediction = predict(samples, {.r = r, .w = 1});
    double sooner = 0;
    for (const std::int64_t t : {0, 10, 50, 100, 500, 1000, 2000}) {
      const double seen = prediction.seen_after(t);
      CHECK(seen >= sooner);
      sooner = seen;
      if (seen > 0) CHECK(prediction.time_until(seen) <= t);
    }
    CHECK(prediction.seen_after(0) > before);
    before = prediction.seen_after(0);
  }
  CHECK(before == 1.0);
}

TEST_CASE("pbs: the same seed has the same answer and another one nearly") {
  const WarsSamples samples = long_tailed(2'000);
  const auto seen = [&](std::uint64_t seed) {
    return predict(samples, {.seed = seed}).seen_after(20);
  };
  CHECK(seen(1) == seen(1));
  CHECK(seen(1) != seen(2));
  CHECK(seen(1) == Approx(seen(2)).margin(0.01));
}

TEST_CASE("pbs: what cannot be predicted is said") {
  const WarsSamples samples{{1}, {1}, {1}, {1}};
  CHECK_THAT(error_of({{1}, {}, {1}, {1}}, {}), Catch::Contains("no samples of ack"));
  CHECK_THAT(error_of({{1}, {1}, {1, -5}, {1}}, {}), Catch::Contains("read is -5 ns"));
  CHECK_THAT(error_of({{1}, {1}, {1}, {std::int64_t{1} << 61}}, {}), Catch::Contains("response"));
  CHECK_THAT(error_of(samples, {.n = 0}), Catch::Contains("n is 0"));
  CHECK_THAT(error_of(samples, {.n = 65}), Catch::Contains("n is 65"));
  CHECK_THAT(error_of(samples, {.r = 4}), Catch::Contains("r is 4"));
  CHECK_THAT(error_of(samples, {.w = 0}), Catch::Contains("w is 0"));
  CHECK_THAT(error_of(samples, {.trials = 0}), Catch::Contains("trials is 0"));
  CHECK_THAT(error_of({{1}, {1}, {1}, {1}, {-1}}, {}), Catch::Contains("client is -1 ns"));
  CHECK_THAT(error_of(samples, {.n = 1, .coordinator = Coordinator::another}),
             Catch::Contains("no other replica"));
}

}  // namespace parallax::checker
