// What is deleted everywhere leaves, one grace after all are known to hold the deletion, and does
// not come back (node/replica_tombstones.cc).
#include <catch2/catch.hpp>

#include "replication/quorum/merkle_tree.h"
#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

constexpr auto kGrace = 8s;

Request weakly(Request request) {
  request.consistency = {.level = Level::eventual};
  request.timeout = 2s;
  return request;
}

/// A small grace: nothing here lives for half of it but what the tests keep back.
struct Graceful : Elected {
  Graceful() : Elected({.anti_entropy_interval = 500ms, .tombstone_grace = kGrace}) {}

  bool stored(NodeId id, const std::string& key) {
    return KeySpace(world.replica(id).state(), kOnlyGroup).load(key)->empty() == false;
  }
  bool stored_anywhere(const std::string& key) {
    for (const NodeId id : world.ids()) {
      if (world.up(id) && stored(id, key)) return true;
    }
    return false;
  }
  bool shown_anywhere(const std::string& key) {
    for (const NodeId id : world.ids()) {
      const Reply reply = world.call(id, weakly(get_request(key, Level::eventual)));
      if (reply && reply->found) return true;
    }
    return false;
  }
  void put(NodeId at, const std::string& key) {
    REQUIRE(world.call(at, weakly(put_request(key, "v"))));
  }
  void remove(NodeId at, const std::string& key) {
    REQUIRE(world.call(at, weakly(delete_request(key))));
  }
  std::uint64_t removed(NodeId id) { return world.replica(id).counters().tombstones_removed; }
};

}  // namespace

TEST_CASE_METHOD(Graceful, "tombstones: one leaves a grace after all hold it") {
  put(follower, "k");
  put(follower, "stays");
  world.run_for(1s);
  remove(third, "k");
  world.run_for(kGrace - 500ms);
  for (const NodeId id : world.ids()) CHECK(stored(id, "k"));
  REQUIRE(world.run_until([&] { return !stored_anywhere("k"); }, 6s));
  for (const NodeId id : world.ids()) CHECK(removed(id) == 1);
  world.run_for(3 * kGrace);
  CHECK_FALSE(stored_anywhere("k"));
  CHECK(world.converged());
  for (const NodeId id : world.ids()) {
    CHECK(stored(id, "stays"));
    CHECK(world.replica(id).counters().tombstones_removed == 1);
    const auto row =
        world.store(id).get(records::leaf_key(kOnlyGroup, MerkleTree::leaf_of("k"), "k"));
    CHECK_FALSE(row->has_value());
  }
  // The key can be written again, at any level.
  put(leader, "k");
  REQUIRE(world.put(leader, "k", "w"));
  world.run_for(2s);
  CHECK(world.converged());
  CHECK(world.get(follower, "k")->value == Bytes{"w"});
}

TEST_CASE_METHOD(Graceful, "tombstones: those of the leader's log leave as well") {
  REQUIRE(world.put(leader, "k", "v"));
  REQUIRE(world.remove(leader, "k"));
  REQUIRE(world.run_until([&] { return !stored_anywhere("k"); }, 2 * kGrace));
  // A restart applies what is left of the log once more.
  for (const NodeId id : world.ids()) {
    world.crash(id);
    REQUIRE(world.start(id));
  }
  world.wait_for_leader();
  world.run_for(3s);
  CHECK_FALSE(stored_anywhere("k"));
  CHECK(world.converged());
}

TEST_CASE_METHOD(Graceful, "tombstones: none leaves while a replica is down that may lack it") {
  put(follower, "k");
  world.run_for(1s);
  world.crash(third);
  remove(follower, "k");
  world.run_for(4 * kGrace);
  CHECK(stored(leader, "k"));
  CHECK(stored(follower, "k"));
  CHECK(removed(leader) == 0);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return !stored_anywhere("k"); }, 3 * kGrace));
  world.run_for(kGrace);
  CHECK_FALSE(shown_anywhere("k"));
  CHECK_FALSE(stored_anywhere("k"));
  CHECK(world.converged());
}

TEST_CASE_METHOD(Graceful, "tombstones: a replica that is down when they leave revives nothing") {
  put(follower, "k");
  world.run_for(1s);
  remove(follower, "k");
  // It is known to hold the deletion, and does not hear that it is to go.
  world.drop_if([&](const Envelope& e) {
    const auto* append = std::get_if<AppendEntries>(&e.message);
    return e.to == third && append != nullptr && !append->entries.empty();
  });
  REQUIRE(
      world.run_until([&] { return removed(leader) == 1 && removed(follower) == 1; }, 3 * kGrace));
  CHECK(stored(third, "k"));
  world.crash(third);
  world.run_for(2 * kGrace);
  world.drop_if(nullptr);
  REQUIRE(world.start(third));
  world.run_for(1s);
  CHECK_FALSE(shown_anywhere("k"));
  REQUIRE(world.run_until([&] { return !stored_anywhere("k"); }, 4 * kGrace));
  world.run_for(2 * kGrace);
  CHECK_FALSE(stored_anywhere("k"));
  CHECK(world.converged());
}

TEST_CASE_METHOD(Graceful, "tombstones: a message of before revives nothing") {
  std::optional<Envelope> old;
  world.watch([&](const Envelope& e) {
    if (std::holds_alternative<QuorumStore>(e.message) && e.to == leader) old = e;
  });
  put(follower, "k");
  world.run_for(1s);
  world.watch(nullptr);
  REQUIRE(old);
  remove(follower, "k");
  REQUIRE(world.run_until([&] { return !stored_anywhere("k"); }, 3 * kGrace));
  world.replica(leader).on_envelope(*old);
  world.run_for(2s);
  CHECK_FALSE(stored_anywhere("k"));
  CHECK_FALSE(shown_anywhere("k"));
}

TEST_CASE_METHOD(Graceful, "tombstones: a disk that is lost on the way begins it again") {
  REQUIRE(world.put(leader, "k", "v"));  // alive in the log
  world.run_for(1s);
  remove(follower, "k");  // and buried beside it
  world.run_for(kGrace / 2);
  world.wipe(third);
  REQUIRE(world.start(third));
  world.run_for(kGrace / 2 + 1s);
  CHECK(stored(leader, "k"));
  REQUIRE(world.run_until([&] { return !stored_anywhere("k"); }, 3 * kGrace));
  world.run_for(kGrace);
  CHECK_FALSE(shown_anywhere("k"));
  CHECK(world.converged());
  // Whoever loses its disk now gets the log with the removal in it, or what is left behind it.
  const NodeId lost = world.others(world.leader())[0];
  world.wipe(lost);
  REQUIRE(world.start(lost));
  REQUIRE(world.run_until([&] { return world.converged(); }, 20s));
  world.run_for(3s);
  CHECK_FALSE(shown_anywhere("k"));
}

TEST_CASE_METHOD(Graceful, "tombstones: a write on the way keeps the key") {
  put(follower, "k");
  world.run_for(1s);
  remove(follower, "k");
  world.run_for(kGrace / 2);
  put(third, "k");
  world.run_for(3 * kGrace);
  CHECK(shown_anywhere("k"));
  for (const NodeId id : world.ids()) CHECK(removed(id) == 0);
  CHECK(world.converged());
}

}  // namespace parallax::testing
