// sequential and bounded: what they promise, what prefix permits beside them, and what a replica
// does that is not that far. How old an answer says it can be is held against the truth.
#include <catch2/catch.hpp>

#include "base/random.h"
#include "consistency/staleness.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

Request bounded(std::string key, std::uint32_t max_staleness_ms,
                OnViolation on_violation = OnViolation::wait, Duration timeout = 5s) {
  Request request = get_request(std::move(key), Level::bounded, timeout);
  request.consistency.max_staleness_ms = max_staleness_ms;
  request.consistency.on_violation = on_violation;
  return request;
}

Request lagging(std::string key, std::uint32_t max_lag,
                OnViolation on_violation = OnViolation::wait, Duration timeout = 5s) {
  Request request = get_request(std::move(key), Level::bounded, timeout);
  request.consistency.max_lag = max_lag;
  request.consistency.on_violation = on_violation;
  return request;
}

Request sequential(std::string key, const SessionToken& session,
                   OnViolation on_violation = OnViolation::wait, Duration timeout = 5s) {
  Request request = get_request(std::move(key), Level::sequential, timeout);
  request.consistency.on_violation = on_violation;
  request.session = session;
  return request;
}

std::string shown(const Reply& reply) {
  return reply ? std::string(reply->value.view())
               : std::string(error_info(reply.error().code).name) + ": " + reply.error().message;
}

std::string code(const Reply& reply) {
  return reply ? "answered" : std::string(error_info(reply.error().code).name);
}

/// Entries do not reach `follower`; all else does.
struct Lagging : Elected {
  Lagging() {
    REQUIRE(world.put(leader, "k", "old"));
    REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
    world.drop_if([to = follower](const Envelope& envelope) {
      const auto* append = std::get_if<AppendEntries>(&envelope.message);
      return envelope.to == to && append != nullptr && !append->entries.empty();
    });
  }
  void catch_up() { world.drop_if(nullptr); }
};

}  // namespace

TEST_CASE("staleness: whole milliseconds above the age with the clock's error") {
  CHECK(staleness_ms(Duration{-5}) == 0);
  CHECK(staleness_ms(Duration{0}) == 0);
  CHECK(staleness_ms(Duration{1}) == 1);
  CHECK(staleness_ms(999'000us) == 1'000);
  CHECK(staleness_ms(1'000ms) == 1'002);
  CHECK(staleness_ms(1h) == 3'603'601);
}

// --- bounded by time ----------------------------------------------------------------------------

TEST_CASE_METHOD(Elected, "bounded: a replica that is fresh enough answers by itself") {
  REQUIRE(world.put(leader, "k", "v"));
  world.run_for(1s);
  for (const NodeId at : {leader, follower, third}) {
    const Reply reply = world.call(at, bounded("k", 600, OnViolation::reject));
    REQUIRE(shown(reply) == "v");
    CHECK(reply->evidence.node == at);
    CHECK(reply->evidence.path == Path::local);
    CHECK(reply->consistency.to_string() == "bounded; max_staleness_ms=600; on_violation=reject");
    REQUIRE(reply->staleness_ms);
    CHECK(*reply->staleness_ms <= 600);
  }
}

TEST_CASE_METHOD(Elected, "bounded: a bound below the age of all marks costs one question") {
  REQUIRE(world.put(leader, "k", "v"));
  world.run_for(1s);
  for (const OnViolation on : {OnViolation::wait, OnViolation::reject}) {
    const Reply reply = world.call(follower, bounded("k", 20, on));
    REQUIRE(shown(reply) == "v");
    CHECK(reply->evidence.node == follower);
    CHECK(reply->staleness_ms.value_or(99) <= 20);
  }
  const Reply forwarded = world.call(follower, bounded("k", 20, OnViolation::forward));
  REQUIRE(shown(forwarded) == "v");
  CHECK(forwarded->evidence.node == leader);
  CHECK(forwarded->staleness_ms.value_or(99) <= 20);
  const Reply at_leader = world.call(leader, bounded("k", 20));
  CHECK(at_leader->staleness_ms.value_or(99) <= 20);
}

TEST_CASE_METHOD(Elected,
                 "bounded: a replica that is cut off stops answering when the bound is over") {
  REQUIRE(world.put(leader, "k", "old"));
  world.run_for(1s);
  world.isolate(follower);
  REQUIRE(world.put(leader, "k", "new"));
  CHECK(shown(world.call(follower, bounded("k", 600, OnViolation::reject))) == "old");
  world.run_for(600ms);
  CHECK(code(world.call(follower, bounded("k", 600, OnViolation::reject))) == "level-unattainable");
  CHECK_FALSE(world.call(follower, bounded("k", 600, OnViolation::wait, 1s)));
  // The next weaker level permits it.
  const Reply prefix = world.get(follower, "k", Level::prefix);
  CHECK(shown(prefix) == "old");
  CHECK(prefix->staleness_ms.value_or(0) > 600);

  Reply late = definite(ErrorCode::internal, "not answered");
  world.submit(follower, bounded("k", 600), [&](const Reply& reply) { late = reply; });
  world.run_for(1s);
  CHECK_FALSE(late);
  world.heal();
  REQUIRE(world.run_until([&] { return late.has_value(); }, 4s));
  CHECK(shown(late) == "new");
}

TEST_CASE("bounded: to hear a leader is not to be fresh") {
  WorldOptions options;
  options.nodes = 5;
  World world(options);
  world.start_all();
  const NodeId old_leader = world.wait_for_leader();
  REQUIRE(world.put(old_leader, "k", "old"));
  world.run_for(1s);
  const std::vector<NodeId> others = world.others(old_leader);
  const NodeId beside = others[0];
  // The old leader and one follower are cut off from the rest, which elects another one.
  for (const NodeId a : {old_leader, beside}) {
    for (std::size_t i = 1; i < others.size(); ++i) {
      world.cut(a, others[i]);
      world.cut(others[i], a);
    }
  }
  const Raft& cut_off = *world.replica(beside).raft();
  std::size_t heard_while_stale = 0;
  for (int step = 0; step < 40; ++step) {
    world.run_for(50ms);
    const bool hears = cut_off.leader_is_alive();
    const Reply reply = world.call(beside, bounded("k", 400, OnViolation::reject));
    const auto since = cut_off.freshness() ? world.now() - cut_off.freshness()->first : 1h;
    if (since > 400ms) {
      CHECK(code(reply) == "level-unattainable");
      if (hears) ++heard_while_stale;
    }
  }
  CHECK(heard_while_stale > 0);
}

TEST_CASE_METHOD(Elected, "bounded: no mark, no answer, after a restart") {
  REQUIRE(world.put(leader, "k", "v"));
  world.run_for(1s);
  world.crash(follower);
  REQUIRE(world.start(follower));
  world.isolate(follower);
  CHECK(code(world.call(follower, bounded("k", kMaxStalenessMs, OnViolation::reject))) ==
        "level-unattainable");
  CHECK_FALSE(world.get(follower, "k", Level::prefix)->staleness_ms);
  world.heal();
  CHECK(shown(world.call(follower, bounded("k", 1'000))) == "v");
}

TEST_CASE_METHOD(Elected,
                 "bounded: a process that slept within a turn does not answer by its old time") {
  REQUIRE(world.put(leader, "k", "v"));
  world.run_for(1s);
  Replica& replica = world.replica(follower);
  REQUIRE(replica.raft()->freshness());
  const TurnTime woke{world.now(), replica.status().clock.millis()};
  replica.begin_turn(woke);
  // It slept here; the request came in meanwhile.
  replica.on_request(RequestId{1'000'000}, bounded("k", 600, OnViolation::reject));
  replica.on_request(RequestId{1'000'001}, get_request("k", Level::prefix));
  replica.end_inputs(woke.monotonic + 10s);
  const ReplicaReady ready = replica.take_ready(false);
  REQUIRE(ready.replies.size() == 1);  // the other one asks the leader
  CHECK(ready.replies[0].first == RequestId{1'000'001});
  CHECK(ready.replies[0].second->staleness_ms.value_or(0) >= 10'000);
}

TEST_CASE_METHOD(Elected, "bounded: physical clocks have no say, within and beyond their bound") {
  const auto offset = GENERATE(400ms, -400ms, 60'000ms, -60'000ms);
  REQUIRE(world.put(leader, "k", "old"));
  world.set_clock(follower, offset);
  world.run_for(2s);
  const Reply fresh = world.call(follower, bounded("k", 600, OnViolation::reject));
  CHECK(shown(fresh) == "old");
  CHECK(fresh->staleness_ms.value_or(9'999) <= 600);
  world.isolate(follower);
  world.run_for(1s);
  world.set_clock(follower, -offset);
  CHECK(code(world.call(follower, bounded("k", 600, OnViolation::reject))) == "level-unattainable");
}

// --- bounded by lag -----------------------------------------------------------------------------

TEST_CASE_METHOD(Lagging, "bounded: lag is the distance to what is committed when the read comes") {
  for (int i = 0; i < 3; ++i) REQUIRE(world.put(leader, "k", "new" + std::to_string(i)));
  CHECK(code(world.call(follower, lagging("k", 2, OnViolation::reject))) == "level-unattainable");
  const Reply within = world.call(follower, lagging("k", 3, OnViolation::reject));
  REQUIRE(shown(within) == "old");
  CHECK(within->evidence.confirmed.value == within->evidence.index.value + 3);

  const Reply forwarded = world.call(follower, lagging("k", 0, OnViolation::forward));
  REQUIRE(shown(forwarded) == "new2");
  CHECK(forwarded->evidence.node == leader);
  CHECK(code(world.call(follower, lagging("k", 0, OnViolation::wait, 500ms))) == "timeout");

  Reply waited = definite(ErrorCode::internal, "not answered");
  world.submit(follower, lagging("k", 0), [&](const Reply& reply) { waited = reply; });
  world.run_for(300ms);
  CHECK_FALSE(waited);
  catch_up();
  REQUIRE(world.run_until([&] { return waited.has_value(); }, 4s));
  CHECK(shown(waited) == "new2");
  CHECK(waited->evidence.node == follower);
}

TEST_CASE_METHOD(Elected, "bounded: lag is not judged by what was committed before the read came") {
  REQUIRE(world.put(leader, "k", "old"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  CHECK(shown(world.call(follower, lagging("k", 0))) == "old");
  world.isolate(follower);
  // Nothing that it has heard tells it that there is more.
  CHECK(code(world.call(follower, lagging("k", 0, OnViolation::reject, 1s))) ==
        "level-unattainable");
  CHECK_FALSE(world.call(follower, lagging("k", 0, OnViolation::wait, 400ms)));
}

// --- sequential ---------------------------------------------------------------------------------

TEST_CASE_METHOD(Lagging, "sequential: what the session has seen is there, or the read waits") {
  const Reply put = world.put(leader, "k", "new");
  REQUIRE(put);
  // Without a session it is prefix, and says so; it may go back.
  const Reply without = world.get(follower, "k", Level::sequential);
  CHECK(shown(without) == "old");
  CHECK(without->consistency.to_string() == "prefix");

  CHECK(code(world.call(follower, sequential("k", put->session, OnViolation::reject))) ==
        "level-unattainable");
  CHECK(code(world.call(follower, sequential("k", put->session, OnViolation::wait, 300ms))) ==
        "timeout");
  const Reply forwarded = world.call(follower, sequential("k", put->session, OnViolation::forward));
  CHECK(shown(forwarded) == "new");
  CHECK(forwarded->evidence.node == leader);
  CHECK(shown(world.call(third, sequential("k", put->session))) == "new");

  Reply waited = definite(ErrorCode::internal, "not answered");
  world.submit(follower, sequential("k", put->session), [&](const Reply& r) { waited = r; });
  world.run_for(300ms);
  CHECK_FALSE(waited);
  catch_up();
  REQUIRE(world.run_until([&] { return waited.has_value(); }, 4s));
  CHECK(shown(waited) == "new");
  CHECK(waited->evidence.node == follower);
  CHECK(waited->consistency.to_string() == "sequential");
}

TEST_CASE_METHOD(Lagging, "sequential: reads do not go back from replica to replica") {
  REQUIRE(world.put(leader, "k", "new"));
  REQUIRE(world.run_until(
      [&] {
        return world.replica(third).status().applied_index ==
               world.replica(leader).status().applied_index;
      },
      5s));
  const Reply first = world.get(third, "k", Level::prefix);
  REQUIRE(shown(first) == "new");
  CHECK(code(world.call(follower, sequential("k", first->session, OnViolation::reject))) ==
        "level-unattainable");
  CHECK(shown(world.get(follower, "k", Level::prefix)) == "old");
}

TEST_CASE_METHOD(Elected, "sequential: a session that nobody has served ends at its deadline") {
  SessionToken token = world.put(leader, "k", "v")->session;
  token.index = LogIndex{token.index.value + 1'000};
  for (const NodeId at : {leader, follower}) {
    CHECK(code(world.call(at, sequential("k", token, OnViolation::wait, 300ms))) == "timeout");
    CHECK(code(world.call(at, sequential("k", token, OnViolation::reject))) ==
          "level-unattainable");
  }
  CHECK(world.open_requests(follower) == 0);
}

// --- The truth ----------------------------------------------------------------------------------

TEST_CASE("freshness: no answer is older than it says, whatever happens") {
  const auto seed = GENERATE(range<std::uint64_t>(1, 31));
  WorldOptions options;
  options.seed = seed;
  options.nodes = seed % 3 == 0 ? 5 : 3;
  World world(options);
  world.start_all();
  REQUIRE(world.wait_for_leader() != kNoNode);
  Random random(seed);
  struct Written {
    MonoTime at;
    LogIndex index;
  };
  std::vector<Written> acknowledged;  // rising in both
  std::size_t judged = 0;
  const auto any = [&] { return world.ids()[random.below(world.ids().size())]; };
  const auto write = [&] {
    world.submit(any(), put_request("k", "v", 2s), [&](const Reply& reply) {
      if (!reply) return;
      const LogIndex index = reply->evidence.index;
      if (acknowledged.empty() || index > acknowledged.back().index) {
        acknowledged.push_back({world.now(), index});
      }
    });
  };
  const auto read = [&] {
    Request request = get_request("k", Level::prefix, 2s);
    const std::uint64_t kind = random.below(4);
    if (kind > 0) {
      request = bounded("k", static_cast<std::uint32_t>(random.between(1, 700)),
                        static_cast<OnViolation>(random.below(3)), 2s);
    }
    if (kind == 3) request.consistency.max_lag = static_cast<std::uint32_t>(random.below(4));
    const MonoTime asked = world.now();
    world.submit(any(), request, [&, asked, request](const Reply& reply) {
      if (!reply) return;
      if (request.consistency.level == Level::bounded) {
        REQUIRE(reply->staleness_ms);
        CHECK(*reply->staleness_ms <= *request.consistency.max_staleness_ms);
      }
      const LogIndex index = reply->evidence.index;
      for (const Written& one : acknowledged) {
        const bool too_old = reply->staleness_ms &&
                             one.at + std::chrono::milliseconds(*reply->staleness_ms) < asked &&
                             one.index > index;
        CHECK_FALSE(too_old);
        const bool lags = request.consistency.max_lag && one.at < asked &&
                          one.index.value > index.value + *request.consistency.max_lag;
        CHECK_FALSE(lags);
      }
      if (reply->staleness_ms) ++judged;
    });
  };
  for (int step = 0; step < 400; ++step) {
    world.run_for(std::chrono::milliseconds(random.between(1, 40)));
    switch (random.below(12)) {
      case 0:
        world.isolate(any());
        break;
      case 1:
        world.cut(any(), any());
        break;
      case 2:
      case 3:
        world.heal();
        break;
      case 4:
        world.set_clock(any(), std::chrono::milliseconds(random.between(0, 5'000)) - 2'500ms);
        break;
      case 5:
        world.set_latency(1ms, std::chrono::milliseconds(random.between(2, 60)));
        break;
      case 6: {
        const NodeId one = any();
        world.pause(one, true);
        world.after(std::chrono::milliseconds(random.between(1, 1'500)),
                    [&world, one] { world.pause(one, false); });
        break;
      }
      case 7:
      case 8:
        write();
        break;
      default:
        read();
    }
  }
  world.heal();
  world.run_for(5s);
  CHECK(judged > 10);
  CHECK(acknowledged.size() > 3);
}

// --- What a mark belongs to ---------------------------------------------------------------------

TEST_CASE("bounded: a mark of a snapshot that waits for its batch says nothing of what is read") {
  Elected run({.log_keep_entries = 10, .states_wait = 0s});
  World& world = run.world;
  REQUIRE(world.put(run.leader, "k", "old"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  world.drop_if([to = run.follower](const Envelope& envelope) {
    const auto* append = std::get_if<AppendEntries>(&envelope.message);
    return envelope.to == to && (std::holds_alternative<SnapshotChunk>(envelope.message) ||
                                 (append != nullptr && !append->entries.empty()));
  });
  for (int i = 0; i < 60; ++i) REQUIRE(world.put(run.leader, "k", "new"));
  world.run_for(1s);
  REQUIRE(world.replica(run.leader).status().log_start >
          world.replica(run.follower).status().applied_index);
  // As many batches as may be under way, and none ends. The first write is for the clock's bound.
  const auto put_here = [](const char* key) {
    Request request = put_request(key, "v");
    request.consistency = {.level = Level::eventual};
    return request;
  };
  REQUIRE(world.call(run.follower, put_here("a")));
  world.hold_disk(run.follower, true);
  for (const char* key : {"b", "c"}) {
    world.submit(run.follower, put_here(key), [](const Reply&) {});
    world.run_for(5ms);
  }
  world.drop_if(nullptr);
  const auto freshness = [&] { return world.replica(run.follower).raft()->freshness(); };
  REQUIRE(world.run_until(
      [&] {
        return freshness() &&
               freshness()->second > world.replica(run.follower).status().applied_index;
      },
      3s));
  const Reply reply = world.call(run.follower, bounded("k", 500, OnViolation::reject, 1s));
  CHECK(shown(reply) != "old");
  const Reply prefix = world.get(run.follower, "k", Level::prefix);
  REQUIRE(shown(prefix) == "old");
  CHECK(prefix->staleness_ms.value_or(10'000) > 900);
  world.hold_disk(run.follower, false);
  CHECK(shown(world.call(run.follower, bounded("k", 500))) == "new");
}

TEST_CASE("bounded: the index of an earlier round is not taken for that of a later one") {
  std::size_t judged = 0;
  // The read begins a round every 40 ms; when it loses its leader, the last one is of any age.
  for (Duration offset = 0ms; offset < 42ms; offset += 2ms) {
    Elected run;
    World& world = run.world;
    const NodeId leader = run.leader;
    REQUIRE(world.put(leader, "k", "old"));
    world.run_for(1s);
    for (const NodeId other : world.others(leader)) {
      world.set_link_delay(leader, other, 20ms);
      world.set_link_delay(other, leader, 20ms);
    }
    world.run_for(1s);
    MonoTime written = MonoTime::max();
    MonoTime answered{};
    Reply late = definite(ErrorCode::internal, "not answered");
    world.submit(leader, bounded("k", 30, OnViolation::wait, 1s), [&](const Reply& reply) {
      late = reply;
      answered = world.now();
    });
    world.run_for(offset);
    REQUIRE(world.replica(leader).transfer_leadership(run.follower));
    REQUIRE(world.run_until(
        [&] { return world.replica(run.follower).raft()->is_leader() || answered > MonoTime{}; },
        1s));
    if (answered > MonoTime{}) continue;
    world.submit(run.follower, put_request("k", "new"), [&](const Reply& reply) {
      if (reply) written = world.now();
    });
    REQUIRE(world.run_until([&] { return answered > MonoTime{}; }, 4s));
    ++judged;
    if (shown(late) != "old") continue;
    INFO("at " << offset.count() << ": " << late->staleness_ms.value_or(99'999) << " ms old");
    REQUIRE(late->staleness_ms);
    if (written == MonoTime::max()) continue;
    CHECK(written + std::chrono::milliseconds(*late->staleness_ms) >= answered);
  }
  CHECK(judged > 10);
}

TEST_CASE_METHOD(Elected,
                 "bounded: an answer that took longer than the leader's patience is taken") {
  REQUIRE(world.put(leader, "k", "v"));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  world.set_latency(130ms, 130ms);
  world.run_for(1s);
  const MonoTime begun = world.now();
  CHECK(shown(world.call(follower, lagging("k", 0))) == "v");
  CHECK(world.now() - begun < 700ms);
}

}  // namespace parallax::testing
