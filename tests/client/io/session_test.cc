// Sessions: what the client sends of them, and what they learn.
#include "client/session.h"

#include <future>

#include <catch2/catch.hpp>

#include "client/client.h"
#include "tests/client/io/fake_server.h"
#include "tests/client/io/open_client.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT

SessionToken token(std::uint64_t index, std::uint64_t cluster = 1) {
  SessionToken out;
  out.cluster = {cluster, 1};
  out.clock = Hlc{index};
  out.index = LogIndex{index};
  return out;
}

Action with_token(Action action, const std::string& text) {
  const auto line_end = action.bytes.find("\r\n") + 2;
  action.bytes.insert(line_end, "Parallax-Session: " + text + "\r\n");
  return action;
}

TEST_CASE("session: the token goes with the requests and grows with the answers") {
  std::uint64_t index = 5;
  FakeServer server([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    return with_token(request.method == "GET" ? value_answer("v") : stored_answer(),
                      token(index++).encode());
  });
  const auto client = open({server.endpoint()});
  Session session;
  CHECK(session.token().empty());
  const auto first = client->put("k", "v", {.session = session});
  REQUIRE(first);
  CHECK(first->session == token(5));
  CHECK(session.value() == token(5));
  REQUIRE(client->get("k", {.session = session}));
  REQUIRE(client->get("k"));
  const auto seen = server.seen();
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].headers.count("parallax-session") == 0);
  CHECK(seen[1].headers.at("parallax-session") == token(5).encode());
  CHECK(seen[2].headers.count("parallax-session") == 0);
  CHECK(session.value() == token(6));
  CHECK(session.token() == token(6).encode());
}

TEST_CASE("session: refusals and absence show state too") {
  const auto after = [](Action action) {
    FakeServer server([&](const SeenRequest&) { return with_token(action, token(9).encode()); });
    const auto client = open({server.endpoint()});
    const Session session;
    (void)client->get("k", {.session = session});
    return session.value();
  };
  CHECK(after(absent_answer()) == token(9));
  CHECK(after(problem_answer(412, "precondition-failed", "not_applied", false)) == token(9));
}

TEST_CASE("session: late answers take nothing back") {
  FakeServer server([](const SeenRequest& request) {
    const bool slow = request.path.ends_with("slow");
    Action action = with_token(value_answer("v"), token(slow ? 3 : 8).encode());
    if (slow) action.delay = 100ms;
    return action;
  });
  const auto client = open({server.endpoint()});
  const Session session;
  std::promise<void> done;
  client->async_get("slow", {.session = session}, [&](Result<Answer>) { done.set_value(); });
  REQUIRE(client->get("fast", {.session = session}));
  done.get_future().get();
  CHECK(session.value() == token(8));
}

SessionToken with_vectors(std::uint64_t index, OriginVector read, OriginVector write) {
  SessionToken out = token(index);
  out.read = std::move(read);
  out.write = std::move(write);
  return out;
}

TEST_CASE("session: what a node sheds is shed and nothing else") {
  constexpr Origin kOver{NodeId{1}, Incarnation{1}};
  constexpr Origin kNext{NodeId{1}, Incarnation{2}};
  constexpr Origin kOther{NodeId{2}, Incarnation{1}};
  using Vector = OriginVector;
  // The first life of node 1 is over: whoever answers does not name it any more.
  FakeServer server([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    return with_token(value_answer("v"),
                      with_vectors(9, Vector({{kNext, 1}, {kOther, 7}}), {}).encode());
  });
  const auto client = open({server.endpoint()});
  const std::string before =
      with_vectors(5, Vector({{kOver, 5}, {kOther, 6}}), Vector({{kOver, 2}})).encode();
  Session session = *Session::from_token(before);
  REQUIRE(client->get("k", {.session = session}));
  CHECK(session.value() == with_vectors(9, Vector({{kNext, 1}, {kOther, 7}}), {}));
  // What went with no request, or with another one, is not shed by its answer.
  session = *Session::from_token(before);
  const Vector next({{kNext, 1}});
  REQUIRE(session.follow(token(3), with_vectors(4, next, {})));
  CHECK(session.value().read == Vector({{kOver, 5}, {kNext, 1}, {kOther, 6}}));
  REQUIRE(session.follow(with_vectors(3, {}, Vector({{kOver, 1}})), with_vectors(4, next, {})));
  CHECK(session.value().write == Vector());
  CHECK(session.value().read.at(kOver) == 5);
  // Nor by one that does not show that it is over: that node has forgotten something.
  REQUIRE(session.follow(with_vectors(3, Vector({{kOver, 5}, {kOther, 6}}), {}), token(4)));
  CHECK(session.value().read == Vector({{kOver, 5}, {kNext, 1}, {kOther, 6}}));
  REQUIRE(session.follow(with_vectors(3, Vector({{kOver, 5}}), {}), with_vectors(4, {}, next)));
  CHECK(session.value().read == Vector({{kNext, 1}, {kOther, 6}}));
  // A node that does not know yet brings it back.
  REQUIRE(session.follow(token(3), with_vectors(4, Vector({{kOver, 9}}), {})));
  CHECK(session.value().read.at(kOver) == 9);
  // One of another cluster changes nothing.
  const SessionToken kept = session.value();
  CHECK_FALSE(session.follow(with_vectors(3, Vector({{kOver, 9}}), {}), token(4, 2)));
  CHECK(session.value() == kept);
}

TEST_CASE("session: a token that is none, or another cluster's, spoils the answer") {
  std::string text = "nonsense";
  FakeServer server([&](const SeenRequest& request) {
    return with_token(request.method == "GET" ? value_answer("v") : stored_answer(), text);
  });
  const auto client = open({server.endpoint()}, 300ms);
  Session session;
  REQUIRE(session.join(token(2)));
  for (const std::string& bad : {std::string("nonsense"), token(9, 7).encode()}) {
    text = bad;
    const auto read = client->get("k", {.session = session});
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ErrorCode::corrupt);
    CHECK(read.error().definite());
    const auto write = client->put("k", "v", {.session = session});
    REQUIRE_FALSE(write);
    CHECK_FALSE(write.error().definite());
    CHECK(session.value() == token(2));
  }
}

TEST_CASE("session: copies are one, forks are two, joins are both") {
  Session session;
  const Session copy = session;  // NOLINT
  REQUIRE(session.join(token(4)));
  CHECK(copy.value() == token(4));

  Session fork = session.fork();
  REQUIRE(fork.join(token(9)));
  CHECK(session.value() == token(4));
  REQUIRE(session.join(fork));
  CHECK(session.value() == token(9));

  const auto foreign = session.join(token(11, 2));
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == ErrorCode::bad_session);
  CHECK(session.value() == token(9));
  // One that has seen nothing belongs to every cluster.
  REQUIRE(session.join(Session()));

  const auto resumed = Session::from_token(session.token());
  REQUIRE(resumed);
  CHECK(resumed->value() == token(9));
  const auto fresh = Session::from_token(Session().token());
  REQUIRE(fresh);
  CHECK(fresh->token().empty());
  const auto wrong = Session::from_token("nonsense");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == ErrorCode::bad_session);
}

TEST_CASE("session: one session in many threads") {
  std::atomic<std::uint64_t> index{1};
  FakeServer server([&](const SeenRequest&) {
    return with_token(value_answer("v", 1, "prefix"), token(index++).encode());
  });
  const auto client = open({server.endpoint()});
  const Session session;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) (void)client->get("k", {.session = session});
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(session.value() == token(100));
}

}  // namespace
}  // namespace parallax
