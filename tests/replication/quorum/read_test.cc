#include "replication/quorum/read.h"

#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

#include "replication/quorum/state_content.h"
#include "tests/clock/cases.h"
#include "tests/replication/quorum/copies.h"

namespace parallax::test {
namespace {

using namespace std::chrono_literals;

const QuorumStoreReply kStored{.call = {}, .stored = true};
const QuorumStoreReply kNotStored{.call = {}, .stored = false};

Sender sender(std::uint32_t id, std::uint64_t incarnation = 1, bool recovering = false) {
  return {NodeId{id}, Incarnation{incarnation}, recovering};
}

QuorumQueryReply held(KeyState state) {
  return {.call = {}, .status = QuorumQueryStatus::held, .state = std::move(state)};
}

QuorumQueryReply without(QuorumQueryStatus status) {
  return {.call = {}, .status = status, .state = {}};
}

QuorumRead three(std::size_t r, bool blocking = false,
                 std::optional<Duration> speculate_after = std::nullopt) {
  return QuorumRead(
      {.query = {.replicas = node_list(3), .required = r, .speculate_after = speculate_after},
       .blocking_repair = blocking},
      MonoTime{});
}

/// Node 1 has written once, node 2 on top of that, node 3 has nothing.
Copies chain() {
  Copies copies(3);
  copies.of(NodeId{1}).add(copies.version(NodeId{1}, {}));
  copies.of(NodeId{2}) = copies.of(NodeId{1});
  copies.of(NodeId{2}).add(copies.version(NodeId{2}, copies.of(NodeId{1}).context()));
  return copies;
}

}  // namespace

TEST_CASE("quorum read: the newest of r replies, and the one behind is repaired after the answer") {
  Copies copies = chain();
  QuorumRead read = three(2);
  CHECK(read.take_asks() == std::vector{NodeId{1}, NodeId{2}});
  read.step(sender(1), Hlc{1}, held(copies.of(NodeId{1})));
  CHECK_FALSE(read.outcome());
  read.step(sender(2), Hlc{1}, held(copies.of(NodeId{2})));
  REQUIRE(read.outcome());
  CHECK(read.outcome()->answered);
  CHECK_FALSE(read.outcome()->agreed);
  CHECK(read.outcome()->state == copies.of(NodeId{2}));
  CHECK(read.outcome()->replicas == std::vector{NodeId{1}, NodeId{2}});
  CHECK(read.take_repairs() == std::vector{Repair{NodeId{1}, copies.of(NodeId{2})}});
  CHECK(read.finished());
}

TEST_CASE("quorum read: replies that agree need no repair, also when one knows more of the log") {
  Copies copies = chain();
  KeyState committed = copies.of(NodeId{2});
  Version indexed = *committed.winner();
  indexed.log_index = LogIndex{7};
  committed.add(indexed);
  QuorumRead read = three(2);
  read.take_asks();
  read.step(sender(2), Hlc{1}, held(copies.of(NodeId{2})));
  read.step(sender(1), Hlc{1}, held(committed));
  CHECK(read.outcome()->agreed);
  CHECK(read.outcome()->state.winner()->log_index == LogIndex{7});
  CHECK(read.take_repairs().empty());
}

TEST_CASE("quorum read: a replica that cannot answer is replaced by another") {
  Copies copies = chain();
  for (const QuorumQueryStatus status :
       {QuorumQueryStatus::unresolved, QuorumQueryStatus::refused}) {
    QuorumRead read = three(2);
    read.take_asks();
    read.step(sender(2), Hlc{1}, without(status));
    CHECK(read.take_asks() == std::vector{NodeId{3}});
    read.step(sender(1), Hlc{1}, held(copies.of(NodeId{1})));
    CHECK_FALSE(read.outcome());
    read.on_no_answer(NodeId{3});
    REQUIRE(read.outcome());
    CHECK_FALSE(read.outcome()->answered);
    CHECK(read.outcome()->required == 2);
    CHECK(read.outcome()->received == 1);
    CHECK(read.outcome()->unresolved == (status == QuorumQueryStatus::unresolved ? 1 : 0));
  }
}

TEST_CASE("quorum read: one extra request when an answer takes longer than most") {
  Copies copies = chain();
  QuorumRead read = three(2, false, 20ms);
  CHECK(read.take_asks().size() == 2);
  CHECK(read.next_tick() == MonoTime{20ms});
  read.step(sender(1), Hlc{1}, held(copies.of(NodeId{1})));
  read.tick(MonoTime{19ms});
  CHECK(read.take_asks().empty());
  read.tick(MonoTime{20ms});
  CHECK(read.take_asks() == std::vector{NodeId{3}});
  CHECK_FALSE(read.next_tick());
  read.tick(MonoTime{40ms});
  CHECK(read.take_asks().empty());
  read.step(sender(3), Hlc{1}, held(copies.of(NodeId{3})));
  REQUIRE(read.outcome());
  CHECK(read.outcome()->replicas == std::vector{NodeId{1}, NodeId{3}});
  CHECK(read.query().speculated());
  // The slow one comes after all, and knows more: the others are repaired with it, once.
  CHECK(read.take_repairs().empty());
  CHECK_FALSE(read.finished());
  read.step(sender(2), Hlc{1}, held(copies.of(NodeId{2})));
  CHECK(read.finished());
  CHECK(read.take_repairs() == std::vector{Repair{NodeId{1}, copies.of(NodeId{2})},
                                           Repair{NodeId{3}, copies.of(NodeId{2})}});
  CHECK(read.outcome()->state == copies.of(NodeId{1}));
}

TEST_CASE("quorum read: no extra request when the answer is there") {
  Copies copies = chain();
  QuorumRead read = three(1, false, 20ms);
  CHECK(read.take_asks().size() == 1);
  read.step(sender(1), Hlc{1}, held(copies.of(NodeId{1})));
  CHECK_FALSE(read.next_tick());
  read.tick(MonoTime{30ms});
  CHECK(read.take_asks().empty());
}

TEST_CASE("quorum read: blocking repair answers once r replicas hold what is shown") {
  Copies copies = chain();
  QuorumRead read = three(2, true);
  read.take_asks();
  read.step(sender(1), Hlc{1}, held(copies.of(NodeId{1})));
  read.step(sender(2), Hlc{1}, held(copies.of(NodeId{2})));
  CHECK_FALSE(read.outcome());
  CHECK(read.take_repairs() == std::vector{Repair{NodeId{1}, copies.of(NodeId{2})}});
  SECTION("it is acknowledged") {
    read.step(sender(1), kStored);
    REQUIRE(read.outcome());
    CHECK(read.outcome()->answered);
    CHECK(read.finished());
    CHECK(read.take_repairs().empty());
  }
  SECTION("another takes its place") {
    read.step(sender(1), kNotStored);
    CHECK_FALSE(read.outcome());
    CHECK(read.take_repairs() == std::vector{Repair{NodeId{3}, copies.of(NodeId{2})}});
    read.step(sender(3), kStored);
    CHECK(read.outcome()->answered);
  }
  SECTION("nobody does") {
    read.step(sender(1), kNotStored);
    read.on_no_answer(NodeId{3});
    REQUIRE(read.outcome());
    CHECK_FALSE(read.outcome()->answered);
  }
  SECTION("the deadline passes") {
    read.expire();
    REQUIRE(read.outcome());
    CHECK_FALSE(read.outcome()->answered);
    CHECK(read.take_repairs().empty());
  }
}

TEST_CASE("quorum read: what a lost disk said is forgotten") {
  Copies copies = chain();
  QuorumRead read = three(2);
  read.take_asks();
  read.step(sender(2), Hlc{1}, held(copies.of(NodeId{2})));
  read.heard(sender(2, 2, true));
  CHECK(read.take_asks() == std::vector{NodeId{3}});
  read.step(sender(1), Hlc{1}, held(copies.of(NodeId{1})));
  CHECK_FALSE(read.outcome());
  read.step(sender(3), Hlc{1}, held(copies.of(NodeId{3})));
  CHECK(read.outcome()->state == copies.of(NodeId{1}));
}

TEST_CASE("quorum read: against joining by hand, repairs make everybody equal", "[random]") {
  std::size_t answered = 0;
  std::size_t disagreed = 0;
  for_each_seed(20'000, [&](Random& random) {
    const std::size_t n = random.between(1, 7);
    const std::size_t r = random.between(1, n);
    const bool blocking = random.chance(0.3);
    Copies copies(n);
    copies.stir(random, random.below(12));
    QuorumRead read({.query = {.replicas = node_list(n),
                               .required = r,
                               .speculate_after = random.chance(0.5) ? std::optional<Duration>(10ms)
                                                                     : std::nullopt},
                     .blocking_repair = blocking},
                    MonoTime{});
    std::vector<NodeId> asked;
    std::vector<Repair> repairs;
    std::vector<NodeId> counted;  // replied with a state, in order
    std::map<NodeId, KeyState> said;
    std::size_t able = n;
    const auto collect = [&] {
      for (const NodeId node : read.take_asks()) asked.push_back(node);
      for (Repair& repair : read.take_repairs()) {
        // With what all replies know together, to somebody who did not know it; blocking ones may
        // go to others.
        HOLDS(!same_content(said[repair.to], repair.state) || blocking);
        HOLDS(repair.state.check());
        repairs.push_back(std::move(repair));
      }
    };
    bool was = false;
    for (int step = 0; step < 40; ++step) {
      collect();
      if (step > 20) read.tick(MonoTime{10ms});
      if (!asked.empty() && random.chance(0.5)) {
        const std::size_t at = random.below(asked.size());
        const NodeId node = asked[at];
        asked.erase(asked.begin() + static_cast<long>(at));
        if (random.chance(0.15)) {
          if (!read.outcome()) --able;
          read.step({node, Incarnation{1}, false}, Hlc{1},
                    without(random.chance(0.5) ? QuorumQueryStatus::unresolved
                                               : QuorumQueryStatus::refused));
        } else {
          counted.push_back(node);
          said[node] = copies.of(node);
          read.step({node, Incarnation{1}, false}, Hlc{1}, held(copies.of(node)));
        }
      } else if (!repairs.empty() && random.chance(0.5)) {
        const Repair repair = repairs.back();
        repairs.pop_back();
        copies.of(repair.to).join(repair.state);
        read.step({repair.to, Incarnation{1}, false}, kStored);
      }
      collect();
      if (!was && read.outcome()) {
        was = true;
        const ReadOutcome& outcome = *read.outcome();
        if (outcome.answered) {
          ++answered;
          KeyState expected;
          for (std::size_t i = 0; i < r; ++i) expected.join(said[counted[i]]);
          HOLDS(outcome.state == expected);
          bool agree = true;
          std::size_t holding = 0;
          for (std::size_t i = 0; i < r; ++i) agree &= same_content(said[counted[i]], expected);
          for (const NodeId node : node_list(n)) {
            holding += joined(copies.of(node), expected) == copies.of(node) ? 1 : 0;
          }
          HOLDS(outcome.agreed == agree);
          HOLDS(!blocking || holding >= r);
          disagreed += agree ? 0 : 1;
        } else {
          HOLDS(able < r);
        }
      }
      if (!was) HOLDS(able >= r);
    }
    read.expire();
    collect();
    HOLDS(read.finished());
    if (!read.outcome()->answered) return;
    for (const Repair& repair : repairs) copies.of(repair.to).join(repair.state);
    KeyState all;
    for (const NodeId node : counted) all.join(copies.of(node));
    for (const NodeId node : counted) HOLDS(same_content(copies.of(node), all));
  });
  CHECK(answered > 8'000);
  CHECK(disagreed > 2'000);
}

}  // namespace parallax::test
