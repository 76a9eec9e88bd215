#include "consistency/checker/grow_set.h"

#include <ctime>

#include <catch2/catch.hpp>

#include "consistency/checker/linearizability.h"
#include "consistency/checker/sets.h"
#include "tests/checker/build.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

GrowSetResult judged(const Build& h) {
  return check_grow_set(h.history.texts, h.history.operations);
}

/// What the linear check says; the general search must agree.
bool linearizable(const Build& h) {
  const auto result = judged(h);
  REQUIRE(result.applicable);
  const auto searched = check_linearizability(h.history, {.method = Method::search});
  CHECK((searched.verdict == Verdict::yes) == result.conflict.empty());
  return result.conflict.empty();
}

}  // namespace

TEST_CASE("sets: one text for all that are equal") {
  const auto same = [](std::string_view text) {
    const auto members = parse_members(text);
    return members ? members_text(*members) : "no set";
  };
  CHECK(same(R"([2,1,"1", 10])") == R"(["1","10","2"])");
  CHECK(same("[]") == "[]");
  CHECK(same(R"(["a\"b"])") == R"(["a\"b"])");
  CHECK(same("[[1],null,true]") == R"(["[1]","null","true"])");
  for (const auto* text : {"", "1", "{}", "[1", "[1]]", "null"}) CHECK(same(text) == "no set");
}

TEST_CASE("grow set: what it can judge") {
  Build h;
  CHECK_FALSE(judged(h).applicable);
  h.read(1, "[1]", 0, 1);
  CHECK_FALSE(judged(h).applicable);  // no adds: it may be a register
  h.adds(1, "1", 2, 3).outcome = Outcome::failed;
  CHECK_FALSE(judged(h).applicable);
  h.adds(1, "1", 2, 3);
  CHECK(judged(h).applicable);
  const auto refused = [&](auto add) {
    Build other = h;
    add(other);
    return !judged(other).applicable;
  };
  CHECK(refused([](Build& o) { o.write(1, "[1]", 4, 5); }));
  CHECK(refused([](Build& o) { o.remove(1, 4, 5); }));
  CHECK(refused([](Build& o) { o.cas(1, "[1]", "[2]", 4, 5); }));
  CHECK(refused([](Build& o) { o.read(1, "1", 4, 5); }));
  CHECK(refused([](Build& o) { o.adds(1, "2", 4, 5).result = o.text("[1,2]"); }));
}

TEST_CASE("grow set: lost members and members that vanish") {
  const auto read = [](std::string_view set, std::int64_t call) {
    Build h;
    h.adds(1, "a", 0, 10);
    h.adds(2, "b", 5, 40);
    h.read(4, R"(["a","b"])", 20, 25);
    h.read(3, set, call, 50);
    return linearizable(h);
  };
  CHECK(read(R"(["b","a"])", 41));
  CHECK(read(R"(["a"])", 25));
  CHECK_FALSE(read(R"(["a"])", 26));  // b had been seen
  CHECK_FALSE(read(R"(["b"])", 11));  // a had been added
  CHECK_FALSE(read("[]", 11));
  CHECK(read("[]", 10));
  CHECK_FALSE(read(R"(["a","b","c"])", 41));
}

TEST_CASE("grow set: two readers disagree") {
  Build h;
  h.adds(1, "a", 0, 100);
  h.adds(2, "b", 0, 100);
  h.read(3, R"(["a"])", 10, 90);
  CHECK(linearizable(h));
  h.read(4, R"(["b"])", 10, 90);
  CHECK_FALSE(linearizable(h));
  CHECK(judged(h).conflict == std::vector<std::uint32_t>{0, 1, 2, 3});
  CHECK(judged(h).reason == "client 4 saw the member b and not a, but client 3 saw a and not b.");
}

TEST_CASE("grow set: a member that is added twice and one whose add is unknown") {
  Build h;
  h.adds(1, "a", 0, 10);
  h.adds(1, "a", 30, 40);
  h.adds(2, "b", 0, kNever);
  h.read(3, R"(["a"])", 20, 25);
  h.read(3, R"(["a"])", 50, 55);
  CHECK(linearizable(h));
  h.read(3, R"(["a","b"])", 60, 65);
  CHECK(linearizable(h));
  h.read(3, R"(["a"])", 70, 75);
  CHECK_FALSE(linearizable(h));
  CHECK(judged(h).reason ==
        "client 3 did not see the member b although client 3 had seen it before.");
  Build early;
  early.read(3, R"(["a"])", 0, 5);
  early.adds(1, "a", 6, kNever);
  CHECK_FALSE(linearizable(early));
  CHECK(judged(early).reason == "client 3 saw the member a before anybody added it.");
}

TEST_CASE("grow set: of a large history a lost add is found and named alone") {
  Random random(51);
  int planted = 0;
  for (int i = 0; i < 40; ++i) {
    Shape shape{.operations = 300, .clients = 6, .longest = 20, .unknown = 0.02};
    shape.kinds = {OperationKind::add, OperationKind::add, OperationKind::read};
    History history = random_history(shape, random);
    auto result = check_linearizability(history);
    REQUIRE(result.verdict == Verdict::yes);
    REQUIRE(result.keys.at(0).steps == 0);  // not by the search
    Operation& victim = history.operations[250 + random.below(50)];
    if (victim.kind != OperationKind::read || victim.outcome != Outcome::ok) continue;
    const auto lost =
        std::find_if(history.operations.begin(), history.operations.end(), [&](const Operation& o) {
          return o.kind == OperationKind::add && o.outcome == Outcome::ok && o.call_ns > 200;
        });
    auto members = *parse_members(history.texts[victim.result]);
    std::erase(members, std::string(history.texts[lost->value]));
    victim.result = history.texts.intern(members_text(members));
    ++planted;
    result = check_linearizability(history);
    REQUIRE(result.verdict == Verdict::no);
    CAPTURE(result.counterexample->text);
    CHECK(result.counterexample->operations.size() <= 4);
    CHECK_THAT(result.counterexample->text,
               Catch::Contains("member " + std::string(history.texts[lost->value])));
  }
  CHECK(planted > 5);
}

TEST_CASE("grow set: a hundred thousand adds and a read of all") {
  Build h;
  std::vector<std::string> members;
  for (int i = 0; i < 100'000; ++i) {
    members.push_back(std::to_string(i));
    h.adds(static_cast<std::uint32_t>(i % 50), members.back(), i, i + 50);
  }
  std::sort(members.begin(), members.end());
  h.read(1, members_text(members), 200'000, 200'001);
  const std::clock_t start = std::clock();  // of the processor: the machine may be busy
  CHECK(check_linearizability(h.history).verdict == Verdict::yes);
  members.erase(members.begin() + 5000);
  h.read(1, members_text(members), 200'002, 200'003);
  const auto result = check_linearizability(h.history);
  CHECK(result.verdict == Verdict::no);
  CHECK(result.counterexample->operations.size() == 2);
  const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  CHECK(took < 10);
}

}  // namespace parallax::checker
