// Random schedules: loss, duplication, reordering, partitions, slow disks, crashes that lose what
// was not durable, wiped disks, compaction and snapshots. After every step Raft's properties are
// checked (raft_world.cc); at the end everything heals and all state machines must be equal.
#include <set>

#include <catch2/catch.hpp>

#include "raft_world.h"

namespace parallax::testing {
namespace {

using std::chrono::milliseconds;

struct Run {
  explicit Run(std::uint64_t seed)
      : random(seed),
        world({.nodes = random.chance(0.3) ? std::size_t{5} : std::size_t{3},
               .seed = seed,
               .log_cache_bytes = random.chance(0.5) ? std::size_t{64} : 1 << 20,
               .durable_at_once = false}) {
    loss = random.chance(0.5) ? 0.1 : 0.0;
    duplication = random.chance(0.5) ? 0.1 : 0.0;
    reordering = random.chance(0.5) ? 0.3 : 0.0;
    crashing = random.chance(0.7) ? 0.01 : 0.0;
    cutting = random.chance(0.7) ? 0.01 : 0.0;
    wiping = random.chance(0.3) ? 0.3 : 0.0;
    compacting = random.chance(0.6) ? 0.02 : 0.0;
    transferring = random.chance(0.3) ? 0.005 : 0.0;
  }

  std::uint32_t any() { return static_cast<std::uint32_t>(random.between(1, world.size())); }

  /// At most a minority is down, or recovering from a lost disk, at any time.
  bool may_lose_one(bool disk) {
    std::size_t lost = 1;
    for (std::uint32_t i = 1; i <= world.size(); ++i) {
      if (world.node(i).disk.recovering || (!disk && !world.up(i))) ++lost;
    }
    return lost <= (world.size() - 1) / 2;
  }

  void step() {
    auto& packets = world.packets();
    if (!packets.empty() && random.chance(0.85)) {
      const std::size_t at = random.chance(reordering) ? random.below(packets.size()) : 0;
      if (random.chance(duplication)) packets.push_back(packets[at]);
      if (random.chance(loss)) {
        world.drop(at);
      } else {
        world.deliver(at);
      }
    } else {
      world.advance(milliseconds(random.between(1, 30)));
    }
    if (random.chance(0.1)) {
      const std::uint32_t to = any();
      if (world.up(to) && world.raft(to).propose(Bytes{std::to_string(++proposals)})) ++accepted;
    }
    RaftWorld::Node& disk = world.node(any());
    if (disk.raft && random.chance(0.5)) world.persist_one(disk);
    if (random.chance(crashing)) crash();
    if (random.chance(0.02)) restart();
    if (random.chance(cutting)) world.cut(any(), any());
    if (random.chance(0.01)) world.heal();
    if (random.chance(compacting)) compact();
    if (random.chance(transferring)) {
      const std::uint32_t id = any();
      if (world.up(id)) world.raft(id).transfer_leadership(NodeId{any()});
    }
    world.collect();
  }

  void crash() {
    const std::uint32_t id = any();
    if (!world.up(id)) return;
    if (random.chance(wiping) && may_lose_one(true)) {
      world.wipe(id);
      ++wipes;
    } else if (may_lose_one(false)) {
      world.crash(id);
      ++crashes;
    }
  }

  void restart() {
    const std::uint32_t id = any();
    if (!world.up(id)) world.restart(id);
  }

  void compact() {
    const std::uint32_t id = any();
    if (world.up(id)) world.raft(id).compact(world.node(id).disk.applied);
  }

  void settle() {
    world.heal();
    for (std::uint32_t i = 1; i <= world.size(); ++i) {
      if (!world.up(i)) world.restart(i);
    }
    for (int round = 0; round < 1000; ++round) {
      for (std::uint32_t i = 1; i <= world.size(); ++i) {
        while (!world.node(i).batches.empty()) world.persist_one(world.node(i));
      }
      world.deliver_round();
      world.advance(milliseconds(5));
      if (round > 400 && equal()) return;
    }
  }

  bool equal() {
    for (std::uint32_t i = 1; i <= world.size(); ++i) {
      if (world.raft(i).recovering()) return false;
      if (world.node(i).state != world.node(1).state) return false;
    }
    return world.node(1).applied.value > 0;
  }

  Random random;
  RaftWorld world;
  double loss, duplication, reordering, crashing, cutting, wiping, compacting, transferring;
  int proposals = 0;
  int accepted = 0;
  int crashes = 0;
  int wipes = 0;
};

TEST_CASE("raft: random schedules keep Raft's properties", "[raft]") {
  int crashes = 0;
  int wipes = 0;
  int accepted = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
    Run run(seed);
    for (int step = 0; step < 3000; ++step) run.step();
    run.settle();
    set_assertion_handler(nullptr);
    REQUIRE(run.equal());
    crashes += run.crashes;
    wipes += run.wipes;
    accepted += run.accepted;
  }
  // The schedules must have been worth the while.
  CHECK(crashes > 300);
  CHECK(wipes > 30);
  CHECK(accepted > 3000);
}

}  // namespace
}  // namespace parallax::testing
