// Steps against an etcd that answers as it likes: what is certain, and what stays unknown.
#include "harness/io/etcd_store.h"

#include <catch2/catch.hpp>

#include "tests/client/io/fake_server.h"

namespace parallax::harness {
namespace {

using checker::OperationKind;
using checker::Outcome;
using parallax::testing::Action;
using parallax::testing::FakeServer;
using parallax::testing::hang_up;
using parallax::testing::respond;
using parallax::testing::SeenRequest;

constexpr auto kValue =
    R"({"header":{"revision":"9"},"kvs":[{"key":"aw==","mod_revision":"7","value":"MQ=="}]})";

Action refusal(int status, int code) {
  return respond(status, {}, "{\"error\":\"no\",\"code\":" + std::to_string(code) + "}");
}

/// Steps at one node; `script` answers.
class OneNode {
 public:
  explicit OneNode(FakeServer::Script script) : server_(std::move(script)) {
    store_ = std::move(*EtcdStore::open({server_.endpoint()}));
    session_ = store_->session({});
  }
  Performed perform(OperationKind kind, Consistency level = {}) {
    return session_->perform({.kind = kind, .key = "k", .value = "2", .node = 1, .level = level});
  }
  const FakeServer& server() const { return server_; }

 private:
  FakeServer server_;
  std::unique_ptr<EtcdStore> store_;
  std::unique_ptr<StoreSession> session_;
};

TEST_CASE("what etcd surely did not do has failed and the rest is unknown") {
  struct Case {
    std::string name;
    Action action;
    Outcome of_write;
  };
  for (const auto& [name, action, of_write] : {
           Case{"it is too busy", refusal(429, 8), Outcome::failed},
           Case{"it does not understand", refusal(400, 3), Outcome::failed},
           Case{"the leader has changed", refusal(503, 14), Outcome::unknown},
           Case{"its own time is over", refusal(504, 4), Outcome::unknown},
           Case{"something else", refusal(500, 2), Outcome::unknown},
           Case{"no JSON", respond(503, {}, "busy"), Outcome::unknown},
           Case{"a 200 that is none", respond(200, {}, "fine"), Outcome::unknown},
           Case{"it hangs up", hang_up(), Outcome::unknown},
       }) {
    INFO(name);
    OneNode node([&action = action](const SeenRequest&) { return action; });
    CHECK(node.perform(OperationKind::write).outcome == of_write);
    CHECK(node.perform(OperationKind::read).outcome == Outcome::failed);
  }
}

TEST_CASE("a write to nobody has failed") {
  std::unique_ptr<EtcdStore> store = std::move(*EtcdStore::open({"127.0.0.1:1"}));
  const auto session = store->session({});
  CHECK(session->perform({.kind = OperationKind::write, .key = "k", .value = "1", .node = 1})
            .outcome == Outcome::failed);
}

TEST_CASE("reads ask for what their level says and show the value with its revision") {
  OneNode node([](const SeenRequest&) { return respond(200, {}, kValue); });
  const Performed performed = node.perform(OperationKind::read);
  CHECK(performed.outcome == Outcome::ok);
  CHECK(performed.shown == "1");
  CHECK(performed.stamp == "7-1");
  CHECK(performed.node == 1);
  node.perform(OperationKind::read, {.level = Level::prefix});
  const auto seen = node.server().seen();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].path == "/v3/kv/range");
  CHECK(seen[0].body == R"({"key":"aw=="})");
  CHECK(seen[1].body == R"({"key":"aw==","serializable":true})");
}

TEST_CASE("a compare-and-set compares with what was seen and a mismatch shows what there is") {
  OneNode node([](const SeenRequest& request) {
    if (request.path == "/v3/kv/range") return respond(200, {}, kValue);
    return respond(200, {},
                   R"({"responses":[{"response_range":{"kvs":[{"key":"aw==","mod_revision":"8",)"
                   R"("value":"Mw=="}]}}]})");
  });
  // What it has not seen yet it reads.
  CHECK(node.perform(OperationKind::cas).kind == OperationKind::read);
  const Performed performed = node.perform(OperationKind::cas);
  CHECK(performed.kind == OperationKind::cas);
  CHECK(performed.outcome == Outcome::mismatch);
  CHECK(performed.expected == "1");
  CHECK(performed.shows);
  CHECK(performed.shown == "3");
  const std::string asked = node.server().seen().back().body;
  CHECK(asked.find(R"("target":"VALUE","value":"MQ==")") != std::string::npos);
  node.perform(OperationKind::cas);
  CHECK(node.server().seen().back().body.find(R"("value":"Mw==")") != std::string::npos);
}

}  // namespace
}  // namespace parallax::harness
