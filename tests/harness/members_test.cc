#include "harness/members.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>

namespace parallax::harness {
namespace {

/// As node `id` of a cluster of `members` says it, which listen at 10.0.0.ID:7101.
EndpointSeen seen(std::uint32_t id, std::string cluster_id, std::vector<std::uint32_t> members) {
  EndpointSeen one{.endpoint = fmt::format("n{}:7101", id), .id = NodeId{id}, .cluster = {}};
  one.cluster.cluster_id = std::move(cluster_id);
  for (const std::uint32_t member : members) {
    MemberView view;
    view.id = NodeId{member};
    view.client = fmt::format("10.0.0.{}:7101", member);
    one.cluster.members.push_back(std::move(view));
  }
  return one;
}

std::string refusal(const std::vector<EndpointSeen>& all) {
  const auto result = one_whole_cluster(all);
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == ErrorCode::bad_parameter);
  CHECK(result.error().definite());
  return result.error().message;
}

TEST_CASE("the endpoints of one whole cluster are told apart in any order") {
  const auto ordered = one_whole_cluster(
      {seen(3, "c", {1, 2, 3}), seen(1, "c", {1, 2, 3}), seen(2, "c", {1, 2, 3})});
  REQUIRE(ordered.has_value());
  CHECK(*ordered == std::vector<std::string>{"n1:7101", "n2:7101", "n3:7101"});
}

TEST_CASE("endpoints that are not one whole cluster are refused with what would be right") {
  CHECK(refusal({seen(1, "c", {1, 2}), seen(2, "d", {1, 2})}) ==
        "--endpoints: n1:7101 is of cluster c, n2:7101 is of cluster d; name the nodes of one of "
        "them");
  // The same numbers in two clusters are no node that is named twice.
  CHECK(refusal({seen(1, "c", {1}), seen(1, "d", {1})}).find("of cluster d") != std::string::npos);
  CHECK(refusal({seen(1, "c", {1, 2, 3}), seen(2, "c", {1, 2, 3})}) ==
        "--endpoints: they are a part of a cluster of the nodes 1, 2, 3; what is not named is node "
        "3; add 10.0.0.3:7101");
  CHECK(refusal({seen(2, "c", {1, 2, 3})}).find("node 1, 3; add 10.0.0.1:7101,10.0.0.3:7101") !=
        std::string::npos);
  CHECK(refusal({seen(1, "c", {1, 2}), seen(1, "c", {1, 2})}) ==
        "--endpoints: n1:7101 and n1:7101 are both node 1; name each node once");
  CHECK(refusal({seen(1, "c", {1, 7}), seen(7, "c", {1, 7})}).find("n7:7101 is node 7; only ") !=
        std::string::npos);
  CHECK(refusal({seen(1, "", {1})}) ==
        "--endpoints: n1:7101 does not know its cluster yet; wait until /readyz says 200");
}

TEST_CASE("a member that only one endpoint knows of is a member and its address may be unknown") {
  EndpointSeen knows = seen(1, "c", {1, 2, 3});
  knows.cluster.members[2].client.clear();
  CHECK(refusal({seen(2, "c", {1, 2}), knows}).find("is node 3; add HOST:PORT of node 3") !=
        std::string::npos);
}

}  // namespace
}  // namespace parallax::harness
