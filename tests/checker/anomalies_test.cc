// Histories by hand, each beside its nearest linearizable neighbour.
#include <catch2/catch.hpp>

#include "consistency/checker/linearizability.h"
#include "tests/checker/build.h"

namespace parallax::checker {
namespace {

/// What the general search says; where zones apply, they must agree.
bool linearizable(const Build& h, std::optional<std::string> initial = std::nullopt) {
  const auto searched =
      check_linearizability(h.history, {.initial = initial, .method = Method::search});
  const auto automatic = check_linearizability(h.history, {.initial = initial});
  CHECK(automatic.verdict == searched.verdict);
  REQUIRE(searched.verdict != Verdict::undecided);
  return searched.verdict == Verdict::yes;
}

/// The same with one more read.
bool with_read(Build h, std::uint32_t client, std::string_view shows, std::int64_t call,
               std::int64_t end) {
  h.read(client, shows, call, end);
  return linearizable(h);
}

/// One client writes a, then b.
Build one_after_the_other() {
  Build h;
  h.write(1, "a", 0, 10);
  h.write(1, "b", 20, 30);
  return h;
}

/// Two clients write a and b, neither first; the third has read a.
Build both_at_once() {
  Build h;
  h.write(1, "a", 0, 100);
  h.write(2, "b", 0, 100);
  h.read(3, "a", 10, 20);
  return h;
}

}  // namespace

TEST_CASE("anomalies: nothing happened") {
  CHECK(linearizable(Build{}));
}

TEST_CASE("anomalies: stale read") {
  const Build h = one_after_the_other();
  CHECK(with_read(h, 2, "a", 25, 40));
  CHECK(with_read(h, 2, "a", 30, 40));  // called at the moment of the return: concurrent
  CHECK_FALSE(with_read(h, 2, "a", 31, 40));
}

TEST_CASE("anomalies: reads go back in time") {
  Build h;
  h.write(1, "a", 0, 10);
  h.write(1, "b", 20, 100);
  h.read(2, "b", 30, 40);
  CHECK(with_read(h, 3, "a", 35, 60));
  CHECK_FALSE(with_read(h, 3, "a", 41, 60));
}

TEST_CASE("anomalies: read from the future") {
  const auto write_at = [](std::int64_t call) {
    Build h;
    h.read(2, "a", 0, 10);
    h.write(1, "a", call, 30);
    return linearizable(h);
  };
  CHECK(write_at(10));
  CHECK_FALSE(write_at(11));
}

TEST_CASE("anomalies: a value from nowhere") {
  Build h;
  h.write(1, "a", 0, 10);
  h.read(2, "z", 0, 10);
  CHECK_FALSE(linearizable(h));
  CHECK(linearizable(h, "z"));
}

TEST_CASE("anomalies: a failed write shows") {
  Build h;
  Operation& write = h.write(1, "a", 0, 10);
  write.outcome = Outcome::unknown;
  h.read(2, "a", 20, 30);
  CHECK(linearizable(h));
  h.history.operations[0].outcome = Outcome::failed;
  CHECK_FALSE(linearizable(h));
}

TEST_CASE("anomalies: an acknowledged write is lost") {
  Build h;
  h.write(1, "a", 0, 10);
  h.read(2, std::nullopt, 11, 20);
  CHECK_FALSE(linearizable(h));
  h.history.operations[0].outcome = Outcome::unknown;
  CHECK(linearizable(h));
  h.history.operations[0].outcome = Outcome::failed;
  CHECK(linearizable(h));
}

TEST_CASE("anomalies: an unknown write takes effect late or never but not early") {
  Build h;
  h.write(1, "a", 0, 10);
  h.write(2, "b", 20, kNever);
  h.read(3, "a", 1000, 1010);
  h.read(3, "b", 1020, 1030);
  CHECK(linearizable(h));
  h.read(3, "a", 1040, 1050);  // it takes effect once
  CHECK_FALSE(linearizable(h));
  Build early;
  early.read(3, "b", 0, 10);
  early.write(2, "b", 20, kNever);
  CHECK_FALSE(linearizable(early));
}

TEST_CASE("anomalies: a value comes back") {
  // Alternating reads across two clusters.
  Build h = both_at_once();
  h.read(3, "b", 30, 40);
  CHECK(linearizable(h));
  h.read(3, "a", 50, 60);
  CHECK_FALSE(linearizable(h));
  h.write(4, "a", 0, 100);  // unless it was written twice
  CHECK(linearizable(h));
}

TEST_CASE("anomalies: two readers disagree about the order of two writes") {
  Build h = both_at_once();
  h.read(4, "b", 10, 20);
  h.read(3, "b", 30, 40);
  CHECK(linearizable(h));
  h.read(4, "a", 30, 40);
  CHECK_FALSE(linearizable(h));
}

TEST_CASE("anomalies: the initial value after a write") {
  Build h;
  h.read(2, std::nullopt, 0, 5);
  h.write(1, "a", 6, 20);
  h.read(2, std::nullopt, 7, 15);
  CHECK(linearizable(h));
  h.read(2, std::nullopt, 21, 25);
  CHECK_FALSE(linearizable(h));
  h.remove(1, 21, 30);
  CHECK(linearizable(h));
}

TEST_CASE("anomalies: two clients both win a compare and set") {
  Build h;
  h.cas(1, std::nullopt, "a", 0, 10);
  h.cas(2, "a", "b", 5, 10);
  CHECK(linearizable(h));
  h.cas(3, std::nullopt, "c", 0, 10);
  CHECK_FALSE(linearizable(h));
}

TEST_CASE("anomalies: a mismatch is a read") {
  const auto saw = [](std::string_view value) {
    Build h = one_after_the_other();
    h.mismatch(2, "z", 31, 40).result = h.text(value);
    return linearizable(h);
  };
  CHECK(saw("b"));
  CHECK_FALSE(saw("a"));
  Build vague;
  vague.write(1, "a", 0, 10);
  vague.mismatch(2, "b", 11, 20);
  CHECK(linearizable(vague));
  vague.mismatch(2, "a", 21, 30);
  CHECK_FALSE(linearizable(vague));
  vague.write(3, "c", 5, kNever);
  CHECK(linearizable(vague));
}

TEST_CASE("anomalies: a lost append and a doubled one") {
  Build h;
  h.append(1, "a", 0, 10);
  h.append(2, "b", 5, 15);
  h.append(2, "c", 20, 30);
  CHECK(with_read(h, 3, "abc", 31, 40));
  CHECK(with_read(h, 3, "bac", 31, 40));
  CHECK_FALSE(with_read(h, 3, "ac", 31, 40));
  CHECK_FALSE(with_read(h, 3, "abcc", 31, 40));
  CHECK_FALSE(with_read(h, 3, "acb", 31, 40));
}

TEST_CASE("anomalies: a lost increment") {
  Build h;
  h.increment(1, "1", 0, 10);
  h.increment(2, "2", 0, 10);
  h.increment(3, "10", 0, kNever);
  CHECK(with_read(h, 4, "3", 11, 20));
  CHECK(with_read(h, 4, "13", 11, 20));
  CHECK_FALSE(with_read(h, 4, "2", 11, 20));
}

TEST_CASE("anomalies: keys are judged apart") {
  // Fine for each key, though no one order of all operations would look so to a causal reader.
  Build h;
  h.write(1, "a", 0, 10);
  h.key = "y";
  h.write(1, "a", 20, 30);
  h.read(2, "a", 31, 40);
  CHECK(linearizable(h));
  h.read(2, std::nullopt, 41, 50);
  const auto result = check_linearizability(h.history);
  CHECK(result.verdict == Verdict::no);
  REQUIRE(result.keys.size() == 2);
  CHECK(result.keys[0].verdict == Verdict::yes);
  CHECK(result.keys[1].verdict == Verdict::no);
  CHECK(h.history.texts[result.counterexample->key] == "y");
}

TEST_CASE("anomalies: operations of no duration at the same moment are concurrent") {
  Build h;
  h.write(1, "a", 5, 5);
  h.write(2, "b", 5, 5);
  h.read(3, "b", 5, 5);
  h.read(4, "a", 6, 6);
  CHECK(linearizable(h));
  h.read(4, "b", 7, 7);
  CHECK_FALSE(linearizable(h));
}

}  // namespace parallax::checker
