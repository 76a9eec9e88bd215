// The checkers against the dumb oracle, on small random histories of every model.
#include "tests/checker/oracle.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "consistency/checker/counterexample.h"
#include "consistency/checker/linearizability.h"
#include "consistency/checker/model.h"
#include "consistency/checker/search.h"
#include "consistency/checker/sets.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

using enum OperationKind;

struct Case {
  const char* name;
  std::vector<OperationKind> kinds;
  std::uint64_t values;
  bool zones_apply;
};

Shape draw_shape(const Case& model, Random& random) {
  Shape shape;
  shape.operations = 3 + random.below(6);
  shape.clients = static_cast<std::uint32_t>(2 + random.below(3));
  shape.kinds = model.kinds;
  shape.values = model.values;
  shape.longest = static_cast<std::int64_t>(random.between(1, 8));
  shape.unknown = random.chance(0.5) ? 0.3 : 0;
  shape.failed = random.chance(0.5) ? 0.15 : 0;
  shape.vague = !model.zones_apply && random.chance(0.5) ? 0.3 : 0;
  shape.fresh = model.values == 0 && random.chance(0.8);
  return shape;
}

/// Takes from the sets that reads show the members whose adds were left out of `part`.
void keep_members_of(std::vector<Operation>& part, History& history) {
  const auto adds = [&](const std::vector<Operation>& operations, const std::string& member) {
    return std::any_of(operations.begin(), operations.end(), [&](const Operation& o) {
      return o.kind == add && o.outcome != Outcome::failed && history.texts[o.value] == member;
    });
  };
  for (Operation& o : part) {
    if (o.kind != read || o.result <= kAbsent) continue;
    auto members = parse_members(history.texts[o.result]);
    if (!members) continue;
    std::erase_if(*members, [&](const std::string& member) {
      return adds(history.operations, member) && !adds(part, member);
    });
    o.result = members->empty() ? kAbsent : history.texts.intern(members_text(*members));
  }
}

}  // namespace

TEST_CASE("random small histories get the verdict of the brute-force oracle") {
  const auto model = GENERATE(values<Case>({
      {"register", {read, write}, 2, false},
      {"register with unique values", {read, write}, 0, true},
      {"register with deletes", {read, write, remove}, 3, false},
      {"cas register", {read, write, cas}, 3, false},
      {"cas register with unique values", {read, write, cas, cas, cas}, 0, true},
      {"cas alone with unique values", {read, cas, cas, cas}, 0, true},
      {"append", {read, append}, 2, false},
      {"append and put", {read, append, write, remove}, 3, false},
      {"counter", {read, increment}, 3, false},
      {"counter that is set", {read, increment, write, remove, cas}, 3, false},
      {"set", {read, add}, 3, false},
      {"set with unique members", {read, add}, 0, false},
      {"set that is also written", {read, add, add, write, remove, cas}, 3, false},
      {"everything", {read, read, write, cas, remove, append, increment}, 3, false},
  }));
  CAPTURE(model.name);
  Random random(20260101);
  int yes = 0;
  int no = 0;
  for (int i = 0; i < 5000; ++i) {
    History history = random_history(draw_shape(model, random), random);
    for (std::uint64_t left = random.below(3); left > 0; --left) spoil(history, random);
    CAPTURE(i, write_history(history));
    const bool expected = brute_force_linearizable(history.texts, history.operations);
    (expected ? yes : no) += 1;
    const Verdict verdict = expected ? Verdict::yes : Verdict::no;
    const auto searched = check_linearizability(history, {.method = Method::search});
    REQUIRE(searched.verdict == verdict);
    const auto automatic = check_linearizability(history);
    REQUIRE(automatic.verdict == verdict);
    if (model.zones_apply) REQUIRE(automatic.keys.at(0).by_zones);
    for (const auto* result : {&searched, &automatic}) {
      REQUIRE(result->counterexample.has_value() == !expected);
      if (expected) continue;
      auto found = *result->counterexample;
      CAPTURE(found.text);
      REQUIRE(found.minimal);
      const bool by_set = result == &automatic && model.kinds == std::vector{read, add} &&
                          automatic.keys.at(0).steps == 0;
      if (by_set) keep_members_of(found.operations, history);
      REQUIRE_FALSE(brute_force_linearizable(history.texts, found.operations));
      // Without any one operation, and those that saw its effect, it is linearizable.
      for (std::size_t gone = 0; gone < found.operations.size(); ++gone) {
        std::vector<bool> removed(found.operations.size(), false);
        removed[gone] = true;
        REQUIRE(brute_force_linearizable(history.texts,
                                         without(history.texts, found.operations, removed)));
      }
    }
  }
  // The histories are neither all good nor all bad, or little would have been tested.
  CHECK(yes > 500);
  CHECK(no > 500);
}

TEST_CASE("the shortest violation ends where the history first cannot be explained") {
  const auto model = GENERATE(values<Case>({
      {"register", {read, write, remove}, 3, false},
      {"register with unique values", {read, write}, 0, true},
      {"cas register", {read, write, cas}, 3, false},
      {"append", {read, append}, 3, false},
  }));
  CAPTURE(model.name);
  Random random(8);
  int violated = 0;
  for (int i = 0; i < 3000; ++i) {
    History history = random_history(draw_shape(model, random), random);
    for (int left = 3; left > 0; --left) spoil(history, random);
    const auto& texts = history.texts;
    CAPTURE(i, write_history(history));
    const auto found = search(texts, history.operations, kAbsent, {});
    if (found.verdict != Verdict::no) continue;
    ++violated;
    auto part = shortest_violation(texts, history.operations, kAbsent, {}, found.returns_passed);
    REQUIRE_FALSE(brute_force_linearizable(texts, part));
    // The last return is the first too many: with its operation still running all is well.
    Operation* last = nullptr;
    for (Operation& o : part) {
      if (o.outcome == Outcome::unknown) continue;
      if (last == nullptr ||
          std::pair(o.return_ns, o.call_ns) >= std::pair(last->return_ns, last->call_ns)) {
        last = &o;
      }
    }
    for (const Operation& o : part) REQUIRE(o.call_ns <= last->return_ns);
    last->outcome = is_pure(*last) ? Outcome::failed : Outcome::unknown;
    REQUIRE(brute_force_linearizable(texts, part));
  }
  CHECK(violated > 500);
}

TEST_CASE("what a counterexample leaves out never made the violation") {
  // Removing operations with their dependents from a linearizable history leaves one.
  const auto model = GENERATE(values<Case>({
      {"register", {read, write, remove}, 2, false},
      {"cas register", {read, write, cas, cas}, 3, false},
      {"append", {read, append, write, remove}, 3, false},
      {"counter", {read, increment, write, cas}, 3, false},
      {"set", {read, add, add, write, remove}, 3, false},
      {"everything", {read, write, cas, remove, append, increment}, 3, false},
  }));
  CAPTURE(model.name);
  Random random(7);
  int removals = 0;
  for (int i = 0; i < 2000; ++i) {
    const History history = random_history(draw_shape(model, random), random);
    std::vector<bool> removed(history.operations.size());
    for (std::size_t j = 0; j < removed.size(); ++j) removed[j] = random.chance(0.3);
    const auto left = without(history.texts, history.operations, removed);
    if (!left.empty() && left.size() < history.operations.size()) ++removals;
    CAPTURE(i, write_history(history));
    REQUIRE(brute_force_linearizable(history.texts, left));
  }
  CHECK(removals > 500);
}

TEST_CASE("a history of a correct store with one stale read is found out") {
  Random random(99);
  int planted = 0;
  for (int i = 0; i < 60; ++i) {
    Shape shape{.operations = 400, .clients = 8, .longest = 20};
    shape.unknown = 0.02;
    History history = random_history(shape, random);
    REQUIRE(check_linearizability(history).verdict == Verdict::yes);
    REQUIRE(check_linearizability(history, {.method = Method::search}).verdict == Verdict::yes);
    // A read that a whole write separates from the whole write of what it is made to show.
    auto& all = history.operations;
    Operation& victim = all[random.below(all.size())];
    if (victim.kind != read || victim.outcome != Outcome::ok) continue;
    const auto acknowledged = [](const Operation& o) {
      return o.kind == write && o.outcome == Outcome::ok;
    };
    const Operation* newer = nullptr;
    const Operation* older = nullptr;
    for (const Operation& o : all) {
      if (acknowledged(o) && o.return_ns < victim.call_ns) newer = &o;
    }
    for (const Operation& o : all) {
      if (newer != nullptr && acknowledged(o) && o.return_ns < newer->call_ns) older = &o;
    }
    if (older == nullptr) continue;
    victim.result = older->value;
    ++planted;
    for (const Method method : {Method::automatic, Method::search}) {
      const auto result = check_linearizability(history, {.method = method});
      REQUIRE(result.verdict == Verdict::no);
      REQUIRE(result.keys.at(0).by_zones == (method == Method::automatic));
      CAPTURE(result.counterexample->text);
      CHECK(result.counterexample->operations.size() <= 6);
      CHECK(result.counterexample->minimal);
    }
  }
  CHECK(planted > 15);
}

}  // namespace parallax::checker
