// Bytes between two nodes: one is this process, the other a server.
#include "harness/io/links.h"

#include <catch2/catch.hpp>
#include <unistd.h>

#include "harness/io/child_process.h"
#include "harness/io/plain_http.h"
#include "tests/client/io/fake_server.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Node 1 is this process, node 2 a server that answers at once.
class TwoNodes {
 public:
  /// `closes`: the server ends each connection when it has answered.
  explicit TwoNodes(bool closes = false)
      : server_([closes](const parallax::testing::SeenRequest&) {
          auto action = parallax::testing::respond(200, {}, "hello");
          action.close = closes;
          return action;
        }) {
    const auto first = free_ports(2);
    REQUIRE(first.has_value());
    auto opened = Links::open({static_cast<std::uint16_t>(1), server_.port()}, *first);
    REQUIRE(opened.has_value());
    links = std::move(*opened);
    links->set_process(1, ::getpid());
  }
  std::size_t asked() const { return server_.seen().size(); }

  std::unique_ptr<Links> links;

 private:
  parallax::testing::FakeServer server_;
};

const std::string kRequest = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

ActiveFault cut(std::uint32_t from, std::uint32_t to) {
  return {.planned = {.fault = Fault::partition}, .links = {{from, to}}, .offset = 0};
}

TEST_CASE("a whole link carries what is said and answered") {
  TwoNodes two;
  Connection connection(two.links->port(2));
  REQUIRE(connection.send(kRequest));
  const auto answer = connection.receive_some(10s);
  REQUIRE(answer);
  CHECK(answer->find("hello") != std::string::npos);
  CHECK(two.links->connected(1, 2));
}

TEST_CASE("what goes over a cut link is held until it is healed") {
  TwoNodes two;
  Connection connection(two.links->port(2));
  two.links->set_faults(2, {cut(1, 2)});
  CHECK_FALSE(two.links->connected(1, 2));
  CHECK_FALSE(two.links->connected(2, 1));
  REQUIRE(connection.send(kRequest));
  CHECK_FALSE(connection.receive_some(300ms));
  CHECK(two.asked() == 0);
  two.links->set_faults(2, {});
  CHECK(connection.receive_some(10s));
  CHECK(two.asked() == 1);
}

TEST_CASE("a link that is cut one way carries the other way") {
  TwoNodes two;
  two.links->set_faults(1, {cut(2, 1)});
  Connection connection(two.links->port(2));
  REQUIRE(connection.send(kRequest));
  CHECK_FALSE(connection.receive_some(300ms));
  CHECK(two.asked() == 1);
  two.links->set_faults(1, {});
  CHECK(connection.receive_some(10s));
}

TEST_CASE("a cut between others holds nothing up and nor does one of a process that is no node") {
  TwoNodes two;
  two.links->set_faults(2, {cut(3, 2)});
  Connection connection(two.links->port(2));
  REQUIRE(connection.send(kRequest));
  CHECK(connection.receive_some(10s));
  two.links->set_process(1, 0);
  two.links->set_faults(2, {cut(1, 2)});
  Connection other(two.links->port(2));
  REQUIRE(other.send(kRequest));
  CHECK(other.receive_some(10s));
}

TEST_CASE("what a delayed node says is late and what it hears is not") {
  TwoNodes two;
  const ActiveFault late{
      .planned = {.fault = Fault::delay, .node = 1, .amount = 250}, .links = {}, .offset = 0};
  two.links->set_faults(1, {late});
  Connection connection(two.links->port(2));
  const auto began = Clock::now();
  REQUIRE(connection.send(kRequest));
  CHECK(connection.receive_some(10s));
  CHECK(Clock::now() - began >= 250ms);
}

TEST_CASE("the end of a connection is held by a cut as bytes are") {
  TwoNodes two(true);
  Connection connection(two.links->port(2));
  two.links->set_faults(1, {cut(2, 1)});
  REQUIRE(connection.send(kRequest));
  CHECK_FALSE(connection.receive_some(300ms));
  CHECK(two.asked() == 1);
  two.links->set_faults(1, {});
  const auto answer = connection.receive_all(10s);
  REQUIRE(answer);
  CHECK(answer->ends_with("hello"));
}

TEST_CASE("a link to a node that does not listen ends what is opened to it") {
  TwoNodes two;
  Connection connection(two.links->port(1));
  CHECK(connection.receive_some(10s) == "");
}

}  // namespace
}  // namespace parallax::harness
