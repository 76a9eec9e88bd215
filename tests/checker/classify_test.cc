// All levels at once: planted violations are seen at the levels that forbid them and no others, and
// the lattice holds on any history.
#include "consistency/checker/classify.h"

#include <catch2/catch.hpp>

#include "tests/checker/planted.h"
#include "tests/checker/random_history.h"
#include "tests/checker/stores.h"

namespace parallax::checker {
namespace {

using enum Criterion;

/// What a planted violation breaks.
std::vector<Criterion> broken_by(Plant plant) {
  switch (plant) {
    case Plant::thin_air:
      return {linearizable,     sequential,      causal_convergence, causal_memory,      causal,
              read_your_writes, monotonic_reads, monotonic_writes,   writes_follow_reads};
    case Plant::lost_own_write:
      return {linearizable,  sequential, causal_convergence,
              causal_memory, causal,     read_your_writes};
    case Plant::going_back:
      return {linearizable, sequential, causal_convergence, causal_memory, causal, monotonic_reads};
    case Plant::hidden_cause:
      return {linearizable,  sequential, causal_convergence,
              causal_memory, causal,     monotonic_writes};
    case Plant::hidden_chain:
      return {linearizable,  sequential, causal_convergence,
              causal_memory, causal,     writes_follow_reads};
    case Plant::flipped:
      return {linearizable, sequential, causal_convergence, monotonic_reads};
    case Plant::long_fork:
    case Plant::both_missed:
      break;
  }
  return {linearizable, sequential};
}

}  // namespace

TEST_CASE("classify: each planted violation breaks what forbids it and nothing else") {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    // A sequential store that is not behind is nearly linearizable; the plants break that anyway.
    History history = random_sessions({.store = Store::log,
                                       .operations = 200,
                                       .clients = 5,
                                       .keys = 4,
                                       .unknown = 0.02,
                                       .lag = 1 + random.below(30)},
                                      random);
    const Plant what = kPlants[static_cast<std::size_t>(i) % kPlants.size()];
    const Classification before = classify(history);
    plant(history, what, random);
    const Classification after = classify(history);
    CAPTURE(i, to_string(what), after.text());
    const std::vector<Criterion> broken = broken_by(what);
    for (std::size_t c = 1; c < kCriteria; ++c) {
      const auto criterion = static_cast<Criterion>(c);
      CAPTURE(to_string(criterion));
      const bool breaks = std::find(broken.begin(), broken.end(), criterion) != broken.end();
      CHECK(before[criterion].verdict == Verdict::yes);
      CHECK(after[criterion].verdict == (breaks ? Verdict::no : Verdict::yes));
      CHECK(after[criterion].witness.empty() == !breaks);
    }
    CHECK(after[linearizable].verdict == Verdict::no);
    CHECK_FALSE(after[linearizable].witness.empty());
  }
}

TEST_CASE("classify: what holds at a level holds below it") {
  Random random(2);
  std::array<int, kCriteria> held{};
  for (int i = 0; i < 1'500; ++i) {
    const Store store =
        std::array{Store::anything, Store::gossip, Store::log}[static_cast<std::size_t>(i) % 3];
    const History history = random_sessions(
        {.store = store, .operations = 8, .swaps = 0.1, .unknown = 0.1, .lag = 3}, random);
    const Classification result = classify(history);
    CAPTURE(result.text(), write_history(history));
    const auto yes = [&](Criterion c) { return result[c].verdict == Verdict::yes; };
    for (std::size_t c = 0; c < kCriteria; ++c) {
      const auto criterion = static_cast<Criterion>(c);
      held[c] += yes(criterion) ? 1 : 0;
      CHECK((result[criterion].verdict != Verdict::no) == result[criterion].witness.empty());
    }
    if (yes(linearizable)) CHECK(yes(sequential));
    if (yes(sequential)) CHECK((yes(causal_convergence) && yes(causal_memory)));
    if (yes(causal_convergence) || yes(causal_memory)) CHECK(yes(causal));
    for (std::size_t c = 5; c < kCriteria && yes(causal_convergence); ++c) {
      CHECK(yes(static_cast<Criterion>(c)));
    }
    for (const Criterion strongest : result.strongest) CHECK(yes(strongest));
  }
  for (const int count : held) CHECK(count > 200);
}

TEST_CASE("classify: what is known is taken over and what follows from it is not judged") {
  const auto history = read_history(
      R"({"client":1,"op":"write","key":"x","value":"1","call":0,"return":10,"ok":true}
{"client":2,"op":"read","key":"x","value":null,"call":20,"return":30,"ok":true}
)");
  REQUIRE(history.has_value());
  ClassifyOptions options;
  // That is not so; whoever judged again would find out.
  options.known[static_cast<std::size_t>(linearizable)] = CriterionVerdict{Verdict::yes, "", ""};
  options.known[static_cast<std::size_t>(monotonic_reads)] =
      CriterionVerdict{Verdict::undecided, "nobody asked", ""};
  const Classification yes = classify(*history, options);
  CHECK(yes.strongest == std::vector{linearizable});
  CHECK(yes[sequential].reason == "because it is linearizable");
  CHECK(yes[monotonic_reads].reason == "because it is causal convergence (CCv)");
  options.known = {};
  options.known[static_cast<std::size_t>(causal_convergence)] =
      CriterionVerdict{Verdict::no, "", "client 2 knows better"};
  options.known[static_cast<std::size_t>(sequential)] = CriterionVerdict{};
  const Classification no = classify(*history, options);
  CHECK(no[sequential].verdict == Verdict::no);
  CHECK(no[sequential].witness == "client 2 knows better");
  CHECK(no[linearizable].reason.empty());
}

TEST_CASE("classify: the table and the words") {
  const auto history = read_history(
      R"({"client":1,"op":"write","key":"x","value":"1","call":0,"return":10,"ok":true}
{"client":2,"op":"read","key":"x","value":null,"call":20,"return":30,"ok":true}
)");
  REQUIRE(history.has_value());
  const Classification result = classify(*history);
  CHECK(result.strongest == std::vector{sequential});
  CHECK(
      result.text().starts_with("Strongest that holds: sequential\n"
                                "  linearizable               no"));
  CHECK(result.text().find("Not linearizable:\nKey \"x\" is not linearizable") !=
        std::string::npos);
}

}  // namespace parallax::checker
