#include "consistency/checker/stamp_order.h"

#include <ctime>
#include <map>

#include <catch2/catch.hpp>

#include "tests/checker/build.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

/// A history whose operations name their stamps instead of their values.
struct Stamped : Build {
  Operation& wrote(std::uint32_t client, std::string_view stamp, std::int64_t call,
                   std::int64_t end) {
    Operation& operation = write(client, "v", call, end);
    operation.stamp = text(stamp);
    return operation;
  }
  Operation& saw(std::uint32_t client, std::string_view stamp, std::int64_t call,
                 std::int64_t end) {
    Operation& operation = read(client, "v", call, end);
    operation.stamp = text(stamp);
    return operation;
  }
};

Verdict regular(const Build& h) {
  return check_stamp_order(h.history).verdict;
}
Verdict atomic(const Build& h) {
  return check_stamp_order(h.history, StampRule::atomic).verdict;
}

/// The definition, pair by pair; `numbers` are the stamps.
bool holds(const History& history, StampRule rule) {
  const auto number = [&](const Operation& o) {
    return o.stamp <= kAbsent ? 0ll : std::stoll(std::string(history.texts[o.stamp]));
  };
  const auto reads = [](const Operation& o) {
    return o.kind == OperationKind::read || o.outcome == Outcome::mismatch;
  };
  for (const Operation& read : history.operations) {
    if (!reads(read) || read.outcome == Outcome::failed || read.outcome == Outcome::unknown) {
      continue;
    }
    for (const Operation& earlier : history.operations) {
      const bool done = earlier.outcome == Outcome::ok || earlier.outcome == Outcome::mismatch;
      if (!done || earlier.key != read.key || earlier.return_ns >= read.call_ns) continue;
      if (reads(earlier) && rule == StampRule::regular) continue;
      if (number(read) < number(earlier)) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("stamp order: a read is not below a write that had completed") {
  const auto with_read = [](std::string_view stamp, std::int64_t call) {
    Stamped h;
    h.wrote(1, "17-2", 0, 10);
    h.wrote(1, "19-1", 20, 30);
    h.saw(3, stamp, call, 50);
    return regular(h);
  };
  CHECK(with_read("19-1", 31) == Verdict::yes);
  CHECK(with_read("20-1", 31) == Verdict::yes);
  CHECK(with_read("17-2", 30) == Verdict::yes);  // at the moment of the return: concurrent
  CHECK(with_read("17-2", 31) == Verdict::no);
  CHECK(with_read("19-2", 31) == Verdict::yes);  // the node decides between equal readings
  CHECK(with_read("9-1", 31) == Verdict::no);    // numbers, not texts
  CHECK(with_read("\"17-2\"", 31) == Verdict::no);
}

TEST_CASE("stamp order: what nobody has completed binds nobody but atomic reads once seen") {
  Stamped h;
  h.wrote(1, "5-1", 0, 10);
  h.write(1, "v", 20, kNever);
  h.saw(2, "7-1", 30, 40);
  h.saw(3, "5-1", 50, 60);
  CHECK(regular(h) == Verdict::yes);
  CHECK(atomic(h) == Verdict::no);
  h.history.operations.back().call_ns = 40;
  CHECK(atomic(h) == Verdict::yes);
}

TEST_CASE("stamp order: to find nothing is to be below everything") {
  Stamped h;
  h.read(2, std::nullopt, 0, 5);
  h.wrote(1, "5-1", 0, 10);
  CHECK(regular(h) == Verdict::yes);
  h.read(2, std::nullopt, 11, 20);
  CHECK(regular(h) == Verdict::no);
  CHECK_THAT(check_stamp_order(h.history).witness->text, Catch::Contains("read no version"));
  // A deletion is a version, and its stamp comes with the answer.
  Stamped deleted;
  deleted.wrote(1, "5-1", 0, 10);
  deleted.remove(1, 20, 30).stamp = deleted.text("6-1");
  deleted.read(2, std::nullopt, 40, 50).stamp = deleted.text("6-1");
  CHECK(regular(deleted) == Verdict::yes);
  deleted.saw(2, "5-1", 40, 50);
  CHECK(regular(deleted) == Verdict::no);
}

TEST_CASE("stamp order: a refused compare is a read") {
  Stamped h;
  h.wrote(1, "5-1", 0, 10);
  h.wrote(1, "6-1", 20, 30);
  Operation& refused = h.mismatch(2, "z", 40, 50);
  refused.result = h.text("v");
  refused.stamp = h.text("5-1");
  CHECK(regular(h) == Verdict::no);
  CHECK_THAT(check_stamp_order(h.history).witness->text, Catch::Contains("client 2 saw 5-1"));
}

TEST_CASE("stamp order: keys are judged apart") {
  Stamped h;
  h.wrote(1, "9-1", 0, 10);
  h.key = "y";
  h.wrote(1, "3-1", 0, 10);
  h.saw(2, "3-1", 20, 30);
  CHECK(regular(h) == Verdict::yes);
  h.saw(2, "2-1", 20, 30);
  const auto result = check_stamp_order(h.history);
  CHECK(result.verdict == Verdict::no);
  CHECK(result.reads == 2);
  CHECK(result.too_old == 1);
  CHECK_THAT(result.witness->text, Catch::StartsWith("Key \"y\""));
}

TEST_CASE("stamp order: the witness in words") {
  Stamped h;
  h.wrote(1, "17-2", 0, 1'000'000);
  h.wrote(1, "19-1", 2'000'000, 5'000'000);
  h.saw(4, "17-2", 40'000'000, 41'000'000);
  h.saw(3, "17-2", 17'000'000, 18'000'000).node = NodeId{2};
  const auto result = check_stamp_order(h.history);
  REQUIRE(result.witness);
  CHECK(result.too_old == 2);
  CHECK(result.witness->text ==
        "Key \"x\": client 3 read 17-2 at n2 although client 1's write of 19-1 had completed 12 ms "
        "before the read began.");
}

TEST_CASE("stamp order: without stamps it is undecided but for what is wrong anyway") {
  const auto reason = [](auto change) {
    Stamped h;
    h.wrote(1, "5-1", 0, 10);
    change(h.saw(2, "5-1", 20, 30), h);
    const auto result = check_stamp_order(h.history);
    CHECK(result.verdict == Verdict::undecided);
    CHECK_THAT(result.reason, Catch::StartsWith("1 completed operations cannot be judged"));
    h.saw(2, "4-1", 40, 50);
    CHECK(regular(h) == Verdict::no);
    return result.reason;
  };
  CHECK_THAT(reason([](Operation& o, Build&) { o.stamp = kNothing; }),
             Catch::Contains("has no stamp (client 2 read v)"));
  CHECK_THAT(reason([](Operation& o, Build& h) { o.stamp = h.text("7"); }),
             Catch::Contains("must be HLC-NODE"));
  CHECK_THAT(reason([](Operation& o, Build&) { o.kind = OperationKind::scan; }),
             Catch::Contains("more than one key"));
  CHECK_THAT(reason([](Operation& o, Build&) { o.return_ns = 19; }),
             Catch::Contains("before its call"));
}

TEST_CASE("stamp order: random small histories get the verdict of the definition") {
  Random random(20260102);
  std::map<std::pair<bool, bool>, int> seen;
  for (int i = 0; i < 6000; ++i) {
    Shape shape{.operations = 3 + random.below(12), .clients = 3, .keys = 2};
    shape.kinds = {OperationKind::read, OperationKind::write, OperationKind::cas};
    shape.values = 3;
    shape.longest = static_cast<std::int64_t>(random.between(1, 12));
    shape.unknown = random.chance(0.3) ? 0.3 : 0;
    shape.failed = random.chance(0.3) ? 0.2 : 0;
    shape.stamps = true;
    History history = random_history(shape, random);
    // Old stamps here and there.
    for (Operation& o : history.operations) {
      if (o.stamp <= kAbsent || !random.chance(0.4)) continue;
      o.stamp = history.texts.intern(std::to_string(1 + random.below(4)) + "-1");
    }
    CAPTURE(i, write_history(history));
    const bool regular_holds = holds(history, StampRule::regular);
    const bool atomic_holds = holds(history, StampRule::atomic);
    ++seen[{regular_holds, atomic_holds}];
    for (const StampRule rule : {StampRule::regular, StampRule::atomic}) {
      const bool expected = rule == StampRule::regular ? regular_holds : atomic_holds;
      const auto result = check_stamp_order(history, rule);
      REQUIRE(result.verdict == (expected ? Verdict::yes : Verdict::no));
      REQUIRE(result.witness.has_value() == !expected);
      if (expected) continue;
      History pair{history.texts, {result.witness->earlier, result.witness->read}};
      REQUIRE_FALSE(holds(pair, rule));
    }
  }
  CHECK((seen[{true, true}] > 500));
  CHECK((seen[{true, false}] > 100));
  CHECK((seen[{false, false}] > 500));
}

TEST_CASE("stamp order: a planted stale read in a long history is found and named") {
  Random random(31);
  int planted = 0;
  for (int i = 0; i < 50; ++i) {
    Shape shape{.operations = 2000, .clients = 8, .keys = 4, .longest = 20};
    shape.unknown = 0.02;
    shape.stamps = true;
    History history = random_history(shape, random);
    REQUIRE(check_stamp_order(history, StampRule::atomic).verdict == Verdict::yes);
    auto& all = history.operations;
    Operation& victim = all[1000 + random.below(1000)];
    if (victim.kind != OperationKind::read || victim.outcome != Outcome::ok) continue;
    // What the latest write that is surely over has replaced.
    const Operation* newest = nullptr;
    for (const Operation& o : all) {
      const bool before = o.kind == OperationKind::write && o.outcome == Outcome::ok &&
                          o.key == victim.key && o.return_ns < victim.call_ns;
      if (before && (newest == nullptr || std::stoll(std::string(history.texts[newest->stamp])) <
                                              std::stoll(std::string(history.texts[o.stamp])))) {
        newest = &o;
      }
    }
    if (newest == nullptr) continue;
    const long long number = std::stoll(std::string(history.texts[newest->stamp]));
    victim.stamp = history.texts.intern(std::to_string(number - 1) + "-7");
    const auto result = check_stamp_order(history);
    REQUIRE(result.verdict == Verdict::no);
    CHECK(result.too_old == 1);
    CHECK(result.witness->read == victim);
    CHECK(result.witness->earlier == *newest);
    ++planted;
  }
  CHECK(planted > 15);
}

TEST_CASE("stamp order: a million operations on one key") {
  Random random(32);
  const History history = random_history(
      {.operations = 1'000'000, .clients = 50, .longest = 1000, .stamps = true}, random);
  const std::clock_t start = std::clock();  // of the processor: the machine may be busy
  CHECK(check_stamp_order(history).verdict == Verdict::yes);
  const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  CHECK(took < 5);
}

}  // namespace parallax::checker
