// What replicas have missed comes to them: by hints, by anti-entropy, in a recovery; and what is
// deleted everywhere leaves without coming back.
#include <catch2/catch.hpp>

#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

Request at_quorum(Request request, std::uint32_t w, bool sloppy = false) {
  request.consistency = {.level = Level::quorum};
  request.consistency.r = 1;
  request.consistency.w = w;
  request.consistency.sloppy = sloppy;
  return request;
}

Request eventual(Request request) {
  request.consistency = {.level = Level::eventual};
  return request;
}

Reply put_eventual(World& world, NodeId at, const std::string& key, const std::string& value) {
  return world.call(at, eventual(put_request(key, value)));
}

/// What this node shows of a key from its own store; nothing: no value.
std::optional<std::string> seen(World& world, NodeId at, const std::string& key) {
  const Reply reply = world.call(at, eventual(get_request(key, Level::eventual)));
  if (!reply || !reply->found) return std::nullopt;
  return reply->value.to_string();
}

std::uint64_t digest(World& world, NodeId id) {
  return *KeySpace(world.replica(id).state(), kOnlyGroup).digest();
}

bool equal_stores(World& world) {
  std::optional<std::uint64_t> first;
  for (const NodeId id : world.ids()) {
    if (!world.up(id)) return false;
    const std::uint64_t mine = digest(world, id);
    if (first && *first != mine) return false;
    first = mine;
  }
  return true;
}

const ReplicaCounters& counters(World& world, NodeId id) {
  return world.replica(id).counters();
}

std::size_t hints(World& world, NodeId id) {
  return world.replica(id).status().hints;
}

std::size_t records_under(World& world, NodeId id, char kind) {
  std::size_t found = 0;
  REQUIRE(world.store(id).scan({}, [&](std::string_view key, std::string_view) {
    if (key[0] == kind) ++found;
    return true;
  }));
  return found;
}

HintBounds no_hints() {
  HintBounds bounds = ReplicaConfig{}.hints;
  bounds.most = 0;
  return bounds;
}

struct WithHints : Elected {
  WithHints() : Elected({.anti_entropy_interval = std::chrono::hours(1)}) {}
};

struct WithoutHints : Elected {
  explicit WithoutHints(WorldOptions options = {})
      : Elected([&] {
          options.hints = no_hints();
          if (options.anti_entropy_interval == limits::kAntiEntropyInterval) {
            options.anti_entropy_interval = 500ms;
          }
          return options;
        }()) {}
};

/// Once it knows its cluster.
void cut_off(World& world, NodeId id) {
  world.run_for(500ms);
  world.isolate(id);
  world.run_for(1500ms);
}

}  // namespace

// --- Hints ---------------------------------------------------------------------------------------

TEST_CASE_METHOD(WithHints, "hints: a peer that was down gets what it has missed") {
  world.crash(third);
  world.run_for(1500ms);
  for (int i = 0; i < 20; ++i) {
    REQUIRE(world.call(follower, at_quorum(put_request(fmt::format("k{}", i), "v"), 2)));
  }
  REQUIRE(world.run_until([&] { return hints(world, follower) == 20; }, 5s));
  world.run_for(100ms);
  CHECK(records_under(world, follower, 'Q') == 20);
  for (const MemberStatus& member : world.replica(follower).status().members) {
    CHECK(member.hints == (member.id == third ? 20u : 0u));
  }
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return hints(world, follower) == 0; }, 10s));
  world.run_for(200ms);
  CHECK(equal_stores(world));
  CHECK(seen(world, third, "k7") == "v");
  CHECK(records_under(world, follower, 'Q') == 0);
  CHECK(counters(world, follower).hints_handed_over == 20);
  CHECK(counters(world, third).keys_received == 0);
}

TEST_CASE_METHOD(WithHints, "hints: they outlive a restart of the node that keeps them") {
  world.crash(third);
  world.run_for(1500ms);
  REQUIRE(world.call(follower, at_quorum(put_request("k", "v"), 2)));
  REQUIRE(world.run_until([&] { return hints(world, follower) == 1; }, 5s));
  world.run_for(100ms);
  world.crash(follower);
  world.crash(leader);
  REQUIRE(world.start(follower));
  CHECK(hints(world, follower) == 1);
  REQUIRE(world.start(third));
  REQUIRE(world.start(leader));
  REQUIRE(world.run_until([&] { return hints(world, follower) == 0; }, 10s));
  CHECK(seen(world, third, "k") == "v");
}

TEST_CASE_METHOD(WithHints, "hints: one stays until its state is acknowledged") {
  world.crash(third);
  world.run_for(1500ms);
  REQUIRE(world.call(follower, at_quorum(put_request("k", "v"), 2)));
  REQUIRE(world.run_until([&] { return hints(world, follower) == 1; }, 5s));
  std::size_t lost = 0;
  world.drop_if([&](const Envelope& e) {
    if (e.to != third || !std::holds_alternative<QuorumStore>(e.message)) return false;
    return ++lost <= 2;
  });
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return lost >= 2; }, 10s));
  CHECK(hints(world, follower) == 1);
  REQUIRE(world.run_until([&] { return hints(world, follower) == 0; }, 10s));
  CHECK(lost == 3);
  CHECK(seen(world, third, "k") == "v");
}

TEST_CASE("hints: expired ones are let go of, and what does not fit is refused") {
  HintBounds bounds = ReplicaConfig{}.hints;
  bounds.expiry_ms = 4'000;
  bounds.most = 5;
  Elected cluster({.anti_entropy_interval = std::chrono::hours(1), .hints = bounds});
  World& world = cluster.world;
  world.crash(cluster.third);
  world.run_for(1500ms);
  for (int i = 0; i < 8; ++i) {
    REQUIRE(world.call(cluster.follower, at_quorum(put_request(fmt::format("k{}", i), "v"), 2)));
  }
  REQUIRE(world.run_until([&] { return hints(world, cluster.follower) == 5; }, 3s));
  world.run_for(300ms);
  CHECK(hints(world, cluster.follower) == 5);
  CHECK(counters(world, cluster.follower).hints_refused == 3);
  REQUIRE(world.run_until([&] { return hints(world, cluster.follower) == 0; }, 5s));
  CHECK(counters(world, cluster.follower).hints_expired == 5);
  world.run_for(200ms);
  CHECK(records_under(world, cluster.follower, 'Q') == 0);
}

TEST_CASE_METHOD(WithHints, "hints: a sloppy write counts durable hints for who is not there") {
  world.crash(third);
  world.run_for(1500ms);
  const Reply strict = world.call(follower, at_quorum(put_request("strict", "v", 2s), 3));
  CHECK_FALSE(strict);
  std::size_t asked = 0;
  world.watch([&](const Envelope& e) {
    const auto* store = std::get_if<QuorumStore>(&e.message);
    if (store != nullptr && store->hint_for == third) ++asked;
  });
  REQUIRE(world.call(follower, at_quorum(put_request("k", "v", 2s), 3, true)));
  world.watch(nullptr);
  CHECK(asked == 1);
  world.run_for(50ms);
  // It is with two, and both know to whom they owe it, after a crash too.
  world.crash(follower, 0);
  REQUIRE(world.start(follower));
  CHECK(hints(world, follower) >= 1);
  CHECK(hints(world, leader) >= 1);
  CHECK(seen(world, leader, "k") == "v");
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return seen(world, third, "k") == "v"; }, 10s));
}

// --- Anti-entropy
// ---------------------------------------------------------------------------------

TEST_CASE_METHOD(WithoutHints, "anti-entropy: brings what was missed where hints are refused") {
  world.crash(third);
  world.run_for(1500ms);
  for (int i = 0; i < 50; ++i) {
    REQUIRE(world.call(follower, at_quorum(put_request(fmt::format("k{}", i), "v"), 2)));
  }
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 10s));
  CHECK(seen(world, third, "k49") == "v");
  CHECK(hints(world, follower) == 0);
  REQUIRE(world.run_until([&] { return counters(world, follower).hints_refused >= 50; }, 3s));
}

TEST_CASE_METHOD(WithoutHints, "anti-entropy: both sides of a partition end up equal") {
  cut_off(world, third);
  for (int i = 0; i < 30; ++i) {
    REQUIRE(put_eventual(world, third, fmt::format("k{}", i), "third"));
    REQUIRE(put_eventual(world, follower, fmt::format("k{}", i + 15), "follower"));
  }
  CHECK_FALSE(equal_stores(world));
  world.heal();
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 10s));
  for (const NodeId id : world.ids()) {
    CHECK(seen(world, id, "k0") == "third");
    CHECK(seen(world, id, "k44") == "follower");
  }
  CHECK(seen(world, third, "k20") == seen(world, follower, "k20"));
  // Equal stores have equal roots: nothing is sent any more.
  world.run_for(2s);
  const auto sent = [&] {
    std::uint64_t sum = 0;
    for (const NodeId id : world.ids()) sum += counters(world, id).keys_compared_unequal;
    return sum;
  };
  const std::uint64_t before = sent();
  const std::uint64_t rounds = counters(world, third).anti_entropy_rounds;
  world.run_for(5s);
  CHECK(sent() == before);
  CHECK(counters(world, third).anti_entropy_rounds >= rounds + 5);
}

TEST_CASE_METHOD(WithoutHints, "anti-entropy: the tree built at a start is that of the writes") {
  cut_off(world, third);
  for (int i = 0; i < 40; ++i) {
    REQUIRE(put_eventual(world, follower, fmt::format("k{}", i), "v"));
    REQUIRE(world.put(leader, fmt::format("l{}", i % 7), fmt::format("{}", i)));
  }
  world.heal();
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 10s));
  const std::uint64_t before = counters(world, leader).keys_compared_unequal;
  world.run_for(200ms);
  world.crash(third);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return world.replica(third).status().tree_complete; }, 2s));
  world.run_for(5s);
  CHECK(counters(world, third).anti_entropy_rounds >= 5);
  CHECK(counters(world, third).keys_compared_unequal == 0);
  CHECK(counters(world, leader).keys_compared_unequal == before);
}

TEST_CASE("anti-entropy: its rate holds") {
  WorldOptions options;
  options.hints = no_hints();
  options.anti_entropy_interval = 500ms;
  options.anti_entropy_bytes = {.per_second = 20'000, .burst = 2'000};
  Elected cluster(options);
  World& world = cluster.world;
  cut_off(world, cluster.third);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(put_eventual(world, cluster.follower, fmt::format("k{}", i), std::string(2'000, 'v')));
  }
  REQUIRE(world.run_until([&] { return digest(world, cluster.follower) != 0; }, 1s));
  world.run_for(3s);
  std::size_t bytes = 0;
  world.watch([&](const Envelope& e) {
    if (e.to != cluster.third && e.from != cluster.third) return;
    if (const auto* store = std::get_if<QuorumStore>(&e.message)) {
      bytes += store->state.winner()->value.size();
    }
    const auto* reply = std::get_if<QuorumQueryReply>(&e.message);
    if (reply != nullptr && reply->state.winner() != nullptr) {
      bytes += reply->state.winner()->value.size();
    }
  });
  world.heal();
  const MonoTime begun = world.now();
  world.run_for(2s);
  // Three nodes spend, each at its own rate; a message more than there is room for is a debt.
  CHECK(bytes <= 3 * (20'000 * 2 + 2'000 + 2 * 2'200));
  CHECK(bytes > 20'000);
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 60s));
  CHECK(world.now() - begun > 3s);
}

TEST_CASE_METHOD(WithoutHints,
                 "anti-entropy: a lost message or a restart begins another exchange") {
  world.set_loss(0.2, 0.1);
  cut_off(world, third);
  for (int i = 0; i < 30; ++i) {
    REQUIRE(put_eventual(world, follower, fmt::format("k{}", i), "v"));
  }
  world.heal_links();
  world.run_for(600ms);
  world.crash(third);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 60s));
}

// --- Recovery ------------------------------------------------------------------------------------

TEST_CASE_METHOD(WithoutHints, "recovery: a write that one other holds is on two again") {
  // Acknowledged by the follower and the third one, whose disk is lost then. The leader has never
  // heard of it.
  world.drop_if([&](const Envelope& e) {
    return e.to == leader && (std::holds_alternative<QuorumStore>(e.message) ||
                              std::holds_alternative<QuorumQueryReply>(e.message));
  });
  REQUIRE(world.call(follower, at_quorum(put_request("k", "v", 2s), 2)));
  CHECK(seen(world, leader, "k") == std::nullopt);
  world.wipe(third);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until(
      [&] { return world.replica(third).status().membership == Membership::member; }, 15s));
  world.crash(follower);
  CHECK(seen(world, third, "k") == "v");
}

TEST_CASE_METHOD(WithoutHints, "recovery: it does not end before all who are there were compared") {
  REQUIRE(world.put(leader, "k", "v"));
  world.run_for(300ms);
  world.wipe(third);
  world.drop_if([&](const Envelope& e) {
    return e.from == follower && e.to == third && std::holds_alternative<MerkleDigests>(e.message);
  });
  REQUIRE(world.start(third));
  world.run_for(8s);
  CHECK(world.replica(third).status().membership == Membership::recovering);
  // A restart of it begins again, and ends.
  world.crash(third);
  world.drop_if(nullptr);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return world.converged(); }, 15s));
}

TEST_CASE("recovery: two of five at once, one of the others going down meanwhile") {
  Elected cluster({.nodes = 5, .anti_entropy_interval = 500ms, .hints = no_hints()});
  World& world = cluster.world;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(world.call(cluster.leader, at_quorum(put_request(fmt::format("k{}", i), "v"), 3)));
  }
  world.run_for(1s);
  const auto others = world.others(cluster.leader);
  world.wipe(others[0]);
  world.wipe(others[1]);
  REQUIRE(world.start(others[0]));
  REQUIRE(world.start(others[1]));
  world.run_for(20ms);
  world.crash(others[2]);
  world.run_for(5s);
  // Three full members have to have been heard, and there are two.
  CHECK(world.replica(others[0]).status().membership == Membership::recovering);
  REQUIRE(world.start(others[2]));
  REQUIRE(world.run_until([&] { return world.converged() && equal_stores(world); }, 20s));
}

}  // namespace parallax::testing
