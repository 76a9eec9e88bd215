#include "base/canary_switch.h"

#include <set>

#include <catch2/catch.hpp>

namespace parallax {
namespace {

TEST_CASE("canaries have names of their own and say what the bug is") {
  std::set<std::string_view> names;
  for (const CanaryInfo& info : kCanaries) {
    INFO(info.name);
    CHECK(names.insert(info.name).second);
    CHECK(info.canary != Canary::none);
    CHECK(info.bug.size() > 10);
  }
}

#ifdef PARALLAX_TEST_BUILD
TEST_CASE("a canary is switched on by its name and what is none is refused") {
  REQUIRE(g_active_canary == Canary::none);
  const auto none = switch_canary_on("read_without_a_round");
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == ErrorCode::refused);
  CHECK(none.error().message == "no canary is called 'read_without_a_round'");
  CHECK(g_active_canary == Canary::none);
  for (const CanaryInfo& info : kCanaries) {
    CHECK(switch_canary_on(info.name).has_value());
    CHECK(canary(info.canary));
  }
  g_active_canary = Canary::none;
}
#else
TEST_CASE("a release build refuses every canary and says why") {
  for (const CanaryInfo& info : kCanaries) {
    const auto refused = switch_canary_on(info.name);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::refused);
    CHECK(refused.error().message.find("this is a release build") != std::string::npos);
    CHECK_FALSE(canary(info.canary));
  }
}
#endif

}  // namespace
}  // namespace parallax
