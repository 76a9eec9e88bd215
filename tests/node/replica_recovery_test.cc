// Lost disks, late starts, damaged records, and followers that fell behind.
#include <catch2/catch.hpp>

#include "replication/command.h"
#include "storage/log_segment.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

Membership membership(World& world, NodeId id) {
  return world.replica(id).status().membership;
}

/// Fills the log until its beginning is compacted everywhere.
void outrun(World& world, NodeId leader) {
  for (int i = 0; i < 60; ++i) {
    REQUIRE(world.put(leader, fmt::format("k{}", i % 40), fmt::format("v{}", i)));
  }
  world.run_for(500ms);
  REQUIRE(world.replica(leader).status().log_start > LogIndex{20});
  REQUIRE(world.replica(leader).status().log_start.value + 30 >
          world.replica(leader).status().last_index.value);
}

/// What is older than ten entries leaves the log: who lacks it needs a snapshot.
struct ElectedWithShortLog : Elected {
  ElectedWithShortLog() : Elected({.log_keep_entries = 10, .states_wait = 0s}) {}
};

}  // namespace

TEST_CASE_METHOD(Elected, "recovery: a wiped node gives no vote until it has joined a majority") {
  REQUIRE(world.put(leader, "k", "v"));
  const NodeId wiped = follower;
  world.run_for(500ms);
  const Incarnation before = [&] {
    Incarnation seen;
    world.watch([&](const Envelope& e) {
      if (e.from == wiped) seen = e.incarnation;
    });
    world.run_for(500ms);
    return seen;
  }();
  world.wipe(wiped);
  // With the third node down nobody can end the recovery: its own word counts for nothing.
  world.crash(third);
  std::size_t votes = 0;
  Incarnation after;
  world.watch([&](const Envelope& e) {
    if (e.from != wiped) return;
    if (const auto* vote = std::get_if<VoteReply>(&e.message)) votes += vote->granted ? 1 : 0;
    if (e.incarnation != Incarnation{}) {
      CHECK(e.recovering);
      after = e.incarnation;
    }
  });
  REQUIRE(world.start(wiped));
  world.run_for(5s);
  CHECK(votes == 0);
  CHECK(membership(world, wiped) == Membership::recovering);
  CHECK(after > before);
  CHECK(world.leader() == kNoNode);  // two of three, and one of them counts for nothing

  const Reply prefix = world.get(wiped, "k", Level::prefix);
  REQUIRE_FALSE(prefix);
  CHECK(prefix.error().code == ErrorCode::recovering);
  CHECK(prefix.error().definite());
  const Reply strong = world.call(wiped, get_request("k", Level::linearizable, 1s));
  REQUIRE_FALSE(strong);
  CHECK(strong.error().code == ErrorCode::recovering);

  // A restart in the middle changes nothing: it stays of this incarnation, and recovering.
  world.crash(wiped);
  REQUIRE(world.start(wiped));
  world.run_for(2s);
  CHECK(membership(world, wiped) == Membership::recovering);

  world.watch(nullptr);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return world.converged(); }, 15s));
  CHECK(membership(world, wiped) == Membership::member);
  CHECK(world.get(wiped, "k", Level::prefix)->value == Bytes{"v"});
  // It counts again: with another one gone the two are a majority.
  world.crash(world.leader());
  world.wait_for_leader();
  CHECK(world.put(wiped, "k", "w"));
}

TEST_CASE_METHOD(Elected,
                 "recovery: it does not end before a majority of the others has answered") {
  REQUIRE(world.put(leader, "k", "v"));
  const NodeId wiped = follower;
  world.wipe(wiped);
  world.cut(wiped, third);
  world.cut(third, wiped);
  REQUIRE(world.start(wiped));
  world.run_for(5s);
  // It has all that the leader has, and has not heard what terms the third one knows.
  CHECK(world.replica(wiped).status().applied_index ==
        world.replica(leader).status().applied_index);
  CHECK(membership(world, wiped) == Membership::recovering);

  Envelope reply;
  reply.from = third;
  reply.to = wiped;
  reply.incarnation = Incarnation{~std::uint64_t{0} >> 1};
  // It is an answer to this life's question, not to that of an earlier one.
  ProbeReply answer{.membership = Membership::member, .term = Term{50}};
  reply.message = answer;
  world.replica(wiped).on_envelope(reply);
  CHECK(world.replica(wiped).raft()->term() < Term{50});
  for (answer.life = 1; answer.life < 20; ++answer.life) {
    reply.message = answer;
    world.replica(wiped).on_envelope(reply);
  }
  CHECK(world.replica(wiped).raft()->term() == Term{50});
}

TEST_CASE("recovery: a clock that fell behind does not make a node one from before") {
  const bool restarted = GENERATE(false, true);
  World world({});
  const NodeId leader{1};
  const NodeId wiped{2};
  const NodeId third{3};
  // The third node has never heard of this incarnation, which it would remember.
  world.drop_if([&](const Envelope& e) {
    return e.to == third && (e.from == wiped || std::holds_alternative<CausalStatus>(e.message));
  });
  world.start_all();
  lead(world, leader);
  REQUIRE(world.put(leader, "k", "v"));
  const auto drawn = [&] {
    const auto node = records::load<NodeRecord>(world.store(wiped), records::node_key());
    REQUIRE((node && *node));
    return (*node)->incarnation;
  };
  world.run_for(200ms);
  const Incarnation lost = drawn();
  // All clocks lose a minute; only the leader remembers.
  world.drop_if(nullptr);
  for (NodeId id : world.ids()) world.set_clock(id, -60'000ms);
  world.wipe(wiped);
  world.crash(third);
  REQUIRE(world.start(third));
  world.isolate(leader);
  REQUIRE(world.start(wiped));
  world.run_for(300ms);
  CHECK(membership(world, wiped) == Membership::recovering);
  REQUIRE(drawn() < lost);
  // The number that it draws instead is durable while it still recovers.
  world.heal();
  world.drop_if([&](const Envelope& e) {
    return e.to == wiped && std::holds_alternative<AppendEntries>(e.message);
  });
  REQUIRE(world.run_until([&] { return drawn() > lost; }, 3s));
  CHECK(membership(world, wiped) == Membership::recovering);
  const Incarnation again = drawn();
  if (restarted) {
    world.crash(wiped);
    REQUIRE(world.start(wiped));
  }
  world.heal();
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  CHECK(membership(world, wiped) == Membership::member);
  CHECK(drawn() == again);
  // Its word counts: with the third one gone the two are a majority.
  world.crash(third);
  CHECK(world.put(world.wait_for_leader(), "k", "w"));
}

TEST_CASE("recovery: an answer to an earlier life does not make a lost disk a new one") {
  World world({});
  const NodeId wiped{1};
  const NodeId peer{2};
  std::optional<Envelope> empty;
  world.watch([&](const Envelope& e) {
    const auto* reply = std::get_if<ProbeReply>(&e.message);
    if (reply != nullptr && e.from == peer && e.to == wiped && !reply->has_log) empty = e;
  });
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  REQUIRE(empty);
  world.watch(nullptr);
  // "I hold nothing": true when it was said, and said to a life that is over.
  world.wipe(wiped);
  world.isolate(wiped);
  REQUIRE(world.start(wiped));
  world.run_for(50ms);
  world.replica(wiped).on_envelope(*empty);
  world.run_for(500ms);
  CHECK(membership(world, wiped) == Membership::none);
  world.heal();
  REQUIRE(world.run_until([&] { return world.converged(); }, 15s));
}

TEST_CASE_METHOD(ElectedWithShortLog, "recovery: the end of a recovery can come with a snapshot") {
  REQUIRE(world.put(leader, "k", "v"));
  const NodeId wiped = follower;
  world.wipe(wiped);
  bool ended = false;
  world.drop_if([&](const Envelope& e) {
    const auto* append = std::get_if<AppendEntries>(&e.message);
    if (append == nullptr || e.to != wiped) return false;
    for (const LogEntry& entry : append->entries) {
      const auto command = decode_command(entry.payload);
      ended |= command && std::holds_alternative<EndRecovery>(*command);
    }
    return ended;
  });
  REQUIRE(world.start(wiped));
  REQUIRE(world.run_until([&] { return ended; }, 10s));
  REQUIRE(world.leader() == leader);
  for (int i = 0; i < 60; ++i) REQUIRE(world.put(leader, "k", fmt::format("{}", i)));
  world.run_for(500ms);
  world.heal();
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  CHECK(world.replica(wiped).counters().snapshots_installed >= 1);
  CHECK(membership(world, wiped) == Membership::member);
}

TEST_CASE("recovery: what the lost disk voted is not voted again") {
  World world({.seed = 5});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId wiped = world.others(leader)[0];
  REQUIRE(world.put(leader, "k", "v"));
  world.wipe(wiped);
  REQUIRE(world.start(wiped));
  REQUIRE(world.run_until([&] { return world.converged(); }, 15s));
  const Raft& raft = *world.replica(wiped).raft();
  CHECK(raft.voted_for() != kNoNode);
  const auto stored =
      records::load<HardState>(world.store(wiped), records::hard_state_key(kOnlyGroup));
  REQUIRE(stored);
  CHECK((*stored)->term == raft.term());
  CHECK((*stored)->voted_for == raft.voted_for());
}

TEST_CASE("recovery: a lost disk that says so never starts as a member") {
  World world({});
  // Nobody holds anything: without the word of who knows, it would be a member.
  REQUIRE(world.start(NodeId{1}, true));
  world.run_for(1s);
  CHECK(membership(world, NodeId{1}) == Membership::none);  // no majority of peers has answered
  REQUIRE(world.start(NodeId{2}));
  REQUIRE(world.start(NodeId{3}));
  world.run_for(300ms);
  CHECK(membership(world, NodeId{1}) == Membership::recovering);
  CHECK(world.run_until([&] { return world.converged(); }, 15s));
}

TEST_CASE("recovery: every member wiped in turn keeps the data") {
  World world({.log_keep_entries = 10, .states_wait = 0s});
  world.start_all();
  world.wait_for_leader();
  for (int i = 0; i < 60; ++i) REQUIRE(world.put(world.leader(), fmt::format("k{}", i), "v"));
  const ClusterId cluster = world.replica(world.leader()).status().cluster;
  for (NodeId id : world.ids()) {
    world.wipe(id);
    REQUIRE(world.start(id));
    REQUIRE(world.run_until([&] { return world.converged(); }, 20s));
    CHECK(world.replica(id).status().cluster == cluster);
  }
  for (int i = 0; i < 60; ++i) {
    const Reply read = world.get(NodeId{1}, fmt::format("k{}", i));
    REQUIRE(read);
    CHECK(read->value == Bytes{"v"});
  }
}

TEST_CASE_METHOD(Elected, "recovery: a follower that fell behind catches up from the log") {
  world.crash(follower);
  for (int i = 0; i < 300; ++i) REQUIRE(world.put(leader, fmt::format("k{}", i % 7), "v"));
  REQUIRE(world.start(follower));
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  CHECK(world.replica(follower).counters().snapshots_installed == 0);
  CHECK(world.replica(follower).counters().entries_applied >= 300);
}

TEST_CASE_METHOD(Elected, "recovery: entries that left the memory are read from the store") {
  world.crash(follower);
  const std::string value(600 << 10, 'x');
  for (int i = 0; i < 40; ++i) REQUIRE(world.put(leader, fmt::format("k{}", i), value));
  REQUIRE_FALSE(world.replica(leader).raft()->log().cached(LogIndex{5}));
  REQUIRE(world.start(follower));
  REQUIRE(world.run_until([&] { return world.converged(); }, 20s));
  CHECK(world.replica(follower).counters().snapshots_installed == 0);
}

TEST_CASE_METHOD(ElectedWithShortLog,
                 "recovery: a follower that fell far behind catches up from a snapshot") {
  REQUIRE(world.put(leader, "early", "kept"));
  world.crash(follower);
  outrun(world, leader);
  REQUIRE(world.remove(leader, "k0"));
  REQUIRE(world.start(follower));
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  CHECK(world.replica(leader).counters().snapshots_sent >= 1);
  CHECK(world.replica(follower).counters().snapshots_installed >= 1);
  CHECK(world.get(follower, "early", Level::prefix)->value == Bytes{"kept"});
  CHECK_FALSE(world.get(follower, "k0", Level::prefix)->found);
  // And it is as good as any other from then on, also after a restart.
  world.crash(follower);
  REQUIRE(world.start(follower));
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
}

TEST_CASE("recovery: the log in the store stays within its bounds") {
  World world({.log_keep_entries = 50});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (int i = 0; i < 500; ++i) REQUIRE(world.put(leader, "k", fmt::format("{}", i)));
  world.run_for(2 * limits::kStatesWait + 1s);  // what its states lack, the store keeps
  for (NodeId id : world.ids()) {
    std::size_t entries = 0;
    REQUIRE(world.store(id).scan(records::log_range(kOnlyGroup, LogIndex{1}, LogIndex{1 << 20}),
                                 [&](auto, auto) { return ++entries > 0; }));
    CHECK(entries >= 50);
    CHECK(entries <= 60);
  }
  // By bytes as well.
  World bytes({.log_keep_bytes = 300'000, .states_wait = 0s});
  bytes.start_all();
  const NodeId big = bytes.wait_for_leader();
  for (int i = 0; i < 100; ++i) REQUIRE(bytes.put(big, "k", std::string(20'000, 'x')));
  bytes.run_for(1s);
  const ReplicaStatus status = bytes.replica(big).status();
  CHECK(status.last_index - status.log_start >= 15);
  CHECK(status.last_index - status.log_start <= 22);
}

TEST_CASE_METHOD(ElectedWithShortLog, "recovery: no prefix read is served from half a snapshot") {
  world.crash(follower);
  const std::string value(40'000, 'x');
  for (int i = 0; i < 40; ++i) REQUIRE(world.put(leader, fmt::format("k{}", i), value));
  world.run_for(500ms);
  REQUIRE(world.replica(leader).status().log_start > LogIndex{5});
  std::size_t chunks = 0;
  // All chunks but the first stay away.
  world.drop_if([&](const Envelope& e) {
    const auto* chunk = std::get_if<SnapshotChunk>(&e.message);
    if (chunk == nullptr) return false;
    ++chunks;
    return chunk->sequence > 0;
  });
  REQUIRE(world.start(follower));
  REQUIRE(
      world.run_until([&] { return world.replica(follower).status().installing_snapshot; }, 5s));
  CHECK_FALSE(world.replica(follower).status().ready);
  world.run_for(300ms);
  CHECK(chunks > 1);

  // k0 is here already and the rest is not: the leader answers instead.
  const Reply read = world.get(follower, "k39", Level::prefix);
  REQUIRE(read);
  CHECK(read->found);
  CHECK(read->evidence.node == leader);
  Request here = get_request("k0", Level::prefix);
  here.forward = false;
  const Reply refused = world.call(follower, here);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::not_leader);

  // The marker outlives the process.
  world.crash(follower, 99);
  REQUIRE(world.start(follower));
  CHECK(world.replica(follower).status().installing_snapshot);
  world.heal();
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  CHECK_FALSE(world.replica(follower).status().installing_snapshot);
  CHECK(world.get(follower, "k39", Level::prefix)->evidence.node == follower);
  const auto marker = world.store(follower).get(records::installing_key(kOnlyGroup));
  world.run_for(200ms);
  CHECK_FALSE(*world.store(follower).get(records::installing_key(kOnlyGroup)));
}

TEST_CASE_METHOD(ElectedWithShortLog, "recovery: a damaged chunk has no effect") {
  world.crash(follower);
  outrun(world, leader);
  std::optional<Envelope> caught;
  world.drop_if([&](const Envelope& e) {
    if (!std::holds_alternative<SnapshotChunk>(e.message)) return false;
    caught = e;
    return true;
  });
  REQUIRE(world.start(follower));
  REQUIRE(world.run_until([&] { return caught.has_value(); }, 5s));
  SnapshotChunk& chunk = std::get<SnapshotChunk>(caught->message);
  const std::vector<SnapshotChunk::Record> whole = chunk.records;
  const LogIndex applied = world.replica(follower).status().applied_index;
  for (std::size_t i = 0; i < whole.size(); i += 7) {
    chunk.records = whole;
    std::string value = chunk.records[i].value.to_string();
    value[value.size() / 2] = static_cast<char>(value[value.size() / 2] ^ 4);
    chunk.records[i].value = Bytes{std::move(value)};
    world.replica(follower).on_envelope(*caught);
  }
  chunk.records = whole;
  chunk.records.push_back({records::hard_state_key(kOnlyGroup), Bytes{"x"}});
  world.replica(follower).on_envelope(*caught);
  world.run_for(100ms);
  CHECK_FALSE(world.replica(follower).status().installing_snapshot);
  CHECK(world.replica(follower).status().applied_index == applied);
  CHECK_FALSE(world.replica(follower).fatal());
  world.heal();
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
}

TEST_CASE_METHOD(Elected, "recovery: a damaged store does not open") {
  for (int i = 0; i < 5; ++i) REQUIRE(world.put(leader, "k", "v"));
  world.run_for(500ms);
  const NodeId id = follower;
  world.crash(id, 99);
  MemoryStore& store = world.store(id);
  const auto break_and_open = [&](const std::string& key) {
    const auto before = *store.get(key);
    REQUIRE(before);
    REQUIRE(store.flip_bit(key, 13));
    const Result<void> opened = world.start(id);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::corrupt);
    REQUIRE(store.flip_bit(key, 13));
  };
  break_and_open(records::node_key());
  break_and_open(records::hard_state_key(kOnlyGroup));
  break_and_open(records::applied_key(kOnlyGroup));
  break_and_open(records::clock_bound_key());
  break_and_open(records::log_segment_key(kOnlyGroup, LogIndex{3}));

  // A hole in the log, and a state that is ahead of its log.
  const auto without = [&](const std::string& key) {
    const Bytes kept{**store.get(key)};
    WriteBatch remove;
    remove.remove(key);
    REQUIRE(store.write(remove));
    const Result<void> opened = world.start(id);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == ErrorCode::corrupt);
    WriteBatch restore;
    restore.put(key, kept);
    REQUIRE(store.write(restore));
  };
  without(records::log_segment_key(kOnlyGroup, LogIndex{3}));
  without(records::hard_state_key(kOnlyGroup));
  const auto last = records::load<AppliedRecord>(store, records::applied_key(kOnlyGroup));
  without(records::log_segment_key(kOnlyGroup, (*last)->index));
  REQUIRE(world.start(id));
  CHECK(world.run_until([&] { return world.converged(); }, 5s));
}

struct ElectedThatReads : Elected {
  ElectedThatReads() : Elected({.recent_bytes = 0, .states_wait = 0s}) {}
};

TEST_CASE_METHOD(ElectedThatReads,
                 "recovery: a damaged record found while running ends the replica") {
  REQUIRE(world.put(leader, "k", "v"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  world.run_for(200ms);
  const NodeId id = follower;
  REQUIRE(world.store(id).flip_bit(records::key_state_key(kOnlyGroup, "k"), 100));
  std::size_t sent = 0;
  bool answered = false;
  world.submit(id, get_request("k", Level::prefix), [&](const Reply&) { answered = true; });
  REQUIRE(world.run_until([&] { return world.replica(id).fatal().has_value(); }, 1s));
  CHECK(world.replica(id).fatal()->code == ErrorCode::corrupt);
  world.run_for(10ms);
  world.watch([&](const Envelope& e) { sent += e.from == id ? 1 : 0; });
  world.run_for(2s);
  CHECK(sent == 0);
  CHECK_FALSE(answered);
  // The store is set aside, and the node comes back as one that lost its disk.
  world.watch(nullptr);
  world.wipe(id);
  REQUIRE(world.start(id, true));
  REQUIRE(world.run_until([&] { return world.converged(); }, 15s));
  CHECK(world.get(id, "k", Level::prefix)->value == Bytes{"v"});
}

TEST_CASE("recovery: history goes when its time is over") {
  World world({.history_retention = 2s});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (int i = 0; i < 40; ++i) REQUIRE(world.put(leader, "k", fmt::format("{}", i)));
  const auto past = [&] {
    world.run_for(100ms);  // until it is in a batch
    return KeySpace(world.replica(leader).state(), kOnlyGroup).history("k")->versions.size();
  };
  CHECK(past() == 40);
  world.run_for(3s);
  REQUIRE(world.put(leader, "other", "v"));
  world.run_for(1s);
  REQUIRE(world.put(leader, "other", "v"));
  CHECK(past() == 1);
  world.run_for(1s);
  const auto applied =
      records::load<AppliedRecord>(world.store(leader), records::applied_key(kOnlyGroup));
  REQUIRE(applied);
  CHECK((*applied)->history_floor > Hlc{});
  CHECK((*applied)->history_floor < world.replica(leader).status().clock);
}

TEST_CASE("recovery: history is whole after a crash") {
  const std::uint64_t seed = GENERATE(range(1, 9));
  CAPTURE(seed);
  World world({.seed = seed});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId follower = world.others(leader)[0];
  Random random(seed);
  const auto write = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      REQUIRE(world.put(leader, "k", fmt::format("{}", i)));
      REQUIRE(world.put(leader, "other", "v"));
      world.run_for(std::chrono::milliseconds(random.below(20)));
    }
  };
  write(0, 20);
  world.crash(follower, seed % 2);
  write(20, 30);
  REQUIRE(world.start(follower));
  write(30, 40);
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  for (const NodeId id : world.ids()) {
    CAPTURE(id.value);
    const auto past = world.call(
        id, {.operation = ReadHistory{.key = "k", .from = {}}, .consistency = {Level::prefix}});
    REQUIRE(past);
    REQUIRE(past->versions.size() == 40);
    for (std::size_t i = 0; i < 40; ++i) {
      CHECK(past->versions[i].value == Bytes{fmt::format("{}", 39 - i)});
    }
  }
}

TEST_CASE("recovery: history goes that is over before it is in the store") {
  World world({.history_retention = 20ms});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const ScanRange all = records::history_range(kOnlyGroup, Hlc{}, Hlc{~std::uint64_t{0}});
  for (int i = 0; i < 300; ++i) {
    REQUIRE(world.put(leader, "k", fmt::format("{}", i)));
    if (i % 10 == 0) world.run_for(100ms);
  }
  world.run_for(2s);
  for (NodeId id : world.ids()) {
    CAPTURE(id.value);
    std::size_t count = 0;
    REQUIRE(world.store(id).scan(all, [&](auto, auto) { return ++count > 0; }));
    CHECK(count == 0);
  }
}

TEST_CASE("recovery: history goes although nothing is written any more") {
  World world({.history_retention = 2s});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (int i = 0; i < 1'500; ++i) REQUIRE(world.put(leader, "k", fmt::format("{}", i)));
  REQUIRE(world.run_until([&] { return world.converged(); }, 2s));
  world.run_for(200ms);
  const ScanRange all = records::history_range(kOnlyGroup, Hlc{}, Hlc{~std::uint64_t{0}});
  const auto past = [&](NodeId id) {
    std::size_t count = 0;
    REQUIRE(world.store(id).scan(all, [&](auto, auto) { return ++count > 0; }));
    return count;
  };
  const NodeId follower = world.others(leader)[0];
  REQUIRE(past(follower) > 600);  // more than one slice
  std::string key;
  std::string record;
  REQUIRE(world.store(follower).scan(all, [&](std::string_view k, std::string_view r) {
    key = k;
    record = r;
    return false;
  }));
  SECTION("in the life that wrote it") {}
  SECTION("in the next one") {
    world.crash(follower, 99);
    REQUIRE(world.start(follower));
    REQUIRE(past(follower) > 600);
  }
  world.run_for(5s);
  for (NodeId id : world.ids()) CHECK(past(id) == 0);

  // A version that came late left its record below what was swept: the next life finds it.
  WriteBatch late;
  late.put(key, Bytes{record});
  REQUIRE(world.store(follower).write(late));
  world.run_for(1s);
  REQUIRE(past(follower) == 1);
  world.crash(follower, 99);
  REQUIRE(world.start(follower));
  world.run_for(1s);
  CHECK(past(follower) == 0);
}

}  // namespace parallax::testing
