#include "replication/quorum/write.h"

#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "tests/clock/cases.h"
#include "tests/replication/quorum/copies.h"

namespace parallax::test {
namespace {

const QuorumStoreReply kStored{.call = {}, .stored = true};
const QuorumStoreReply kRefused{.call = {}, .stored = false};

Sender sender(std::uint32_t id, std::uint64_t incarnation = 1, bool recovering = false) {
  return {NodeId{id}, Incarnation{incarnation}, recovering};
}

QuorumWrite three(std::size_t w, bool sloppy = false) {
  return QuorumWrite({.self = NodeId{1}, .replicas = node_list(3), .w = w, .sloppy = sloppy});
}

}  // namespace

TEST_CASE("quorum write: nobody is sent what is not durable here") {
  QuorumWrite write = three(2);
  REQUIRE(write.start());
  CHECK(write.take_targets().empty());
  CHECK_FALSE(write.outcome());
  write.on_persisted();
  CHECK(write.take_targets() == std::vector{NodeId{2}, NodeId{3}});
  CHECK(write.take_targets().empty());
  CHECK_FALSE(write.outcome());
  write.step(sender(3), kStored);
  REQUIRE(write.outcome());
  CHECK(write.outcome()->acknowledged);
  CHECK(write.outcome()->replicas == std::vector{NodeId{1}, NodeId{3}});
  CHECK(write.waiting());
  CHECK(write.missing() == std::vector{NodeId{2}});
  write.step(sender(2), kStored);
  CHECK_FALSE(write.waiting());
  CHECK(write.missing().empty());
}

TEST_CASE(
    "quorum write: fails as soon as w is out of reach, and nobody can say that it did not happen") {
  QuorumWrite write = three(2);
  REQUIRE(write.start());
  write.on_persisted();
  write.take_targets();
  write.step(sender(2), kRefused);
  CHECK_FALSE(write.outcome());
  write.on_no_answer(NodeId{3});
  REQUIRE(write.outcome());
  CHECK(*write.outcome() == WriteOutcome{.acknowledged = false,
                                         .certainty = Certainty::indefinite,
                                         .required = 2,
                                         .received = 1,
                                         .replicas = {NodeId{1}}});
  CHECK(write.missing() == std::vector{NodeId{2}, NodeId{3}});
}

TEST_CASE("quorum write: definite only when no replica has it, this one included") {
  SECTION("too few are left from the start") {
    QuorumWrite write(
        {.self = NodeId{1}, .replicas = node_list(3), .w = 2, .absent = {NodeId{2}, NodeId{3}}});
    CHECK_FALSE(write.start());
    CHECK(write.outcome()->certainty == Certainty::definite);
    CHECK(write.missing().empty());
  }
  SECTION("it never went into a batch") {
    QuorumWrite write = three(1);
    REQUIRE(write.start());
    write.on_refused();
    CHECK(write.outcome()->certainty == Certainty::definite);
  }
  SECTION("its batch failed") {
    QuorumWrite write = three(1);
    REQUIRE(write.start());
    write.on_disk_failed();
    CHECK(write.outcome()->certainty == Certainty::indefinite);
  }
  SECTION("the deadline passed while its batch was being written") {
    QuorumWrite write = three(1);
    REQUIRE(write.start());
    write.expire();
    CHECK(write.outcome()->certainty == Certainty::indefinite);
    write.on_persisted();
    CHECK_FALSE(write.outcome()->acknowledged);
    CHECK(write.take_targets().size() == 2);
  }
}

TEST_CASE("quorum write: a hint counts for its target when asked for (sloppy quorum)") {
  for (const bool sloppy : {false, true}) {
    QuorumWrite write = three(3, sloppy);
    REQUIRE(write.start());
    write.on_persisted();
    write.take_targets();
    write.step(sender(2), kStored);
    write.step(sender(2), {.call = {}, .stored = true, .hint_for = NodeId{3}});
    CHECK(write.outcome().has_value() == sloppy);
    if (sloppy) {
      CHECK(write.outcome()->acknowledged);
      CHECK(write.missing().empty());
    }
    QuorumWrite own = three(2, sloppy);
    REQUIRE(own.start());
    own.on_persisted();
    own.on_own_hint(NodeId{2});
    CHECK(own.outcome().has_value() == sloppy);
  }
}

TEST_CASE("quorum write: a recovering replica gets the version and does not count") {
  QuorumWrite write({.self = NodeId{1}, .replicas = node_list(3), .w = 2, .absent = {NodeId{3}}});
  REQUIRE(write.start());
  write.on_persisted();
  CHECK(write.take_targets() == std::vector{NodeId{2}, NodeId{3}});
  write.step(sender(3, 1, true), kStored);
  CHECK_FALSE(write.outcome());
  write.step(sender(2), kStored);
  CHECK(write.outcome()->acknowledged);
}

// The oracle is the truth: whose disk holds the version, whose may yet.
TEST_CASE("quorum write: against the truth under loss, refusals and lost disks", "[random]") {
  std::size_t acknowledged = 0;
  std::size_t definite = 0;
  std::size_t early = 0;
  for_each_seed(30'000, [&](Random& random) {
    const std::size_t n = random.between(1, 7);
    const std::size_t w = random.between(1, n);
    const NodeId self{static_cast<std::uint32_t>(random.between(1, n))};
    std::map<NodeId, Incarnation> life;
    std::set<NodeId> has;         // durable, in the present life
    std::set<NodeId> ever;        // had it in some life, or may have
    std::set<NodeId> recovering;  // known
    for (const NodeId node : node_list(n)) {
      life[node] = Incarnation{1};
      if (node != self && random.chance(0.1)) recovering.insert(node);
    }
    QuorumWrite write({.self = self,
                       .replicas = node_list(n),
                       .w = w,
                       .absent = {recovering.begin(), recovering.end()}});
    struct Ack {
      Sender from;
      bool stored;
    };
    std::vector<NodeId> stores;
    std::vector<Ack> acks;
    std::set<NodeId> over;  // nothing more will come
    const auto check = [&] {
      if (!write.outcome()) {
        // It has not failed too late: enough may still come.
        std::size_t possible = 0;
        for (const NodeId node : node_list(n)) {
          possible += over.count(node) == 0 && recovering.count(node) == 0 ? 1 : 0;
        }
        HOLDS(possible >= w);
      }
    };
    enum class Own { waiting, durable, never };
    Own own = Own::waiting;
    if (!write.start()) {
      HOLDS(n - recovering.size() < w);
      own = Own::never;
    }
    bool was = false;
    for (int step = 0; step < 60; ++step) {
      if (random.chance(0.02) && n > 1) {
        // A disk is lost; its next life says so before anything else.
        const NodeId node{static_cast<std::uint32_t>(random.between(1, n))};
        if (node != self) {
          life[node] = Incarnation{life[node].value + 1};
          has.erase(node);
          recovering.insert(node);
          over.insert(node);
          const Sender next{node, life[node], true};
          write.heard(next);
          write.on_no_answer(node);
        }
      }
      if (own == Own::waiting && random.chance(0.3)) {
        if (random.chance(0.1)) {
          own = Own::never;
          write.on_refused();
        } else {
          own = Own::durable;
          has.insert(self);
          ever.insert(self);
          write.on_persisted();
        }
      }
      for (const NodeId target : write.take_targets()) {
        HOLDS(has.count(self) == 1);
        stores.push_back(target);
      }
      if (!stores.empty() && random.chance(0.5)) {
        const std::size_t at = random.below(stores.size());
        const NodeId node = stores[at];
        stores.erase(stores.begin() + static_cast<long>(at));
        if (random.chance(0.15)) {
          over.insert(node);
          write.on_no_answer(node);
        } else if (random.chance(0.15)) {
          acks.push_back({{node, life[node], recovering.count(node) > 0}, false});
        } else {
          has.insert(node);
          ever.insert(node);
          acks.push_back({{node, life[node], recovering.count(node) > 0}, true});
        }
      }
      if (!acks.empty() && random.chance(0.5)) {
        const Ack ack = acks[random.below(acks.size())];  // and may come twice
        if (ack.from.incarnation == life[ack.from.id]) {
          if (!ack.stored) over.insert(ack.from.id);
          write.step(ack.from, ack.stored ? kStored : kRefused);
        }
      }
      if (write.outcome() && !was) {
        was = true;
        const WriteOutcome& outcome = *write.outcome();
        if (outcome.acknowledged) {
          ++acknowledged;
          std::size_t durable = 0;
          for (const NodeId node : has) durable += recovering.count(node) == 0 ? 1 : 0;
          HOLDS(durable >= w);
          HOLDS(outcome.received >= w);
          for (const NodeId node : outcome.replicas) HOLDS(has.count(node) == 1);
        } else {
          ++early;
          HOLDS(outcome.received < w);
        }
      }
      if (own != Own::waiting) check();
    }
    write.expire();
    if (own == Own::waiting) {
      own = Own::durable;
      write.on_persisted();
      ever.insert(self);
    }
    if (!write.outcome()->acknowledged && write.outcome()->certainty == Certainty::definite) {
      ++definite;
      HOLDS(write.take_targets().empty());
      HOLDS(ever.empty());
    }
    // Hints are owed to everybody who does not hold it, and only by somebody who does.
    for (const NodeId node : write.missing()) HOLDS(own == Own::durable && node != self);
    if (own == Own::durable) {
      const std::vector<NodeId> missing = write.missing();
      for (const NodeId node : node_list(n)) {
        if (has.count(node) == 0 && node != self) {
          HOLDS(std::find(missing.begin(), missing.end(), node) != missing.end());
        }
      }
    }
  });
  CHECK(acknowledged > 10'000);
  CHECK(definite > 500);
  CHECK(early > 2'000);
}

}  // namespace parallax::test
