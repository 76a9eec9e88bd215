// Answers that are about several keys, or none.
#include <catch2/catch.hpp>

#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {

TEST_CASE("replica: several keys whose values are too much together are refused, not gathered") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const std::string value(1 << 20, 'v');
  std::vector<std::string> keys;
  for (char c = 'a'; c < 'f'; ++c) {
    keys.emplace_back(1, c);
    REQUIRE(world.put(leader, keys.back(), value));
  }
  const auto read = [&](std::vector<std::string> asked) {
    Request request;
    request.operation = GetMany{std::move(asked)};
    const Reply reply = world.call(leader, request);
    REQUIRE(reply);
    return *reply;
  };
  const Answer fits = read({"a", "none", "b", "c", "d"});
  CHECK_FALSE(fits.refusal);
  CHECK(fits.items.size() == 4);
  CHECK(fits.missing == std::vector<std::string>{"none"});
  const Answer refused = read(keys);
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->code == ErrorCode::payload_too_large);
  CHECK(refused.items.empty());
}

TEST_CASE("replica: a policy is shown by every node, also one that has to ask") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  Request set;
  set.operation = SetPolicy{"cached/", Policy{.default_consistency = Consistency{Level::prefix}}};
  REQUIRE(world.call(leader, set));
  for (const NodeId at : world.ids()) {
    Request get;
    get.operation = GetPolicy{"cached/"};
    const Reply reply = world.call(at, get);
    REQUIRE(reply);
    REQUIRE(reply->policies.size() == 1);
    CHECK(reply->policies[0].second.default_consistency->level == Level::prefix);
    get.operation = GetPolicy{"cached"};
    const Reply none = world.call(at, get);
    REQUIRE(none);
    CHECK(none->policies.empty());
    Request list;
    list.operation = ListPolicies{};
    const Reply all = world.call(at, list);
    REQUIRE(all);
    CHECK(all->policies.size() == 1);
  }
}

}  // namespace parallax::testing
