// Linearizable reads under the leader's lease: what they save, what their answers say, and that a
// leader whose lease is gone shows nothing old.
#include <catch2/catch.hpp>

#include "client/verify.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

struct Leased : Elected {
  Leased() : Elected(WorldOptions{.lease_reads = true}) {
    REQUIRE(world.put(leader, "k", "old"));
    REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
    world.run_for(1s);
  }
  /// The others have another leader, and it has written.
  void go_on_without_leader() {
    REQUIRE(world.run_until([&] { return world.leader() != leader && world.leader() != kNoNode; },
                            10s));
    REQUIRE(world.put(world.leader(), "k", "new"));
  }
};

std::string shown(const Reply& reply) {
  return reply ? std::string(reply->value.view()) : reply.error().message;
}

}  // namespace

TEST_CASE_METHOD(Leased, "lease: a read asks nobody, and says on what it rests") {
  const std::uint64_t rounds = world.replica(leader).counters().read_rounds;
  world.isolate(leader);  // whoever were asked could not answer
  const MonoTime begun = world.now();
  const Reply reply = world.get(leader, "k");
  CHECK(shown(reply) == "old");
  CHECK(world.now() == begun);
  CHECK(world.replica(leader).counters().read_rounds == rounds);
  REQUIRE(reply);
  CHECK(reply->evidence.path == Path::lease);
  CHECK(reply->evidence.node == leader);
  CHECK(reply->evidence.replicas.size() >= 2);
  CHECK(reply->consistency == Consistency{});

  // A client takes it for linearizable only if it knows that leases are on.
  Asked asked{.consistency = Consistency{}, .lease_reads = true};
  CHECK(verify(asked, *reply));
  CHECK(check_evidence(reply->consistency, true, reply->evidence));
  asked.lease_reads = false;
  CHECK_FALSE(verify(asked, *reply));
  asked.lease_reads = true;
  Answer altered = *reply;
  altered.evidence.replicas = {leader};
  CHECK_FALSE(verify(asked, altered));
  altered = *reply;
  altered.consistency = {.level = Level::bounded, .max_lag = 0};
  asked.consistency = altered.consistency;
  CHECK_FALSE(verify(asked, altered));
  CHECK_FALSE(check_evidence(altered.consistency, true, altered.evidence));
  CHECK_FALSE(check_evidence(reply->consistency, false, reply->evidence));
}

TEST_CASE_METHOD(Leased, "lease: what another node passes on is read under it, too") {
  const Reply reply = world.get(follower, "k");
  REQUIRE(reply);
  CHECK(shown(reply) == "old");
  CHECK(reply->evidence.path == Path::lease);
  CHECK(reply->evidence.node == leader);
}

TEST_CASE_METHOD(Leased, "lease: it shows every write that was acknowledged before") {
  for (int i = 0; i < 20; ++i) {
    const std::string value = std::to_string(i);
    REQUIRE(world.put(i % 2 == 0 ? leader : follower, "k", value));
    const Reply reply = world.get(leader, "k");
    REQUIRE(reply);
    CHECK(reply->evidence.path == Path::lease);
    CHECK(shown(reply) == value);
  }
}

TEST_CASE_METHOD(Leased, "lease: off, a leader that is alone answers nothing") {
  Elected plain;
  REQUIRE(plain.world.put(plain.leader, "k", "old"));
  plain.world.run_for(1s);
  CHECK(plain.world.get(plain.leader, "k")->evidence.path == Path::read_index);
  plain.world.isolate(plain.leader);
  Request read = get_request("k", Level::linearizable, 200ms);
  CHECK_FALSE(plain.world.call(plain.leader, read));
  CHECK_FALSE(plain.world.replica(plain.leader).status().lease_reads);
  CHECK(world.replica(leader).status().lease_reads);
}

TEST_CASE_METHOD(Leased, "lease: it runs out, and then a majority is asked") {
  world.isolate(leader);
  world.run_for(limits::kElectionTimeoutMin);
  std::optional<Reply> reply;
  world.submit(leader, get_request("k"), [&](const Reply& outcome) { reply = outcome; });
  world.run_for(100ms);
  CHECK_FALSE(reply);
  go_on_without_leader();
  world.heal();
  REQUIRE(world.run_until([&] { return reply.has_value(); }, 5s));
  CHECK(shown(*reply) == "new");
}

TEST_CASE_METHOD(Leased,
                 "lease: a leader that stood still in the middle of a turn shows nothing old") {
  // It has read its clocks, and takes in the read before it hears of the others.
  const bool hears_peers = GENERATE(false, true);
  CAPTURE(hears_peers);
  world.pause_in_turn(leader, hears_peers);
  go_on_without_leader();
  std::optional<Reply> reply;
  world.submit(leader, get_request("k"), [&](const Reply& outcome) { reply = outcome; });
  world.run_for(10ms);
  REQUIRE_FALSE(reply);
  world.pause(leader, false);
  REQUIRE(world.run_until([&] { return reply.has_value(); }, 5s));
  CHECK(shown(*reply) == "new");
}

TEST_CASE("lease: one that sleeps between reading and answering asks again") {
  // The owner's steps by hand: no driver is in the way.
  MemoryStore store;
  ReplicaConfig config{.id = NodeId{1}, .members = {NodeId{1}}, .lease_reads = true};
  TurnTime now{MonoTime{} + 1s, UnixMillis{1'700'000'000'000}};
  auto opened = Replica::open(std::move(config), store, now);
  REQUIRE(opened);
  Replica& replica = **opened;
  std::vector<std::pair<RequestId, Reply>> replies;
  const auto turn = [&](Duration later, std::optional<RequestId> read, Duration asleep) {
    now.monotonic += later;
    now.physical.value += static_cast<std::uint64_t>(later / 1ms);
    replica.begin_turn(now);
    if (read) replica.on_request(*read, get_request("k"));
    replica.end_inputs(now.monotonic);
    ReplicaReady ready = replica.take_ready(true);
    CHECK((ready.replies.empty() || !ready.leased));
    if (ready.batch) {
      REQUIRE(store.write(std::move(*ready.batch)));
      replica.on_persisted(ready.sequence);
    }
    const bool leased = ready.leased;
    now.monotonic += asleep;
    if (leased) replica.settle_leased(now.monotonic, ready);
    for (auto& reply : ready.replies) replies.push_back(std::move(reply));
    return leased;
  };
  for (int i = 0; i < 500 && !replica.status().ready; ++i) turn(10ms, std::nullopt, 0ms);
  REQUIRE(replica.status().ready);
  for (int i = 0; i < 30; ++i) turn(10ms, std::nullopt, 0ms);

  CHECK(turn(10ms, RequestId{1}, 0ms));
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].second->evidence.path == Path::lease);

  CHECK(turn(10ms, RequestId{2}, 5s));
  CHECK(replies.size() == 1);  // read, and not shown
  for (int i = 0; i < 10 && replies.size() == 1; ++i) turn(10ms, std::nullopt, 0ms);
  REQUIRE(replies.size() == 2);
  CHECK(replies[1].first == RequestId{2});
}

TEST_CASE_METHOD(Leased, "lease: what the log does not have is committed before it is shown") {
  Request beside = put_request("k", "beside");
  beside.consistency = {Level::eventual};
  REQUIRE(world.call(leader, beside));
  const Reply reply = world.get(leader, "k");
  REQUIRE(reply);
  CHECK(shown(reply) == "beside");
  CHECK(reply->evidence.path == Path::read_index);
  CHECK(world.get(leader, "k")->evidence.path == Path::lease);
}

TEST_CASE_METHOD(Leased,
                 "lease: whoever comes back at once votes for nobody while it may rest on it") {
  // The leader is alone with its lease. One of the others has forgotten that it heard it.
  // Just before it may campaign: what it begins anew is the whole timeout.
  world.isolate(leader);
  world.run_for(limits::kElectionTimeoutMin - 50ms);
  world.crash(follower);
  REQUIRE(world.start(follower));
  const MonoTime begun = world.now();
  REQUIRE(
      world.run_until([&] { return world.leader() != leader && world.leader() != kNoNode; }, 10s));
  CHECK(world.now() - begun >= limits::kElectionTimeoutMin);
}

TEST_CASE_METHOD(Leased, "lease: handed over, the next leader has its own") {
  lead(world, follower);
  REQUIRE(world.put(third, "k", "new"));
  world.run_for(300ms);
  const Reply reply = world.get(leader, "k");
  REQUIRE(reply);
  CHECK(shown(reply) == "new");
  CHECK(reply->evidence.node == follower);
  CHECK(reply->evidence.path == Path::lease);
}

}  // namespace parallax::testing
