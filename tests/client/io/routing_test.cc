#include "client/routing.h"

#include <catch2/catch.hpp>

#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace std::chrono_literals;  // NOLINT

Endpoint at(const std::string& port) {
  return Endpoint{"h", port};
}
const Endpoint a = at("1");
const Endpoint b = at("2");
const Endpoint c = at("3");
constexpr MonoTime kStart{10s};

Router router(bool follow_leader = true) {
  return Router({a, b, a, c}, {.follow_leader = follow_leader, .cooldown = 1s});
}

TEST_CASE("routing: endpoints are read and written") {
  struct Row {
    const char* text;
    const char* shown;  ///< null: refused
  };
  for (const Row& row : std::vector<Row>{{"127.0.0.1:7101", "127.0.0.1:7101"},
                                         {"node-1.example:80", "node-1.example:80"},
                                         {"[::1]:7101", "[::1]:7101"},
                                         {"http://10.0.0.1:1", "10.0.0.1:1"},
                                         {"http://10.0.0.1:1/", "10.0.0.1:1"},
                                         {"h:007", "h:7"},
                                         {"", nullptr},
                                         {"h", nullptr},
                                         {":1", nullptr},
                                         {"h:", nullptr},
                                         {"h:0", nullptr},
                                         {"h:65536", nullptr},
                                         {"h:1x", nullptr},
                                         {"h:-1", nullptr},
                                         {"::1:7101", nullptr},
                                         {"[]:1", nullptr},
                                         {"a b:1", nullptr},
                                         {"https://h:1", nullptr},
                                         {"h:1/path", nullptr},
                                         {"u@h:1", nullptr}}) {
    DYNAMIC_SECTION('\'' << row.text << '\'') {
      const auto endpoint = parse_endpoint(row.text);
      REQUIRE(endpoint.has_value() == (row.shown != nullptr));
      if (endpoint) {
        CHECK(endpoint->to_string() == row.shown);
        CHECK(parse_endpoint(endpoint->to_string()) == endpoint);
      } else {
        CHECK(endpoint.error().code == ErrorCode::bad_parameter);
        CHECK(endpoint.error().message.find(row.text) != std::string::npos);
      }
    }
  }
}

TEST_CASE("routing: listed endpoints come in order and once each") {
  const Router r = router();
  CHECK(r.endpoints() == std::vector{a, b, c});
  for (const Asks asks : {Asks::first, Asks::any, Asks::leader}) {
    CHECK(r.choose(asks, {}, kStart) == a);
    CHECK(r.choose(asks, {a}, kStart) == b);
    CHECK(r.choose(asks, {a, b}, kStart) == c);
    CHECK(r.choose(asks, {a, b, c}, kStart) == a);
    CHECK(r.choose(asks, {a, b, c, a}, kStart) == b);
  }
}

TEST_CASE("routing: a failed endpoint comes last until it has cooled down") {
  Router r = router();
  r.failed(a, kStart);
  CHECK(r.choose(Asks::first, {}, kStart) == b);
  CHECK(r.choose(Asks::first, {}, kStart + 999ms) == b);
  CHECK(r.choose(Asks::first, {}, kStart + 1s) == a);
  r.failed(b, kStart);
  r.failed(c, kStart);
  CHECK(r.choose(Asks::first, {}, kStart) == a);  // all failed: somebody has to be asked
  r.answered(b);
  CHECK(r.choose(Asks::first, {}, kStart) == b);
}

TEST_CASE("routing: members that are not listed come behind those that are") {
  Router r({b}, {.follow_leader = true, .cooldown = 1s});
  r.learn_member(NodeId{3}, c);
  r.learn_member(NodeId{2}, b);
  r.learn_member(NodeId{1}, a);
  CHECK(r.endpoints() == std::vector{b, a, c});
  CHECK(r.choose(Asks::first, {}, kStart) == b);
  CHECK(r.choose(Asks::first, {b}, kStart) == a);
  CHECK(r.choose(Asks::first, {b, a}, kStart) == c);
  r.failed(b, kStart);
  CHECK(r.choose(Asks::first, {}, kStart) == a);

  Router only({b}, {.follow_leader = false, .cooldown = 1s});
  only.learn_member(NodeId{1}, a);
  CHECK(only.endpoints() == std::vector{b});
}

TEST_CASE("routing: what any node can do is spread by the draw and stays where it went well") {
  Router r({a, b, c}, {.follow_leader = true, .cooldown = 1s, .draw = 7});
  CHECK(r.choose(Asks::any, {}, kStart) == b);
  CHECK(r.choose(Asks::first, {}, kStart) == a);
  CHECK(r.choose(Asks::any, {b}, kStart) == a);
  CHECK(r.choose(Asks::any, {b, a}, kStart) == c);
  r.failed(b, kStart);
  CHECK(r.choose(Asks::any, {}, kStart) == a);
  // Nobody else did it meanwhile: back, once it has cooled down.
  CHECK(r.choose(Asks::any, {}, kStart + 1s) == b);
  r.settle(c);
  CHECK(r.choose(Asks::any, {}, kStart + 1s) == c);
  CHECK(r.choose(Asks::first, {}, kStart + 1s) == a);
  r.learn_member(NodeId{2}, b);
  r.learn_leader(NodeId{2}, Term{5});
  CHECK(r.choose(Asks::any, {}, kStart + 1s) == c);

  Router in_order({a, b, c}, {.follow_leader = false, .cooldown = 1s, .draw = 7});
  in_order.settle(b);
  CHECK(in_order.choose(Asks::any, {}, kStart) == a);
}

TEST_CASE("routing: a second request goes to a node that works") {
  Router r = router();
  CHECK(r.choose_beside(a, kStart) == b);
  CHECK(r.choose_beside(b, kStart) == a);
  r.failed(b, kStart);
  CHECK(r.choose_beside(a, kStart) == c);
  r.failed(c, kStart);
  CHECK_FALSE(r.choose_beside(a, kStart));
  CHECK_FALSE(Router({a}, {}).choose_beside(a, kStart));
}

TEST_CASE("routing: who has reasons of his own chooses among those that work") {
  Router r = router();
  r.learn_member(NodeId{7}, b);
  using Choices = std::vector<KnownEndpoint>;
  CHECK(r.choices({}, kStart) == Choices{{a}, {b, NodeId{7}}, {c}});
  r.failed(a, kStart);
  CHECK(r.choices({}, kStart) == Choices{{b, NodeId{7}}, {c}});
  CHECK(r.choices({b}, kStart) == Choices{{c}});
  // Failing or not: what was not tried comes before what was.
  CHECK(r.choices({b, c}, kStart) == Choices{{a}});
  CHECK(r.choices({b, c, a}, kStart) == Choices{{b, NodeId{7}}});
  CHECK(r.choices({}, kStart + 1s) == Choices{{a}, {b, NodeId{7}}, {c}});
}

TEST_CASE("routing: the leader is asked where it is needed") {
  Router r = router();
  r.learn_leader(NodeId{9}, Term{1});
  CHECK(r.leader_address_missing());
  CHECK_FALSE(r.leader_endpoint());
  CHECK(r.choose(Asks::leader, {}, kStart) == a);
  const Endpoint outside = at("99");
  r.learn_member(NodeId{9}, outside);
  CHECK_FALSE(r.leader_address_missing());
  CHECK(r.choose(Asks::leader, {}, kStart) == outside);
  CHECK(r.choose(Asks::first, {}, kStart) == a);
  // It said no a moment ago: somebody else, unless they say that it leads.
  CHECK(r.choose(Asks::leader, {outside}, kStart) == a);
  CHECK(r.choose(Asks::leader, {outside, a}, kStart) == outside);
}

TEST_CASE("routing: a leader that fails is forgotten") {
  Router r = router();
  r.learn_member(NodeId{2}, b);
  r.learn_leader(NodeId{2}, Term{5});
  r.failed(b, kStart);
  CHECK_FALSE(r.leader_endpoint());
  CHECK(r.choose(Asks::leader, {b}, kStart) == a);
  // Told again while it cools down: not yet.
  r.learn_leader(NodeId{2}, Term{5});
  CHECK(r.choose(Asks::leader, {}, kStart) == a);
  CHECK(r.choose(Asks::leader, {}, kStart + 1s) == b);
}

TEST_CASE("routing: news of older terms is old") {
  Router r = router();
  r.learn_member(NodeId{1}, a);
  r.learn_member(NodeId{2}, b);
  r.learn_leader(NodeId{2}, Term{5});
  r.learn_leader(NodeId{1}, Term{4});
  CHECK(r.leader_endpoint() == b);
  r.learn_leader(NodeId{1}, Term{6});
  CHECK(r.leader_endpoint() == a);
  r.learn_leader(NodeId{2}, Term{0});  // a redirect names no term
  CHECK(r.leader_endpoint() == b);
  r.learn_leader(kNoNode, Term{9});
  CHECK(r.leader_endpoint() == b);
  r.learn_leader_endpoint(c);
  CHECK(r.leader_endpoint() == c);
}

TEST_CASE("routing: follow_leader off knows no leader") {
  Router r = router(false);
  r.learn_member(NodeId{2}, b);
  r.learn_leader(NodeId{2}, Term{5});
  CHECK_FALSE(r.leader_endpoint());
  CHECK_FALSE(r.leader_address_missing());
  CHECK(r.choose(Asks::leader, {}, kStart) == a);
}

}  // namespace
}  // namespace parallax
