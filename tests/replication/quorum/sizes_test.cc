#include "replication/quorum/sizes.h"

#include <bit>

#include <catch2/catch.hpp>

namespace parallax::test {
namespace {

/// Whether every set of `a` of n replicas shares one with every set of `b`, by trying all of them.
bool always_meet(std::size_t n, std::size_t a, std::size_t b) {
  for (unsigned first = 0; first < 1u << n; ++first) {
    if (static_cast<std::size_t>(std::popcount(first)) != a) continue;
    for (unsigned second = 0; second < 1u << n; ++second) {
      if (static_cast<std::size_t>(std::popcount(second)) != b) continue;
      if ((first & second) == 0) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("quorum sizes: strict is when every read meets every write, up to 7 replicas") {
  for (std::size_t n = 1; n <= 7; ++n) {
    for (std::size_t r = 1; r <= n; ++r) {
      for (std::size_t w = 1; w <= n; ++w) {
        INFO("n=" << n << " r=" << r << " w=" << w);
        const QuorumSizes sizes{.n = n, .r = r, .w = w};
        CHECK(sizes.check().has_value());
        CHECK(sizes.strict() == always_meet(n, r, w));
        CHECK(sizes.majority_reads() == always_meet(n, r, r));
        CHECK(sizes.waits_for_pending_tail() == (always_meet(n, r, w) && always_meet(n, r, r)));
      }
    }
  }
}

TEST_CASE("quorum sizes: a majority is the smallest number that always meets itself") {
  for (std::size_t n = 1; n <= 7; ++n) {
    INFO("n=" << n);
    const std::size_t majority = majority_of(n);
    CHECK(majority <= n);
    CHECK(always_meet(n, majority, majority));
    CHECK((majority == 1 || !always_meet(n, majority - 1, majority - 1)));
  }
}

TEST_CASE("quorum sizes: what no quorum has is refused by name") {
  struct Case {
    QuorumSizes sizes;
    const char* message;
  };
  for (const Case& c :
       {Case{{.n = 3, .r = 0, .w = 2}, "r=0: 1 to 3 expected, the number of replicas"},
        Case{{.n = 3, .r = 4, .w = 2}, "r=4: 1 to 3 expected, the number of replicas"},
        Case{{.n = 3, .r = 1, .w = 0}, "w=0: 1 to 3 expected, the number of replicas"},
        Case{{.n = 5, .r = 5, .w = 6}, "w=6: 1 to 5 expected, the number of replicas"}}) {
    const auto checked = c.sizes.check();
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().code == ErrorCode::bad_parameter);
    CHECK(checked.error().definite());
    CHECK(checked.error().message == c.message);
  }
}

}  // namespace parallax::test
