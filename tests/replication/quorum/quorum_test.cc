// Quorum reads and writes together: what r + w > n promises, and what it does not.
#include <catch2/catch.hpp>

#include "replication/quorum/sizes.h"
#include "tests/replication/quorum/register_world.h"

namespace parallax::test {
namespace {

using Options = RegisterWorld::Options;

struct Broken {
  std::size_t after_writes = 0;  ///< worlds in which a read shows less than a completed write
  std::size_t after_reads = 0;   ///< or than a completed read
  std::size_t order = 0;         ///< or a write is stamped below one that was complete
  std::size_t reads = 0;
  std::size_t writes = 0;
};

Broken run(std::uint64_t seeds, const Options& options) {
  Broken broken;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    RegisterWorld world(seed, options);
    world.run(500);
    broken.after_writes += world.judge_reads(true, false).empty() ? 0 : 1;
    broken.after_reads += world.judge_reads(false, true).empty() ? 0 : 1;
    broken.order += world.judge().empty() ? 0 : 1;
    for (const RegisterWorld::Operation& operation : world.history()) {
      if (operation.returned) ++(operation.read ? broken.reads : broken.writes);
    }
  }
  CHECK(broken.reads > seeds);
  CHECK(broken.writes > seeds);
  return broken;
}

}  // namespace

TEST_CASE("quorum: with r + w > n no read shows less than a completed write", "[random]") {
  for (const QuorumSizes& sizes :
       {QuorumSizes{.n = 3, .r = 2, .w = 2}, QuorumSizes{.n = 3, .r = 1, .w = 3},
        QuorumSizes{.n = 3, .r = 3, .w = 1}, QuorumSizes{.n = 5, .r = 3, .w = 3},
        QuorumSizes{.n = 5, .r = 2, .w = 4}}) {
    INFO("n=" << sizes.n << " r=" << sizes.r << " w=" << sizes.w);
    const Broken broken = run(400, {.nodes = sizes.n, .quorum = sizes});
    CHECK(broken.after_writes == 0);
    // What is promised is not linearizability: clocks that differ put writes out of order.
    CHECK(broken.order > 0);
  }
}

TEST_CASE("quorum: two reads may go back in time while a write is under way", "[random]") {
  CHECK(run(400, {.nodes = 3, .quorum = QuorumSizes{.n = 3, .r = 2, .w = 2}}).after_reads > 0);
}

TEST_CASE("quorum: with blocking repair of a majority they do not", "[random]") {
  for (const QuorumSizes& sizes :
       {QuorumSizes{.n = 3, .r = 2, .w = 2}, QuorumSizes{.n = 5, .r = 3, .w = 3}}) {
    const Broken broken = run(800, {.nodes = sizes.n, .quorum = sizes, .blocking_repair = true});
    CHECK(broken.after_writes == 0);
    CHECK(broken.after_reads == 0);
  }
}

TEST_CASE("quorum: one lost disk at a time breaks nothing that a majority has", "[random]") {
  const Broken broken = run(800, {.nodes = 3,
                                  .lost_disks = true,
                                  .quorum = QuorumSizes{.n = 3, .r = 2, .w = 2},
                                  .blocking_repair = true});
  CHECK(broken.after_writes == 0);
  CHECK(broken.after_reads == 0);
}

TEST_CASE("quorum: without r + w > n completed writes are missed", "[random]") {
  for (const QuorumSizes& sizes :
       {QuorumSizes{.n = 3, .r = 1, .w = 1}, QuorumSizes{.n = 3, .r = 1, .w = 2},
        QuorumSizes{.n = 5, .r = 2, .w = 3}}) {
    CHECK(run(400, {.nodes = sizes.n, .quorum = sizes}).after_writes > 0);
  }
}

}  // namespace parallax::test
