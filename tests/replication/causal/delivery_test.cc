#include "replication/causal/delivery.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/replication/causal/cases.h"

namespace parallax::test {
namespace {

constexpr Delivery::Bounds kRoomy{1'000, 1 << 20};

/// "1:1 2:1": what comes out now, as node:number.
std::string out(Delivery& delivery) {
  std::string text;
  while (const auto next = delivery.next()) {
    const CausalOperation& operation = *next;
    if (!text.empty()) text += ' ';
    text += fmt::format("{}:{}", operation.origin().node, operation.number);
  }
  return text;
}

OriginVector after(std::uint32_t node, std::uint64_t number) {
  return OriginVector({{origin(node), number}});
}

}  // namespace

TEST_CASE("delivery: an origin's operations come in their order, each once") {
  Delivery delivery(kRoomy, {});
  CHECK(delivery.offer(operation(origin(1), 3)));
  CHECK(delivery.offer(operation(origin(1), 2)));
  CHECK(out(delivery).empty());
  CHECK(delivery.reached(origin(1)) == 0);
  CHECK_FALSE(delivery.offer(operation(origin(1), 3)));
  CHECK(delivery.offer(operation(origin(1), 1)));
  CHECK(delivery.reached(origin(1)) == 3);
  CHECK(out(delivery) == "1:1 1:2 1:3");
  CHECK_FALSE(delivery.offer(operation(origin(1), 2)));
  CHECK(out(delivery).empty());
  CHECK(delivery.applied() == after(1, 3));
  CHECK(delivery.waiting(origin(1)) == 0);
  CHECK(delivery.waiting_bytes(origin(1)) == 0);
}

TEST_CASE("delivery: an operation waits for what it depends on (Lloyd et al. 2011, section 5)") {
  Delivery delivery(kRoomy, {});
  delivery.offer(operation(origin(1), 1, after(2, 2)));
  delivery.offer(operation(origin(1), 2));
  delivery.offer(operation(origin(2), 1));
  CHECK(out(delivery) == "2:1");
  delivery.offer(operation(origin(2), 2, after(3, 1)));
  CHECK(out(delivery).empty());
  delivery.offer(operation(origin(3), 1));
  CHECK(out(delivery) == "3:1 2:2 1:1 1:2");
}

TEST_CASE("delivery: incarnations of a node are origins of their own") {
  Delivery delivery(kRoomy, {});
  delivery.offer(operation(origin(1, 2), 1, OriginVector({{origin(1, 1), 1}})));
  CHECK(out(delivery).empty());
  delivery.offer(operation(origin(1, 1), 1));
  CHECK(out(delivery) == "1:1 1:1");
  CHECK(delivery.applied() == OriginVector({{origin(1, 1), 1}, {origin(1, 2), 1}}));
}

TEST_CASE("delivery: credit bounds what waits of an origin, in operations") {
  Delivery delivery({3, 1 << 20}, {});
  CHECK(delivery.offer(operation(origin(1), 3)));
  CHECK_FALSE(delivery.offer(operation(origin(1), 4)));
  CHECK(delivery.has_room(origin(1)));
  CHECK(delivery.offer(operation(origin(1), 1, after(2, 1))));
  CHECK(delivery.offer(operation(origin(1), 2)));
  CHECK(delivery.waiting(origin(1)) == 3);
  CHECK_FALSE(delivery.has_room(origin(1)));
  // It has used up its own room, and nobody else's.
  CHECK(delivery.has_room(origin(2)));
  CHECK(delivery.offer(operation(origin(2), 1)));
  CHECK(out(delivery) == "2:1 1:1 1:2 1:3");
  CHECK(delivery.offer(operation(origin(1), 4)));
}

TEST_CASE("delivery: credit bounds what waits of an origin, in bytes, but for the next one") {
  const std::size_t one = operation(origin(1), 1).bytes();
  Delivery delivery({100, 2 * one}, {});
  CHECK(delivery.offer(operation(origin(1), 3)));
  CHECK(delivery.offer(operation(origin(1), 4)));
  CHECK_FALSE(delivery.offer(operation(origin(1), 5)));
  // Room is not what it lacks: the next one is to be asked for.
  CHECK(delivery.has_room(origin(1)));
  CHECK(delivery.offer(operation(origin(1), 1, after(2, 1), std::string(1'000, 'v'))));
  CHECK(delivery.waiting_bytes(origin(1)) == 3 * one + 999);
  CHECK_FALSE(delivery.has_room(origin(1)));
  CHECK_FALSE(delivery.offer(operation(origin(1), 2)));
  delivery.offer(operation(origin(2), 1));
  CHECK(out(delivery) == "2:1 1:1");
  CHECK(delivery.waiting_bytes(origin(1)) == 2 * one);
  CHECK(delivery.offer(operation(origin(1), 2)));
  CHECK(out(delivery) == "1:2 1:3 1:4");
}

TEST_CASE("delivery: what is applied in another way is not waited for") {
  Delivery delivery(kRoomy, {});
  delivery.offer(operation(origin(1), 2));
  delivery.offer(operation(origin(1), 4));
  delivery.offer(operation(origin(1), 5));
  delivery.offer(operation(origin(2), 1, after(1, 3)));
  delivery.advance(origin(1), 3);
  CHECK(delivery.waiting(origin(1)) == 2);
  CHECK(out(delivery) == "1:4 1:5 2:1");
  delivery.advance(origin(1), 2);
  CHECK(delivery.applied().at(origin(1)) == 5);
  delivery.offer(operation(origin(2), 3));
  delivery.clear();
  CHECK(delivery.waiting(origin(2)) == 0);
  CHECK(delivery.offer(operation(origin(2), 3)));
}

TEST_CASE("delivery: random causal pasts in random order", "[random]") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    // What four origins issue, each having seen some of what the others did.
    std::vector<CausalOperation> issued;
    std::vector<OriginVector> seen(4);
    for (int i = 0; i < 30; ++i) {
      const auto by = static_cast<std::uint32_t>(random.between(1, 4));
      OriginVector& mine = seen[by - 1];
      if (random.chance(0.6)) mine.join(seen[random.below(4)]);
      OriginVector dependencies;
      for (const auto& [other, count] : mine.entries()) {
        if (other != origin(by)) dependencies.advance(other, count);
      }
      const std::uint64_t number = mine.at(origin(by)) + 1;
      issued.push_back(operation(origin(by), number, std::move(dependencies)));
      mine.advance(origin(by), number);
    }
    Delivery delivery({random.between(1, 40), random.between(1, 4'000)}, {});
    std::set<std::pair<Origin, std::uint64_t>> applied;
    OriginVector in_order;
    for (std::size_t offers = 0; applied.size() < issued.size(); ++offers) {
      REQUIRE(offers < 20'000);
      delivery.offer(issued[random.below(issued.size())]);
      while (const auto next = delivery.next()) {
        const CausalOperation& operation = *next;
        REQUIRE(operation.number == in_order.at(operation.origin()) + 1);
        for (const auto& [other, count] : operation.dependencies.entries()) {
          for (std::uint64_t n = 1; n <= count; ++n) REQUIRE(applied.contains({other, n}));
        }
        REQUIRE(applied.emplace(operation.origin(), operation.number).second);
        in_order.advance(operation.origin(), operation.number);
      }
    }
    CHECK(delivery.applied() == in_order);
  }
}

}  // namespace parallax::test
