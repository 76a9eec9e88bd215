// A group of replicas as its clients see it: what is answered, by whom, and on whose word.
#include <catch2/catch.hpp>

#include "node/operation_codec.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

std::size_t majority_of(const World& world) {
  return world.ids().size() / 2 + 1;
}

}  // namespace

TEST_CASE("replica: a cluster starts in any order and with a minority absent") {
  const std::uint32_t first = GENERATE(1u, 2u, 3u);
  const std::uint32_t second = first % 3 + 1;
  World world({.seed = first});
  REQUIRE(world.start(NodeId{first}));
  world.run_for(3s);
  CHECK(world.leader() == kNoNode);
  CHECK(world.replica(NodeId{first}).status().membership == Membership::none);

  REQUIRE(world.start(NodeId{second}));
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  const ClusterId cluster = world.replica(leader).status().cluster;
  CHECK_FALSE(cluster.empty());

  // The third comes late: the cluster exists, so it might have lost its disk.
  const NodeId late{6 - first - second};
  REQUIRE(world.start(late));
  CHECK(world.run_until(
      [&] { return world.replica(late).status().membership == Membership::recovering; }, 5s));
  CHECK(world.run_until([&] { return world.converged(); }, 10s));
  CHECK(world.replica(late).status().cluster == cluster);
  CHECK(world.replica(late).status().ready);
  CHECK(world.get(late, "k", Level::prefix)->value == Bytes{"v"});
}

TEST_CASE("replica: nothing is served before the cluster has its name") {
  World world({});
  world.start_all();
  std::size_t answered = 0;
  for (NodeId at : world.ids()) {
    for (const Request& request :
         {put_request("k", "v"), get_request("k"), get_request("k", Level::prefix)}) {
      world.submit(at, request, [&](const Reply& reply) {
        ++answered;
        REQUIRE(reply);
        CHECK_FALSE(world.replica(reply->evidence.node).status().cluster.empty());
        // The term's no-op and the name come first.
        CHECK(reply->evidence.index >= LogIndex{2});
        CHECK((reply->evidence.path != Path::log || reply->evidence.index >= LogIndex{3}));
      });
    }
  }
  REQUIRE(world.run_until([&] { return answered == 9; }, 10s));
}

TEST_CASE("replica: a group of one serves") {
  World world({.nodes = 1});
  world.start_all();
  world.wait_for_leader();
  REQUIRE(world.put(NodeId{1}, "k", "v"));
  const Reply read = world.get(NodeId{1}, "k");
  REQUIRE(read);
  CHECK(read->value == Bytes{"v"});
  CHECK(read->evidence.replicas == std::vector{NodeId{1}});
  world.crash(NodeId{1});
  world.start_all();
  world.wait_for_leader();
  CHECK(world.get(NodeId{1}, "k")->value == Bytes{"v"});
}

TEST_CASE("replica: a write is acknowledged on a majority's word") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (NodeId at : world.ids()) {
    const Reply reply = world.put(at, "k", fmt::format("from {}", at));
    REQUIRE(reply);
    REQUIRE(reply->stamp);
    CHECK(reply->stamp->node == leader);
    const Evidence& evidence = reply->evidence;
    CHECK(evidence.node == leader);
    CHECK(evidence.path == Path::log);
    CHECK(evidence.sequenced);
    CHECK_FALSE(evidence.degraded);
    CHECK(evidence.term == world.replica(leader).status().term);
    CHECK(evidence.index == world.replica(leader).status().applied_index);
    CHECK(evidence.replicas.size() >= majority_of(world));
    // What is stored names the entry, and replaces all that the log stamped before.
    const auto state = KeySpace(world.replica(leader).state(), kOnlyGroup).load("k");
    REQUIRE(state);
    REQUIRE(state->versions().size() == 1);
    CHECK(state->winner()->log_index == evidence.index);
    CHECK(state->winner()->context.at(kLogActor) == Hlc{reply->stamp->hlc.value - 1});
    for (NodeId holder : evidence.replicas) {
      if (holder == leader) continue;
      CHECK(world.replica(holder).raft()->log().durable() >= evidence.index);
    }
  }
  CHECK(world.replica(leader).counters().requests_forwarded == 0);
}

TEST_CASE("replica: a linearizable read is the leader's after a confirmed round") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const Reply put = world.put(leader, "k", "v");
  for (NodeId at : world.ids()) {
    const Reply reply = world.get(at, "k");
    REQUIRE(reply);
    CHECK(reply->found);
    CHECK(reply->value == Bytes{"v"});
    CHECK(reply->content_type == "text/plain");
    CHECK(reply->stamp == put->stamp);
    CHECK(reply->consistency.level == Level::linearizable);
    CHECK(reply->evidence.node == leader);
    CHECK(reply->evidence.path == Path::read_index);
    CHECK(reply->evidence.index >= put->evidence.index);
    CHECK(reply->evidence.replicas.size() >= majority_of(world));
  }
  CHECK(world.replica(leader).counters().read_rounds >= 1);
}

TEST_CASE("replica: deletes leave a tombstone and absence is an answer") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const Reply never = world.get(leader, "nothing");
  REQUIRE(never);
  CHECK_FALSE(never->found);
  CHECK_FALSE(never->stamp);

  REQUIRE(world.put(leader, "k", "v"));
  const Reply removed = world.remove(world.others(leader)[0], "k");
  REQUIRE(removed);
  const Reply read = world.get(world.others(leader)[1], "k");
  REQUIRE(read);
  CHECK_FALSE(read->found);
  CHECK(read->stamp == removed->stamp);
  CHECK(read->value.empty());
}

TEST_CASE("replica: a prefix read is local and old when the node is cut off") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId follower = world.others(leader)[0];
  const Reply old = world.put(leader, "k", "old");
  REQUIRE(world.run_until([&] { return world.converged(); }, 2s));
  world.isolate(follower);
  const Reply fresh = world.put(leader, "k", "new");
  REQUIRE(fresh);

  const Reply read = world.get(follower, "k", Level::prefix);
  REQUIRE(read);
  // The anomaly that the level permits ...
  CHECK(read->value == Bytes{"old"});
  CHECK(read->stamp == old->stamp);
  CHECK(read->evidence.path == Path::local);
  CHECK(read->evidence.node == follower);
  CHECK(read->evidence.replicas == std::vector{follower});
  CHECK(read->evidence.index < fresh->evidence.index);
  // ... and the stronger one does not.
  const Reply strong = world.call(follower, get_request("k", Level::linearizable, 1s));
  REQUIRE_FALSE(strong);
  CHECK(strong.error().definite());
}

TEST_CASE("replica: a cut-off leader answers no linearizable read") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  REQUIRE(world.put(old, "k", "old"));
  world.isolate(old);
  // It still takes itself for the leader.
  REQUIRE(world.replica(old).status().role == Role::leader);
  std::optional<Reply> read;
  world.submit(old, get_request("k", Level::linearizable, 20s), [&](const Reply& r) { read = r; });
  REQUIRE(world.run_until([&] { return world.leader() != kNoNode && world.leader() != old; }, 10s));
  REQUIRE(world.put(world.leader(), "k", "new"));
  CHECK_FALSE(read);
  // Its round was lost with its leadership: the read begins again at the new leader.
  world.heal();
  REQUIRE(world.run_until([&] { return read.has_value(); }, 3s));
  REQUIRE(read->has_value());
  CHECK((*read)->value == Bytes{"new"});
  CHECK((*read)->evidence.node == world.leader());
}

TEST_CASE("replica: a node told not to forward names the leader") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId follower = world.others(leader)[0];
  REQUIRE(world.run_until([&] { return world.replica(follower).status().leader == leader; }, 1s));
  for (Request request : {put_request("k", "v"), get_request("k")}) {
    request.forward = false;
    const Reply reply = world.call(follower, request);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == ErrorCode::not_leader);
    CHECK(reply.error().definite());
    CHECK(reply.error().leader == leader);
  }
}

TEST_CASE("replica: without a majority writes end unknown and reads refused") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const std::vector<NodeId> others = world.others(leader);
  world.crash(others[0]);
  world.crash(others[1]);
  std::optional<Reply> write;
  std::optional<Reply> read;
  const MonoTime begun = world.now();
  world.submit(leader, put_request("k", "v", 2s), [&](const Reply& r) { write = r; });
  world.submit(leader, get_request("k", Level::linearizable, 1s),
               [&](const Reply& r) { read = r; });
  REQUIRE(world.run_until([&] { return read.has_value(); }, 5s));
  CHECK(world.now() - begun < 1'100ms);
  REQUIRE(read->has_error());
  CHECK(read->error().definite());
  REQUIRE(world.run_until([&] { return write.has_value(); }, 5s));
  CHECK(world.now() - begun < 2'100ms);
  REQUIRE(write->has_error());
  CHECK(write->error().code == ErrorCode::timeout);
  CHECK_FALSE(write->error().definite());
  // Nobody is there to lead now: nothing was appended for this one.
  const Reply later = world.call(leader, put_request("k", "w", 1s));
  REQUIRE_FALSE(later);
  CHECK(later.error().code == ErrorCode::no_leader);
  CHECK(later.error().definite());
  const Reply tiny = world.call(leader, get_request("k", Level::linearizable, 0s));
  REQUIRE_FALSE(tiny);
  CHECK(tiny.error().definite());
}

TEST_CASE("replica: a write whose entry is replaced did not happen") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  REQUIRE(world.put(old, "k", "before"));
  world.isolate(old);
  std::optional<Reply> lost;
  world.submit(old, put_request("k", "lost", 20s), [&](const Reply& r) { lost = r; });
  REQUIRE(world.run_until([&] { return world.leader() != kNoNode && world.leader() != old; }, 10s));
  REQUIRE(world.put(world.leader(), "k", "after"));
  CHECK_FALSE(lost);
  world.heal();
  REQUIRE(world.run_until([&] { return lost.has_value(); }, 5s));
  REQUIRE(lost->has_error());
  CHECK(lost->error().code == ErrorCode::no_leader);
  CHECK(lost->error().definite());
  CHECK(error_info(lost->error().code).retryable);
  CHECK(world.get(old, "k")->value == Bytes{"after"});
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
}

TEST_CASE("replica: an entry that survives its leader is acknowledged by the deposed one") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  // The entry gets out and no acknowledgement gets back.
  for (NodeId other : world.others(old)) world.cut(other, old);
  std::optional<Reply> write;
  world.submit(old, put_request("k", "v", 20s), [&](const Reply& r) { write = r; });
  REQUIRE(world.run_until([&] { return world.leader() != kNoNode && world.leader() != old; }, 10s));
  CHECK_FALSE(write);
  world.heal();
  REQUIRE(world.run_until([&] { return write.has_value(); }, 5s));
  REQUIRE(write->has_value());
  CHECK((*write)->evidence.replicas.size() >= majority_of(world));
  CHECK(world.get(old, "k")->stamp == (*write)->stamp);
}

TEST_CASE("replica: a crash at any fail point loses nothing that was acknowledged") {
  const auto point = GENERATE(values({0, 1, 2, 3, 4}));
  World world({.seed = 100 + static_cast<std::uint64_t>(point)});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  // A leader has nothing to say that waits for its disk; its followers have.
  const bool follower_dies = kFailPoints[point] == "before-send-after";
  const NodeId dies = follower_dies ? world.others(leader)[0] : leader;
  std::map<std::string, Reply> outcomes;
  for (int i = 0; i < 20; ++i) {
    const std::string key = fmt::format("k{}", i);
    world.submit(leader, put_request(key, key),
                 [&, key](const Reply& r) { outcomes.emplace(key, r); });
    if (i == 10) {
      world.run_for(1ms);
      world.crash_at(dies, kFailPoints[point]);
    }
    world.run_for(100us);
  }
  REQUIRE(world.run_until([&] { return !world.up(dies); }, 5s));
  REQUIRE(world.run_until([&] { return outcomes.size() == 20; }, 6s));
  const NodeId next = world.wait_for_leader();
  std::size_t acknowledged = 0;
  for (const auto& [key, outcome] : outcomes) {
    const Reply read = world.get(next, key);
    REQUIRE(read);
    if (outcome) {
      ++acknowledged;
      CHECK(read->stamp == outcome->stamp);
    } else {
      // Never appended, or unknown.
      CHECK((!outcome.error().definite() || !read->found));
    }
  }
  CHECK(acknowledged > 0);
  REQUIRE(world.start(dies));
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
}

TEST_CASE("replica: a restart keeps everything and uses no stamp again") {
  World world({});
  world.start_all();
  NodeId leader = world.wait_for_leader();
  std::set<Stamp> stamps;
  for (int i = 0; i < 50; ++i) {
    const Reply reply = world.put(leader, "k", fmt::format("{}", i));
    REQUIRE(reply);
    REQUIRE(stamps.insert(*reply->stamp).second);
  }
  const Reply last = world.get(leader, "k");
  for (NodeId id : world.ids()) world.crash(id);
  // All clocks fall back by an hour while everybody is down.
  for (NodeId id : world.ids()) world.set_clock(id, -1h);
  world.start_all();
  leader = world.wait_for_leader();
  const Reply read = world.get(leader, "k");
  REQUIRE(read);
  CHECK(read->value == Bytes{"49"});
  CHECK(read->stamp == last->stamp);
  for (int i = 0; i < 50; ++i) {
    const Reply reply = world.put(leader, "k", fmt::format("again {}", i));
    REQUIRE(reply);
    REQUIRE(*reply->stamp > *last->stamp);
    REQUIRE(stamps.insert(*reply->stamp).second);
  }
  CHECK(world.get(leader, "k")->value == Bytes{"again 49"});
}

TEST_CASE("replica: stamps issued but lost with the disk's tail do not come again") {
  // Alone, so that nobody tells it of the stamps that it forgot.
  World world({.nodes = 1});
  world.start_all();
  world.wait_for_leader();
  const NodeId id{1};
  REQUIRE(world.put(id, "k", "v"));
  Hlc issued;
  for (int round = 0; round < 5; ++round) {
    world.run_for(1s);  // the next stamp needs a new bound
    world.hold_disk(id, true);
    for (int i = 0; i < 50; ++i) {
      world.submit(id, put_request("k", "lost"), [](const Reply&) {});
      world.run_for(20ms);
    }
    const auto bound = records::load<Hlc>(world.store(id), records::clock_bound_key());
    REQUIRE(bound);
    CHECK(world.replica(id).status().clock <= **bound);
    issued = std::max(issued, world.replica(id).status().clock);
    world.crash(id, 0);
    world.set_clock(id, std::chrono::minutes(-round));
    REQUIRE(world.start(id));
    world.wait_for_leader();
    const Reply next = world.put(id, "k", "next");
    REQUIRE(next);
    CHECK(next->stamp->hlc > issued);
  }
}

TEST_CASE("replica: a disk slower than the clock bound reaches does not stop stamps") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (NodeId id : world.ids()) world.slow_disk(id, 800ms);
  for (int i = 0; i < 3; ++i) CHECK(world.call(leader, put_request("k", "v", 10s)));
}

TEST_CASE("replica: an idle cluster writes nothing") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  world.run_for(2 * limits::kStatesWait + 1s);
  // A full disk is only noticed by who writes.
  for (NodeId id : world.ids()) world.set_disk_full(id, true);
  world.run_for(20s);
  for (NodeId id : world.ids()) CHECK(world.replica(id).status().ready);
  CHECK(world.get(leader, "k"));
}

TEST_CASE("replica: requests beyond the bound are refused") {
  World world({.max_requests = 10});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (NodeId other : world.others(leader)) world.crash(other);
  std::vector<Reply> replies;
  for (int i = 0; i < 25; ++i) {
    world.submit(leader, put_request(fmt::format("k{}", i), "v", 1s),
                 [&](const Reply& r) { replies.push_back(r); });
  }
  world.run_for(50ms);
  REQUIRE(replies.size() == 15);
  for (const Reply& reply : replies) {
    REQUIRE(reply.has_error());
    CHECK(reply.error().code == ErrorCode::overloaded);
    CHECK(reply.error().definite());
  }
  REQUIRE(world.run_until([&] { return replies.size() == 25; }, 2s));
  CHECK(replies.back().error().code == ErrorCode::timeout);
}

TEST_CASE("replica: bytes beyond the bound are refused") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (NodeId other : world.others(leader)) world.crash(other);
  const std::string value(1 << 20, 'x');
  std::size_t refused = 0;
  for (int i = 0; i < 70; ++i) {
    world.submit(leader, put_request("k", value, 1s), [&](const Reply& r) {
      refused += r.has_error() && r.error().code == ErrorCode::overloaded ? 1 : 0;
    });
  }
  world.run_for(50ms);
  CHECK(refused >= 6);
  CHECK(refused <= 8);
}

TEST_CASE("replica: a doubled forward is carried out once") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId follower = world.others(leader)[0];
  REQUIRE(world.put(leader, "k", "before"));
  world.set_loss(0, 1.0);
  const LogIndex before = world.replica(leader).status().last_index;
  REQUIRE(world.put(follower, "k", "once"));
  REQUIRE(world.put(leader, "k", "after"));
  world.run_for(5s);  // every late copy has come
  CHECK(world.replica(leader).status().last_index - before == 2);
  CHECK(world.get(leader, "k")->value == Bytes{"after"});
}

TEST_CASE("replica: a copy of a forward that comes after a restart is not answered") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId follower = world.others(leader)[0];
  std::optional<Envelope> copy;
  world.watch([&](const Envelope& e) {
    if (std::holds_alternative<Forward>(e.message)) copy = e;
  });
  REQUIRE(world.put(follower, "k", "v"));
  REQUIRE(copy);
  world.watch(nullptr);
  world.crash(leader);
  REQUIRE(world.start(leader));
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  std::size_t answers = 0;
  world.watch([&](const Envelope& e) {
    answers += std::holds_alternative<ForwardReply>(e.message) ? 1 : 0;
  });
  const LogIndex before = world.replica(world.leader()).status().last_index;
  Replica& restarted = world.replica(leader);
  restarted.on_envelope(*copy);
  world.run_for(1s);
  CHECK(answers == 0);
  CHECK(world.replica(world.leader()).status().last_index == before);
}

TEST_CASE("replica: forwarded requests find the next leader") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  const NodeId at = world.others(old)[0];
  REQUIRE(world.put(at, "k", "v"));
  world.crash(old);
  // Sent to a node that is dead: the read is asked again, the write stays unknown.
  std::optional<Reply> read;
  std::optional<Reply> write;
  world.submit(at, get_request("k"), [&](const Reply& r) { read = r; });
  world.submit(at, put_request("k", "w", 4s), [&](const Reply& r) { write = r; });
  REQUIRE(world.run_until(
      [&] {
        return world.leader() != kNoNode && world.replica(at).status().leader == world.leader();
      },
      5s));
  REQUIRE(world.run_until([&] { return read.has_value(); }, 50ms));
  REQUIRE(read->has_value());
  CHECK((*read)->value == Bytes{"v"});
  REQUIRE(world.run_until([&] { return write.has_value(); }, 5s));
  REQUIRE(write->has_error());
  CHECK_FALSE(write->error().definite());
  CHECK(world.get(at, "k")->value == Bytes{"v"});
}

TEST_CASE("replica: a write that was refused once is sent on and then only repeated as it was") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  const NodeId at = world.others(old)[0];
  const NodeId next = world.others(old)[1];
  REQUIRE(world.run_until([&] { return world.replica(at).status().leader == old; }, 1s));
  std::vector<Envelope> forwards;
  world.drop_if([&](const Envelope& e) {
    const bool forward = std::holds_alternative<Forward>(e.message);
    if (forward) forwards.push_back(e);
    return forward;
  });
  std::optional<Reply> write;
  world.submit(at, put_request("k", "v", 4s), [&](const Reply& r) { write = r; });
  REQUIRE(world.run_until([&] { return forwards.size() == 1; }, 1s));
  // "I do not lead", says the one who does; and before it is asked again another one leads.
  Envelope refusal = forwards[0];
  std::swap(refusal.from, refusal.to);
  refusal.message = ForwardReply{std::get<Forward>(forwards[0].message).id,
                                 encode_reply(definite(ErrorCode::not_leader, "not I"))};
  world.watch([&](const Envelope& e) {
    if (e.from == old) refusal.incarnation = e.incarnation;
  });
  world.run_for(200ms);
  world.watch(nullptr);
  world.replica(at).on_envelope(refusal);
  REQUIRE(world.replica(old).transfer_leadership(next));
  REQUIRE(world.run_until([&] { return forwards.size() == 2; }, 1s));
  CHECK(forwards[1].to == next);
  REQUIRE(world.run_until([&] { return write.has_value(); }, 6s));
  // The very same one: its receiver carries out one copy.
  for (std::size_t i = 2; i < forwards.size(); ++i) {
    CHECK(forwards[i].to == next);
    const auto& repeated = std::get<Forward>(forwards[i].message);
    CHECK(repeated.id == std::get<Forward>(forwards[1].message).id);
    CHECK(repeated.term == std::get<Forward>(forwards[1].message).term);
  }
  CHECK(forwards.size() > 2);
  REQUIRE(write->has_error());
  CHECK_FALSE(write->error().definite());
}

TEST_CASE("replica: shutdown refuses what is new and hands over") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  REQUIRE(world.put(old, "k", "v"));
  world.replica(old).begin_shutdown();
  const Reply refused = world.put(old, "k", "w");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::shutting_down);
  CHECK(refused.error().definite());
  const MonoTime begun = world.now();
  REQUIRE(world.run_until([&] { return world.replica(old).quiet(); }, 5s));
  CHECK(world.now() - begun < 300ms);
  REQUIRE(world.run_until([&] { return world.leader() != kNoNode; }, 1s));
  CHECK(world.leader() != old);
  // Others go on through their own new leader.
  CHECK(world.put(world.others(old)[0], "k", "x"));
}

TEST_CASE("replica: leadership goes where it is asked to") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  const NodeId to = world.others(old)[1];
  CHECK(world.replica(old).transfer_leadership(NodeId{9}).error().code == ErrorCode::bad_parameter);
  CHECK(world.replica(to).transfer_leadership(to).error().code == ErrorCode::not_leader);
  REQUIRE(world.replica(old).transfer_leadership(to));
  std::vector<Reply> replies;
  world.submit(old, put_request("k", "v"), [&](const Reply& r) { replies.push_back(r); });
  REQUIRE(world.run_until([&] { return world.leader() == to; }, 1s));
  REQUIRE(world.run_until([&] { return replies.size() == 1; }, 1s));
  CHECK(replies[0]);  // waited, and was passed on
}

TEST_CASE("replica: a request is passed on once and comes back from who no longer leads") {
  World world({});
  world.start_all();
  const NodeId old = world.wait_for_leader();
  const NodeId at = world.others(old)[0];
  const NodeId next = world.others(old)[1];
  REQUIRE(world.run_until([&] { return world.converged(); }, 2s));
  std::optional<Envelope> hand_over;
  std::map<NodeId, std::size_t> forwards;
  world.drop_if([&](const Envelope& e) {
    forwards[e.from] += std::holds_alternative<Forward>(e.message) ? 1 : 0;
    if (!std::holds_alternative<TimeoutNow>(e.message)) return false;
    hand_over = e;
    return true;
  });
  REQUIRE(world.replica(old).transfer_leadership(next));
  std::optional<Reply> write;
  world.submit(at, put_request("k", "v"), [&](const Reply& r) { write = r; });
  world.run_for(100ms);
  REQUIRE(hand_over);
  CHECK_FALSE(write);  // it waits there: a leader that hands over appends nothing
  world.replica(next).on_envelope(*hand_over);
  REQUIRE(world.run_until([&] { return write.has_value(); }, 1s));
  REQUIRE(write->has_value());
  CHECK((*write)->evidence.node == next);
  CHECK(forwards[at] == 2);
  CHECK(forwards[old] == 0);
}

TEST_CASE("replica: status says who is up and how far") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  REQUIRE(world.put(leader, "k", "v"));
  world.set_clock(world.others(leader)[0], 100ms);
  world.run_for(2s);
  for (NodeId at : world.ids()) {
    const ReplicaStatus status = world.replica(at).status();
    CHECK(status.leader == leader);
    CHECK(status.ready);
    REQUIRE(status.members.size() == 3);
    for (const MemberStatus& member : status.members) {
      CHECK(member.up);
      CHECK(member.role == (member.id == leader ? "leader" : "follower"));
      REQUIRE(member.clock_offset_ms);
      const bool known = at == leader || at == member.id;
      CHECK(member.match_index.has_value() == known);
      CHECK(member.applied_index.has_value() == known);
    }
  }
  const ReplicaStatus at_leader = world.replica(leader).status();
  for (const MemberStatus& member : at_leader.members) {
    const bool shifted = member.id == world.others(leader)[0];
    CHECK(std::abs(*member.clock_offset_ms - (shifted ? 100 : 0)) <= 10);
    CHECK(member.match_index == at_leader.last_index);
    CHECK(member.applied_index == at_leader.last_index);
  }
  const NodeId dead = world.others(leader)[1];
  world.crash(dead);
  REQUIRE(world.put(leader, "k", "w"));
  world.run_for(2s);
  for (const MemberStatus& member : world.replica(leader).status().members) {
    if (member.id != dead) continue;
    CHECK_FALSE(member.up);
    CHECK(member.role == "unknown");
    CHECK(*member.lag_ms >= 1'500);
  }
}

}  // namespace parallax::testing
