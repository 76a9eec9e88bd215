// ack=leader, semi-sync, majority and all: when a write is acknowledged, and what is lost when its
// leader is.
#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

Request put_with(Ack ack, std::string key, std::string value, Duration timeout = 2s) {
  Request request = put_request(std::move(key), std::move(value), timeout);
  request.consistency.ack = ack;
  return request;
}

/// The followers hear nothing of entries.
struct Alone : Elected {
  explicit Alone(WorldOptions options = {}) : Elected(options) {
    REQUIRE(world.put(leader, "k", "old"));
    REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  }
  void keep_entries_from(std::vector<NodeId> nodes) {
    world.drop_if([nodes = std::move(nodes)](const Envelope& envelope) {
      const auto* append = std::get_if<AppendEntries>(&envelope.message);
      return append != nullptr && !append->entries.empty() &&
             std::find(nodes.begin(), nodes.end(), envelope.to) != nodes.end();
    });
  }
};

struct ShortTimeout : Alone {
  ShortTimeout() : Alone({.semi_sync_timeout = 300ms}) {}
};

std::string ended(const Reply& reply) {
  return reply ? "answered" : std::string(error_info(reply.error().code).name);
}

}  // namespace

TEST_CASE_METHOD(Alone, "ack: the leader's disk is enough for leader, and for nothing else") {
  keep_entries_from({follower, third});
  const Reply early = world.call(leader, put_with(Ack::leader, "k", "new"));
  REQUIRE(early);
  CHECK(early->consistency.to_string() == "linearizable; ack=leader");
  CHECK(early->evidence.replicas == std::vector{leader});
  CHECK_FALSE(early->evidence.degraded);
  CHECK(early->evidence.index > early->session.index);
  for (const Ack more : {Ack::semi_sync, Ack::majority, Ack::all}) {
    const Reply reply = world.call(leader, put_with(more, "other", "x", 500ms));
    CHECK(ended(reply) == "timeout");
    CHECK_FALSE(reply.error().definite());
  }
  // Until it is committed a read may miss it.
  CHECK(world.get(leader, "k")->value.view() == "old");
  keep_entries_from({});
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  CHECK(world.get(leader, "k")->value.view() == "new");
}

TEST_CASE_METHOD(Alone, "ack: not even leader answers before the leader's disk") {
  keep_entries_from({follower, third});
  world.hold_disk(leader, true);
  CHECK(ended(world.call(leader, put_with(Ack::leader, "k", "new", 400ms))) == "timeout");
}

TEST_CASE_METHOD(Elected, "ack: a write at leader from a follower is forwarded") {
  const Reply reply = world.call(follower, put_with(Ack::leader, "k", "v"));
  REQUIRE(reply);
  CHECK(reply->consistency.to_string() == "linearizable; ack=leader");
  CHECK(reply->evidence.node == leader);
}

TEST_CASE("ack: semi-sync is one follower, a majority is more") {
  WorldOptions options;
  options.nodes = 5;
  World world(options);
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "old"));
  const std::vector<NodeId> others = world.others(leader);
  world.drop_if([&](const Envelope& envelope) {
    const auto* append = std::get_if<AppendEntries>(&envelope.message);
    return append != nullptr && !append->entries.empty() && envelope.to != others[0];
  });
  const Reply reply = world.call(leader, put_with(Ack::semi_sync, "k", "new"));
  REQUIRE(reply);
  CHECK(reply->consistency.to_string() == "linearizable; ack=semi-sync");
  CHECK_FALSE(reply->evidence.degraded);
  std::vector<NodeId> both{leader, others[0]};
  std::sort(both.begin(), both.end());
  CHECK(reply->evidence.replicas == both);
  CHECK(ended(world.call(leader, put_with(Ack::majority, "k", "more", 500ms))) == "timeout");
}

TEST_CASE_METHOD(ShortTimeout, "ack: semi-sync gives way, says so, and comes back") {
  keep_entries_from({follower, third});
  const MonoTime begun = world.now();
  const Reply first = world.call(leader, put_with(Ack::semi_sync, "k", "one"));
  REQUIRE(first);
  CHECK(world.now() - begun >= 300ms);
  CHECK(first->evidence.degraded);
  CHECK(first->consistency.to_string() == "linearizable; ack=leader");
  CHECK(world.replica(leader).status().semi_sync_degraded);
  CHECK(world.replica(leader).counters().semi_sync_degradations == 1);
  // Nobody waits anew.
  const MonoTime again = world.now();
  CHECK(world.call(leader, put_with(Ack::semi_sync, "k", "two"))->evidence.degraded);
  CHECK(world.now() - again < 100ms);

  keep_entries_from({third});
  REQUIRE(world.run_until([&] { return !world.replica(leader).status().semi_sync_degraded; }, 5s));
  const Reply back = world.call(leader, put_with(Ack::semi_sync, "k", "three"));
  REQUIRE(back);
  CHECK_FALSE(back->evidence.degraded);
  CHECK(back->consistency.to_string() == "linearizable; ack=semi-sync");
  CHECK(world.replica(leader).counters().semi_sync_degradations == 1);
}

TEST_CASE_METHOD(ShortTimeout,
                 "ack: semi-sync gives way although requests end before its timeout") {
  keep_entries_from({follower, third});
  CHECK(ended(world.call(leader, put_with(Ack::semi_sync, "k", "one", 100ms))) == "timeout");
  CHECK(ended(world.call(leader, put_with(Ack::semi_sync, "k", "two", 100ms))) == "timeout");
  const Reply third_try = world.call(leader, put_with(Ack::semi_sync, "k", "three", 200ms));
  REQUIRE(third_try);
  CHECK(third_try->evidence.degraded);
}

TEST_CASE_METHOD(Alone, "ack: all is every member") {
  const Reply whole = world.call(leader, put_with(Ack::all, "k", "new"));
  REQUIRE(whole);
  CHECK(whole->consistency.to_string() == "linearizable; ack=all");
  CHECK(whole->evidence.replicas == world.ids());
  keep_entries_from({third});
  Reply late = definite(ErrorCode::internal, "not answered");
  world.submit(leader, put_with(Ack::all, "k", "newer"), [&](const Reply& reply) { late = reply; });
  world.run_for(500ms);
  CHECK_FALSE(late);
  CHECK(world.get(leader, "k")->value.view() == "newer");  // committed long since
  keep_entries_from({});
  REQUIRE(world.run_until([&] { return late.has_value(); }, 2s));
  CHECK(late->evidence.replicas == world.ids());

  world.crash(third);
  const Reply missing = world.call(leader, put_with(Ack::all, "k", "newest", 500ms));
  CHECK(ended(missing) == "not-enough-replicas");
  CHECK_FALSE(missing.error().definite());
  CHECK(missing.error().required == 3);
  CHECK(missing.error().received == 2);
  CHECK(world.get(leader, "k")->value.view() == "newest");
}

TEST_CASE_METHOD(Alone, "ack: the first outcome of a key is given again when all have it") {
  keep_entries_from({third});
  Request write = put_with(Ack::all, "k", "new", 500ms);
  write.idempotency_key = "once";
  const Reply first = world.call(leader, write);
  CHECK(ended(first) == "not-enough-replicas");
  CHECK(ended(world.call(leader, write)) == "not-enough-replicas");
  keep_entries_from({});
  const Reply again = world.call(leader, write);
  REQUIRE(again);
  CHECK(again->replayed);
  CHECK(again->evidence.replicas == world.ids());
}

TEST_CASE("ack: what is lost with a leader, by mode") {
  // Writes to a leader that its followers do not hear, until others lead; then what is left.
  std::map<Ack, std::size_t> acknowledged;
  std::map<Ack, std::size_t> lost;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    for (const Ack ack : {Ack::leader, Ack::semi_sync, Ack::majority, Ack::all}) {
      WorldOptions options;
      options.seed = seed;
      Elected run(options);
      World& world = run.world;
      Random random(seed);
      std::map<std::string, std::string> promised;
      const auto write = [&](int i) {
        const std::string key = "k" + std::to_string(i);
        world.submit(run.leader, put_with(ack, key, key, 1s), [&promised, key](const Reply& reply) {
          if (reply) promised.emplace(key, key);
        });
      };
      for (int i = 0; i < 20; ++i) {
        write(i);
        world.run_for(std::chrono::milliseconds(random.below(3)));
      }
      world.isolate(run.leader);
      for (int i = 20; i < 40; ++i) {
        write(i);
        world.run_for(std::chrono::milliseconds(random.below(3)));
      }
      world.crash(run.leader);
      world.heal();
      const NodeId next = world.wait_for_leader();
      REQUIRE(next != kNoNode);
      REQUIRE(world.start(run.leader));
      acknowledged[ack] += promised.size();
      for (const auto& [key, value] : promised) {
        const Reply reply = world.get(next, key);
        REQUIRE(reply);
        if (!reply->found) ++lost[ack];
      }
    }
  }
  CHECK(acknowledged[Ack::leader] > acknowledged[Ack::majority]);
  CHECK(lost[Ack::leader] > 100);
  CHECK(lost[Ack::semi_sync] == 0);  // of three nodes; nothing gave way
  CHECK(lost[Ack::majority] == 0);
  CHECK(lost[Ack::all] == 0);
}

TEST_CASE_METHOD(Alone, "ack: a refusal does not leave before what it shows is committed") {
  keep_entries_from({follower, third});
  Request first = put_with(Ack::majority, "new", "first", 5s);
  first.conditions.if_none_match = EtagSet{.any = true};
  world.submit(leader, first, [](const Reply&) {});
  world.run_for(10ms);
  for (const Ack ack : {Ack::leader, Ack::semi_sync}) {
    Request second = put_with(ack, "new", "second", 300ms);
    second.conditions.if_none_match = EtagSet{.any = true};
    second.idempotency_key = ack == Ack::leader ? "one" : "two";
    CHECK(ended(world.call(leader, second)) == "timeout");
    keep_entries_from({});
    REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
    const Reply refused = world.call(leader, second);
    REQUIRE(refused);
    REQUIRE(refused->refusal);
    CHECK(refused->refusal->code == ErrorCode::precondition_failed);
    keep_entries_from({follower, third});
  }
}

TEST_CASE_METHOD(ShortTimeout, "ack: semi-sync comes back while clients go on writing") {
  keep_entries_from({follower, third});
  REQUIRE(world.call(leader, put_with(Ack::semi_sync, "k", "one"))->evidence.degraded);
  world.set_latency(5ms, 5ms);  // one write at least is always on its way
  keep_entries_from({third});
  bool back = false;
  for (int i = 0; i < 600 && !back; ++i) {
    world.submit(leader, put_with(Ack::semi_sync, "k", std::to_string(i)), [](const Reply&) {});
    world.run_for(1ms);
    back = !world.replica(leader).status().semi_sync_degraded;
  }
  CHECK(back);
}

TEST_CASE("ack: a cluster of one has all followers that there are") {
  WorldOptions options;
  options.nodes = 1;
  options.semi_sync_timeout = 300ms;
  World world(options);
  world.start_all();
  const NodeId only = world.wait_for_leader();
  const Reply reply = world.call(only, put_with(Ack::semi_sync, "k", "v"));
  REQUIRE(reply);
  CHECK_FALSE(reply->evidence.degraded);
  world.run_for(1s);
  CHECK_FALSE(world.replica(only).status().semi_sync_degraded);
}

TEST_CASE_METHOD(Alone, "ack: all through a follower says on how many it is") {
  world.crash(third);
  const Reply missing = world.call(follower, put_with(Ack::all, "k", "new", 500ms));
  CHECK(ended(missing) == "not-enough-replicas");
  REQUIRE_FALSE(missing);
  CHECK_FALSE(missing.error().definite());
  CHECK(missing.error().required == 3);
  CHECK(missing.error().received == 2);
}

TEST_CASE_METHOD(Alone, "ack: a leader whose disk lags is none of those that hold the entry") {
  world.hold_disk(leader, true);
  const Reply reply = world.call(leader, put_with(Ack::majority, "k", "new"));
  REQUIRE(reply);
  std::vector<NodeId> both{follower, third};
  std::sort(both.begin(), both.end());
  CHECK(reply->evidence.replicas == both);
  const Reply missing = world.call(leader, put_with(Ack::all, "k", "newer", 300ms));
  CHECK(ended(missing) == "not-enough-replicas");
  CHECK(missing.error().received == 2);
}

TEST_CASE("ack: what commits as leadership goes still names a majority") {
  std::size_t answered = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    WorldOptions options;
    options.seed = seed;
    Elected run(options);
    World& world = run.world;
    const auto write = [&](int i) {
      world.submit(run.leader, put_with(Ack::majority, "k" + std::to_string(i), "v"),
                   [&](const Reply& reply) {
                     if (!reply || reply->evidence.node != run.leader) return;
                     ++answered;
                     CHECK(reply->evidence.replicas.size() >= 2);
                   });
    };
    for (int i = 0; i < 60; ++i) {
      if (i == 30) REQUIRE(world.replica(run.leader).transfer_leadership(run.follower));
      write(i);
      world.run_for(100us);
    }
    world.run_for(1s);
  }
  CHECK(answered > 100);
}

TEST_CASE_METHOD(Alone, "ack: beside the level that a policy names") {
  keep_entries_from({follower, third});
  Request write = put_with(Ack::majority, "k", "new", 300ms);
  write.level_by_policy = true;
  CHECK(ended(world.call(leader, write)) == "timeout");
  write.policy_ack = Ack::leader;
  const Reply early = world.call(leader, write);
  REQUIRE(early);
  CHECK(early->consistency.to_string() == "linearizable; ack=leader");
  keep_entries_from({});
  const auto set_policy = [&](Consistency level) {
    Request set = put_request("", "");
    set.operation = SetPolicy{"k", Policy{.default_consistency = level}};
    REQUIRE(world.call(leader, set));
  };
  set_policy({.level = Level::prefix, .ack = Ack::leader});
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  write.policy_ack = Ack::all;
  const Reply whole = world.call(leader, write);
  REQUIRE(whole);
  CHECK(whole->consistency.to_string() == "prefix; ack=all");
  set_policy({.level = Level::causal});
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  const Reply refused = world.call(leader, write);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "'ack' is no parameter of causal, which takes on_violation");
}

}  // namespace parallax::testing
