#include "consistency/checker/zones.h"

#include <catch2/catch.hpp>

#include "consistency/checker/linearizability.h"
#include "tests/checker/build.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

ZonesResult zones(const Build& h, Text initial = kAbsent) {
  ZonesRoom room;
  return check_zones(h.history.texts, h.history.operations, initial, room);
}

}  // namespace

TEST_CASE("zones: what they can judge") {
  Build h;
  h.write(1, "a", 0, 1);
  h.read(1, "a", 2, 3);
  h.mismatch(1, "z", 4, 5).result = h.text("a");
  h.remove(1, 6, 7).outcome = Outcome::failed;
  h.cas(1, "a", "b", 6, 7).outcome = Outcome::failed;
  CHECK(zones(h).applicable);
  CHECK_FALSE(zones(h, h.text("a")).applicable);  // written once more

  const auto refused = [&](auto add) {
    Build other = h;
    add(other);
    return !zones(other).applicable;
  };
  CHECK(refused([](Build& o) { o.write(2, "a", 8, 9); }));
  CHECK(refused([](Build& o) { o.write(2, "a", 8, kNever); }));
  CHECK(refused([](Build& o) { o.remove(2, 8, 9); }));
  CHECK(refused([](Build& o) { o.cas(2, "a", "b", 8, 9); }));
  CHECK(refused([](Build& o) { o.cas(2, "a", "b", 8, kNever); }));
  CHECK(refused([](Build& o) { o.mismatch(2, "z", 8, 9); }));
  CHECK(refused([](Build& o) { o.mismatch(2, "a", 8, 9).result = o.text("a"); }));
  CHECK(refused([](Build& o) { o.append(2, "c", 8, 9); }));
  CHECK(refused([](Build& o) { o.increment(2, "1", 8, 9); }));
}

TEST_CASE("zones: the conflict names operations that contradict each other alone") {
  Random random(5);
  int conflicts = 0;
  for (int i = 0; i < 300; ++i) {
    const Shape shape{.operations = 60, .clients = 5, .longest = 10, .unknown = 0.05};
    History history = random_history(shape, random);
    spoil(history, random);
    ZonesRoom room;
    const auto result = check_zones(history.texts, history.operations, kAbsent, room);
    REQUIRE(result.applicable);
    const auto searched = check_linearizability(history, {.method = Method::search});
    REQUIRE(result.conflict.empty() == (searched.verdict == Verdict::yes));
    if (result.conflict.empty()) continue;
    ++conflicts;
    CHECK(result.conflict.size() <= 6);
    History part{history.texts, {}};
    for (const auto at : result.conflict) part.operations.push_back(history.operations[at]);
    CHECK(check_linearizability(part, {.method = Method::search}).verdict == Verdict::no);
  }
  CHECK(conflicts > 100);
}

TEST_CASE("zones: room can be used again") {
  Build bad;
  bad.write(1, "a", 0, 1);
  bad.read(1, "b", 2, 3);
  Build good;
  good.history.texts = bad.history.texts;
  good.write(1, "a", 0, 1);
  good.read(1, "a", 2, 3);
  ZonesRoom room;
  CHECK_FALSE(
      check_zones(bad.history.texts, bad.history.operations, kAbsent, room).conflict.empty());
  const auto again = check_zones(good.history.texts, good.history.operations, kAbsent, room);
  CHECK(again.applicable);
  CHECK(again.conflict.empty());
}

}  // namespace parallax::checker
