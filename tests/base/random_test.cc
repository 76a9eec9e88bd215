#include "base/random.h"

#include <array>
#include <stdexcept>
#include <vector>

#include <catch2/catch.hpp>

namespace parallax {
namespace {

TEST_CASE("random: the reference values of the generator (Blackman and Vigna 2018)") {
  struct Case {
    std::uint64_t seed;
    std::array<std::uint64_t, 4> draws;
  };
  const auto c = GENERATE(values<Case>({
      {0, {0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0, 0x6aa594f1262d2d2c}},
      {1, {0xb3f2af6d0fc710c5, 0x853b559647364cea, 0x92f89756082a4514, 0x642e1c7bc266a3a7}},
      {42, {0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1, 0xecb8ad4703b360a1}},
  }));
  CAPTURE(c.seed);
  Random random(c.seed);
  for (const std::uint64_t expected : c.draws) CHECK(random.next() == expected);
}

TEST_CASE("random: the same seed gives the same bounded draws everywhere") {
  const auto draw = [](std::uint64_t seed, std::size_t count, auto verb) {
    Random random(seed);
    std::vector<std::uint64_t> drawn;
    for (std::size_t i = 0; i < count; ++i) drawn.push_back(verb(random));
    return drawn;
  };
  using Drawn = std::vector<std::uint64_t>;
  CHECK(draw(42, 12, [](Random& r) { return r.below(10); }) ==
        Drawn{0, 3, 6, 9, 9, 7, 7, 8, 7, 5, 6, 2});
  CHECK(draw(7, 12, [](Random& r) { return r.between(3, 7); }) ==
        Drawn{6, 4, 7, 7, 7, 7, 3, 3, 5, 3, 5, 6});
  CHECK(draw(9, 16, [](Random& r) { return std::uint64_t{r.chance(0.3)}; }) ==
        Drawn{1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0});
}

TEST_CASE("random: a copy goes the same way and leaves the original alone") {
  Random random(5);
  random.next();
  Random fork = random;
  const std::uint64_t first = fork.next();
  fork.next();
  CHECK(random.next() == first);
}

TEST_CASE("random: draws reach every value of their range and none outside") {
  Random random(11);
  std::array<int, 7> hits{};
  for (int i = 0; i < 70'000; ++i) {
    const std::uint64_t drawn = random.between(10, 16);
    REQUIRE((drawn >= 10 && drawn <= 16));
    ++hits[drawn - 10];
  }
  // 10,000 expected each, standard deviation 93.
  for (const int count : hits) CHECK((count > 9'500 && count < 10'500));
  CHECK(random.below(1) == 0);
  CHECK(random.between(4, 4) == 4);
}

TEST_CASE("random: chance at its ends and in the middle") {
  Random random(12);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE_FALSE(random.chance(0));
    REQUIRE(random.chance(1));
    hits += random.chance(0.25);
  }
  CHECK((hits > 2'300 && hits < 2'700));
}

TEST_CASE("random: an empty range is a broken invariant") {
  set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  Random random(1);
  CHECK_THROWS_WITH(random.below(0), Catch::EndsWith("bound 0"));
  CHECK_THROWS_WITH(random.between(5, 4), Catch::EndsWith("low 5 high 4"));
  set_assertion_handler(nullptr);
}

}  // namespace
}  // namespace parallax
