#include "replication/quorum/atomic.h"

#include <catch2/catch.hpp>

#include "tests/clock/cases.h"
#include "tests/replication/quorum/copies.h"
#include "tests/replication/quorum/register_world.h"

namespace parallax::test {
namespace {

const QuorumStoreReply kStored{.call = {}, .stored = true};

Sender sender(std::uint32_t id, std::uint64_t incarnation = 1, bool recovering = false) {
  return {NodeId{id}, Incarnation{incarnation}, recovering};
}

QuorumQueryReply held(KeyState state) {
  return {.call = {}, .status = QuorumQueryStatus::held, .state = std::move(state)};
}

AtomicConfig three() {
  return {.self = NodeId{1}, .replicas = node_list(3)};
}

KeyState one(std::uint64_t hlc, UnixMillis expires_at = {}, LogIndex log_index = {}) {
  KeyState state;
  state.add({.stamp = {Hlc{hlc}, NodeId{2}},
             .actor = {ActorPath::quorum, NodeId{2}, Incarnation{1}},
             .context = {},
             .value = "v",
             .expires_at = expires_at,
             .log_index = log_index});
  return state;
}

}  // namespace

TEST_CASE("atomic read: one round when a majority agrees") {
  AtomicRead read(three(), MonoTime{});
  CHECK(read.take_asks().size() == 2);
  read.step(sender(1), Hlc{5}, held(one(9)));
  CHECK_FALSE(read.outcome());
  read.step(sender(2), Hlc{5}, held(one(9)));
  REQUIRE(read.outcome());
  CHECK(read.outcome()->answered);
  CHECK_FALSE(read.wrote_back());
  CHECK(read.take_stores().empty());
}

TEST_CASE("atomic read: writes back what a majority does not hold yet (Attiya et al. 1995)") {
  AtomicRead read(three(), MonoTime{});
  read.take_asks();
  read.step(sender(1), Hlc{5}, held({}));
  read.step(sender(2), Hlc{5}, held(one(9)));
  CHECK_FALSE(read.outcome());
  const std::vector<Repair> stores = read.take_stores();
  CHECK(stores == std::vector{Repair{NodeId{1}, one(9)}, Repair{NodeId{3}, one(9)}});
  SECTION("one acknowledgement is enough beside the one that had it") {
    read.step(sender(3), kStored);
    REQUIRE(read.outcome());
    CHECK(read.outcome()->answered);
    CHECK(read.outcome()->state == one(9));
  }
  SECTION("a refusal is none") {
    read.step(sender(3), {.call = {}, .stored = false});
    CHECK_FALSE(read.outcome());
    read.step(sender(1), {.call = {}, .stored = false});
    REQUIRE(read.outcome());
    CHECK_FALSE(read.outcome()->answered);
  }
  SECTION("not that of a recovering node") {
    read.step(sender(3, 1, true), kStored);
    CHECK_FALSE(read.outcome());
  }
  SECTION("nor that of the one that had it, once its disk is lost") {
    read.heard(sender(2, 2, true));
    read.step(sender(3), kStored);
    CHECK_FALSE(read.outcome());
    read.step(sender(1), kStored);
    CHECK(read.outcome()->answered);
  }
  SECTION("nobody acknowledges") {
    read.on_no_answer(NodeId{3});
    CHECK_FALSE(read.outcome());
    read.expire();
    CHECK_FALSE(read.outcome()->answered);
  }
}

TEST_CASE("atomic read: a version that the log has committed is not written back") {
  AtomicRead read(three(), MonoTime{});
  read.take_asks();
  read.step(sender(1), Hlc{5}, held({}));
  read.step(sender(2), Hlc{5}, held(one(9, {}, LogIndex{4})));
  REQUIRE(read.outcome());
  CHECK(read.outcome()->answered);
  CHECK_FALSE(read.wrote_back());
}

TEST_CASE("atomic read: an expiry that decides the answer is carried to a majority first") {
  const UnixMillis deadline{100};
  for (const LogIndex index : {LogIndex{}, LogIndex{4}}) {
    const KeyState state = one(9, deadline, index);
    AtomicRead read(three(), MonoTime{});
    read.take_asks();
    read.step(sender(1), Hlc::from_millis(UnixMillis{99}), held(state));
    read.step(sender(2), Hlc::from_millis(UnixMillis{100}), held(state));
    CHECK_FALSE(read.outcome());
    const std::vector<Repair> stores = read.take_stores();
    REQUIRE(stores.size() == 3);
    CHECK(stores[0].state.winner()->tombstone);
    read.step(sender(1), kStored);
    CHECK_FALSE(read.outcome());
    read.step(sender(3), kStored);
    REQUIRE(read.outcome());
    CHECK(read.outcome()->state.winner()->tombstone);
    // The next one finds it agreed on, whatever its clocks say.
    AtomicRead next(three(), MonoTime{});
    next.take_asks();
    next.step(sender(1), Hlc{1}, held(stores[0].state));
    next.step(sender(3), Hlc{1}, held(stores[0].state));
    CHECK(next.outcome()->state.winner()->tombstone);
    CHECK_FALSE(next.wrote_back());
  }
  AtomicRead early(three(), MonoTime{});
  early.take_asks();
  early.step(sender(1), Hlc::from_millis(UnixMillis{99}), held(one(9, deadline)));
  early.step(sender(2), Hlc::from_millis(UnixMillis{99}), held(one(9, deadline)));
  CHECK_FALSE(early.outcome()->state.winner()->tombstone);
}

TEST_CASE("atomic read: an absence with a history rests on a majority that knows it") {
  // All versions are gone, and a replica knows of what they replaced.
  const KeyState gone = KeyState::from_parts({}, one(9).context());
  AtomicRead read(three(), MonoTime{});
  read.take_asks();
  read.step(sender(1), Hlc{5}, held(one(9)));
  read.step(sender(2), Hlc{5}, held(gone));
  CHECK_FALSE(read.outcome());
  CHECK(read.take_stores().size() == 2);
}

TEST_CASE(
    "atomic write: asks, stamps above all that a majority has seen, stores (Lynch, Shvartsman)") {
  AtomicWrite write(three(), MonoTime{});
  CHECK(write.take_asks().size() == 2);
  CHECK_FALSE(write.stamp_request());
  write.step(sender(1), Hlc{3}, held(one(9)));
  write.step(sender(2), Hlc{12}, held({}));
  const auto request = write.stamp_request();
  REQUIRE(request);
  CHECK(request->above == Hlc{12});
  CHECK(request->seen == one(9));
  write.on_stamped({Hlc{13}, NodeId{1}});
  CHECK_FALSE(write.stamp_request());
  CHECK(write.take_targets().empty());
  write.on_persisted();
  CHECK(write.take_targets() == std::vector{NodeId{2}, NodeId{3}});
  CHECK_FALSE(write.outcome());
  write.step(sender(3), kStored);
  CHECK(write.outcome()->acknowledged);
}

TEST_CASE("atomic write: definite until its version is handed to the disk") {
  SECTION("no majority answers") {
    AtomicWrite write(three(), MonoTime{});
    write.take_asks();
    write.on_no_answer(NodeId{2});
    write.on_no_answer(NodeId{3});
    REQUIRE(write.outcome());
    CHECK(write.outcome()->certainty == Certainty::definite);
    CHECK(write.phase() == AtomicWrite::Phase::done);
    write.step(sender(2), Hlc{1}, held({}));
    CHECK(write.phase() == AtomicWrite::Phase::done);
  }
  SECTION("the deadline passes in the query") {
    AtomicWrite write(three(), MonoTime{});
    write.expire();
    CHECK(write.outcome()->certainty == Certainty::definite);
  }
  SECTION("too many recover") {
    AtomicConfig config = three();
    config.absent = {NodeId{2}, NodeId{3}};
    AtomicWrite write(config, MonoTime{});
    REQUIRE(write.outcome());
    CHECK(write.outcome()->certainty == Certainty::definite);
  }
  SECTION("the deadline passes behind the stamp") {
    AtomicWrite write(three(), MonoTime{});
    write.take_asks();
    write.step(sender(1), Hlc{1}, held({}));
    write.step(sender(2), Hlc{1}, held({}));
    write.on_stamped({Hlc{2}, NodeId{1}});
    write.expire();
    CHECK(write.outcome()->certainty == Certainty::indefinite);
  }
}

TEST_CASE("atomic write: a stamp rests on a majority that still has its disks") {
  AtomicWrite write(three(), MonoTime{});
  write.take_asks();
  write.step(sender(1), Hlc{1}, held({}));
  write.step(sender(2), Hlc{1}, held(one(9)));
  CHECK(write.stamp_request());
  write.heard(sender(2, 2, true));
  CHECK_FALSE(write.stamp_request());
  CHECK(write.take_asks() == std::vector{NodeId{3}});
  write.step(sender(3), Hlc{4}, held({}));
  CHECK(write.stamp_request()->above == Hlc{4});
}

namespace {

void run_worlds(std::uint64_t seeds, RegisterWorld::Options options) {
  std::size_t reads = 0;
  std::size_t writes = 0;
  std::size_t two_rounds = 0;
  std::size_t dead = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    RegisterWorld world(seed, options);
    world.run(600);
    if (const std::string wrong = world.judge(); !wrong.empty()) {
      FAIL("seed " << seed << ": " << wrong);
    }
    for (const RegisterWorld::Operation& operation : world.history()) {
      if (!operation.returned || operation.log) continue;
      ++(operation.read ? reads : writes);
      two_rounds += operation.rounds_two ? 1 : 0;
      dead += operation.read && !operation.stamp.empty() && !operation.alive ? 1 : 0;
    }
  }
  CHECK(reads > seeds * 2);
  CHECK(writes > seeds);
  CHECK(two_rounds > seeds / 5);
  CHECK((dead > 0) == options.expiries);
}

}  // namespace

TEST_CASE("atomic: linearizable in every random world", "[random]") {
  run_worlds(1'500, {.nodes = 3});
  run_worlds(500, {.nodes = 5});
}

TEST_CASE("atomic: linearizable beside a log that writes the same key", "[random]") {
  run_worlds(1'500, {.nodes = 3, .log_writes = true});
}

TEST_CASE("atomic: linearizable with deadlines", "[random]") {
  run_worlds(1'000, {.nodes = 3, .expiries = true});
}

TEST_CASE("atomic: linearizable while disks are lost and recover", "[random]") {
  run_worlds(1'500, {.nodes = 3, .lost_disks = true});
  run_worlds(500, {.nodes = 5, .log_writes = true, .expiries = true, .lost_disks = true});
}

}  // namespace parallax::test
