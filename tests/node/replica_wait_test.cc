// How many replicas have what a session has written, also where its writes are not committed.
#include <catch2/catch.hpp>

#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

Request wait_for(std::uint32_t replicas, const SessionToken& session, Duration timeout = 1s) {
  Request request = get_request("", Level::linearizable, timeout);
  request.operation = CountReplicas{replicas};
  request.session = session;
  return request;
}

Request put_early(std::string key, std::string value) {
  Request request = put_request(std::move(key), std::move(value), 1s);
  request.consistency.ack = Ack::leader;
  return request;
}

struct Waiting : Elected {
  Waiting() {
    const Reply first = world.put(leader, "k", "old");
    REQUIRE(first);
    old = first->session;
    REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  }
  SessionToken old;
  void keep_entries_from(std::vector<NodeId> nodes) {
    world.drop_if([nodes = std::move(nodes)](const Envelope& envelope) {
      const auto* append = std::get_if<AppendEntries>(&envelope.message);
      return append != nullptr && !append->entries.empty() &&
             std::find(nodes.begin(), nodes.end(), envelope.to) != nodes.end();
    });
  }
};

Request put_causal(std::string key, std::string value) {
  Request request = put_request(std::move(key), std::move(value), 1s);
  request.consistency = {.level = Level::causal};
  return request;
}

std::uint32_t counted(const Reply& reply) {
  REQUIRE(reply);
  CHECK(reply->evidence.replicas.size() == reply->replicas);
  return reply->replicas;
}

}  // namespace

TEST_CASE_METHOD(Waiting, "wait: as soon as there are enough, or at the timeout") {
  const Reply put = world.put(leader, "k", "new");
  for (const NodeId at : {leader, follower}) {
    const MonoTime begun = world.now();
    CHECK(counted(world.call(at, wait_for(3, put->session))) == 3);
    CHECK(world.now() - begun < 500ms);
  }
  world.crash(third);
  const Reply more = world.put(leader, "k", "newer");
  for (const NodeId at : {leader, follower}) {
    CHECK(counted(world.call(at, wait_for(2, more->session))) == 2);
    const MonoTime begun = world.now();
    const Reply at_timeout = world.call(at, wait_for(3, more->session));
    CHECK(counted(at_timeout) == 2);
    CHECK(world.now() - begun >= 700ms);
    CHECK(world.now() - begun <= 1'100ms);
    std::vector<NodeId> there{leader, follower};
    std::sort(there.begin(), there.end());
    CHECK(at_timeout->evidence.replicas == there);
  }
  // What it had when it died still counts.
  CHECK(counted(world.call(leader, wait_for(3, old))) == 3);

  Reply late = definite(ErrorCode::internal, "not answered");
  world.submit(leader, wait_for(3, more->session, 5s), [&](const Reply& reply) { late = reply; });
  world.run_for(300ms);
  CHECK_FALSE(late);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return late.has_value(); }, 4s));
  CHECK(counted(late) == 3);
}

TEST_CASE_METHOD(Waiting, "wait: a write that is not committed is waited for") {
  keep_entries_from({follower, third});
  const Reply early = world.call(leader, put_early("k", "new"));
  REQUIRE(early);
  CHECK(early->session.index < early->evidence.index);
  CHECK(counted(world.call(leader, wait_for(2, early->session, 300ms))) == 1);
  keep_entries_from({third});
  CHECK(counted(world.call(leader, wait_for(2, early->session))) == 2);
  CHECK(counted(world.call(leader, wait_for(3, early->session, 300ms))) == 2);
  keep_entries_from({});
  CHECK(counted(world.call(follower, wait_for(3, early->session))) == 3);
}

TEST_CASE_METHOD(Waiting, "wait: the count is never too high while others write") {
  keep_entries_from({third});
  for (int i = 0; i < 20; ++i) REQUIRE(world.call(leader, put_early("other", std::to_string(i))));
  const Reply early = world.call(leader, put_early("k", "new"));
  for (int i = 0; i < 20; ++i) REQUIRE(world.call(leader, put_early("other", std::to_string(i))));
  const Reply reply = world.call(leader, wait_for(3, early->session, 300ms));
  CHECK(counted(reply) == 2);
  CHECK(reply->evidence.index >= early->evidence.index);
}

TEST_CASE_METHOD(Waiting, "wait: the next leader goes on with it") {
  const Reply put = world.put(leader, "k", "new");
  world.crash(third);
  const Reply more = world.put(leader, "k", "newer");
  Reply late = definite(ErrorCode::internal, "not answered");
  world.submit(follower, wait_for(3, more->session, 10s), [&](const Reply& r) { late = r; });
  world.run_for(200ms);
  lead(world, follower);
  CHECK_FALSE(late);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return late.has_value(); }, 8s));
  CHECK(counted(late) == 3);
}

TEST_CASE_METHOD(Waiting, "wait: more replicas than there are is refused") {
  const Reply reply = world.call(follower, wait_for(4, old));
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == ErrorCode::bad_parameter);
  CHECK(reply.error().message ==
        "replicas=4 must be a whole number from 1 to 3, the replicas that there are");
}

TEST_CASE_METHOD(Waiting,
                 "wait: the next leader counts nobody for an early write of the last one") {
  world.crash(third);
  const Reply early = world.call(leader, put_early("k", "new"));
  REQUIRE(early);
  CHECK(early->session.index == LogIndex{});
  lead(world, follower);
  const Reply two = world.call(follower, wait_for(3, early->session, 500ms));
  CHECK(counted(two) == 2);
  CHECK(two->evidence.index >= early->evidence.index);
  REQUIRE(world.start(third));
  CHECK(counted(world.call(follower, wait_for(3, early->session, 5s))) == 3);
}

TEST_CASE_METHOD(Waiting, "wait: what was written at causal is counted by the vectors of members") {
  world.crash(third);
  const Reply write = world.call(leader, put_causal("c", "new"));
  REQUIRE(write);
  for (const NodeId asked : {leader, follower}) {
    CHECK(counted(world.call(asked, wait_for(2, write->session))) == 2);
    const Reply reply = world.call(asked, wait_for(3, write->session, 500ms));
    CHECK(counted(reply) == 2);
    CHECK(std::find(reply->evidence.replicas.begin(), reply->evidence.replicas.end(), third) ==
          reply->evidence.replicas.end());
  }
  REQUIRE(world.start(third));
  CHECK(counted(world.call(follower, wait_for(3, write->session, 5s))) == 3);
}

TEST_CASE_METHOD(Waiting, "wait: who does not know whether it still leads does not count") {
  world.isolate(leader);
  for (const std::uint32_t replicas : {1u, 3u}) {
    const Reply reply = world.call(leader, wait_for(replicas, old, 400ms));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().definite());
  }
}

TEST_CASE_METHOD(Waiting, "wait: many counts of many sessions, each at its own entry") {
  keep_entries_from({third});
  std::vector<Reply> replies(40, definite(ErrorCode::internal, "not answered"));
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const Reply early = world.call(leader, put_early("k", std::to_string(i)));
    REQUIRE(early);
    const std::uint32_t wanted = i % 2 == 0 ? 3 : 2;
    world.submit(leader, wait_for(wanted, early->session, i % 4 == 0 ? 300ms : 5s),
                 [&replies, i](const Reply& reply) { replies[i] = reply; });
  }
  world.run_for(500ms);
  for (std::size_t i = 0; i < replies.size(); ++i) {
    INFO("count " << i);
    if (i % 4 == 2) {
      CHECK_FALSE(replies[i]);
    } else {
      CHECK(counted(replies[i]) == 2);
    }
  }
  keep_entries_from({});
  world.run_for(2s);
  for (std::size_t i = 2; i < replies.size(); i += 4) CHECK(counted(replies[i]) == 3);
  CHECK(world.open_requests(leader) == 0);
}

}  // namespace parallax::testing
