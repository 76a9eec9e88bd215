// Key states that wait (node/replica_states.cc): what a restart makes anew, and what must not be
// gone before they are written.
#include <catch2/catch.hpp>

#include "tests/node/causal_client.h"

namespace parallax::testing {
namespace {

struct Waiting : Elected {
  explicit Waiting(WorldOptions options = {.states_wait = 1h}) : Elected(options) {
    world.run_for(100ms);
  }

  bool stored(NodeId id, const std::string& key) {
    const auto found = world.store(id).get(records::key_state_key(kOnlyGroup, key));
    REQUIRE(found.has_value());
    return found->has_value();
  }
  std::optional<StatesRecord> record(NodeId id) {
    const auto found =
        records::load<StatesRecord>(world.store(id), records::states_key(kOnlyGroup));
    REQUIRE(found.has_value());
    return *found;
  }
  /// Comes back and hears of nobody.
  void restart_alone(NodeId id) {
    world.crash(id);
    world.isolate(id);
    REQUIRE(world.start(id));
  }
};

TEST_CASE_METHOD(Waiting, "states: a restart makes those anew that waited, before it serves") {
  REQUIRE(world.put(leader, "k", "1"));
  REQUIRE(world.put(leader, "k", "2"));
  REQUIRE(world.put(leader, "gone", "1"));
  REQUIRE(world.remove(leader, "gone"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  world.run_for(200ms);
  for (const NodeId id : world.ids()) {
    REQUIRE_FALSE(stored(id, "k"));
    REQUIRE(record(id).has_value());
  }
  const std::uint64_t digest = *KeySpace(world.replica(third).state(), kOnlyGroup).digest();
  const LogIndex applied = world.replica(follower).status().applied_index;
  restart_alone(follower);
  CHECK(world.replica(follower).status().applied_index == applied);
  CHECK(world.get(follower, "k", Level::prefix)->value == Bytes{"2"});
  CHECK_FALSE(world.get(follower, "gone", Level::prefix)->found);
  const KeySpace keys(world.replica(follower).state(), kOnlyGroup);
  CHECK(*keys.digest() == digest);
  const Result<Past> past = keys.history("k");
  REQUIRE(past.has_value());
  CHECK(past->versions.size() == 2);
  // Once more, with what it has not written now either.
  restart_alone(follower);
  CHECK(*KeySpace(world.replica(follower).state(), kOnlyGroup).digest() == digest);
}

TEST_CASE_METHOD(Waiting, "states: a restart makes those of causal operations anew") {
  Client client{world};
  written(client.put(follower, "k", "1"));
  written(client.put(follower, "k", "2"));
  written(client.put(third, "other", "3"));
  world.run_for(300ms);
  for (const NodeId id : world.ids()) REQUIRE_FALSE(stored(id, "k"));
  restart_alone(follower);
  CHECK(client.value(follower, "k") == "2");
  CHECK(client.value(follower, "other") == "3");
}

TEST_CASE_METHOD(Waiting, "states: a restart leaves the past of a key as it was") {
  Client client{world};
  for (const char* value : {"1", "2", "3", "4", "5"}) {
    written(client.put(value[0] % 2 == 0 ? follower : third, "k", value));
    world.run_for(50ms);
  }
  world.run_for(200ms);
  const auto past = [&] {
    const Result<Past> found = KeySpace(world.replica(follower).state(), kOnlyGroup).history("k");
    REQUIRE(found.has_value());
    std::vector<std::string> values;
    for (const PastVersion& each : found->versions) {
      values.push_back(each.version.value.to_string());
    }
    return values;
  };
  REQUIRE_FALSE(stored(follower, "k"));
  REQUIRE(past() == std::vector<std::string>{"5", "4", "3", "2", "1"});
  restart_alone(follower);
  world.run_for(300ms);
  CHECK(past() == std::vector<std::string>{"5", "4", "3", "2", "1"});
}

TEST_CASE_METHOD(Waiting, "states: what else is known of a key takes them along") {
  REQUIRE(world.put(leader, "k", "log"));
  world.run_for(200ms);
  Request request = put_request("k", "quorum");
  request.consistency.level = Level::quorum;
  written(world.call(follower, std::move(request)));
  world.run_for(200ms);
  REQUIRE(stored(follower, "k"));
  const Result<KeyState> state = KeySpace(world.store(follower), kOnlyGroup).load("k");
  REQUIRE(state.has_value());
  CHECK(state->context() ==
        KeySpace(world.replica(follower).state(), kOnlyGroup).load("k")->context());
}

struct WaitingGraceful : Waiting {
  WaitingGraceful()
      : Waiting({.states_wait = 1h, .anti_entropy_interval = 500ms, .tombstone_grace = 8s}) {}
};

TEST_CASE_METHOD(WaitingGraceful, "states: what was removed is not made anew") {
  REQUIRE(world.put(leader, "waits", "v"));
  REQUIRE(world.put(leader, "k", "v"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  Request removal = delete_request("k");
  removal.consistency.level = Level::quorum;
  written(world.call(follower, std::move(removal)));
  const auto gone = [&] {
    return KeySpace(world.replica(follower).state(), kOnlyGroup).load("k")->empty();
  };
  REQUIRE_FALSE(gone());
  REQUIRE(world.run_until(gone, 30s));
  world.run_for(200ms);
  restart_alone(follower);
  CHECK(gone());
  CHECK_FALSE(world.get(follower, "k", Level::prefix)->found);
}

TEST_CASE("states: no log is cut off before what it holds is in them") {
  World world({.log_keep_entries = 5, .states_wait = 1h});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (int i = 0; i < 100; ++i) REQUIRE(world.put(leader, fmt::format("{}", i), "v"));
  world.run_for(1s);
  const ReplicaStatus status = world.replica(leader).status();
  const auto record =
      records::load<StatesRecord>(world.store(leader), records::states_key(kOnlyGroup));
  REQUIRE(record);
  REQUIRE(record->has_value());
  CHECK(status.log_start <= (*record)->index);
  CHECK(status.applied_index.value >= 100);
  CHECK((*record)->index.value < 10);
  world.crash(leader);
  REQUIRE(world.start(leader));
  for (int i = 0; i < 100; ++i) {
    CHECK(world.get(leader, fmt::format("{}", i), Level::prefix)->found);
  }
}

TEST_CASE("states: what waits is written after its time, or where there is no room") {
  const bool room = GENERATE(false, true);
  World world({.states_wait = 1s, .states_wait_bytes = room ? 1u << 20 : 0u});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  world.run_for(100ms);
  const auto stored = [&] {
    return world.store(leader).get(records::key_state_key(kOnlyGroup, "k"))->has_value();
  };
  REQUIRE(world.put(leader, "k", "v"));
  world.run_for(200ms);
  CHECK(stored() != room);
  world.run_for(2s);
  CHECK(stored());
  CHECK_FALSE(*world.store(leader).get(records::states_key(kOnlyGroup)));
}

TEST_CASE_METHOD(Waiting, "states: a clean stop leaves nothing to make anew") {
  REQUIRE(world.put(leader, "k", "v"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  world.replica(follower).begin_shutdown();
  world.run_for(50ms);
  CHECK(stored(follower, "k"));
  CHECK_FALSE(record(follower));
}

TEST_CASE("states: who stops before it is a member writes nothing") {
  World world({});
  const NodeId id = world.ids().front();
  REQUIRE(world.start(id));
  world.run_for(100ms);
  world.replica(id).begin_shutdown();
  world.run_for(1s);
  std::size_t records = 0;
  REQUIRE(world.store(id).scan({}, [&](auto, auto) { return ++records > 0; }));
  CHECK(records == 0);
}

TEST_CASE("states: a snapshot is of a view in which nothing waits") {
  World world({.log_keep_entries = 5, .states_wait = 300ms});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId away = world.others(leader)[0];
  world.crash(away);
  for (int i = 0; i < 300; ++i) {
    REQUIRE(world.put(leader, fmt::format("{}", i), "v"));
    world.run_for(5ms);
    if (i == 250) REQUIRE(world.start(away));
  }
  REQUIRE(world.run_until([&] { return world.converged(); }, 20s));
  CHECK(world.replica(away).counters().snapshots_installed >= 1);
  CHECK(world.get(away, "249", Level::prefix)->value == Bytes{"v"});
}

TEST_CASE("states: those that wait are written with a snapshot that comes in") {
  World world({.log_keep_entries = 5, .states_wait = 10s});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId away = world.others(leader)[0];
  REQUIRE(world.put(leader, "k", "v"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  world.run_for(200ms);
  world.crash(away);
  for (int i = 0; i < 300; ++i) {
    REQUIRE(world.put(leader, "other", "v"));
    world.run_for(100ms);
  }
  REQUIRE(world.start(away));
  REQUIRE(world.run_until([&] { return world.converged(); }, 2s));
  REQUIRE(world.replica(away).counters().snapshots_installed >= 1);
  world.run_for(200ms);
  world.crash(away);
  REQUIRE(world.start(away));
  CHECK(world.get(away, "k", Level::prefix)->value == Bytes{"v"});
}

TEST_CASE("states: those that wait are written with a causal transfer that comes in") {
  CausalReady at({.states_wait = 3s, .causal_log_bytes = 1'000});
  World& world = at.world;
  Client client{world};
  written(client.put(at.follower, "k", "v"));
  world.run_for(300ms);
  world.crash(at.third);
  for (int i = 0; i < 100; ++i) {
    written(client.put(at.follower, "other", "v"));
    world.run_for(100ms);
  }
  REQUIRE(world.start(at.third));
  const auto caught_up = [&] {
    const Reply reply = world.get(at.third, "other", Level::causal);
    return reply && reply->found;
  };
  REQUIRE(world.run_until(caught_up, 2s));
  world.run_for(200ms);
  world.crash(at.third);
  world.isolate(at.third);
  REQUIRE(world.start(at.third));
  Client stranger{world};
  CHECK(stranger.value(at.third, "k") == "v");
  CHECK(stranger.value(at.third, "other") == "v");
}

}  // namespace
}  // namespace parallax::testing
