// What a node without a marker decides (docs/ARCHITECTURE.md, "Empty store").
#include "replication/leader_follower/bootstrap.h"

#include <catch2/catch.hpp>

#include "tests/node/printing.h"

namespace parallax {
namespace {

const std::vector<NodeId> kThree{NodeId{1}, NodeId{2}, NodeId{3}};
const std::vector<NodeId> kFive{NodeId{1}, NodeId{2}, NodeId{3}, NodeId{4}, NodeId{5}};
constexpr UnixMillis kNow{1'000};

ProbeReply empty_node() {
  return ProbeReply{};
}
ProbeReply with_log(Term term) {
  ProbeReply reply;
  reply.membership = Membership::member;
  reply.term = term;
  reply.has_log = true;
  return reply;
}
ProbeReply with_cluster(Term term) {
  ProbeReply reply = with_log(term);
  reply.applied_first = true;
  return reply;
}

}  // namespace

TEST_CASE("bootstrap: alone in its group a node is a member at once") {
  const auto decision = Bootstrap(NodeId{1}, {NodeId{1}}).decide(kNow);
  REQUIRE(decision);
  CHECK(decision->membership == Membership::member);
  CHECK(decision->incarnation == Incarnation{1'000});
}

TEST_CASE("bootstrap: an empty majority begins a cluster") {
  Bootstrap three(NodeId{1}, kThree);
  CHECK_FALSE(three.decide(kNow));
  three.step(NodeId{9}, empty_node());  // a stranger
  three.step(NodeId{1}, empty_node());  // itself, twice
  CHECK_FALSE(three.decide(kNow));
  three.step(NodeId{3}, empty_node());
  REQUIRE(three.decide(kNow));
  CHECK(three.decide(kNow)->membership == Membership::member);

  Bootstrap five(NodeId{1}, kFive);
  five.step(NodeId{2}, empty_node());
  five.step(NodeId{2}, empty_node());
  CHECK_FALSE(five.decide(kNow));
  five.step(NodeId{3}, empty_node());
  CHECK(five.decide(kNow));
}

TEST_CASE("bootstrap: a node that holds something is not counted as empty") {
  Bootstrap bootstrap(NodeId{1}, kThree);
  bootstrap.step(NodeId{2}, with_log(Term{1}));
  CHECK_FALSE(bootstrap.decide(kNow));
  ProbeReply versions;
  versions.has_versions = true;
  bootstrap.step(NodeId{3}, versions);
  CHECK_FALSE(bootstrap.decide(kNow));
  // Nor one that is empty because it lost what it held.
  ProbeReply lost;
  lost.membership = Membership::recovering;
  bootstrap.step(NodeId{3}, lost);
  CHECK_FALSE(bootstrap.decide(kNow));
  bootstrap.step(NodeId{3}, empty_node());
  CHECK(bootstrap.decide(kNow)->membership == Membership::member);
}

TEST_CASE("bootstrap: one peer that has applied something makes it recovering") {
  Bootstrap bootstrap(NodeId{1}, kFive);
  for (std::uint32_t peer = 2; peer <= 4; ++peer) bootstrap.step(NodeId{peer}, empty_node());
  bootstrap.step(NodeId{5}, with_cluster(Term{4}));
  REQUIRE(bootstrap.decide(kNow));
  CHECK(bootstrap.decide(kNow)->membership == Membership::recovering);
}

TEST_CASE("bootstrap: the vote in the highest term heard of is spent") {
  for (const ProbeReply& last : {empty_node(), with_cluster(Term{3})}) {
    Bootstrap bootstrap(NodeId{1}, kFive);
    ProbeReply reply = empty_node();
    reply.term = Term{7};
    bootstrap.step(NodeId{2}, reply);
    bootstrap.step(NodeId{3}, last);
    REQUIRE(bootstrap.decide(kNow));
    CHECK(bootstrap.decide(kNow)->hard_state == HardState{Term{7}, NodeId{1}});
  }
}

TEST_CASE("bootstrap: the incarnation is above all that was heard of") {
  Bootstrap bootstrap(NodeId{1}, kThree);
  ProbeReply reply = with_cluster(Term{1});
  reply.heard_of_receiver = Incarnation{400};
  bootstrap.step(NodeId{2}, reply);
  CHECK(bootstrap.decide(kNow)->incarnation == Incarnation{1'000});
  CHECK(bootstrap.decide(UnixMillis{0})->incarnation == Incarnation{401});
  reply.heard_of_receiver = Incarnation{5'000};
  bootstrap.step(NodeId{3}, reply);
  CHECK(bootstrap.decide(kNow)->incarnation == Incarnation{5'001});
}

TEST_CASE("bootstrap: who knows that its disk is lost is recovering") {
  Bootstrap bootstrap(NodeId{1}, kThree, true);
  CHECK_FALSE(bootstrap.decide(kNow));
  bootstrap.step(NodeId{2}, with_cluster(Term{1}));
  CHECK_FALSE(bootstrap.decide(kNow));  // who knows what the other one has heard of it
  bootstrap.step(NodeId{3}, empty_node());
  REQUIRE(bootstrap.decide(kNow));
  CHECK(bootstrap.decide(kNow)->membership == Membership::recovering);
  CHECK(Bootstrap(NodeId{1}, {NodeId{1}}, true).decide(kNow)->membership == Membership::recovering);
}

}  // namespace parallax
