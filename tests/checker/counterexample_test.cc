#include "consistency/checker/counterexample.h"

#include <catch2/catch.hpp>

#include "tests/checker/build.h"

namespace parallax::checker {
namespace {

std::string text_of(const Build& h) {
  const auto result = check_linearizability(h.history);
  REQUIRE(result.counterexample);
  return result.counterexample->text;
}

}  // namespace

TEST_CASE("counterexample: a stale read in words and a picture") {
  Build h;
  h.write(1, "7", 1'000'000, 2'000'000);
  h.write(1, "8", 2'500'000, 2'600'000);
  h.write(2, "9", 3'000'000, 5'000'000).node = NodeId{1};
  h.read(4, "9", 5'500'000, 5'600'000);
  h.read(3, "7", 17'000'000, 18'000'000).node = NodeId{2};
  h.read(4, "9", 20'000'000, 21'000'000);
  // One newer write is enough, and the earlier of the two is as good.
  CHECK(text_of(h) ==
        "Key \"x\" is not linearizable: these 3 operations contradict each other.\n"
        "client 3 read 7 although client 2's write of 9 had completed 12 ms before that began.\n"
        "\n"
        "  client 1 wrote 7, from 0 ns to 1000 us\n"
        "  client 2 wrote 9 at n1, from 2000 us to 4000 us\n"
        "  client 3 read 7 at n2, from 16 ms to 17 ms\n"
        "  (0 is 1000000 ns; the key began with nothing)\n"
        "\n"
        "  client 1    |-w 7-|\n"
        "  client 2            |-w 9-|\n"
        "  client 3                    |-r 7-|\n");
}

TEST_CASE("counterexample: what was read came from nowhere or too early") {
  Build nowhere;
  nowhere.write(1, "7", 0, 10);
  nowhere.read(2, "5", 5, 10);
  CHECK_THAT(text_of(nowhere), Catch::Contains("client 2 read 5, which nobody wrote."));
  CHECK_THAT(text_of(nowhere), Catch::Contains("one operation is impossible by itself"));
  Build early;
  early.read(2, "5", 5, 10);
  early.write(1, "5", 30, 40);
  CHECK_THAT(text_of(early),
             Catch::Contains("client 2 read 5 20 ns before client 1's write of 5 began."));
}

TEST_CASE("counterexample: reads that go back") {
  Build h;
  h.write(1, "a", 0, 10);
  h.write(1, "b", 20, 100);
  h.read(2, "b", 30, 40);
  h.read(3, "a", 47, 60);
  CHECK_THAT(
      text_of(h),
      Catch::Contains("client 3 read a although client 2 had seen b 7 ns before that began"));
}

TEST_CASE("counterexample: writers of what is seen are never left out") {
  // By itself, a read of 7 would be impossible; the truth is that it is stale.
  Build h;
  h.cas(1, std::nullopt, "5", 0, 5);
  h.cas(1, "5", "7", 10, 15);
  h.write(2, "9", 20, 25);
  h.read(3, "7", 30, 35);
  const auto result = check_linearizability(h.history, {.method = Method::search});
  REQUIRE(result.counterexample);
  CHECK(result.counterexample->operations.size() == 4);
  // Zones know that it does not matter what was replaced by 7: as if that were written.
  const auto zones = check_linearizability(h.history);
  REQUIRE(zones.counterexample);
  CHECK(zones.counterexample->operations.size() == 3);
  CHECK(zones.counterexample->operations[0].kind == OperationKind::write);
  std::vector<bool> removed{false, true, false, false};
  CHECK(without(h.history.texts, h.history.operations, removed).size() == 2);
}

TEST_CASE("counterexample: only what had begun when it was over is in it") {
  Build h;
  h.append(1, "a", 0, 10);
  h.append(2, "b", 12, 90);  // may have taken effect before the read, or not
  h.read(3, "ba", 20, 30);
  for (int i = 0; i < 40; ++i) h.append(4, "c", 100 + 10 * i, 105 + 10 * i);
  const auto result = check_linearizability(h.history);
  REQUIRE(result.verdict == Verdict::no);
  const auto& found = *result.counterexample;
  CHECK(found.minimal);
  REQUIRE(found.operations.size() == 3);
  CHECK(found.operations[1].outcome == Outcome::unknown);
  CHECK_THAT(found.text, Catch::Contains("client 2 tried to append b"));
  CHECK_THAT(found.text, Catch::Contains("outcome open"));
}

TEST_CASE("counterexample: the picture gives overlapping bars of one client two rows") {
  Build h;
  h.write(1, "a", 0, 10);
  h.write(1, "b", 5, kNever);
  h.read(2, std::nullopt, 10, 20);
  CHECK(draw(h.history.texts, h.history.operations) ==
        "  client 1    |-w a-|\n"
        "  client 1      |-w b---...\n"
        "  client 2        |-r nil-|\n");
}

TEST_CASE("counterexample: a picture that would be too wide is left out") {
  Build h;
  for (int i = 0; i < 60; ++i) h.write(1, "a", 10 * i, 10 * i + 5);
  CHECK(draw(h.history.texts, h.history.operations).empty());
}

TEST_CASE("counterexample: durations have a unit that suits them") {
  CHECK(describe_duration(0) == "0 ns");
  CHECK(describe_duration(9'999) == "9999 ns");
  CHECK(describe_duration(12'500) == "12.5 us");
  CHECK(describe_duration(12'000'000) == "12 ms");
  CHECK(describe_duration(90'000'000'000) == "90 s");
}

}  // namespace parallax::checker
