// Histories by hand, each beside its nearest linearizable neighbour.
#include <catch2/catch.hpp>

#include "consistency/checker/linearizability.h"
#include "tests/checker/build.h"

namespace parallax::checker {
namespace {

/// The verdict of the general search; where zones apply, they must agree.
Verdict verdict(const Build& h, std::optional<std::string> initial = std::nullopt) {
  const auto searched =
      check_linearizability(h.history, {.initial = initial, .method = Method::search});
  const auto automatic = check_linearizability(h.history, {.initial = initial});
  CHECK(automatic.verdict == searched.verdict);
  return searched.verdict;
}

}  // namespace

TEST_CASE("anomalies: nothing happened") {
  CHECK(verdict(Build{}) == Verdict::yes);
}

TEST_CASE("anomalies: stale read") {
  const auto read_at = [](std::int64_t call) {
    Build h;
    h.write(1, "a", 0, 10);
    h.write(1, "b", 20, 30);
    h.read(2, "a", call, 40);
    return verdict(h);
  };
  CHECK(read_at(25) == Verdict::yes);
  CHECK(read_at(30) == Verdict::yes);  // called at the moment of the return: concurrent
  CHECK(read_at(31) == Verdict::no);
}

TEST_CASE("anomalies: reads go back in time") {
  const auto second_read_at = [](std::int64_t call) {
    Build h;
    h.write(1, "a", 0, 10);
    h.write(1, "b", 20, 100);
    h.read(2, "b", 30, 40);
    h.read(3, "a", call, 60);
    return verdict(h);
  };
  CHECK(second_read_at(35) == Verdict::yes);
  CHECK(second_read_at(41) == Verdict::no);
}

TEST_CASE("anomalies: read from the future") {
  const auto write_at = [](std::int64_t call) {
    Build h;
    h.read(2, "a", 0, 10);
    h.write(1, "a", call, 30);
    return verdict(h);
  };
  CHECK(write_at(10) == Verdict::yes);
  CHECK(write_at(11) == Verdict::no);
}

TEST_CASE("anomalies: a value from nowhere") {
  Build h;
  h.write(1, "a", 0, 10);
  h.read(2, "z", 0, 10);
  CHECK(verdict(h) == Verdict::no);
  CHECK(verdict(h, "z") == Verdict::yes);
}

TEST_CASE("anomalies: a failed write shows") {
  Build h;
  Operation& write = h.write(1, "a", 0, 10);
  write.outcome = Outcome::unknown;
  h.read(2, "a", 20, 30);
  CHECK(verdict(h) == Verdict::yes);
  h.history.operations[0].outcome = Outcome::failed;
  CHECK(verdict(h) == Verdict::no);
}

TEST_CASE("anomalies: an acknowledged write is lost") {
  Build h;
  h.write(1, "a", 0, 10);
  h.read(2, std::nullopt, 11, 20);
  CHECK(verdict(h) == Verdict::no);
  h.history.operations[0].outcome = Outcome::unknown;
  CHECK(verdict(h) == Verdict::yes);
  h.history.operations[0].outcome = Outcome::failed;
  CHECK(verdict(h) == Verdict::yes);
}

TEST_CASE("anomalies: an unknown write takes effect late or never but not early") {
  Build h;
  h.write(1, "a", 0, 10);
  h.write(2, "b", 20, kNever);
  h.read(3, "a", 1000, 1010);
  h.read(3, "b", 1020, 1030);
  CHECK(verdict(h) == Verdict::yes);
  h.read(3, "a", 1040, 1050);  // it takes effect once
  CHECK(verdict(h) == Verdict::no);
  Build early;
  early.read(3, "b", 0, 10);
  early.write(2, "b", 20, kNever);
  CHECK(verdict(early) == Verdict::no);
}

TEST_CASE("anomalies: a value comes back") {
  // Alternating reads across two clusters.
  Build h;
  h.write(1, "a", 0, 100);
  h.write(2, "b", 0, 100);
  h.read(3, "a", 10, 20);
  h.read(3, "b", 30, 40);
  CHECK(verdict(h) == Verdict::yes);
  h.read(3, "a", 50, 60);
  CHECK(verdict(h) == Verdict::no);
  h.write(4, "a", 0, 100);  // unless it was written twice
  CHECK(verdict(h) == Verdict::yes);
}

TEST_CASE("anomalies: two readers disagree about the order of two writes") {
  Build h;
  h.write(1, "a", 0, 100);
  h.write(2, "b", 0, 100);
  h.read(3, "a", 10, 20);
  h.read(4, "b", 10, 20);
  h.read(3, "b", 30, 40);
  CHECK(verdict(h) == Verdict::yes);
  h.read(4, "a", 30, 40);
  CHECK(verdict(h) == Verdict::no);
}

TEST_CASE("anomalies: the initial value after a write") {
  Build h;
  h.read(2, std::nullopt, 0, 5);
  h.write(1, "a", 6, 20);
  h.read(2, std::nullopt, 7, 15);
  CHECK(verdict(h) == Verdict::yes);
  h.read(2, std::nullopt, 21, 25);
  CHECK(verdict(h) == Verdict::no);
  h.remove(1, 21, 30);
  CHECK(verdict(h) == Verdict::yes);
}

TEST_CASE("anomalies: two clients both win a compare and set") {
  Build h;
  h.cas(1, std::nullopt, "a", 0, 10);
  h.cas(2, "a", "b", 5, 10);
  CHECK(verdict(h) == Verdict::yes);
  h.cas(3, std::nullopt, "c", 0, 10);
  CHECK(verdict(h) == Verdict::no);
}

TEST_CASE("anomalies: a mismatch is a read") {
  const auto saw = [](std::string_view value) {
    Build h;
    h.write(1, "a", 0, 10);
    h.write(1, "b", 20, 30);
    h.mismatch(2, "z", 31, 40).result = h.text(value);
    return verdict(h);
  };
  CHECK(saw("b") == Verdict::yes);
  CHECK(saw("a") == Verdict::no);
  Build vague;
  vague.write(1, "a", 0, 10);
  vague.mismatch(2, "b", 11, 20);
  CHECK(verdict(vague) == Verdict::yes);
  vague.mismatch(2, "a", 21, 30);
  CHECK(verdict(vague) == Verdict::no);
  vague.write(3, "c", 5, kNever);
  CHECK(verdict(vague) == Verdict::yes);
}

TEST_CASE("anomalies: a lost append and a doubled one") {
  const auto shows = [](std::string_view value) {
    Build h;
    h.append(1, "a", 0, 10);
    h.append(2, "b", 5, 15);
    h.append(2, "c", 20, 30);
    h.read(3, value, 31, 40);
    return verdict(h);
  };
  CHECK(shows("abc") == Verdict::yes);
  CHECK(shows("bac") == Verdict::yes);
  CHECK(shows("ac") == Verdict::no);
  CHECK(shows("abcc") == Verdict::no);
  CHECK(shows("acb") == Verdict::no);
}

TEST_CASE("anomalies: a lost increment") {
  const auto shows = [](std::string_view value) {
    Build h;
    h.increment(1, "1", 0, 10);
    h.increment(2, "2", 0, 10);
    h.increment(3, "10", 0, kNever);
    h.read(4, value, 11, 20);
    return verdict(h);
  };
  CHECK(shows("3") == Verdict::yes);
  CHECK(shows("13") == Verdict::yes);
  CHECK(shows("2") == Verdict::no);
}

TEST_CASE("anomalies: keys are judged apart") {
  // Fine for each key, though no one order of all operations would look so to a causal reader.
  Build h;
  h.write(1, "a", 0, 10);
  h.key = "y";
  h.write(1, "a", 20, 30);
  h.read(2, "a", 31, 40);
  CHECK(verdict(h) == Verdict::yes);
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
  CHECK(verdict(h) == Verdict::yes);
  h.read(4, "b", 7, 7);
  CHECK(verdict(h) == Verdict::no);
}

}  // namespace parallax::checker
