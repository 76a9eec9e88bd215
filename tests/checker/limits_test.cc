// Limits lead to undecided: no guess, no crash.
#include <catch2/catch.hpp>

#include "consistency/checker/linearizability.h"
#include "tests/checker/build.h"

namespace parallax::checker {
namespace {

/// Too many orders to try: concurrent appends of which no read tells the order, then an impossible
/// count of them.
Build hard(int appends) {
  Build h;
  for (int i = 0; i < appends; ++i) {
    h.append(static_cast<std::uint32_t>(i), std::string(1, static_cast<char>('a' + i)), 0, 100);
  }
  h.increment(99, "1", 0, 100);
  return h;
}

}  // namespace

TEST_CASE("limits: out of steps") {
  const auto result = check_linearizability(hard(20).history, {.limits = {.max_steps = 50'000}});
  CHECK(result.verdict == Verdict::undecided);
  CHECK_THAT(result.reason, Catch::Contains("50000"));
  CHECK_FALSE(result.counterexample);
  CHECK(result.keys.at(0).verdict == Verdict::undecided);
}

TEST_CASE("limits: out of memory") {
  constexpr std::uint64_t kLimit = 4 << 20;
  const auto result =
      check_linearizability(hard(20).history, {.limits = {.max_memory_bytes = kLimit}});
  CHECK(result.verdict == Verdict::undecided);
  CHECK(result.keys.at(0).memory_bytes > kLimit);
  CHECK(result.keys.at(0).memory_bytes < 3 * kLimit);
}

TEST_CASE("limits: with enough of both it is decided") {
  // The increment can only be first.
  CHECK(check_linearizability(hard(4).history).verdict == Verdict::yes);
  Build h = hard(4);
  h.read(1, "abcd", 200, 210);
  CHECK(check_linearizability(h.history).verdict == Verdict::no);
}

TEST_CASE("limits: no wins over undecided and undecided over yes") {
  Build h = hard(20);
  h.key = "fine";
  h.write(1, "a", 0, 1);
  h.read(1, "a", 2, 3);
  const LinearizabilityOptions few{.limits = {.max_steps = 50'000}};
  const auto undecided = check_linearizability(h.history, few);
  CHECK(undecided.verdict == Verdict::undecided);
  CHECK(undecided.keys.at(1).verdict == Verdict::yes);
  h.key = "broken";
  h.read(1, "a", 2, 3);
  const auto no = check_linearizability(h.history, few);
  CHECK(no.verdict == Verdict::no);
  CHECK(no.reason.empty());
  CHECK(no.keys.at(0).verdict == Verdict::undecided);
}

TEST_CASE("limits: what is beyond the checker is undecided and said so") {
  const auto reason = [](auto change) {
    Build h;
    change(h.write(3, "a", 5, 10));
    const auto result = check_linearizability(h.history);
    CHECK(result.verdict == Verdict::undecided);
    return result.reason;
  };
  CHECK_THAT(reason([](Operation& o) { o.kind = OperationKind::txn; }),
             Catch::Contains("client 3 has a txn"));
  CHECK_THAT(reason([](Operation& o) { o.kind = OperationKind::scan; }), Catch::Contains("scan"));
  CHECK_THAT(reason([](Operation& o) { o.return_ns = 4; }), Catch::Contains("before its call"));
  CHECK_THAT(reason([](Operation& o) { o.value = kNothing; }), Catch::Contains("without a value"));
  CHECK_THAT(reason([](Operation& o) { o.value = kAbsent; }), Catch::Contains("without a value"));
  CHECK_THAT(reason([](Operation& o) { o.outcome = Outcome::mismatch; }),
             Catch::Contains("only a cas"));
  CHECK_THAT(reason([](Operation& o) { o.kind = OperationKind::cas; }),
             Catch::Contains("expected"));
}

}  // namespace parallax::checker
