#include "client/cluster_view.h"

#include <catch2/catch.hpp>

#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

TEST_CASE("cluster view: all that it can hold") {
  const std::string text =
      R"({"cluster_id":"ab","term":7,"leader":2,"new":[1],"members":[)"
      R"({"id":1,"client":"h:1","peer":"h:2","role":"follower","up":false,"match_index":5,)"
      R"("applied_index":4,"lag_ms":12,"clock_offset_ms":-0.5},)"
      R"({"id":2,"client":null,"peer":"h:3","role":"leader","up":true}]})";
  const auto view = parse_cluster_view(text);
  REQUIRE(view);
  CHECK(view->cluster_id == "ab");
  CHECK(view->term == Term{7});
  CHECK(view->leader == NodeId{2});
  REQUIRE(view->members.size() == 2);
  CHECK(view->members[0].up == false);
  CHECK(view->members[0].match_index == 5u);
  CHECK(view->members[0].lag_ms == 12.0);
  CHECK(view->members[0].clock_offset_ms == -0.5);
  CHECK(view->members[1].client.empty());
  CHECK_FALSE(view->members[1].match_index);
  CHECK(view->json == text);
}

TEST_CASE("cluster view: an unknown leader and a cluster that is not formed") {
  const auto view =
      parse_cluster_view(R"({"cluster_id":null,"term":0,"leader":null,"members":[]})");
  REQUIRE(view);
  CHECK(view->leader == kNoNode);
  CHECK(view->cluster_id.empty());
}

TEST_CASE("cluster view: wrong shapes are refused") {
  for (const char* text :
       {"", "[]", "{", "{}", R"({"members":{}})", R"({"members":[1]})", R"({"members":[{}]})",
        R"({"members":[{"id":"1"}]})", R"({"members":[{"id":-1}]})",
        R"({"members":[{"id":1,"up":1}]})", R"({"leader":"2","members":[]})",
        R"({"term":-1,"members":[]})", R"({"members":[{"id":1,"client":7}]})"}) {
    INFO(text);
    const auto view = parse_cluster_view(text);
    REQUIRE_FALSE(view);
    CHECK(view.error().code == ErrorCode::corrupt);
  }
}

TEST_CASE("node status: every field in order with nested ones flat") {
  const auto status = parse_node_status(
      R"({"id":3,"role":"leader","empty":{},"causal":{"1":2,"x":{"y":"z"}},"list":[1,2],"n":null})");
  REQUIRE(status);
  CHECK(status->id == NodeId{3});
  CHECK(status->role == "leader");
  CHECK(status->fields == std::vector<StatusField>{{"id", "3"},
                                                   {"role", "leader"},
                                                   {"empty", "{}"},
                                                   {"causal.1", "2"},
                                                   {"causal.x.y", "z"},
                                                   {"list", "[1,2]"},
                                                   {"n", "-"}});
  const auto vector = parse_node_status(
      R"({"id":3,"v":[{"node":1,"of":17,"count":4},{"node":2,"of":9,"count":0}],"mixed":[{"a":1}]})");
  REQUIRE(vector);
  CHECK(vector->fields ==
        std::vector<StatusField>{
            {"id", "3"}, {"v.1.17", "4"}, {"v.2.9", "0"}, {"mixed", R"([{"a":1}])"}});
  CHECK_FALSE(parse_node_status(R"({"role":"leader"})"));
  CHECK_FALSE(parse_node_status("no"));
}

}  // namespace
}  // namespace parallax
