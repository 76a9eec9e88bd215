// What reads show: expiry, ranges, several keys, history, policies, sessions.
#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

Request with_level(Operation operation, Level level = Level::linearizable) {
  Request request = get_request("", level);
  request.operation = std::move(operation);
  return request;
}

Request expiring_put(std::string key, std::string value, std::chrono::milliseconds ttl) {
  Request request = put_request(std::move(key), std::move(value));
  std::get<Put>(request.operation).ttl = ttl;
  return request;
}

/// A write that was not refused.
Stamp written(const Reply& reply) {
  REQUIRE(reply);
  INFO((reply->refusal ? reply->refusal->message : ""));
  REQUIRE_FALSE(reply->refusal);
  return reply->stamp.value_or(Stamp{});
}

/// The clock of one follower lags behind, within what clocks may.
struct ElectedWithLag : Elected {
  ElectedWithLag() {
    world.set_clock(third, -400ms);
    world.run_for(1s);
  }
};

}  // namespace

// --- Expiry -------------------------------------------------------------------------------------

TEST_CASE_METHOD(ElectedWithLag, "reads: what was shown as expired stays so under a slower clock") {
  const bool scanned = GENERATE(false, true);
  const Stamp stamp = written(world.call(leader, expiring_put("k", "v", 500ms)));
  CHECK(world.get(follower, "k")->found);
  world.run_for(500ms);
  // No clock's reading but the leader's own has come as far.
  const Reply gone = scanned ? world.call(leader, with_level(Scan{.start = "", .end = ""}))
                             : world.get(leader, "k");
  CHECK_FALSE(gone->found);
  CHECK(gone->items.empty());
  lead(world, third);
  REQUIRE(world.replica(third).status().clock.millis().value < stamp.hlc.millis().value + 500);
  const Reply again = world.get(third, "k");
  CHECK_FALSE(again->found);
  CHECK(again->stamp == stamp);  // of the version whose time is over
  CHECK(world.call(third, with_level(GetMany{{"k"}}))->missing == std::vector<std::string>{"k"});
  Request absent = put_request("k", "w");
  absent.conditions.if_none_match = EtagSet{.any = true, .stamps = {}};
  written(world.call(third, absent));
}

TEST_CASE_METHOD(ElectedWithLag, "reads: a refusal that rests on an expiry holds for good") {
  const Stamp stamp = written(world.call(leader, expiring_put("k", "v", 500ms)));
  world.run_for(500ms);
  written(world.put(leader, "other", "x"));  // stamped within a bound that the pause has outrun
  Request present = put_request("k", "w");
  present.conditions.if_match = EtagSet{.any = false, .stamps = {stamp}};
  const Reply refused = world.call(leader, present);
  REQUIRE(refused);
  REQUIRE(refused->refusal);
  CHECK(refused->evidence.path == Path::log);
  // The refusal itself has told everybody, whatever their clocks say.
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  const auto state = KeySpace(world.replica(third).state(), kOnlyGroup).load("k");
  REQUIRE(state);
  CHECK(state->winner()->stamp == stamp);
  CHECK(state->winner()->tombstone);
  lead(world, third);
  CHECK_FALSE(world.get(third, "k")->found);
}

TEST_CASE_METHOD(ElectedWithLag, "reads: an expiry under way is waited for") {
  written(world.call(leader, expiring_put("k", "v", 500ms)));
  world.run_for(500ms);
  world.drop_if([](const Envelope& e) {
    const auto* append = std::get_if<AppendEntries>(&e.message);
    return append != nullptr && !append->entries.empty();
  });
  std::vector<Reply> replies;
  for (NodeId at : {leader, follower}) {
    world.submit(at, get_request("k", Level::linearizable, 20s),
                 [&](const Reply& reply) { replies.push_back(reply); });
  }
  world.run_for(300ms);
  REQUIRE(world.leader() == leader);
  CHECK(replies.empty());
  const LogIndex last = world.replica(leader).status().last_index;
  CHECK(last.value == world.replica(leader).status().commit_index.value + 1);  // one for both
  // The agreement is lost with its leader: the next one makes its own.
  world.isolate(leader);
  world.drop_if(nullptr);
  REQUIRE(
      world.run_until([&] { return world.leader() != leader && world.leader() != kNoNode; }, 10s));
  world.heal();
  REQUIRE(world.run_until([&] { return replies.size() == 2; }, 10s));
  for (const Reply& reply : replies) {
    REQUIRE(reply);
    CHECK_FALSE(reply->found);
  }
}

TEST_CASE_METHOD(ElectedWithLag, "reads: prefix judges expiry by its own clock, and is told") {
  const Stamp stamp = written(world.call(leader, expiring_put("k", "v", 500ms)));
  world.run_for(200ms);
  for (NodeId at : world.ids()) CHECK(world.get(at, "k", Level::prefix)->found);
  world.run_for(310ms);
  const LogIndex last = world.replica(leader).status().last_index;
  CHECK_FALSE(world.get(leader, "k", Level::prefix)->found);
  CHECK_FALSE(world.get(follower, "k", Level::prefix)->found);
  CHECK(world.get(third, "k", Level::prefix)->found);  // it has not got there yet
  CHECK(world.get(third, "k", Level::prefix)->stamp == stamp);
  CHECK(world.replica(leader).status().last_index == last);  // which asks nobody
  CHECK_FALSE(world.get(follower, "k")->found);
  world.run_for(50ms);
  CHECK_FALSE(world.get(third, "k", Level::prefix)->found);  // agreed on, whatever its clock says
}

TEST_CASE_METHOD(Elected, "reads: time counts from the last write, and increments leave it") {
  written(world.call(leader, expiring_put("k", "v", 500ms)));
  written(world.call(leader, expiring_put("n", "5", 500ms)));
  written(world.call(leader, expiring_put("long", "v", 1h)));
  world.run_for(300ms);
  written(world.call(follower, expiring_put("k", "w", 500ms)));
  Request increment = delete_request("");
  increment.operation = Increment{"n", 2};
  CHECK(world.call(third, increment)->number == 7);
  CHECK(world.get(leader, "n")->content_type == "text/plain");
  world.run_for(300ms);
  CHECK(world.get(leader, "k")->value == Bytes{"w"});
  CHECK_FALSE(world.get(leader, "n")->found);
  CHECK(world.call(third, increment)->number == 2);  // a new one, which stays
  world.run_for(300ms);
  CHECK_FALSE(world.get(leader, "k")->found);
  world.run_for(1s);
  CHECK(world.get(leader, "n")->value == Bytes{"2"});
  CHECK(world.get(leader, "long")->found);
  // Everywhere, and through a restart.
  for (NodeId id : world.ids()) world.crash(id);
  world.start_all();
  world.wait_for_leader();
  for (NodeId at : world.ids()) {
    CHECK_FALSE(world.get(at, "k")->found);
    CHECK(world.get(at, "long", Level::prefix)->found);
  }
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
}

// --- Ranges and several keys --------------------------------------------------------------------

namespace {

std::string numbered(int i) {
  return fmt::format("k{:03}", i);
}

/// All pages of `scan`; `between` runs before each but the first.
template <class Between>
std::vector<Item> pages(World& world, NodeId at, Scan scan, Level level, Between between) {
  std::vector<Item> all;
  for (;;) {
    const Reply page = world.call(at, with_level(scan, level));
    REQUIRE(page);
    CHECK(page->items.size() <= scan.limit);
    all.insert(all.end(), page->items.begin(), page->items.end());
    if (!page->next) return all;
    (scan.reverse ? scan.end : scan.start) = *page->next;
    between();
  }
}

std::vector<std::string> keys_of(const std::vector<Item>& items) {
  std::vector<std::string> keys;
  for (const Item& item : items) keys.push_back(item.key);
  return keys;
}

}  // namespace

TEST_CASE_METHOD(Elected, "reads: pages hold every key once, forward and reverse") {
  for (int i = 0; i < 20; ++i) written(world.put(leader, numbered(i), std::to_string(i)));
  written(world.remove(leader, numbered(7)));
  written(world.call(leader, expiring_put(numbered(8), "x", 1ms)));
  world.run_for(50ms);
  for (const Level level : {Level::linearizable, Level::prefix}) {
    for (NodeId at : {leader, follower}) {
      for (const std::uint32_t limit : {1u, 4u, 18u, 19u, 1'000u}) {
        std::vector<std::string> expected;
        for (int i = 0; i < 20; ++i) {
          if (i != 7 && i != 8) expected.push_back(numbered(i));
        }
        const Scan all{.start = "", .end = "", .limit = limit};
        CHECK(keys_of(pages(world, at, all, level, [] {})) == expected);
        Scan reverse = all;
        reverse.reverse = true;
        std::reverse(expected.begin(), expected.end());
        CHECK(keys_of(pages(world, at, reverse, level, [] {})) == expected);
      }
    }
  }
  const Reply part = world.call(third, with_level(Scan{.start = numbered(3), .end = numbered(6)}));
  REQUIRE(part->items.size() == 3);
  CHECK(keys_of(part->items) == std::vector{numbered(3), numbered(4), numbered(5)});
  CHECK_FALSE(part->next);
  CHECK(part->items[0].value == Bytes{"3"});
  CHECK(part->items[0].content_type == "text/plain");
  CHECK(part->items[0].stamp == world.get(third, numbered(3))->stamp);
  CHECK(part->evidence.path == Path::read_index);
  const Reply names = world.call(
      third, with_level(Scan{.start = numbered(3), .end = numbered(6), .keys_only = true}));
  CHECK(keys_of(names->items) == keys_of(part->items));
  CHECK(names->items[0].stamp == part->items[0].stamp);
  CHECK(names->items[0].value.empty());
  for (const auto& [start, end] : {std::pair{"k9", ""}, {"", "k"}, {"k002", "k002"}}) {
    for (const bool reverse : {false, true}) {
      const Reply none =
          world.call(third, with_level(Scan{.start = start, .end = end, .reverse = reverse}));
      REQUIRE(none);
      CHECK(none->items.empty());
      CHECK_FALSE(none->next);
    }
  }
}

TEST_CASE_METHOD(Elected, "reads: pages go on where they were while keys come and go") {
  const bool reverse = GENERATE(false, true);
  std::set<std::string> stay;
  for (int i = 0; i < 60; i += 2) {
    written(world.put(leader, numbered(i), "v"));
    stay.insert(numbered(i));
  }
  Random random(reverse ? 1 : 2);
  const auto churn = [&] {
    for (int n = 0; n < 6; ++n) {
      const int i = static_cast<int>(random.below(60));
      if (i % 2 == 1) {
        written(world.put(third, numbered(i), "v"));
      } else if (random.chance(0.3)) {
        written(world.remove(third, numbered(i)));
        stay.erase(numbered(i));
      }
    }
  };
  const Scan scan{.start = "", .end = "", .limit = 4, .reverse = reverse};
  const std::vector<std::string> seen =
      keys_of(pages(world, follower, scan, Level::linearizable, churn));
  CHECK(std::is_sorted(seen.begin(), seen.end(), [&](const std::string& a, const std::string& b) {
    return reverse ? a > b : a < b;
  }));
  const std::set<std::string> once(seen.begin(), seen.end());
  CHECK(once.size() == seen.size());
  REQUIRE(stay.size() > 5);
  for (const std::string& key : stay) {
    INFO(key);
    CHECK(once.contains(key));
  }
}

TEST_CASE_METHOD(Elected, "reads: a page ends when it is large") {
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 6; ++i) written(world.put(leader, numbered(i), megabyte));
  Scan scan{.start = "", .end = ""};
  const Reply page = world.call(leader, with_level(scan));
  CHECK(page->items.size() == 4);
  CHECK(page->next == numbered(4));
  CHECK(pages(world, leader, scan, Level::linearizable, [] {}).size() == 6);
  scan.keys_only = true;  // which is small
  CHECK(world.call(leader, with_level(scan))->items.size() == 6);
}

TEST_CASE_METHOD(Elected, "reads: ranges and lists out of bounds are refused") {
  const auto refused = [&](Operation operation, ErrorCode code) {
    const Reply reply = world.call(follower, with_level(std::move(operation)));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == code);
    CHECK(reply.error().definite());
  };
  refused(Scan{.start = "", .end = "", .limit = 0}, ErrorCode::bad_parameter);
  refused(Scan{.start = "", .end = "", .limit = limits::kMaxScanLimit + 1},
          ErrorCode::bad_parameter);
  refused(GetMany{}, ErrorCode::bad_request);
  refused(GetMany{{"k", ""}}, ErrorCode::bad_request);
  refused(GetMany{std::vector<std::string>(limits::kMaxScanLimit + 1, "k")},
          ErrorCode::bad_request);
  refused(GetPolicy{std::string(limits::kMaxKeyBytes + 1, 'p')}, ErrorCode::bad_request);
  Request keyed = put_request("k", "v");
  keyed.idempotency_key = std::string(limits::kMaxIdempotencyKeyBytes + 1, 'i');
  const Reply reply = world.call(leader, keyed);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == ErrorCode::bad_request);
}

TEST_CASE_METHOD(Elected, "reads: many keys are answered in their order, from one moment") {
  written(world.put(leader, "a", "1"));
  written(world.put(leader, "b", "2"));
  written(world.put(leader, "c", "3"));
  written(world.remove(leader, "c"));
  written(world.call(leader, expiring_put("d", "4", 1ms)));
  world.run_for(20ms);
  for (NodeId at : world.ids()) {
    const Reply reply = world.call(at, with_level(GetMany{{"b", "c", "a", "d", "e"}}));
    REQUIRE(reply);
    CHECK(keys_of(reply->items) == std::vector<std::string>{"b", "a"});
    CHECK(reply->items[0].value == Bytes{"2"});
    CHECK(reply->items[0].content_type == "text/plain");
    CHECK(reply->items[0].stamp == world.get(at, "b")->stamp);
    CHECK(reply->missing == std::vector<std::string>{"c", "d", "e"});
  }
}

TEST_CASE_METHOD(Elected, "reads: history has the versions of a key, newest first") {
  std::vector<Stamp> stamps;
  for (int i = 0; i < 4; ++i) {
    stamps.push_back(written(world.put(leader, "k", std::to_string(i))));
    world.run_for(100ms);
  }
  stamps.push_back(written(world.remove(leader, "k")));
  written(world.put(leader, "other", "x"));
  const auto past = [&](NodeId at, std::uint64_t from, std::uint64_t to) {
    const Reply reply = world.call(
        at, with_level(ReadHistory{.key = "k", .from = UnixMillis{from}, .to = UnixMillis{to}}));
    REQUIRE(reply);
    return reply->versions;
  };
  const std::uint64_t end = ~std::uint64_t{0};
  for (NodeId at : world.ids()) {
    const std::vector<PastValue> all = past(at, 0, end);
    REQUIRE(all.size() == 5);
    CHECK(all[0].tombstone);
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(all[i].stamp == stamps[4 - i]);
      if (i > 0) CHECK(all[i].value == Bytes{std::to_string(4 - i)});
      if (i > 0) CHECK(all[i].content_type == "text/plain");
    }
  }
  const std::uint64_t second = stamps[1].hlc.millis().value;
  const std::uint64_t third_at = stamps[2].hlc.millis().value;
  CHECK(past(leader, second, third_at).size() == 2);  // both ends belong to it
  CHECK(past(leader, second + 1, third_at).size() == 1);
  CHECK(past(leader, second, third_at - 1).size() == 1);
  CHECK(past(leader, end, end).empty());
  const Reply none = world.call(leader, with_level(ReadHistory{.key = "nothing", .from = {}}));
  REQUIRE(none);
  CHECK(none->versions.empty());
}

TEST_CASE("reads: history ends where it says") {
  World world({.history_retention = 1s});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const Stamp old = written(world.put(leader, "k", "old"));
  world.run_for(100ms);
  const Stamp replacing = written(world.put(leader, "k", "replacing"));
  for (int i = 0; i < 40; ++i) {
    world.run_for(100ms);
    written(world.put(leader, "other", std::to_string(i)));
  }
  const Stamp present = written(world.put(leader, "k", "present"));
  const Reply reply = world.call(leader, with_level(ReadHistory{.key = "k", .from = {}}));
  REQUIRE(reply);
  REQUIRE(reply->versions.size() == 2);  // what has just been replaced is there again
  CHECK(reply->versions[0].stamp == present);
  CHECK(reply->versions[1].stamp == replacing);
  CHECK(reply->history_floor > old.hlc.millis());
  CHECK(reply->history_floor < present.hlc.millis());
}

TEST_CASE("reads: a history is not larger than a page, and says where it ends") {
  World world({});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  std::vector<Stamp> stamps;
  for (int i = 0; i < 7; ++i) {
    stamps.push_back(written(world.put(leader, "k", std::string(1 << 20, 'v'))));
    world.run_for(100ms);
  }
  std::vector<Stamp> told;
  for (UnixMillis to{~std::uint64_t{0}}; told.size() < 7;) {
    const Reply page =
        world.call(leader, with_level(ReadHistory{.key = "k", .from = UnixMillis{0}, .to = to}));
    REQUIRE(page);
    REQUIRE_FALSE(page->versions.empty());
    CHECK(page->versions.size() < 5);
    for (const PastValue& version : page->versions) told.push_back(version.stamp);
    to = UnixMillis{page->history_floor.value - 1};
  }
  CHECK(std::equal(told.begin(), told.end(), stamps.rbegin(), stamps.rend()));
}

// --- Policies -----------------------------------------------------------------------------------

namespace {

Request set_policy(std::string prefix, std::optional<Policy> policy) {
  return with_level(SetPolicy{std::move(prefix), std::move(policy)});
}

const Policy kPrefixReads{.default_consistency = Consistency{Level::prefix}};

Level default_level(World& world, NodeId at, std::string key) {
  Request request = get_request(std::move(key));
  request.level_by_policy = true;
  const Reply reply = world.call(at, request);
  REQUIRE(reply);
  CHECK((reply->evidence.path == Path::local) == (reply->consistency.level == Level::prefix));
  return reply->consistency.level;
}

std::vector<std::pair<std::string, Policy>> policies(World& world, NodeId at) {
  const Reply reply = world.call(at, with_level(ListPolicies{}));
  REQUIRE(reply);
  return reply->policies;
}

}  // namespace

TEST_CASE_METHOD(Elected, "reads: a policy gives the level of requests that name none") {
  CHECK(default_level(world, follower, "u/1") == Level::linearizable);
  const Reply set = world.call(follower, set_policy("u/", kPrefixReads));
  REQUIRE(set);
  CHECK_FALSE(set->refusal);
  CHECK(set->evidence.path == Path::log);
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  for (NodeId at : world.ids()) {
    CHECK(default_level(world, at, "u/1") == Level::prefix);
    CHECK(default_level(world, at, "v/1") == Level::linearizable);
    CHECK(world.get(at, "u/1")->consistency.level == Level::linearizable);  // named: as it says
    const Reply one = world.call(at, with_level(GetPolicy{"u/"}));
    REQUIRE(one);
    CHECK(one->policies == std::vector{std::pair{std::string("u/"), kPrefixReads}});
    const Reply none = world.call(at, with_level(GetPolicy{"u/1"}));  // of exactly this prefix
    REQUIRE(none);
    CHECK(none->policies.empty());
  }
  const Policy denied{.default_consistency = std::nullopt, .mixing = Mixing::deny};
  REQUIRE(world.call(third, set_policy("u/1", denied)));
  REQUIRE(world.call(third, set_policy("", kPrefixReads)));
  CHECK(policies(world, follower) ==
        std::vector<std::pair<std::string, Policy>>{
            {"", kPrefixReads}, {"u/", kPrefixReads}, {"u/1", denied}});
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  CHECK(default_level(world, follower, "u/1") == Level::linearizable);
  CHECK(default_level(world, follower, "v/1") == Level::prefix);
  REQUIRE(world.call(third, set_policy("u/1", std::nullopt)));
  REQUIRE(world.call(third, set_policy("", std::nullopt)));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  CHECK(policies(world, follower) ==
        std::vector<std::pair<std::string, Policy>>{{"u/", kPrefixReads}});
  CHECK(default_level(world, follower, "v/1") == Level::linearizable);
}

TEST_CASE("reads: policies and their removal come with a snapshot and outlive a restart") {
  World world({.log_keep_entries = 10, .states_wait = 0s});
  world.start_all();
  const NodeId leader = world.wait_for_leader();
  const NodeId away = world.others(leader)[0];
  REQUIRE(world.call(leader, set_policy("gone/", kPrefixReads)));
  REQUIRE(world.run_until([&] { return world.converged(); }, 5s));
  world.crash(away);
  REQUIRE(world.call(leader, set_policy("gone/", std::nullopt)));
  REQUIRE(world.call(leader, set_policy("kept/", kPrefixReads)));
  for (int i = 0; i < 60; ++i) written(world.put(leader, "k", std::to_string(i)));
  world.run_for(500ms);
  REQUIRE(world.start(away));
  REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
  REQUIRE(world.replica(away).counters().snapshots_installed >= 1);
  for (const bool restarted : {false, true}) {
    if (restarted) {
      world.crash(away);
      REQUIRE(world.start(away));
    }
    REQUIRE(world.run_until([&] { return world.converged(); }, 10s));
    const Reply all = world.call(away, with_level(ListPolicies{}, Level::prefix));
    REQUIRE(all);
    CHECK(all->evidence.node == away);
    CHECK(all->policies == std::vector{std::pair{std::string("kept/"), kPrefixReads}});
    CHECK(default_level(world, away, "kept/1") == Level::prefix);
    CHECK(default_level(world, away, "gone/1") == Level::linearizable);
  }
}

// --- Sessions -----------------------------------------------------------------------------------

namespace {

Request in_session(Request request, const SessionToken& token) {
  request.session = token;
  return request;
}

}  // namespace

TEST_CASE_METHOD(Elected, "reads: a session rises with what it has done") {
  const Reply put = world.put(follower, "k", "v");  // it begins with any answer
  written(put);
  CHECK(put->session.cluster == world.replica(leader).status().cluster);
  CHECK(put->session.index == put->evidence.index);
  CHECK(put->session.clock >= put->stamp->hlc);
  const Reply without = world.put(third, "k", "w");
  CHECK(without->session.cluster == put->session.cluster);
  CHECK(without->session.index == without->evidence.index);
  const Reply read = world.call(third, in_session(get_request("k"), put->session));
  CHECK(read->session.index >= without->session.index);
  CHECK(read->session.clock >= without->stamp->hlc);
  // An answer from further behind takes nothing back.
  SessionToken far = read->session;
  far.index = LogIndex{far.index.value + 1'000};
  const OriginVector seen({{{NodeId{1}, Incarnation{1}}, 4}});
  far.read = seen;
  const Reply kept = world.call(third, in_session(put_request("k", "x"), far));
  written(kept);
  CHECK(kept->session.index == far.index);
  CHECK(kept->session.read == seen);
  CHECK(kept->session.clock >= kept->stamp->hlc);
}

TEST_CASE_METHOD(Elected, "reads: a session's clock moves the clock that answers") {
  const Reply put = world.put(leader, "k", "v");
  SessionToken token = put->session;
  token.clock = Hlc{token.clock.value + (std::uint64_t{200} << 16)};
  const Reply next = world.call(follower, in_session(put_request("other", "w"), token));
  CHECK(written(next).hlc > token.clock);
  CHECK(next->session.clock >= next->stamp->hlc);
}

TEST_CASE_METHOD(Elected, "reads: a session token that is not this cluster's is refused") {
  const SessionToken ours = world.put(leader, "k", "v")->session;
  const auto check_refused = [&](const SessionToken& token, std::string_view why) {
    for (NodeId at : world.ids()) {
      for (const Request& request :
           {get_request("k"), get_request("k", Level::prefix), put_request("k", "w")}) {
        const Reply reply = world.call(at, in_session(request, token));
        REQUIRE_FALSE(reply);
        CHECK(reply.error().code == ErrorCode::bad_session);
        CHECK(reply.error().definite());
        CHECK_THAT(reply.error().message, Catch::Contains(std::string(why)));
      }
    }
  };
  SessionToken bad = ours;
  bad.cluster.low ^= 1;
  check_refused(bad, "cluster");
  bad = ours;
  bad.read.advance({NodeId{9}, Incarnation{1}}, 1);
  check_refused(bad, "9");
  bad = ours;
  bad.write.advance({NodeId{9}, Incarnation{1}}, 1);
  check_refused(bad, "9");
  bad = ours;
  bad.clock = Hlc{bad.clock.value + (std::uint64_t{60'000} << 16)};
  check_refused(bad, "clock");
  CHECK(world.get(third, "k")->value == Bytes{"v"});
  CHECK(world.call(third, in_session(get_request("k"), ours)));
}

}  // namespace parallax::testing
