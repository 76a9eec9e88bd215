#include "replication/hello.h"

#include <catch2/catch.hpp>

#include "tests/replication/random_message.h"

namespace parallax::test {
namespace {

const ClusterId kOurs{1, 2};
const ClusterId kTheirs{3, 4};

Hello peer_two() {
  Hello hello;
  hello.cluster = kOurs;
  hello.node = NodeId{2};
  hello.incarnation = Incarnation{9};
  hello.client_address = "127.0.0.1:7102";
  return hello;
}

ExpectedHello at_node_one() {
  return {.self = NodeId{1},
          .members = {NodeId{1}, NodeId{2}, NodeId{3}},
          .cluster = kOurs,
          .group = kOnlyGroup,
          .peer = kNoNode};
}

std::string reason(const ExpectedHello& expected, const Hello& got) {
  const auto result = check_hello(expected, got);
  if (result) return "";
  CHECK(result.error().code == ErrorCode::refused);
  CHECK(result.error().definite());
  return result.error().message;
}

}  // namespace

TEST_CASE("hello: comes back as it was said") {
  Random random(1);
  for (int round = 0; round < 2'000; ++round) {
    Hello hello;
    hello.protocol = static_cast<std::uint32_t>(random.between(1, 3));
    hello.cluster = {random_number(random), random_number(random)};
    hello.node = NodeId{static_cast<std::uint32_t>(random.between(1, 9))};
    hello.group = GroupId{static_cast<std::uint32_t>(random.between(1, 9))};
    hello.incarnation = Incarnation{random_number(random)};
    if (random.below(2) == 0) hello.client_address = "[::1]:7101";
    const auto got = decode_hello(encode_hello(hello));
    REQUIRE(got.has_value());
    REQUIRE(*got == hello);
  }
}

TEST_CASE("hello: bytes that are none are refused", "[random]") {
  Random random(2);
  const std::string whole = encode_hello(peer_two());
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = whole.substr(0, random.below(whole.size() + 1));
    if (!bytes.empty()) {
      bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
    }
    const auto got = decode_hello(Bytes{bytes});
    if (got ? got->node == kNoNode : got.error().code != ErrorCode::corrupt) FAIL(round);
  }
  const auto refusal = [](auto spoil) {
    Hello hello = peer_two();
    spoil(hello);
    const auto got = decode_hello(encode_hello(hello));
    return got ? std::string() : got.error().message;
  };
  CHECK(refusal([](Hello& h) { h.protocol = 0; }) ==
        "a peer's hello is corrupt: protocol: 0, at least 1 expected");
  CHECK(refusal([](Hello& h) { h.node = kNoNode; }) ==
        "a peer's hello is corrupt: node: 0, a node expected");
  CHECK(refusal([](Hello& h) { h.group = GroupId{}; }) ==
        "a peer's hello is corrupt: group: 0, a group expected");
  CHECK(refusal([](Hello& h) { h.client_address = "a\r\nb"; }) ==
        "a peer's hello is corrupt: client_address: not host and port");
  CHECK(refusal([](Hello& h) { h.client_address = std::string(513, 'a'); }) ==
        "a peer's hello is corrupt: client_address: not host and port");
  const auto newer = decode_hello(Bytes{whole + "\x80\x7d\x07"});  // a field not known here
  REQUIRE(newer.has_value());
  CHECK(*newer == peer_two());
}

TEST_CASE("hello: a member of the same cluster is welcome") {
  CHECK(reason(at_node_one(), peer_two()).empty());
  ExpectedHello dialled = at_node_one();
  dialled.peer = NodeId{2};
  CHECK(reason(dialled, peer_two()).empty());
}

TEST_CASE("hello: who does not know its cluster yet is welcome") {
  Hello young = peer_two();
  young.cluster = {};
  CHECK(reason(at_node_one(), young).empty());
  ExpectedHello ourselves_young = at_node_one();
  ourselves_young.cluster = {};
  CHECK(reason(ourselves_young, peer_two()).empty());
}

TEST_CASE("hello: others are turned away with the reason") {
  Hello got = peer_two();
  SECTION("another cluster") {
    got.cluster = kTheirs;
    CHECK(reason(at_node_one(), got) ==
          "node 2 belongs to cluster 00000000000000030000000000000004, this node to "
          "00000000000000010000000000000002");
  }
  SECTION("an unknown node") {
    got.node = NodeId{7};
    CHECK(reason(at_node_one(), got) == "node 7 is not a member: the members are 1, 2, 3");
  }
  SECTION("this node's own id") {
    got.node = NodeId{1};
    CHECK(reason(at_node_one(), got) ==
          "the peer calls itself node 1, which is this node's own id");
  }
  SECTION("another protocol, whatever else it says") {
    got.protocol = kPeerProtocol + 1;
    got.node = NodeId{7};
    CHECK(reason(at_node_one(), got) == "node 7 speaks peer protocol 4, this program speaks 3");
  }
  SECTION("another group") {
    got.group = GroupId{2};
    CHECK(reason(at_node_one(), got) == "node 2 speaks for group 2, group 1 expected");
  }
  SECTION("not whom we dialled") {
    ExpectedHello dialled = at_node_one();
    dialled.peer = NodeId{3};
    CHECK(reason(dialled, got) == "node 2 answered at the address of node 3");
  }
}

}  // namespace parallax::test
