// Steps against a node that answers as it likes.
#include "harness/io/parallax_store.h"

#include <catch2/catch.hpp>

#include "tests/client/io/fake_server.h"

namespace parallax::harness {
namespace {

/// `answer` with the session that follows from its evidence.
testing::Action with_session(testing::Action answer) {
  SessionToken token;
  token.cluster = {1, 1};
  token.clock = Hlc{1'000'000};
  token.index = LogIndex{120};
  answer.bytes.insert(answer.bytes.find("\r\n") + 2,
                      "Parallax-Session: " + token.encode() + "\r\n");
  return answer;
}

/// An append to a key whose value is read at `level`, whatever was asked for.
Performed append_over(const std::string& level) {
  testing::FakeServer server([&level](const testing::SeenRequest& request) {
    return with_session(request.method == "GET" ? testing::value_answer("1,", 1, level)
                                                : testing::stored_answer(1));
  });
  RunOptions options;
  options.workload = Workload::append;
  options.endpoints = {server.endpoint(), server.endpoint(), server.endpoint()};
  auto store = ParallaxStore::open(options.endpoints, options);
  REQUIRE(store.has_value());
  ParallaxSession session(**store, options);
  return session.perform(
      {.kind = checker::OperationKind::append, .key = "k", .value = "2,", .node = 1});
}

TEST_CASE("what an append reads is held against its evidence as what it writes is") {
  const Performed honest = append_over("linearizable");
  CHECK(honest.outcome == checker::Outcome::ok);
  CHECK(honest.verified == 2);
  CHECK(honest.refused == "");
  const Performed other = append_over("prefix");
  CHECK(other.outcome == checker::Outcome::ok);
  CHECK(other.verified == 2);
  CHECK(other.refused.starts_with("read of k at n1: "));
}

}  // namespace
}  // namespace parallax::harness
