#include "consistency/checker/zones.h"

#include <algorithm>
#include <string>

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
  CHECK_FALSE(refused([](Build& o) { o.cas(2, "a", "b", 8, 9); }));
  CHECK_FALSE(refused([](Build& o) { o.cas(2, "a", "b", 8, kNever); }));
  CHECK(refused([](Build& o) { o.cas(2, "b", "a", 8, 9); }));
  CHECK_FALSE(refused([](Build& o) { o.mismatch(2, "z", 8, 9); }));  // it never was
  CHECK(refused([](Build& o) { o.mismatch(2, "a", 8, 9); }));
  CHECK(refused([](Build& o) { o.append(2, "c", 8, 9); }));
  CHECK(refused([](Build& o) { o.increment(2, "1", 8, 9); }));
}

TEST_CASE("zones: the conflict names operations that contradict each other alone") {
  using enum OperationKind;
  const auto kinds = GENERATE(values<std::vector<OperationKind>>(
      {{read, write}, {read, write, cas, cas}, {read, cas}, {read, read, read, cas}}));
  const bool with_cas = kinds.back() == cas;
  Random random(5);
  int conflicts = 0;
  for (int i = 0; i < 600; ++i) {
    Shape shape{.operations = 60, .clients = 5, .longest = 10, .unknown = 0.05};
    shape.kinds = kinds;
    shape.fresh = true;
    History history = random_history(shape, random);
    spoil(history, random);
    CAPTURE(i, write_history(history));
    ZonesRoom room;
    const auto result = check_zones(history.texts, history.operations, kAbsent, room);
    REQUIRE(result.applicable);
    const auto searched = check_linearizability(history, {.method = Method::search});
    REQUIRE(result.conflict.empty() == (searched.verdict == Verdict::yes));
    if (result.conflict.empty()) continue;
    ++conflicts;
    if (!with_cas) CHECK(result.conflict.size() <= 6);
    History part{history.texts, {}};
    for (const auto at : result.conflict) part.operations.push_back(history.operations[at]);
    for (const auto at : result.as_writes) {
      const auto found = std::find(result.conflict.begin(), result.conflict.end(), at);
      REQUIRE(found != result.conflict.end());
      Operation& root = part.operations[static_cast<std::size_t>(found - result.conflict.begin())];
      root.kind = write;
      root.expected = kNothing;
    }
    CHECK(check_linearizability(part, {.method = Method::search}).verdict == Verdict::no);
  }
  CHECK(conflicts > 100);
}

TEST_CASE("zones: a chain of compare and sets is held to its order") {
  Build h;
  h.write(1, "a", 0, 1);
  for (int i = 0; i < 20; ++i) {
    h.cas(1, std::string(1, static_cast<char>('a' + i)), std::string(1, static_cast<char>('b' + i)),
          10 * i + 5, 10 * i + 6);
  }
  const auto conflict = [&](auto add) {
    Build other = h;
    add(other);
    return zones(other).conflict;
  };
  const auto read = [](std::string_view value, std::int64_t call) {
    return [=](Build& o) { o.read(2, value, call, call + 1); };
  };
  CHECK(conflict(read("e", 36)).empty());
  CHECK(conflict(read("e", 46)).empty());  // called as the next one returned: concurrent
  CHECK(conflict(read("e", 47)) == std::vector<std::uint32_t>{4, 5, 21});
  CHECK(conflict(read("e", 33)) == std::vector<std::uint32_t>{4, 21});
  // Something else in between, wherever it took effect.
  CHECK(conflict([](Build& o) { o.write(2, "x", 47, 54); }) ==
        std::vector<std::uint32_t>{5, 6, 21});
  CHECK(conflict([](Build& o) { o.write(2, "x", 0, 500); }).empty());
  CHECK(conflict([](Build& o) { o.write(2, "x", 20, 500); }).empty());
  CHECK(conflict([](Build& o) { o.write(2, "x", 20, 190); }).size() == 20);
  // What was replaced twice, by somebody whose fate is known only from what was seen.
  const auto unknown = [](Build& o) { o.cas(2, "e", "x", 40, kNever); };
  CHECK(conflict(unknown).empty());
  const auto seen = conflict([&](Build& o) {
    unknown(o);
    o.read(3, "x", 60, 70);
  });
  CHECK(seen == std::vector<std::uint32_t>{4, 5, 21, 22});
  // Each replaced what the other wrote.
  CHECK(conflict([](Build& o) {
          o.cas(2, "x", "y", 0, 500);
          o.cas(3, "y", "x", 0, 500);
        }) == std::vector<std::uint32_t>{21, 22});
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
