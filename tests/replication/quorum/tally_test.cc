#include "replication/quorum/tally.h"

#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "tests/clock/cases.h"

namespace parallax::test {
namespace {

Sender sender(std::uint32_t id, std::uint64_t incarnation = 1, bool recovering = false) {
  return {NodeId{id}, Incarnation{incarnation}, recovering};
}

const std::vector<NodeId> kThree{NodeId{1}, NodeId{2}, NodeId{3}};

}  // namespace

TEST_CASE("tally: asks as few as can be enough, others when some cannot help") {
  Tally tally(kThree, 2);
  CHECK(tally.to_ask() == std::vector{NodeId{1}, NodeId{2}});
  tally.ask(NodeId{1});
  tally.ask(NodeId{2});
  CHECK(tally.to_ask().empty());
  CHECK(tally.next() == NodeId{3});
  tally.no(NodeId{1});
  CHECK(tally.to_ask() == std::vector{NodeId{3}});
  tally.ask(NodeId{3});
  CHECK(tally.yes(sender(3)));
  CHECK_FALSE(tally.enough());
  CHECK_FALSE(tally.hopeless());
  CHECK(tally.waiting());
  tally.no(NodeId{2});
  CHECK(tally.hopeless());
  CHECK_FALSE(tally.waiting());
}

TEST_CASE("tally: an answer counts once, that of a recovering node never") {
  Tally tally(kThree, 2);
  CHECK(tally.yes(sender(1)));
  CHECK_FALSE(tally.yes(sender(1)));
  CHECK(tally.received() == 1);
  CHECK_FALSE(tally.yes(sender(2, 1, true)));
  CHECK_FALSE(tally.yes(sender(9)));
  CHECK(tally.received() == 1);
  CHECK(tally.of(NodeId{2}) == Tally::Word::no);
}

TEST_CASE("tally: what a lost disk had acknowledged does not count") {
  Tally tally(kThree, 2);
  CHECK(tally.yes(sender(2, 4)));
  CHECK(tally.heard(sender(2, 5, true)));
  CHECK(tally.received() == 0);
  CHECK_FALSE(tally.yes(sender(2, 4)));
  CHECK(tally.received() == 0);
  CHECK(tally.yes(sender(2, 5)));
  CHECK(tally.received() == 1);
}

TEST_CASE("tally: a replica that recovers is not waited for") {
  Tally tally(kThree, 2);
  tally.ask(NodeId{1});
  tally.ask(NodeId{2});
  CHECK_FALSE(tally.heard(sender(2, 2, true)));
  CHECK(tally.to_ask() == std::vector{NodeId{3}});
}

TEST_CASE("tally: a stand-in counts for whom it stands in, as long as its disk is there") {
  Tally tally(kThree, 3);
  CHECK(tally.yes(sender(1)));
  CHECK(tally.yes(sender(2)));
  CHECK(tally.yes(NodeId{3}, sender(2)));
  CHECK(tally.enough());
  CHECK(tally.heard(sender(2, 2)));
  CHECK(tally.received() == 1);
  CHECK(tally.yes(sender(3)));
  CHECK(tally.received() == 2);
}

TEST_CASE("tally: against counting by hand", "[random]") {
  for_each_seed(20'000, [](Random& random) {
    const std::size_t n = random.between(1, 7);
    const std::size_t required = random.between(1, n);
    std::vector<NodeId> replicas;
    for (std::uint32_t id = 1; id <= n; ++id) replicas.push_back(NodeId{id});
    Tally tally(replicas, required);
    // What was said, in order; judged anew each time.
    struct Said {
      NodeId node;
      Incarnation incarnation;
      bool recovering;
      bool yes;
    };
    std::vector<Said> said;
    for (std::uint64_t left = random.below(20); left > 0; --left) {
      const NodeId node{static_cast<std::uint32_t>(random.between(1, n))};
      const Said now{node, Incarnation{random.between(1, 3)}, random.chance(0.2),
                     random.chance(0.7)};
      said.push_back(now);
      if (now.yes) {
        tally.yes({now.node, now.incarnation, now.recovering});
      } else {
        tally.no(now.node);
      }
      std::set<NodeId> yes;
      std::set<NodeId> no;
      for (const NodeId replica : replicas) {
        Incarnation highest;
        for (const Said& s : said) {
          if (s.node != replica) continue;
          if (!s.yes) {
            if (yes.count(replica) == 0) no.insert(replica);
            continue;
          }
          if (s.incarnation < highest) continue;
          if (s.incarnation > highest && yes.erase(replica) > 0) no.insert(replica);
          highest = s.incarnation;
          if (!s.recovering) {
            yes.insert(replica);
            no.erase(replica);
          } else if (yes.count(replica) == 0) {
            no.insert(replica);
          }
        }
      }
      HOLDS(tally.received() == yes.size());
      HOLDS(tally.enough() == (yes.size() >= required));
      HOLDS(tally.hopeless() == (n - no.size() < required));
      HOLDS(tally.to_ask().size() ==
            std::min(n - yes.size() - no.size(),
                     required > yes.size() ? required - yes.size() : std::size_t{0}));
    }
  });
}

}  // namespace parallax::test
