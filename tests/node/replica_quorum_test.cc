// The levels without a leader at a few nodes: what they promise, and what the next weaker one does
// not; what they and the log owe each other on one key (docs/ARCHITECTURE.md, "Where protocols meet
// on one key").
#include <catch2/catch.hpp>

#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

Consistency at(Level level) {
  return {.level = level};
}
Consistency quorum(std::uint32_t r, std::uint32_t w) {
  return {.level = Level::quorum, .r = r, .w = w};
}
Consistency all() {
  return quorum(Consistency::kAll, Consistency::kAll);
}

Request with(Consistency consistency, Request request) {
  request.consistency = consistency;
  return request;
}
Request put(std::string key, std::string value, Consistency consistency, Duration timeout = 2s) {
  return with(consistency, put_request(std::move(key), std::move(value), timeout));
}
Request get(std::string key, Consistency consistency, Duration timeout = 2s) {
  return with(consistency, get_request(std::move(key), Level::linearizable, timeout));
}
Request with_context(Request request, VersionVector context) {
  request.context = std::move(context);
  return request;
}
Request scan_all() {
  Request request = get_request("");
  request.operation = Scan{.start = "", .end = ""};
  return request;
}

/// A write that was not refused.
Stamp written(const Reply& reply) {
  REQUIRE(reply);
  INFO((reply->refusal ? reply->refusal->message : ""));
  REQUIRE_FALSE(reply->refusal);
  REQUIRE(reply->stamp);
  return *reply->stamp;
}

std::string shown(const Reply& reply) {
  REQUIRE(reply);
  return reply->found ? reply->value.to_string() : "nothing";
}

bool carries_entries(const Envelope& envelope) {
  const auto* append = std::get_if<AppendEntries>(&envelope.message);
  return append != nullptr && !append->entries.empty();
}

struct Leaderless : Elected {
  Leaderless() {
    world.run_for(200ms);  // all know which cluster this is
  }

  /// Nobody can be elected any more, and `also` is lost, too.
  void no_elections(std::function<bool(const Envelope&)> also = nullptr) {
    world.drop_if([also](const Envelope& e) {
      return std::holds_alternative<VoteRequest>(e.message) || (also && also(e));
    });
  }
  void isolate_now(NodeId id) { world.isolate(id); }
  void elect_another() {
    REQUIRE(world.run_until([&] { return world.leader() != leader && world.leader() != kNoNode; },
                            10s));
  }
  /// The reply, if it comes within `limit`.
  std::optional<Reply> try_call(NodeId node, Request request, Duration limit) {
    auto reply = std::make_shared<std::optional<Reply>>();
    world.submit(node, std::move(request), [reply](const Reply& r) { *reply = r; });
    (void)world.run_until([&] { return reply->has_value(); }, limit);
    return *reply;
  }
};

}  // namespace

// --- Each level by itself -----------------------------------------------------------------------

TEST_CASE_METHOD(Leaderless, "quorum: every node coordinates, with a leader and without") {
  const bool led = GENERATE(true, false);
  const Consistency level = GENERATE(at(Level::quorum), quorum(1, 2), at(Level::atomic));
  const Level kind = level.level;
  if (!led) {
    no_elections();
    world.crash(leader);
    world.run_for(3s);
    REQUIRE(world.leader() == kNoNode);
    CHECK_FALSE(world.call(third, put_request("x", "y", 500ms)));
  }
  const Reply none = world.call(third, get("k", level));
  CHECK(shown(none) == "nothing");
  CHECK_FALSE(none->stamp);
  const Reply first = world.call(follower, put("k", "v", level));
  const Stamp stamp = written(first);
  CHECK(stamp.node == follower);
  CHECK(first->consistency.level == kind);
  CHECK(first->evidence.path == (kind == Level::atomic ? Path::abd : Path::quorum));
  CHECK(first->evidence.replicas.size() >= 2);
  CHECK_FALSE(first->evidence.sequenced);
  CHECK(first->context.highest() == stamp.hlc);
  world.run_for(100ms);
  const Reply seen = world.call(third, get("k", level));
  CHECK(shown(seen) == "v");
  CHECK(seen->stamp == stamp);
  CHECK(seen->content_type == "text/plain");
  CHECK(seen->evidence.index == world.replica(third).status().applied_index);
  const Stamp second = written(world.call(third, put("k", "w", level)));
  CHECK(second > stamp);
  world.run_for(100ms);
  CHECK(shown(world.call(follower, get("k", level))) == "w");
  const Stamp gone = written(world.call(follower, with(level, delete_request("k"))));
  CHECK(gone > second);
  world.run_for(100ms);
  const Reply absent = world.call(third, get("k", level));
  CHECK(shown(absent) == "nothing");
  CHECK(absent->stamp == gone);
}

TEST_CASE_METHOD(Leaderless, "quorum: a coordinator times stores and queries at others") {
  const auto& counters = world.replica(third).counters();
  const auto stores = [&] { return counters.peer_stores.count(); };
  // Also those beyond the first w, which its client does not wait for.
  written(world.call(third, put("k", "v", quorum(1, 1))));
  world.run_for(100ms);
  CHECK(stores() == 2);
  CHECK(counters.peer_ways.count() == 2);
  CHECK(counters.peer_queries.count() == 0);
  CHECK(shown(world.call(third, get("k", quorum(1, 1)))) == "v");
  CHECK(counters.peer_queries.count() == 0);
  CHECK(shown(world.call(third, get("k", quorum(3, 1)))) == "v");
  CHECK(counters.peer_queries.count() == 2);
  // What is lost is not counted, and others do not count what they store.
  world.drop_if([this](const Envelope& e) {
    return e.to == leader && std::holds_alternative<QuorumStore>(e.message);
  });
  written(world.call(third, put("k", "w", at(Level::eventual))));
  world.run_for(100ms);
  CHECK(stores() == 3);
  CHECK(world.replica(follower).counters().peer_stores.count() == 0);
  // What a replica takes to make it durable is no way.
  world.drop_if(nullptr);
  world.slow_disk(leader, 150ms);
  const Duration before = counters.peer_ways.sum();
  const Duration whole = counters.peer_stores.sum();
  written(world.call(third, put("k", "x", at(Level::eventual))));
  world.run_for(500ms);
  CHECK(stores() == 5);
  CHECK(counters.peer_stores.sum() - whole > 150ms);
  CHECK(counters.peer_ways.count() == stores());
  CHECK(counters.peer_ways.sum() - before > 0ms);
  CHECK(counters.peer_ways.sum() - before < 20ms);
}

TEST_CASE_METHOD(Leaderless, "quorum: eventual and weak are served by one node, alone if need be") {
  const Level level = GENERATE(Level::eventual, Level::weak);
  isolate_now(third);
  world.run_for(3s);
  const Reply put_reply = world.call(third, put("k", "v", at(level)));
  const Stamp stamp = written(put_reply);
  CHECK(put_reply->evidence.path == Path::local);
  CHECK(put_reply->evidence.replicas == std::vector{third});
  CHECK(shown(world.call(third, get("k", at(level)))) == "v");
  CHECK(shown(world.call(leader, get("k", at(level)))) == "nothing");
  Request scan = scan_all();
  scan.consistency.level = level;
  CHECK(world.call(third, scan)->items.size() == 1);
  world.heal();
  const Reply next = world.call(third, put("k", "w", at(level)));
  CHECK(written(next) > stamp);
  world.run_for(100ms);
  for (NodeId id : world.ids()) {
    CHECK(shown(world.call(id, get("k", at(level)))) == "w");
    CHECK(world.call(id, scan)->items.size() == 1);
  }
  written(world.call(leader, with(at(level), delete_request("k"))));
  world.run_for(100ms);
  for (NodeId id : world.ids()) {
    CHECK(shown(world.call(id, get("k", at(level)))) == "nothing");
    CHECK(world.call(id, scan)->items.empty());
  }
}

TEST_CASE_METHOD(Leaderless, "quorum: what is written without a context replaces what is known") {
  const Level level = GENERATE(Level::quorum, Level::atomic, Level::eventual);
  written(world.call(follower, put("k", "v", at(level))));
  world.run_for(100ms);
  written(world.call(third, put("k", "w", at(level))));
  world.run_for(100ms);
  Request read = get("k", at(level));
  std::get<Get>(read.operation).siblings = true;
  const Reply reply = world.call(leader, read);
  CHECK(shown(reply) == "w");
  CHECK(reply->items.empty());
}

TEST_CASE_METHOD(Leaderless,
                 "quorum: writes that have not seen each other stay beside each other") {
  const Level level = GENERATE(Level::quorum, Level::atomic, Level::eventual);
  const Reply before = world.call(follower, put("k", "v", at(level)));
  world.run_for(100ms);
  const Stamp one =
      written(world.call(follower, with_context(put("k", "one", at(level)), before->context)));
  world.run_for(100ms);
  const Stamp two =
      written(world.call(third, with_context(put("k", "two", at(level)), before->context)));
  world.run_for(100ms);
  Request read = get("k", at(level));
  std::get<Get>(read.operation).siblings = true;
  const Reply both = world.call(leader, read);
  CHECK(shown(both) == "two");
  REQUIRE(both->items.size() == 2);
  CHECK(both->items[0].stamp == two);
  CHECK(both->items[1].stamp == one);
  CHECK(both->items[1].value == Bytes{"one"});
  written(world.call(leader, with_context(put("k", "merged", at(level)), both->context)));
  world.run_for(100ms);
  const Reply merged = world.call(third, read);
  CHECK(shown(merged) == "merged");
  CHECK(merged->items.empty());
}

TEST_CASE_METHOD(Leaderless, "quorum: a context ahead of the cluster's clock is refused") {
  const Reply first = world.call(follower, put("k", "v", at(Level::eventual)));
  VersionVector ahead = first->context;
  ahead.advance({ActorPath::quorum, third, Incarnation{1}},
                Hlc{first->stamp->hlc.value + (std::uint64_t{60'000} << 16)});
  const Reply reply = world.call(follower, with_context(put("k", "w", at(Level::eventual)), ahead));
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == ErrorCode::bad_request);
  CHECK(reply.error().definite());
}

TEST_CASE_METHOD(Leaderless, "quorum: r and w of all hold every replica, or say who is missing") {
  const Reply first = world.call(follower, put("k", "v", all()));
  written(first);
  CHECK(first->consistency.w == 3);
  CHECK(first->evidence.replicas.size() == 3);
  for (NodeId id : world.ids()) {
    CHECK(shown(world.call(id, get("k", quorum(1, 1)))) == "v");
  }
  world.crash(leader);
  const Reply write = world.call(follower, put("k", "w", all(), 1s));
  REQUIRE_FALSE(write);
  CHECK(write.error().code == ErrorCode::not_enough_replicas);
  CHECK_FALSE(write.error().definite());  // two have it
  CHECK(write.error().required == 3);
  CHECK(write.error().received == 2);
  const Reply read = world.call(follower, get("k", all(), 1s));
  REQUIRE_FALSE(read);
  CHECK(read.error().code == ErrorCode::not_enough_replicas);
  CHECK(read.error().definite());
  CHECK(read.error().required == 3);
  CHECK(read.error().received == 2);
  CHECK(shown(world.call(third, get("k", at(Level::quorum)))) == "w");
}

TEST_CASE_METHOD(Leaderless, "quorum: sizes that the cluster does not have are refused") {
  for (const Consistency& wrong : {quorum(4, 0), quorum(0, 4)}) {
    const Reply reply = world.call(follower, put("k", "v", wrong));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == ErrorCode::bad_parameter);
    CHECK(reply.error().definite());
  }
}

TEST_CASE_METHOD(Leaderless, "quorum: alone a node has no majority") {
  isolate_now(third);
  world.run_for(3s);
  for (const Level level : {Level::quorum, Level::atomic}) {
    const Reply read = world.call(third, get("k", at(level), 500ms));
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ErrorCode::not_enough_replicas);
    CHECK(read.error().definite());
    CHECK(read.error().received == 1);
    const Reply write = world.call(third, put("k", "v", at(level), 500ms));
    REQUIRE_FALSE(write);
    CHECK(write.error().code == ErrorCode::not_enough_replicas);
    // An atomic write asks before it has written anything.
    CHECK(write.error().definite() == (level == Level::atomic));
    CHECK(write.error().required == 2);
    CHECK(write.error().received == (level == Level::atomic ? 0 : 1));
  }
}

TEST_CASE_METHOD(Leaderless, "quorum: a failed write may show later, a refused one never does") {
  isolate_now(third);
  CHECK_FALSE(world.call(third, put("q", "v", at(Level::quorum), 500ms)));
  CHECK_FALSE(world.call(third, put("a", "v", at(Level::atomic), 500ms)));
  world.heal();
  world.run_for(1s);
  CHECK(shown(world.call(third, get("q", quorum(3, 1)))) == "v");
  CHECK(shown(world.call(third, get("a", quorum(3, 1)))) == "nothing");
}

TEST_CASE_METHOD(Leaderless,
                 "atomic: a write is above what a majority has seen, whatever its clock") {
  world.set_clock(follower, 400ms);
  world.run_for(500ms);
  for (int i = 0; i < 20; ++i) {
    const NodeId node = i % 2 == 0 ? follower : third;
    const std::string value = std::to_string(i);
    written(world.call(node, put("k", value, at(Level::atomic))));
    CHECK(shown(world.call(i % 2 == 0 ? third : leader, get("k", at(Level::atomic)))) == value);
  }
}

TEST_CASE_METHOD(Leaderless, "atomic: what one read has shown the next one shows") {
  // The write reaches one node, and never a majority.
  no_elections([&](const Envelope& e) {
    return std::holds_alternative<QuorumStore>(e.message) && e.from == follower;
  });
  CHECK_FALSE(world.call(follower, put("k", "v", at(Level::atomic), 500ms)));
  world.drop_if(nullptr);
  world.isolate(leader);
  CHECK(shown(world.call(third, get("k", at(Level::atomic)))) == "v");
  world.heal();
  world.isolate(follower);
  CHECK(shown(world.call(leader, get("k", at(Level::atomic)))) == "v");
}

TEST_CASE_METHOD(Leaderless, "quorum: a read repairs who is behind") {
  isolate_now(third);
  written(world.call(follower, put("k", "v", at(Level::quorum))));
  world.heal();
  world.run_for(200ms);
  CHECK(shown(world.call(third, get("k", at(Level::eventual)))) == "nothing");
  CHECK(shown(world.call(third, get("k", quorum(3, 1)))) == "v");
  world.run_for(100ms);
  CHECK(shown(world.call(third, get("k", at(Level::eventual)))) == "v");
}

TEST_CASE_METHOD(Leaderless, "quorum: expiry ends a value at every level") {
  const Level level = GENERATE(Level::quorum, Level::atomic, Level::eventual);
  Request request = put("k", "v", at(level));
  std::get<Put>(request.operation).ttl = 500ms;
  const Stamp stamp = written(world.call(follower, request));
  world.run_for(100ms);
  CHECK(shown(world.call(third, get("k", at(level)))) == "v");
  world.run_for(600ms);
  for (NodeId id : world.ids()) {
    const Reply reply = world.call(id, get("k", at(level)));
    CHECK(shown(reply) == "nothing");
    CHECK(reply->stamp == stamp);
  }
  CHECK(shown(world.call(third, get("k", at(Level::linearizable)))) == "nothing");
}

// --- Durable before shown -----------------------------------------------------------------------

TEST_CASE_METHOD(Leaderless, "quorum: what is not on the disk yet only weak shows") {
  const NodeId node = GENERATE(true, false) ? leader : third;
  world.hold_disk(node, true);
  std::optional<Reply> ack;
  world.submit(node, put("k", "v", at(Level::eventual), 20s), [&](const Reply& r) { ack = r; });
  world.run_for(50ms);
  CHECK_FALSE(ack);
  CHECK(shown(world.call(node, get("k", at(Level::weak)))) == "v");
  std::vector<Reply> late;
  for (const Level level : {Level::eventual, Level::prefix}) {
    world.submit(node, get("k", at(level), 20s), [&](const Reply& r) { late.push_back(r); });
  }
  Request scan = scan_all();
  scan.consistency.level = Level::eventual;
  scan.timeout = 20s;
  world.submit(node, scan, [&](const Reply& r) { late.push_back(r); });
  // Others neither get it nor hear of it.
  CHECK(shown(world.call(follower, get("k", at(Level::quorum)))) == "nothing");
  world.run_for(100ms);
  for (const Reply& reply : late) CHECK((reply && !reply->found && reply->items.empty()));
  CHECK(late.empty());
  world.hold_disk(node, false);
  world.run_for(100ms);
  REQUIRE(ack);
  written(*ack);
  CHECK(late.size() == 3);
  CHECK(shown(world.call(follower, get("k", at(Level::eventual)))) == "v");
}

TEST_CASE_METHOD(Leaderless, "quorum: a weak write can be lost, an eventual one cannot") {
  world.hold_disk(third, true);
  written(world.call(third, put("w", "v", at(Level::weak))));
  world.crash(third, 0);
  REQUIRE(world.start(third));
  world.run_for(2s);
  CHECK(shown(world.call(third, get("w", quorum(3, 1)))) == "nothing");
  written(world.call(third, put("e", "v", at(Level::eventual))));
  world.crash(third, 0);
  REQUIRE(world.start(third));
  world.run_for(2s);
  CHECK(shown(world.call(third, get("e", quorum(3, 1)))) == "v");
}

TEST_CASE_METHOD(Leaderless, "quorum: a disk that refuses writes ends writes, not reads") {
  written(world.call(third, put("k", "v", at(Level::quorum))));
  world.run_for(100ms);
  world.set_disk_full(third, true);
  const Reply failed = world.call(third, put("k", "w", at(Level::quorum), 500ms));
  REQUIRE_FALSE(failed);
  CHECK_FALSE(failed.error().definite());
  const Reply refused = world.call(third, put("k", "x", at(Level::eventual), 500ms));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::read_only);
  CHECK(refused.error().definite());
  CHECK(shown(world.call(third, get("k", at(Level::quorum)))) == "v");
  CHECK(shown(world.call(leader, get("k", at(Level::atomic)))) == "v");
}

// --- Where protocols meet on one key ------------------------------------------------------------

TEST_CASE_METHOD(Leaderless, "mixed: levels see each other's writes") {
  written(world.put(leader, "k", "log"));
  CHECK(shown(world.call(third, get("k", at(Level::quorum)))) == "log");
  CHECK(shown(world.call(third, get("k", at(Level::atomic)))) == "log");
  written(world.call(third, put("k", "quorum", at(Level::quorum))));
  CHECK(shown(world.get(follower, "k")) == "quorum");
  const Stamp atomic = written(world.call(follower, put("k", "atomic", at(Level::atomic))));
  Request condition = put_request("k", "conditional");
  condition.conditions.if_match = EtagSet{.any = false, .stamps = {atomic}};
  world.run_for(100ms);
  CHECK(written(world.call(third, condition)) > atomic);
  for (const Level level : {Level::quorum, Level::atomic, Level::eventual, Level::linearizable}) {
    CHECK(shown(world.call(leader, get("k", at(level)))) == "conditional");
  }
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
}

TEST_CASE_METHOD(Leaderless, "mixed: what arrives before its place in the log waits for it") {
  const bool restart = GENERATE(false, true);
  no_elections([&](const Envelope& e) { return carries_entries(e) && e.to == third; });
  const Stamp stamp = written(world.put(leader, "k", "v"));
  const Stamp other = written(world.put(leader, "other", "w"));
  REQUIRE(world.call(follower, get("k", quorum(3, 1))));  // repairs
  world.run_for(100ms);
  if (restart) {
    world.crash(third);
    REQUIRE(world.start(third));
    world.run_for(500ms);
  }
  CHECK(shown(world.call(third, get("k", at(Level::prefix)))) == "nothing");
  for (const Level level : {Level::eventual, Level::weak, Level::quorum, Level::atomic}) {
    const Reply reply = world.call(third, get("k", at(level)));
    CHECK(shown(reply) == "v");
    CHECK(reply->stamp == stamp);
  }
  Request scan = scan_all();
  scan.consistency.level = Level::prefix;
  CHECK(world.call(third, scan)->items.empty());
  scan.consistency.level = Level::eventual;
  CHECK(world.call(third, scan)->items.size() == 1);
  // What it writes itself goes past what is early, and does not hide it.
  written(world.call(third, put("k", "next", at(Level::eventual))));
  CHECK(shown(world.call(third, get("k", at(Level::eventual)))) == "next");
  world.drop_if(nullptr);
  REQUIRE(world.run_until(
      [&] {
        return world.replica(third).status().applied_index ==
               world.replica(leader).status().applied_index;
      },
      5s));
  CHECK(world.call(third, get("other", at(Level::prefix)))->stamp == other);
  CHECK(shown(world.call(third, get("k", at(Level::prefix)))) == "next");
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
}

TEST_CASE_METHOD(Leaderless, "mixed: a majority query waits for the pending tail") {
  written(world.put(leader, "k", "old"));
  world.run_for(100ms);
  // The entry is on a majority, and nobody but the leader knows that it is committed.
  no_elections([&](const Envelope& e) {
    return e.from == leader && (e.to == third || !carries_entries(e));
  });
  written(world.put(leader, "k", "new"));
  world.crash(leader);
  const bool pending =
      world.replica(follower).status().last_index > world.replica(follower).status().applied_index;
  REQUIRE(pending);
  for (const Level level : {Level::atomic, Level::quorum}) {
    const Reply reply = world.call(third, get("k", at(level), 1s));
    REQUIRE_FALSE(reply);  // it could only be wrong
    CHECK(reply.error().code == ErrorCode::not_enough_replicas);
    CHECK(reply.error().definite());
    CHECK_THAT(reply.error().message, Catch::Contains("whose fate is open"));
    CHECK(shown(world.call(third, get("other", at(level), 1s))) == "nothing");
  }
  CHECK(shown(world.call(third, get("k", quorum(1, 1)))) == "old");
  std::optional<Reply> later;
  world.submit(third, get("k", at(Level::atomic), 20s), [&](const Reply& r) { later = r; });
  world.run_for(1s);
  CHECK_FALSE(later);
  world.drop_if(nullptr);
  world.wait_for_leader();
  REQUIRE(world.run_until([&] { return later.has_value(); }, 15s));
  CHECK(shown(*later) == "new");
}

TEST_CASE_METHOD(Leaderless, "mixed: a leader's unacknowledged entry holds only itself up") {
  written(world.put(leader, "k", "old"));
  world.run_for(100ms);
  no_elections([&](const Envelope& e) { return e.from == leader && carries_entries(e); });
  std::optional<Reply> write;
  world.submit(leader, put_request("k", "new", 20s), [&](const Reply& r) { write = r; });
  world.run_for(20ms);
  CHECK(shown(world.call(third, get("k", at(Level::atomic)))) == "old");
  CHECK(shown(world.call(leader, get("k", at(Level::atomic)))) == "old");  // it asks another
  CHECK_FALSE(write);
  world.drop_if(nullptr);
  world.run_for(1s);
  REQUIRE(write);
  CHECK(shown(world.call(leader, get("k", at(Level::atomic)))) == "new");
}

TEST_CASE_METHOD(Leaderless, "mixed: what a linearizable answer has shown no failover takes back") {
  const bool refused = GENERATE(false, true);
  const bool removed = GENERATE(false, true);
  const bool ranged = GENERATE(false, true);
  if (removed) written(world.put(leader, "k", "before"));
  world.run_for(100ms);
  // The leader alone knows of it.
  world.drop_if([&](const Envelope& e) { return std::holds_alternative<QuorumStore>(e.message); });
  Request write = put("k", "v", at(Level::eventual));
  if (removed) write = with(at(Level::eventual), delete_request("k"));
  const Stamp stamp = written(world.call(leader, write));
  const LogIndex before = world.replica(leader).status().applied_index;
  if (refused) {
    Request condition = put_request("k", "w");
    if (removed) {
      condition.conditions.if_match = EtagSet{.any = true, .stamps = {}};
    } else {
      condition.conditions.if_none_match = EtagSet{.any = true, .stamps = {}};
    }
    const Reply reply = world.call(leader, condition);
    REQUIRE(reply);
    REQUIRE(reply->refusal);
    CHECK(reply->refusal->code == ErrorCode::precondition_failed);
  } else if (ranged) {
    CHECK(world.call(leader, scan_all())->items.size() == (removed ? 0 : 1));
  } else {
    const Reply reply = world.call(follower, get_request("k"));
    CHECK(reply->stamp == stamp);
    CHECK(reply->found == !removed);
  }
  CHECK(world.replica(leader).status().applied_index > before);
  const LogIndex adopted = world.replica(leader).status().applied_index;
  CHECK(world.get(leader, "k")->stamp == stamp);  // which is agreed on now
  CHECK(world.replica(leader).status().applied_index == adopted);
  world.isolate(leader);
  elect_another();
  const Reply again = world.get(world.leader(), "k");
  CHECK(again->stamp == stamp);
  CHECK(again->found == !removed);
}

TEST_CASE_METHOD(Leaderless, "mixed: an adoption under way is waited for by all who need it") {
  world.drop_if([&](const Envelope& e) {
    return std::holds_alternative<QuorumStore>(e.message) || carries_entries(e);
  });
  const Stamp stamp = written(world.call(leader, put("k", "v", at(Level::eventual))));
  std::vector<Reply> replies;
  for (NodeId id : world.ids()) {
    world.submit(id, get_request("k", Level::linearizable, 20s),
                 [&](const Reply& r) { replies.push_back(r); });
  }
  world.run_for(300ms);
  CHECK(replies.empty());
  const ReplicaStatus status = world.replica(leader).status();
  CHECK(status.last_index.value == status.commit_index.value + 1);  // one entry for all
  world.drop_if(nullptr);
  REQUIRE(world.run_until([&] { return replies.size() == 3; }, 10s));
  for (const Reply& reply : replies) CHECK(reply->stamp == stamp);
}

// --- Recovery, policies -------------------------------------------------------------------------

TEST_CASE_METHOD(Leaderless, "quorum: a recovering node serves nothing and counts for nothing") {
  written(world.call(third, put("k", "v", all())));
  world.wipe(third);
  world.drop_if([&](const Envelope& e) { return carries_entries(e) && e.to == third; });
  REQUIRE(world.start(third));
  world.run_for(2s);
  REQUIRE(world.replica(third).status().membership == Membership::recovering);
  for (const Level level : {Level::quorum, Level::atomic, Level::eventual, Level::weak}) {
    for (const Request& request : {put("k", "w", at(level)), get("k", at(level))}) {
      const Reply reply = world.call(third, request);
      REQUIRE_FALSE(reply);
      CHECK(reply.error().code == ErrorCode::recovering);
      CHECK(reply.error().definite());
    }
  }
  const Reply write = world.call(leader, put("k", "w", all(), 1s));
  REQUIRE_FALSE(write);
  CHECK(write.error().code == ErrorCode::not_enough_replicas);
  CHECK(write.error().definite());  // known before anything was written
  const Reply read = world.call(leader, get("k", all(), 1s));
  REQUIRE_FALSE(read);
  CHECK(read.error().code == ErrorCode::not_enough_replicas);
  CHECK(shown(world.call(leader, get("k", at(Level::atomic)))) == "v");
  written(world.call(leader, put("k", "x", at(Level::quorum))));
}

TEST_CASE_METHOD(Leaderless,
                 "quorum: a policy names the level, and what it cannot carry is refused") {
  Request set = put_request("", "");
  set.operation = SetPolicy{"q/", Policy{.default_consistency = quorum(2, 3)}};
  REQUIRE(world.call(leader, set));
  world.run_for(200ms);
  Request write = put_request("q/k", "v");
  write.level_by_policy = true;
  const Reply reply = world.call(third, write);
  written(reply);
  CHECK(reply->consistency == quorum(2, 3));
  CHECK(reply->evidence.path == Path::quorum);
  Request increment = write;
  increment.operation = Increment{"q/n", 1};
  Request conditional = write;
  conditional.conditions.if_none_match = EtagSet{.any = true, .stamps = {}};
  for (const Request& request : {increment, conditional}) {
    const Reply refused = world.call(third, request);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::condition_unsupported);
    CHECK(refused.error().definite());
  }
}

}  // namespace parallax::testing
