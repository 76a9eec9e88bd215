// Writes with terms: conditions, increments, idempotency keys and contexts, through lost leaders,
// snapshots and restarts.
#include <catch2/catch.hpp>

#include "base/random.h"
#include "replication/command.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

using Outcome = std::optional<Reply>;

Request increment_request(std::string key, std::int64_t by = 1) {
  Request request = delete_request("");
  request.operation = Increment{std::move(key), by};
  return request;
}

Request if_absent(Request request) {
  request.conditions.if_none_match = EtagSet{.any = true, .stamps = {}};
  return request;
}
Request if_match(Request request, Stamp stamp) {
  request.conditions.if_match = EtagSet{.any = false, .stamps = {stamp}};
  return request;
}
Request keyed(Request request, std::string key) {
  request.idempotency_key = std::move(key);
  return request;
}

void submit(World& world, NodeId at, Request request, Outcome& outcome) {
  world.submit(at, std::move(request), [&](const Reply& reply) { outcome = reply; });
}

void check_refused(const Reply& reply, ErrorCode code) {
  REQUIRE(reply);
  REQUIRE(reply->refusal);
  CHECK(reply->refusal->code == code);
  CHECK(reply->refusal->definite());
}

/// A write that was not refused.
Stamp written(const Reply& reply) {
  REQUIRE(reply);
  INFO((reply->refusal ? reply->refusal->message : ""));
  REQUIRE_FALSE(reply->refusal);
  REQUIRE(reply->stamp);
  return *reply->stamp;
}

/// No entries reach anybody; heartbeats, and with them read rounds, still do.
void drop_entries(World& world) {
  world.drop_if([](const Envelope& e) {
    const auto* append = std::get_if<AppendEntries>(&e.message);
    return append != nullptr && !append->entries.empty();
  });
}

struct ElectedWithShortLog : Elected {
  ElectedWithShortLog() : Elected({.log_keep_entries = 10, .states_wait = 0s}) {}
};

}  // namespace

// --- Conditions ---------------------------------------------------------------------------------

TEST_CASE_METHOD(Elected, "writes: a refused condition says what is there, on a round's word") {
  const Stamp first = written(world.call(follower, if_absent(put_request("k", "a"))));
  for (NodeId at : world.ids()) {
    const Reply refused = world.call(at, if_absent(put_request("k", "b")));
    check_refused(refused, ErrorCode::precondition_failed);
    CHECK(refused->refusal->etag == first.to_string());
    CHECK(refused->stamp == first);
    CHECK(refused->evidence.path == Path::read_index);
    CHECK(refused->evidence.replicas.size() >= 2);
    CHECK(refused->evidence.node == leader);
    CHECK_FALSE(refused->replayed);
  }
  const Stamp second = written(world.call(third, if_match(put_request("k", "c"), first)));
  check_refused(world.call(third, if_match(delete_request("k"), first)),
                ErrorCode::precondition_failed);
  CHECK(world.get(third, "k")->value == Bytes{"c"});
  written(world.call(follower, if_match(delete_request("k"), second)));
  CHECK_FALSE(world.get(leader, "k")->found);
  const Reply absent = world.call(leader, if_match(put_request("k", "d"), second));
  check_refused(absent, ErrorCode::precondition_failed);
  CHECK(absent->refusal->etag.empty());
  CHECK_FALSE(absent->stamp);
  written(world.call(leader, if_absent(put_request("k", "e"))));
}

TEST_CASE("writes: of conditions that exclude each other one holds, at any pace") {
  const std::uint64_t seed = GENERATE(1, 2, 3);
  World world({.seed = seed});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const bool at_once = GENERATE(true, false);  // in one turn of the leader: all but one are pending
  std::optional<Stamp> present;
  for (int round = 0; round < 10; ++round) {
    std::vector<Reply> replies;
    for (std::uint32_t i = 0; i < 12; ++i) {
      Request request = put_request("k", fmt::format("{}-{}", round, i));
      request = present ? if_match(std::move(request), *present) : if_absent(std::move(request));
      world.submit(at_once ? leader : NodeId{i % 3 + 1}, std::move(request),
                   [&](const Reply& reply) { replies.push_back(reply); });
    }
    REQUIRE(world.run_until([&] { return replies.size() == 12; }, 5s));
    std::vector<Stamp> won;
    for (const Reply& reply : replies) {
      REQUIRE(reply);
      if (!reply->refusal) won.push_back(*reply->stamp);
    }
    REQUIRE(won.size() == 1);
    for (const Reply& reply : replies) {
      if (reply->refusal) CHECK(reply->refusal->etag == won.front().to_string());
      if (reply->refusal) CHECK(reply->stamp == won.front());
    }
    present = won.front();
  }
}

TEST_CASE_METHOD(Elected, "writes: conditions see what the same turn has proposed before them") {
  std::vector<Reply> replies(5, definite(ErrorCode::internal, "not answered"));
  std::size_t answered = 0;
  const auto ask = [&](std::size_t i, Request request) {
    world.submit(leader, std::move(request), [&, i](const Reply& reply) {
      replies[i] = reply;
      ++answered;
    });
  };
  ask(0, if_absent(put_request("k", "a")));
  ask(1, delete_request("k"));
  ask(2, if_absent(put_request("k", "b")));
  ask(3, if_absent(put_request("k", "c")));
  ask(4, increment_request("k"));
  REQUIRE(world.run_until([&] { return answered == replies.size(); }, 5s));
  written(replies[0]);
  written(replies[1]);
  const Stamp b = written(replies[2]);
  check_refused(replies[3], ErrorCode::precondition_failed);
  CHECK(replies[3]->stamp == b);
  check_refused(replies[4], ErrorCode::not_a_number);
  CHECK(replies[4]->stamp == b);
}

TEST_CASE_METHOD(Elected, "writes: a refusal waits for the proposal that it rests on") {
  drop_entries(world);
  Outcome first;
  Outcome refused;
  submit(world, leader, if_absent(put_request("k", "a")), first);
  world.run_for(50ms);
  submit(world, leader, if_absent(put_request("k", "b")), refused);
  const std::uint64_t rounds = world.replica(leader).counters().read_rounds;
  world.run_for(400ms);
  REQUIRE(world.leader() == leader);
  CHECK(world.replica(leader).counters().read_rounds > rounds);
  CHECK(world.get(leader, "other"));  // rounds are confirmed all the while
  CHECK_FALSE(first);
  CHECK_FALSE(refused);
  world.heal();
  REQUIRE(world.run_until([&] { return first && refused; }, 5s));
  const Stamp stamp = written(*first);
  check_refused(*refused, ErrorCode::precondition_failed);
  CHECK((*refused)->stamp == stamp);
  CHECK((*refused)->evidence.index >= (*first)->evidence.index);
}

TEST_CASE_METHOD(Elected, "writes: a refusal of a leader that is deposed never leaves") {
  // What it would rest on is proposed, never commits, and so has never been there.
  world.isolate(leader);
  Outcome lost;
  Outcome moved;
  submit(world, leader, if_absent(put_request("k", "lost", 20s)), lost);
  submit(world, leader, if_absent(put_request("k", "b", 20s)), moved);
  REQUIRE(
      world.run_until([&] { return world.leader() != leader && world.leader() != kNoNode; }, 10s));
  CHECK_FALSE(lost);
  CHECK_FALSE(moved);
  world.heal();
  REQUIRE(world.run_until([&] { return lost && moved; }, 10s));
  REQUIRE_FALSE(*lost);
  CHECK(lost->error().definite());
  written(*moved);
  CHECK(world.get(third, "k")->value == Bytes{"b"});
}

TEST_CASE_METHOD(Elected, "writes: a refusal on what a deposed leader still holds is no answer") {
  // It is committed, and out of date: the others have gone on.
  const Stamp old = written(world.put(leader, "k", "old"));
  world.run_for(200ms);
  world.isolate(leader);
  REQUIRE(
      world.run_until([&] { return world.leader() != leader && world.leader() != kNoNode; }, 10s));
  written(world.remove(world.leader(), "k"));
  Outcome outcome;
  submit(world, leader, if_absent(put_request("k", "new", 20s)), outcome);
  world.run_for(2s);
  CHECK_FALSE(outcome);
  world.heal();
  REQUIRE(world.run_until([&] { return outcome.has_value(); }, 10s));
  CHECK(written(*outcome) > old);
}

// --- Increments ---------------------------------------------------------------------------------

TEST_CASE_METHOD(Elected, "writes: increments in one turn add up, each with its own sum") {
  std::vector<std::int64_t> sums;
  for (int i = 0; i < 50; ++i) {
    world.submit(leader, increment_request("n", 2),
                 [&](const Reply& reply) { sums.push_back(*reply->number); });
  }
  REQUIRE(world.run_until([&] { return sums.size() == 50; }, 5s));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    CHECK(sums[i] == 2 * static_cast<std::int64_t>(i + 1));
  }
  CHECK(world.get(follower, "n")->value == Bytes{"100"});
  written(world.put(leader, "n", "9223372036854775807"));
  check_refused(world.call(third, increment_request("n")), ErrorCode::not_a_number);
  CHECK(world.call(third, increment_request("n", -7))->number == 9223372036854775800);
}

TEST_CASE("writes: increments that are asked again until they are done add up exactly",
          "[random]") {
  const std::uint64_t seed = GENERATE(1, 2, 3, 4);
  const bool short_log = seed % 2 == 0;
  World world({.seed = seed, .log_keep_entries = short_log ? 5u : limits::kLogKeepEntries});
  Random random(seed);
  world.start_all();
  world.wait_for_leader();
  // Some answers are lost on their way: what they were about has happened.
  world.drop_if([&](const Envelope& e) {
    return std::holds_alternative<ForwardReply>(e.message) && random.chance(0.2);
  });
  constexpr int kIncrements = 120;
  int done = 0;
  std::uint64_t unknown = 0;
  std::uint64_t replayed = 0;
  std::vector<std::int64_t> sums;
  std::function<void(int)> ask = [&](int i) {
    Request request = keyed(increment_request("n"), fmt::format("request-{}", i));
    request.timeout = 600ms;
    world.submit(NodeId{static_cast<std::uint32_t>(random.between(1, 3))}, std::move(request),
                 [&, i](const Reply& reply) {
                   if (!reply) {
                     unknown += reply.error().definite() ? 0 : 1;
                     const auto pause = std::chrono::milliseconds(random.between(1, 50));
                     world.after(pause, [&ask, i] { ask(i); });
                     return;
                   }
                   REQUIRE(reply->number);
                   replayed += reply->replayed ? 1 : 0;
                   sums.push_back(*reply->number);
                   ++done;
                 });
  };
  for (int i = 0; i < kIncrements; ++i) {
    world.after(std::chrono::milliseconds(random.below(6'000)), [&ask, i] { ask(i); });
  }
  for (int crash = 0; crash < 8; ++crash) {
    world.run_for(std::chrono::milliseconds(random.between(300, 1'200)));
    const NodeId leader = world.leader();
    const NodeId victim = leader != kNoNode && random.chance(0.8) ? leader : NodeId{1};
    if (random.chance(0.3)) {
      // Cut off with what it has proposed, and with those that wait for its word.
      world.isolate(victim);
      world.run_for(2s);
      world.heal_links();
    } else {
      world.crash(victim);
      world.run_for(std::chrono::milliseconds(random.between(100, 1'500)));
      REQUIRE(world.start(victim));
    }
  }
  REQUIRE(world.run_until([&] { return done == kIncrements; }, 60s));
  REQUIRE(world.run_until([&] { return world.converged(); }, 20s));
  CHECK(world.get(world.wait_for_leader(), "n")->value == Bytes{std::to_string(kIncrements)});
  std::sort(sums.begin(), sums.end());
  for (int i = 0; i < kIncrements; ++i) CHECK(sums[static_cast<std::size_t>(i)] == i + 1);
  // There was something to get wrong.
  CHECK(unknown > 0);
  CHECK(replayed > 0);
}

// --- Idempotency keys ---------------------------------------------------------------------------

TEST_CASE_METHOD(Elected, "writes: a retry gets the first outcome, from any node and leader") {
  const Request put = keyed(put_request("k", "v"), "put");
  const Request add = keyed(increment_request("n", 5), "add");
  const Request remove = keyed(delete_request("gone"), "remove");
  const Reply put_first = world.call(leader, put);
  const Reply add_first = world.call(follower, add);
  const Reply remove_first = world.call(third, remove);
  const Stamp stamp = written(put_first);
  CHECK_FALSE(put_first->replayed);
  CHECK_FALSE(add_first->replayed);
  written(world.put(leader, "k", "later"));
  written(world.call(leader, increment_request("n")));

  const auto check_retries = [&](NodeId at) {
    const Reply again = world.call(at, put);
    CHECK(written(again) == stamp);
    CHECK(again->replayed);
    CHECK(again->evidence.index == put_first->evidence.index);
    CHECK(again->evidence.path == Path::log);
    const Reply added = world.call(at, add);
    CHECK(written(added) == add_first->stamp);
    CHECK(added->number == 5);
    CHECK(added->replayed);
    CHECK(written(world.call(at, remove)) == remove_first->stamp);
  };
  for (NodeId at : world.ids()) check_retries(at);
  world.crash(leader);
  world.wait_for_leader();
  check_retries(follower);
  check_retries(third);
  REQUIRE(world.start(leader));
  lead(world, leader);
  check_retries(third);
  // Everything goes, and comes back from the disks.
  for (NodeId id : world.ids()) world.crash(id);
  world.start_all();
  world.wait_for_leader();
  check_retries(third);
  CHECK(world.get(leader, "k")->value == Bytes{"later"});
  CHECK(world.get(leader, "n")->value == Bytes{"6"});
}

TEST_CASE_METHOD(Elected, "writes: another request under a used key is refused") {
  const Request first = keyed(put_request("k", "v"), "key");
  const Stamp stamp = written(world.call(leader, first));
  const auto check_reused = [&](Request other) {
    const Reply reply = world.call(third, keyed(std::move(other), "key"));
    check_refused(reply, ErrorCode::idempotency_key_reused);
    CHECK_FALSE(reply->replayed);
    CHECK_FALSE(reply->stamp);
    CHECK_FALSE(reply->number);
  };
  check_reused(put_request("k", "w"));
  check_reused(put_request("l", "v"));
  check_reused(delete_request("k"));
  check_reused(increment_request("k"));
  check_reused(if_absent(put_request("k", "v")));
  world.crash(leader);
  world.wait_for_leader();
  check_reused(put_request("k", "w"));
  CHECK(written(world.call(third, first)) == stamp);
  // Not what it was asked for, but how it is to be carried out, may differ.
  Request hurried = first;
  hurried.timeout = 3s;
  CHECK(written(world.call(third, hurried)) == stamp);
  CHECK(world.get(third, "k")->stamp == stamp);
}

TEST_CASE_METHOD(Elected, "writes: a refusal under a key is remembered") {
  const Stamp stamp = written(world.put(leader, "k", "v"));
  const Request absent = keyed(if_absent(put_request("k", "w")), "absent");
  const Request add = keyed(increment_request("k"), "add");
  const Reply first = world.call(leader, absent);
  check_refused(first, ErrorCode::precondition_failed);
  CHECK(first->evidence.path == Path::log);
  CHECK_FALSE(first->replayed);
  check_refused(world.call(leader, add), ErrorCode::not_a_number);
  written(world.remove(leader, "k"));
  for (const bool crashed : {false, true}) {
    if (crashed) {
      world.crash(leader);
      world.wait_for_leader();
    }
    const Reply again = world.call(third, absent);  // it would hold now
    check_refused(again, ErrorCode::precondition_failed);
    CHECK(again->replayed);
    CHECK(again->refusal->message == first->refusal->message);
    CHECK(again->refusal->etag == stamp.to_string());
    CHECK(again->stamp == stamp);
    const Reply added = world.call(third, add);
    check_refused(added, ErrorCode::not_a_number);
    CHECK(added->replayed);
  }
  CHECK_FALSE(world.get(third, "k")->found);
}

TEST_CASE_METHOD(Elected, "writes: a retry waits while the first one is pending") {
  drop_entries(world);
  const Request request = keyed(increment_request("n"), "key");
  Outcome first;
  Outcome retry;
  Outcome other;
  submit(world, leader, request, first);
  world.run_for(50ms);
  submit(world, third, request, retry);
  submit(world, leader, keyed(increment_request("n", 2), "key"), other);
  world.run_for(400ms);
  REQUIRE(world.leader() == leader);
  CHECK_FALSE(first);
  CHECK_FALSE(retry);
  CHECK_FALSE(other);
  world.heal();
  REQUIRE(world.run_until([&] { return first && retry && other; }, 5s));
  CHECK(written(*first) == written(*retry));
  CHECK_FALSE((*first)->replayed);
  CHECK((*retry)->replayed);
  check_refused(*other, ErrorCode::idempotency_key_reused);
  CHECK(world.get(third, "n")->value == Bytes{"1"});
}

TEST_CASE_METHOD(Elected, "writes: a retry that waited for a lost proposal is carried out") {
  world.isolate(leader);
  Request request = keyed(increment_request("n"), "key");
  request.timeout = 20s;
  Outcome first;
  Outcome retry;
  submit(world, leader, request, first);
  submit(world, leader, request, retry);
  REQUIRE(
      world.run_until([&] { return world.leader() != leader && world.leader() != kNoNode; }, 10s));
  CHECK_FALSE(retry);
  world.heal();
  REQUIRE(world.run_until([&] { return first && retry; }, 10s));
  REQUIRE_FALSE(*first);
  CHECK(first->error().definite());
  CHECK((*retry)->number == 1);
  CHECK_FALSE((*retry)->replayed);
  CHECK(world.call(third, request)->replayed);
  CHECK(world.get(third, "n")->value == Bytes{"1"});
}

TEST_CASE_METHOD(ElectedWithShortLog, "writes: rows come with a snapshot") {
  world.crash(third);
  const Request request = keyed(increment_request("n"), "key");
  const Request refused = keyed(if_absent(put_request("n", "x")), "refused");
  const Stamp stamp = written(world.call(leader, request));
  check_refused(world.call(leader, refused), ErrorCode::precondition_failed);
  for (int i = 0; i < 60; ++i) written(world.put(leader, "k", fmt::format("{}", i)));
  world.run_for(500ms);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  REQUIRE(world.replica(third).counters().snapshots_installed >= 1);
  lead(world, third);
  for (const bool restarted : {false, true}) {
    if (restarted) {
      world.crash(third);
      REQUIRE(world.start(third));
      world.wait_for_leader();
      lead(world, third);
    }
    const Reply again = world.call(follower, request);
    CHECK(written(again) == stamp);
    CHECK(again->replayed);
    check_refused(world.call(follower, refused), ErrorCode::precondition_failed);
  }
  CHECK(world.get(follower, "n")->value == Bytes{"1"});
}

TEST_CASE("writes: a key is remembered for its time and may then be used again") {
  World world(
      {.log_keep_entries = 10, .states_wait = 0s, .idempotency = {.rows = 100, .retention = 2s}});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId away = world.others(leader)[0];
  const Request request = keyed(increment_request("n"), "key");
  const Stamp first = written(world.call(leader, request));
  world.run_for(1'900ms);
  CHECK(written(world.call(leader, request)) == first);
  world.crash(away);
  world.run_for(500ms);
  const Reply again = world.call(leader, request);
  CHECK_FALSE(again->replayed);
  CHECK(again->number == 2);
  // The rows themselves go with the writes that come.
  const auto rows = [&](NodeId id) {
    std::size_t count = 0;
    REQUIRE(world.replica(id).state().scan(records::idempotency_range(kOnlyGroup),
                                           [&](auto, auto) { return ++count, true; }));
    return count;
  };
  for (int i = 0; i < 20; ++i)
    written(world.call(leader, keyed(put_request("k", "v"), "r" + std::to_string(i))));
  CHECK(rows(leader) == 21);
  world.run_for(3s);
  for (int i = 0; i < 15; ++i) written(world.put(leader, "k", "w"));
  CHECK(rows(leader) == 0);
  // And on a node that was away, where they went with a snapshot.
  REQUIRE(world.start(away));
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  CHECK(rows(away) == 0);
}

TEST_CASE("writes: where there are too many rows the oldest goes first, on every node") {
  World world({.idempotency = {.rows = 5, .retention = 1h}});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  for (int i = 0; i < 20; ++i) {
    written(world.call(leader, keyed(increment_request("n"), fmt::format("r{}", i))));
  }
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));  // equal in rows too
  for (NodeId id : world.ids()) {
    std::vector<std::string> left;
    REQUIRE(world.replica(id).state().scan(records::idempotency_range(kOnlyGroup),
                                           [&](std::string_view key, std::string_view) {
                                             left.emplace_back(records::group_record_name(key));
                                             return true;
                                           }));
    CHECK(left == std::vector<std::string>{"r15", "r16", "r17", "r18", "r19"});
  }
  lead(world, world.others(leader)[0]);
  CHECK(world.call(leader, keyed(increment_request("n"), "r15"))->replayed);
  CHECK_FALSE(world.call(leader, keyed(increment_request("n"), "r0"))->replayed);
  CHECK_FALSE(world.call(leader, keyed(increment_request("n"), "r15"))->replayed);
}

// --- Contexts -----------------------------------------------------------------------------------

TEST_CASE_METHOD(Elected, "writes: with a context, versions that it has not seen are kept") {
  const Reply first = world.put(leader, "k", "a");
  Request left = put_request("k", "left");
  left.context = first->context;
  Request right = put_request("k", "right");
  right.context = first->context;
  const Reply left_written = world.call(follower, left);
  const Reply right_written = world.call(third, right);
  written(left_written);
  written(right_written);
  const auto read = [&](NodeId at, Level level, bool siblings) {
    Request get = get_request("k", level);
    std::get<Get>(get.operation).siblings = siblings;
    return world.call(at, get);
  };
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  for (NodeId at : world.ids()) {
    for (const Level level : {Level::linearizable, Level::prefix}) {
      const Reply plain = read(at, level, false);
      CHECK(plain->value == Bytes{"right"});  // the highest stamp
      CHECK(plain->items.empty());
      const Reply both = read(at, level, true);
      REQUIRE(both->items.size() == 2);
      CHECK(both->items[0].value == Bytes{"right"});
      CHECK(both->items[0].stamp == right_written->stamp);
      CHECK(both->items[0].content_type == "text/plain");
      CHECK(both->items[1].value == Bytes{"left"});
      CHECK(both->items[1].stamp == left_written->stamp);
      CHECK(both->context.at(kLogActor) == right_written->stamp->hlc);
    }
  }
  // They live through a crash, and who has seen both replaces both.
  world.crash(leader);
  world.wait_for_leader();
  const Reply both = read(third, Level::linearizable, true);
  REQUIRE(both->items.size() == 2);
  Request merged = put_request("k", "merged");
  merged.context = both->context;
  written(world.call(third, merged));
  const Reply after = read(third, Level::linearizable, true);
  CHECK(after->value == Bytes{"merged"});
  CHECK(after->items.empty());
}

TEST_CASE_METHOD(Elected, "writes: versions beside each other are bounded") {
  Request blind = put_request("k", "v");
  blind.context = VersionVector{};
  for (std::size_t i = 0; i < limits::kMaxSiblings; ++i) written(world.call(leader, blind));
  check_refused(world.call(third, blind), ErrorCode::too_many_siblings);
  written(world.put(third, "k", "w"));
  written(world.call(third, blind));
}

TEST_CASE_METHOD(Elected, "writes: a context of the future is refused") {
  const Reply first = world.put(leader, "k", "a");
  const std::uint64_t skew = limits::kDefaultMaxClockSkew.count();
  const auto ahead_by = [&](std::uint64_t ms) {
    Request request = put_request("k", "b");
    request.context.emplace().advance(kLogActor,
                                      Hlc{world.replica(leader).status().clock.value + (ms << 16)});
    return request;
  };
  for (NodeId at : world.ids()) {
    const Reply reply = world.call(at, ahead_by(skew + 5'000));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == ErrorCode::bad_request);
    CHECK(reply.error().definite());
    CHECK_THAT(reply.error().message, Catch::Contains("Parallax-Context"));
  }
  CHECK(world.get(third, "k")->stamp == first->stamp);
  // What another clock may show is taken, and stamped above.
  Request near = ahead_by(skew / 2);
  const Hlc context = near.context->highest();
  CHECK(written(world.call(third, near)).hlc > context);
}

}  // namespace parallax::testing
