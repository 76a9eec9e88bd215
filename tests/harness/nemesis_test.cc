// Faults that nodes are told of, against a node that answers as it likes.
#include "harness/io/nemesis.h"

#include <catch2/catch.hpp>

#include "harness/io/cluster.h"
#include "tests/client/io/fake_server.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
using testing::Action;
using testing::FakeServer;

/// One node, which does with /v1/faults what it is told to do.
class OneNode {
 public:
  explicit OneNode(Action on_faults)
      : server_([this, on_faults](const testing::SeenRequest& request) {
          Action action = request.path == "/v1/faults" && scripted_ ? on_faults
                          : request.path == "/v1/status" ? testing::respond(200, {}, R"({"id":1})")
                          : request.path == "/readyz"    ? testing::respond(200, {}, "")
                                                         : testing::respond(204, {}, "");
          action.close = true;
          return action;
        }) {
    RunOptions options;
    options.endpoints = {server_.endpoint()};
    auto opened = Cluster::open(options, "", "");
    REQUIRE(opened.has_value());
    cluster_.emplace(std::move(*opened));
    nemesis_.emplace(
        *cluster_,
        std::vector{PlannedFault{
            .fault = Fault::delay, .at = 10ns, .lasts = 100ns, .node = 1, .amount = 5}},
        [this] { return now_; });
    nemesis_->begin(0);
  }
  Nemesis& at(std::int64_t now) {
    now_ = now;
    return *nemesis_;
  }
  /// From now on it takes all that it is told.
  void mend() { scripted_ = false; }

 private:
  std::atomic<bool> scripted_{true};
  FakeServer server_;
  std::int64_t now_ = 0;
  std::optional<Cluster> cluster_;
  std::optional<Nemesis> nemesis_;
};

TEST_CASE("a fault that a node has confirmed has a window from then to its end") {
  OneNode node(testing::respond(204, {}, ""));
  REQUIRE(node.at(9).tick().has_value());
  CHECK(node.at(9).windows().empty());
  REQUIRE(node.at(12).tick().has_value());
  CHECK(node.at(50).windows() == std::vector<FaultWindow>{{"delay", "n1", "5 ms", 12, 50}});
  REQUIRE(node.at(120).tick().has_value());
  CHECK(node.at(150).windows() == std::vector<FaultWindow>{{"delay", "n1", "5 ms", 12, 120}});
}

TEST_CASE("a fault that a node refuses breaks the run and has no window") {
  OneNode node(testing::problem_answer(404, "not-found", "definite", false));
  const auto refused = node.at(12).tick();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("node 1 at 127.0.0.1:") == 0);
  CHECK(refused.error().message.find(" refuses faults with 404: ") != std::string::npos);
  CHECK(node.at(50).windows().empty());
}

TEST_CASE("a fault of which a node says nothing may be there and its window says so") {
  OneNode node(testing::hang_up());
  REQUIRE(node.at(12).tick().has_value());
  const std::vector<FaultWindow> unsure{{"delay", "n1", "5 ms, not confirmed", 12, 50}};
  CHECK(node.at(50).windows() == unsure);
  // It is asked again until the fault is over.
  node.mend();
  REQUIRE(node.at(60'000'000).heal().has_value());
  CHECK(node.at(60'000'000).windows() ==
        std::vector<FaultWindow>{{"delay", "n1", "5 ms, not confirmed", 12, 60'000'000}});
  CHECK(*node.at(200'000'000).heal());
}

}  // namespace
}  // namespace parallax::harness
