#include "base/assert.h"

#include <stdexcept>

#include <catch2/catch.hpp>

namespace parallax {
namespace {

/// Turns broken invariants into exceptions as long as it lives.
class ThrowOnAssertion {
 public:
  ThrowOnAssertion() {
    set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  }
  ~ThrowOnAssertion() { set_assertion_handler(nullptr); }
};

void require_small(int index) {
  PARALLAX_ASSERT(index < 5, "index {} of {}", index, "five");
}
void never(int state) {
  PARALLAX_UNREACHABLE("state {}", state);
}

TEST_CASE("assert: names the condition and the place and the operands") {
  const ThrowOnAssertion guard;
  CHECK_NOTHROW(require_small(4));
  CHECK_THROWS_WITH(require_small(7), Catch::StartsWith("assertion failed: index < 5 (") &&
                                          Catch::Contains("assert_test.cc:") &&
                                          Catch::EndsWith("index 7 of five"));
  CHECK_THROWS_WITH(never(3), Catch::Contains("unreachable") && Catch::EndsWith("state 3"));
}

TEST_CASE("assert: a condition that holds is evaluated once and its operands never") {
  const ThrowOnAssertion guard;
  int conditions = 0;
  int operands = 0;
  PARALLAX_ASSERT(++conditions == 1, "{}", ++operands);
  CHECK(conditions == 1);
  CHECK(operands == 0);
}

}  // namespace
}  // namespace parallax
