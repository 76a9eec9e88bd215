// Clocks that are off, disks that refuse.
#include <catch2/catch.hpp>

#include "storage/log_segment.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {

TEST_CASE("faults: a node with a skewed clock stamps nothing and leads no more") {
  const auto offset = GENERATE(values<std::chrono::milliseconds>({2'000ms, -2'000ms}));
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  const Reply first = world.put(old, "k", "v");
  REQUIRE(first);
  world.run_for(500ms);
  world.set_clock(old, offset);
  REQUIRE(world.run_until([&] { return world.leader() != kNoNode && world.leader() != old; }, 3s));
  const NodeId next = world.leader();
  for (int i = 0; i < 5; ++i) {
    const Reply reply = world.put(old, "k", "w");
    REQUIRE(reply);
    CHECK(reply->stamp->node == next);
    CHECK(*reply->stamp > *first->stamp);
  }
  // It replicates on, and does not come back while it is off.
  world.run_for(2s);
  REQUIRE(world.run_until([&] { return world.converged(); }, 2s));
  world.crash(next);
  world.run_for(5s);
  const NodeId third = world.leader();
  CHECK(third != old);
  CHECK(third != kNoNode);

  // Set right, it may lead again.
  REQUIRE(world.start(next));
  world.set_clock(old, 0ms);
  world.run_for(2s);
  REQUIRE(world.replica(world.leader()).transfer_leadership(old));
  CHECK(world.run_until([&] { return world.leader() == old; }, 2s));
  CHECK(world.put(old, "k", "x"));
}

TEST_CASE("faults: a skewed leader that cannot hand over refuses to stamp") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  world.run_for(500ms);
  // Nobody takes over: what asks for it is lost.
  world.drop_if([](const Envelope& e) { return std::holds_alternative<TimeoutNow>(e.message); });
  world.set_clock(leader, 5'000ms);
  world.run_for(500ms);
  std::vector<Reply> replies;
  for (int i = 0; i < 40; ++i) {
    world.submit(leader, put_request("k", "w", 3s), [&](const Reply& r) { replies.push_back(r); });
    world.run_for(100ms);
  }
  REQUIRE(world.run_until([&] { return replies.size() == 40; }, 5s));
  std::size_t refused = 0;
  for (const Reply& reply : replies) {
    REQUIRE(reply.has_error());
    CHECK(reply.error().definite());
    refused += reply.error().code == ErrorCode::clock_skew ? 1 : 0;
  }
  CHECK(refused > 0);
  CHECK(world.replica(leader).counters().stamps_refused_for_skew >= refused);
  CHECK(world.get(leader, "k")->value == Bytes{"v"});  // reads need no stamp
}

TEST_CASE("faults: a fast clock that was followed does not stop the others") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  // 400 ms is within the bound: its stamps are ahead and everybody follows.
  world.set_clock(leader, 400ms);
  const Reply ahead = world.put(leader, "k", "v");
  REQUIRE(ahead);
  world.crash(leader);
  const NodeId next = world.wait_for_leader();
  const Reply behind = world.put(next, "k", "w");
  REQUIRE(behind);
  CHECK(*behind->stamp > *ahead->stamp);
}

TEST_CASE("faults: a leader whose disk refuses acknowledges nothing and is replaced") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  REQUIRE(world.put(old, "k", "v"));
  world.run_for(200ms);
  world.set_disk_full(old, true);
  const Reply open = world.put(old, "k", "unknown");
  REQUIRE_FALSE(open);
  CHECK(open.error().code == ErrorCode::read_only);
  CHECK_FALSE(open.error().definite());
  const MonoTime begun = world.now();
  REQUIRE(world.run_until([&] { return world.leader() != kNoNode && world.leader() != old; }, 5s));
  CHECK(world.now() - begun < 200ms);  // it asked another one to take over

  const Reply refused = world.put(old, "k", "w");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::read_only);
  CHECK(refused.error().definite());
  CHECK_FALSE(world.replica(old).status().ready);
  // Prefix reads go on here; linearizable ones are the new leader's.
  const Reply prefix = world.get(old, "k", Level::prefix);
  REQUIRE(prefix);
  CHECK(prefix->evidence.node == old);
  const Reply written = world.put(world.leader(), "k", "new");
  REQUIRE(written);
  CHECK(written->evidence.replicas.size() == 2);
  const Reply strong = world.get(old, "k");
  REQUIRE(strong);
  CHECK(strong->value == Bytes{"new"});

  // It votes no more: the two that are left are no majority without each other.
  std::size_t votes = 0;
  world.watch([&](const Envelope& e) {
    const auto* vote = std::get_if<VoteReply>(&e.message);
    const auto* append = std::get_if<AppendReply>(&e.message);
    if (e.from == old) votes += vote != nullptr || append != nullptr ? 1 : 0;
  });
  world.crash(world.leader());
  world.run_for(5s);
  CHECK(votes == 0);
  CHECK(world.leader() == kNoNode);

  // A new process on a disk that works again goes on.
  world.watch(nullptr);
  world.crash(old);
  world.set_disk_full(old, false);
  world.start_all();
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
}

TEST_CASE("faults: a follower whose disk refuses acknowledges nothing") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  const NodeId bad = world.others(leader)[0];
  world.set_disk_full(bad, true);
  const Reply reply = world.put(leader, "k", "w");
  REQUIRE(reply);
  CHECK(reply->evidence.replicas.size() == 2);
  world.run_for(500ms);
  // Nor does it take in what it could never write.
  const LogIndex last = world.replica(bad).status().last_index;
  REQUIRE(world.put(leader, "k", "more"));
  world.run_for(500ms);
  CHECK(world.replica(bad).status().last_index == last);
  CHECK(world.put(bad, "k", "x").error().code == ErrorCode::read_only);
  world.crash(world.others(leader)[1]);
  const Reply alone = world.call(leader, put_request("k", "y", 2s));
  REQUIRE_FALSE(alone);
  CHECK_FALSE(alone.error().definite());
}

TEST_CASE("faults: a write passed on to who leads no more is given up long before its deadline") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  const NodeId follower = world.others(old).front();
  REQUIRE(world.put(follower, "k", "v"));
  // It arrives, and its answer never comes.
  std::optional<Envelope> word;
  world.drop_if([&](const Envelope& e) {
    if (!std::holds_alternative<ForwardReply>(e.message) || e.from != old) return false;
    word = e;
    return true;
  });
  std::optional<Reply> reply;
  world.submit(follower, put_request("k", "w", 30s), [&](const Reply& r) { reply = r; });
  world.run_for(20ms);
  REQUIRE(word);
  const auto other_leads = [&] {
    const NodeId leader = world.replica(follower).status().leader;
    return leader != kNoNode && leader != old;
  };
  const MonoTime begun = world.now();
  SECTION("it died: as soon as it is silent for longer than an election takes") {
    world.crash(old);
    REQUIRE(world.run_until([&] { return reply.has_value(); }, 3s));
    CHECK(other_leads());
    CHECK(world.now() - begun >= 900ms);
    CHECK(world.now() - begun <= 1'550ms);
    REQUIRE(reply->has_error());
    CHECK_FALSE(reply->error().definite());  // it may have been done
  }
  SECTION("it is there: some time for its word") {
    REQUIRE(world.replica(old).transfer_leadership(follower));
    REQUIRE(world.run_until(other_leads, 1s));
    const MonoTime taken_over = world.now();
    SECTION("nothing comes") {
      REQUIRE(world.run_until([&] { return reply.has_value(); }, 3s));
      CHECK(world.now() - taken_over >= 950ms);
      CHECK(world.now() - taken_over <= 1'100ms);
      REQUIRE(reply->has_error());
      CHECK_FALSE(reply->error().definite());
    }
    SECTION("a late word still counts") {
      world.run_for(900ms);
      REQUIRE_FALSE(reply);
      world.replica(follower).on_envelope(*word);
      REQUIRE(world.run_until([&] { return reply.has_value(); }, 100ms));
      REQUIRE(reply->has_value());
      CHECK((*reply)->evidence.node == old);
    }
  }
  CHECK(world.put(follower, "k", "x"));
}

TEST_CASE("faults: a log that does not commit takes in no more than fits into memory") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  // The followers are heard and never get an entry: writes pile up, and their requests end.
  world.drop_if([](const Envelope& e) { return std::holds_alternative<AppendEntries>(e.message); });
  const std::string value(1 << 20, 'x');
  std::size_t unknown = 0;
  std::optional<Error> refused;
  for (int i = 0; i < 100 && !refused; ++i) {
    const Reply reply = world.call(leader, put_request("k", value, 30ms));
    REQUIRE(reply.has_error());
    if (reply.error().definite()) {
      refused = reply.error();
    } else {
      ++unknown;
    }
  }
  REQUIRE(refused);
  CHECK(refused->code == ErrorCode::overloaded);
  CHECK(refused->message.find("wait for a majority") != std::string::npos);
  CHECK(unknown * value.size() >= limits::kLogCacheBytes + limits::kMaxProposalsInFlightBytes);
  CHECK(unknown * value.size() <=
        limits::kLogCacheBytes + limits::kMaxProposalsInFlightBytes + 2 * value.size());
  REQUIRE(world.leader() == leader);
  // Once they commit there is room again.
  world.heal();
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  CHECK(world.put(leader, "k", "w"));
}

TEST_CASE("faults: a snapshot leaves every write unknown that it may hold or leave in the log") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 2s));
  const NodeId next = world.others(leader).front();
  world.run_for(200ms);
  for (NodeId other : world.others(leader)) world.crash(other);
  std::map<int, Reply> replies;
  for (int i = 0; i < 3; ++i) {
    world.submit(leader, put_request("k", "w", 1s),
                 [&, i](const Reply& r) { replies.insert_or_assign(i, r); });
  }
  world.run_for(20ms);
  // The next leader committed the first of the three and sends its state at that point; our log has
  // the same entry there, so the two behind it stay.
  const ReplicaStatus status = world.replica(leader).status();
  REQUIRE(status.last_index == status.commit_index + 3);
  SnapshotChunk chunk{.term = Term{status.term.value + 1},
                      .transfer = 5,
                      .last = true,
                      .index = status.commit_index.next(),
                      .index_term = status.term};
  const std::string node_key = records::node_key();
  const auto node = world.store(next).get(node_key);
  REQUIRE((node && *node));
  chunk.records.push_back({node_key, Bytes{**node}});
  const std::string applied_key = records::applied_key(kOnlyGroup);
  const AppliedRecord applied{.index = chunk.index, .term = chunk.index_term};
  chunk.records.push_back({applied_key, records::encode(applied_key, applied)});
  Envelope envelope;
  envelope.from = next;
  envelope.to = leader;
  envelope.incarnation = Incarnation{limits::kMaxUnixMillis};
  envelope.clock = status.clock;
  envelope.message = chunk;
  world.replica(leader).on_envelope(envelope);
  world.run_for(50ms);
  REQUIRE(world.replica(leader).counters().snapshots_installed == 1);
  REQUIRE(world.replica(leader).status().last_index == status.last_index);
  CHECK(replies.size() == 1);
  CHECK(replies.contains(0));
  REQUIRE(world.run_until([&] { return replies.size() == 3; }, 2s));
  for (const auto& [i, reply] : replies) {
    REQUIRE(reply.has_error());
    CHECK_FALSE(reply.error().definite());
  }
}

namespace {

/// Reads of one record fail while it is named.
struct BrittleStore : MemoryStore {
  Result<std::optional<std::string>> get(std::string_view key) const override {
    if (key == broken) return definite(ErrorCode::io, "the sector cannot be read");
    return MemoryStore::get(key);
  }
  std::string broken;
};

/// A replica alone in its group, turn by turn.
struct Alone {
  Alone() {
    ReplicaConfig config;
    config.id = NodeId{1};
    config.members = {NodeId{1}};
    config.recent_bytes = 0;
    replica = *Replica::open(std::move(config), store, now());
  }
  TurnTime now() const {
    return {MonoTime{std::chrono::milliseconds(ms)}, UnixMillis{1'700'000'000'000 + ms}};
  }
  /// The batch that is out is written, and the next turn begins.
  void begin() {
    ms += 10;
    replica->begin_turn(now());
    if (!ready.batch) return;
    REQUIRE(store.write(*ready.batch));
    replica->on_persisted(ready.sequence);
    ready.batch.reset();
  }
  void end() {
    ready = replica->take_ready(true);
    for (auto& [id, reply] : ready.replies) replies.insert_or_assign(id, reply);
  }
  LogIndex last() const { return replica->raft()->log().last_index(); }

  BrittleStore store;
  std::uint64_t ms = 0;
  std::unique_ptr<Replica> replica;
  ReplicaReady ready;
  std::map<RequestId, Reply> replies;
};

}  // namespace

TEST_CASE("faults: half a turn is not made durable after a failed read") {
  Alone node;
  node.replica->on_request(RequestId{1}, put_request("a", "v"));
  for (int i = 0; i < 300 && !node.replies.contains(RequestId{1}); ++i) {
    node.begin();
    node.end();
  }
  REQUIRE(node.replies.at(RequestId{1}).has_value());
  node.begin();
  node.replica->on_request(RequestId{2}, put_request("b", "v"));
  const LogIndex entry = node.last();
  node.end();
  REQUIRE(node.ready.batch);

  // In one turn the next entry goes into the log and the one before it cannot be applied.
  node.store.broken = records::key_state_key(kOnlyGroup, "b");
  node.begin();
  node.replica->on_request(RequestId{3}, put_request("c", "v"));
  REQUIRE(node.last() == entry.next());
  node.end();
  CHECK_FALSE(node.ready.batch);
  CHECK_FALSE(node.replica->fatal());
  CHECK_FALSE(*node.store.get(records::log_segment_key(kOnlyGroup, entry.next())));
  for (const RequestId id : {RequestId{2}, RequestId{3}}) {
    REQUIRE(node.replies.contains(id));
    CHECK(node.replies.at(id).error().code == ErrorCode::read_only);
    CHECK_FALSE(node.replies.at(id).error().definite());
  }
  for (int i = 0; i < 20; ++i) {
    node.begin();
    node.end();
    CHECK_FALSE(node.ready.batch);
  }
}

TEST_CASE("faults: at most two batches are in flight and the rest gathers") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  for (NodeId id : world.ids()) world.hold_disk(id, true);
  std::size_t done = 0;
  for (int i = 0; i < 50; ++i) {
    world.submit(leader, put_request(fmt::format("k{}", i), "v"),
                 [&](const Reply& r) { done += r ? 1 : 0; });
    world.run_for(2ms);
  }
  CHECK(done == 0);  // no disk has it
  for (NodeId id : world.ids()) world.hold_disk(id, false);
  REQUIRE(world.run_until([&] { return done == 50; }, 2s));
}

}  // namespace parallax::testing
