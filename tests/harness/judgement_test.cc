#include "harness/judgement.h"

#include <catch2/catch.hpp>

#include "harness/findings_text.h"
#include "harness/workload_checks.h"

namespace parallax::harness {
namespace {

using checker::OperationKind;

checker::History history_of(std::string_view lines) {
  auto history = checker::read_history(lines);
  if (!history) FAIL(history.error().message);
  return std::move(*history);
}

Run run_of(std::string_view workload, std::string_view write, std::string_view read,
           std::string_view lines) {
  Run run;
  run.asked.workload = *parse_workload(workload);
  run.asked.write_level = *parse_consistency(write);
  run.asked.read_level = *parse_consistency(read);
  run.history = history_of(lines);
  return run;
}

Evidences converged() {
  return {.digests = {{90, NodeId{1}, "a"}, {91, NodeId{2}, "a"}},
          .nodes = {NodeId{1}, NodeId{2}},
          .healed_ns = 80};
}

void judge(Run& run, const Evidences& evidences = converged()) {
  std::int64_t now = 0;
  judge_run(run, evidences, [&now] { return now += 7; });
}

const Verdict& of(const Run& run, std::string_view guarantee) {
  for (const Verdict& verdict : run.verdicts) {
    if (verdict.guarantee == guarantee) return verdict;
  }
  FAIL("no verdict of " << guarantee);
  throw 0;
}

const Verdict& of_levels(const Run& run, std::string_view level) {
  for (const Verdict& verdict : run.levels->levels) {
    if (verdict.guarantee == level) return verdict;
  }
  FAIL("no verdict of " << level);
  throw 0;
}

// Client 2 reads the old value after the new one was acknowledged.
constexpr std::string_view kStale =
    R"({"client":1,"op":"write","key":"r","value":"1","call":1,"return":2,"ok":true,"node":1,"stamp":"1-1"}
{"client":1,"op":"write","key":"r","value":"2","call":3,"return":4,"ok":true,"node":1,"stamp":"2-1"}
{"client":2,"op":"read","key":"r","value":"1","call":10,"return":12,"ok":true,"node":2,"stamp":"1-1"}
)";

TEST_CASE("an answer that is not what it says breaks a run whose history holds") {
  Run run = run_of("register", "prefix", "prefix", kStale);
  Evidences evidences = converged();
  evidences.answers_verified = 3;
  judge(run, evidences);
  CHECK(run.outcome == RunOutcome::held);
  CHECK(of(run, "evidence of answers").verdict == checker::Verdict::yes);
  Run other = run_of("register", "prefix", "prefix", kStale);
  evidences.answers_refused = 1;
  evidences.first_refused = "a majority that is none";
  judge(other, evidences);
  CHECK(other.outcome == RunOutcome::violated);
  CHECK(of(other, "evidence of answers").witness ==
        "1 of 3 answers are not what they say they are; the first: a majority that is none");
}

std::vector<std::string_view> names(const std::vector<Guarantee>& guarantees) {
  std::vector<std::string_view> out;
  for (const Guarantee guarantee : guarantees) out.push_back(guarantee_info(guarantee).name);
  return out;
}

TEST_CASE("a run that ended before all was healed says nothing of what is there at the end") {
  Run run =
      run_of("counter", "eventual", "eventual",
             R"({"client":1,"op":"increment","key":"c","value":"1","call":1,"return":2,"ok":true}
{"client":2,"op":"read","key":"c","value":"0","call":10,"return":12,"ok":true}
)");
  judge(run, Evidences{});
  CHECK(of(run, "nothing acknowledged is lost").verdict == checker::Verdict::undecided);
  CHECK(of(run, "convergence").verdict == checker::Verdict::undecided);
  CHECK(run.outcome == RunOutcome::undecided);
}

TEST_CASE("what one disk alone has acknowledged is not promised where a disk may be lost") {
  RunOptions options;
  for (const char* level : {"causal", "quorum; r=3; w=1", "eventual"}) {
    options.write_level = options.read_level = *parse_consistency(level);
    // Registers at eventual have nothing to lose.
    options.workload =
        options.write_level.level == Level::eventual ? Workload::set : Workload::registers;
    INFO(level);
    options.faults = {Fault::kill};
    CHECK(promised(options).size() > 1);
    options.faults = {Fault::kill, Fault::bit_flip};
    CHECK(promised(options) == std::vector{Guarantee::converge});
  }
  options.write_level = options.read_level = {};
  CHECK(promised(options).size() > 1);
}

TEST_CASE("levels promise what their documentation says and mixed ones convergence alone") {
  struct Case {
    std::string write, read;
    std::vector<std::string_view> promised;
  };
  const std::vector<std::string_view> all{"linearizable", "sequential", "causal", "ryw",
                                          "mr",           "mw",         "wfr",    "regular",
                                          "prefix",       "converge"};
  for (const auto& [write, read, expected] : {
           Case{"linearizable", "linearizable", all},
           Case{"prefix", "linearizable; ack=all", all},
           Case{"linearizable; ack=leader", "linearizable", {"converge"}},
           Case{"linearizable",
                "sequential",
                {"sequential", "causal", "ryw", "mr", "mw", "wfr", "prefix", "converge"}},
           Case{"linearizable", "prefix", {"prefix", "converge"}},
           Case{"bounded; max_staleness_ms=500",
                "bounded; max_staleness_ms=500",
                {"prefix", "bounded", "converge"}},
           Case{"atomic",
                "atomic",
                {"linearizable", "sequential", "causal", "ryw", "mr", "mw", "wfr", "regular",
                 "converge"}},
           Case{"quorum", "quorum", {"regular", "converge"}},
           Case{"quorum; w=3", "quorum; r=1", {"regular", "converge"}},
           Case{"quorum; w=2", "quorum; r=1", {"converge"}},
           Case{"quorum; sloppy", "quorum", {"converge"}},
           Case{"causal", "causal", {"causal", "ryw", "mr", "mw", "wfr", "converge"}},
           Case{"session; guarantees=\"ryw\"", "session; guarantees=\"ryw\"", {"ryw", "converge"}},
           Case{"session; guarantees=\"mw\"",
                "session; guarantees=\"mr\"",
                {"mr", "mw", "converge"}},
           Case{"eventual", "eventual", {"converge"}},
           Case{"weak", "weak", {}},
           Case{"linearizable", "eventual", {"converge"}},
           Case{"quorum", "linearizable", {"converge"}},
       }) {
    INFO(write << " / " << read);
    RunOptions options;
    options.write_level = *parse_consistency(write);
    options.read_level = *parse_consistency(read);
    CHECK(names(promised(options)) == expected);
    CHECK(names(*held_to(options)) == expected);
  }
}

TEST_CASE("a stale read violates linearizability and is what sequential consistency permits") {
  Run run = run_of("register", "linearizable", "linearizable", kStale);
  judge(run);
  const Verdict& verdict = of(run, "linearizable");
  CHECK(verdict.promised);
  CHECK(verdict.verdict == checker::Verdict::no);
  CHECK(verdict.operations == std::vector<std::size_t>{0, 1, 2});
  CHECK_FALSE(verdict.witness.empty());
  CHECK(verdict.took == Duration(7));
  CHECK(of(run, "sequential").verdict == checker::Verdict::yes);
  CHECK(of(run, "regular, in the order of stamps").operations == std::vector<std::size_t>{1, 2});
  CHECK(of(run, "consistent prefix").verdict == checker::Verdict::yes);
  CHECK(run.outcome == RunOutcome::violated);
  CHECK(run.reason == "violated: linearizable, regular, in the order of stamps");
  REQUIRE(run.staleness);
  CHECK(run.staleness->stale_reads == 1);
  REQUIRE(run.staleness->curve.size() == 1);
  CHECK(run.staleness->curve[0] == StalenessPoint{4, 1, 0, std::nullopt});
}

TEST_CASE("what the levels do not promise fails only a run that is held to it") {
  Run run = run_of("register", "eventual", "eventual", kStale);
  judge(run);
  CHECK(of(run, "linearizable").verdict == checker::Verdict::no);
  CHECK_FALSE(of(run, "linearizable").promised);
  CHECK(run.outcome == RunOutcome::held);
  CHECK(run.reason == "held: convergence");
  run.verdicts.clear();
  run.asked.check = {"linearizable"};
  judge(run);
  CHECK(run.outcome == RunOutcome::violated);
}

TEST_CASE("a guarantee that cannot be judged of the workload is refused") {
  RunOptions options;
  options.check = {"no-loss"};
  const auto refused = held_to(options);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.starts_with(
      "--check no-loss: it cannot be judged of the workload register at linearizable; there are "
      "linearizable, sequential, "));
  options.check = {"strong"};
  CHECK(
      held_to(options).error().message.starts_with("--check strong: no guarantee is called that"));
}

TEST_CASE("replicas that differ at the end violate convergence") {
  Run run = run_of("register", "eventual", "eventual", kStale);
  Evidences evidences = converged();
  evidences.digests.push_back({99, NodeId{2}, "b"});
  judge(run, evidences);
  CHECK(run.outcome == RunOutcome::violated);
  REQUIRE(run.convergence);
  CHECK_FALSE(run.convergence->after_ns);
  evidences.digests.push_back({120, NodeId{2}, "a"});
  run.verdicts.clear();
  judge(run, evidences);
  CHECK(run.outcome == RunOutcome::held);
  CHECK(run.convergence->after_ns == 40);
}

TEST_CASE("a run without an acknowledged operation is undecided and so is one that broke") {
  Run run = run_of("register", "linearizable", "linearizable", "");
  judge(run);
  CHECK(run.outcome == RunOutcome::undecided);
  run = run_of("register", "eventual", "eventual", kStale);
  judge(run);
  set_broken(run, "node 2 ended");
  CHECK(run.outcome == RunOutcome::undecided);
  CHECK(run.reason == "the run broke: node 2 ended");
  run.outcome = RunOutcome::violated;
  set_broken(run, "node 2 ended");
  CHECK(run.outcome == RunOutcome::violated);
}

TEST_CASE("a run in which no write was acknowledged is undecided") {
  // The write may have happened, so that every checker is content.
  Run run = run_of("register", "linearizable", "linearizable",
                   R"({"client":1,"op":"write","key":"r","value":"1","call":1,"ok":"unknown"}
{"client":2,"op":"read","key":"r","value":null,"call":10,"return":12,"ok":true,"node":2}
)");
  judge(run);
  CHECK(of(run, "linearizable").verdict == checker::Verdict::yes);
  CHECK(run.outcome == RunOutcome::undecided);
  CHECK(run.reason == "undecided: not one write was acknowledged");
}

TEST_CASE("of mixed levels only linearizable reads must be linearizable") {
  std::string lines(kStale);
  Run run = run_of("mixed-level", "linearizable", "linearizable", lines);
  const auto set_level = [&](std::string_view level) {
    run.history.operations[2].level = run.history.texts.intern(level);
    run.verdicts.clear();
    judge(run);
  };
  set_level("prefix");
  CHECK(of(run, "linearizable").verdict == checker::Verdict::yes);
  CHECK(run.outcome == RunOutcome::held);
  set_level("linearizable");
  CHECK(of(run, "linearizable").verdict == checker::Verdict::no);
  CHECK(run.outcome == RunOutcome::violated);
}

TEST_CASE("a bounded read is held to the bound of its own level") {
  // The read begins 5 s after the value that it shows was replaced.
  Run run = run_of(
      "mixed-level", "linearizable", "bounded; max_staleness_ms=9000",
      R"({"client":1,"op":"write","key":"r","value":"1","call":1,"return":2,"ok":true,"node":1,"stamp":"1-1"}
{"client":1,"op":"write","key":"r","value":"2","call":3,"return":4,"ok":true,"node":1,"stamp":"2-1"}
{"client":2,"op":"read","key":"r","value":"1","call":5000000004,"return":5000000005,"ok":true,"node":2,"stamp":"1-1"}
)");
  const auto bounded_at = [&](std::string_view level, std::string_view asked) {
    run.history.operations[2].level = run.history.texts.intern(level);
    run.asked.read_level = *parse_consistency(asked);
    run.verdicts.clear();
    judge(run);
    return of(run, "bounded staleness");
  };
  constexpr std::string_view kLong = "bounded; max_staleness_ms=9000";
  constexpr std::string_view kShort = "bounded; max_staleness_ms=1000";
  const Verdict broken = bounded_at(kShort, kLong);
  CHECK(broken.verdict == checker::Verdict::no);
  CHECK(broken.promised);
  CHECK(broken.operations == std::vector<std::size_t>{1, 2});
  CHECK(broken.witness.starts_with("TooStale (within 1000 ms)\n"));
  CHECK(run.outcome == RunOutcome::violated);
  CHECK(bounded_at(kLong, kShort).verdict == checker::Verdict::yes);
  // What has no bound in time, or another level, breaks none.
  CHECK(bounded_at("bounded; max_lag=3", kShort).verdict == checker::Verdict::yes);
  CHECK(bounded_at("prefix", kShort).verdict == checker::Verdict::yes);
  // Of two bounds both are looked at, whichever is the longer one.
  run.history.operations.push_back(run.history.operations[2]);
  run.history.operations.back().client = 3;
  run.history.operations.back().level = run.history.texts.intern(kShort);
  CHECK(bounded_at(kLong, kLong).operations == std::vector<std::size_t>{1, 3});
}

TEST_CASE("a node that goes back in the log violates the prefix unless it was started anew") {
  Run run = run_of(
      "register", "prefix", "prefix",
      std::string(kStale) +
          R"({"client":3,"op":"read","key":"r","value":"2","call":6,"return":7,"ok":true,"node":2,"stamp":"2-1"}
)");
  judge(run);
  CHECK(of(run, "consistent prefix").verdict == checker::Verdict::no);
  run.verdicts.clear();
  run.faults = {{"kill", "n2", "", 8, 9}};
  judge(run);
  CHECK(of(run, "consistent prefix").verdict == checker::Verdict::yes);
}

TEST_CASE("a mismatch has seen the value of the version that it names") {
  checker::History history = history_of(
      R"({"client":1,"op":"write","key":"r","value":"1","call":1,"return":2,"ok":true,"stamp":"1-1"}
{"client":2,"op":"cas","key":"r","expected":"0","call":3,"return":4,"ok":false,"mismatch":true,"stamp":"1-1"}
{"client":2,"op":"cas","key":"r","expected":"0","call":5,"return":6,"ok":false,"mismatch":true,"stamp":"2-1"}
{"client":2,"op":"cas","key":"q","expected":"0","call":7,"return":8,"ok":false,"mismatch":true,"stamp":"1-1"}
)");
  resolve_mismatches(history);
  CHECK(history.texts[history.operations[1].result] == "1");
  CHECK(history.operations[2].result == checker::kNothing);
  CHECK(history.operations[3].result == checker::kNothing);
}

TEST_CASE("a write of unknown outcome that only a mismatch has seen is in the log") {
  Run run = run_of("register", "linearizable", "prefix",
                   R"({"client":1,"op":"write","key":"r","value":"1","call":1,"ok":"unknown"}
{"client":2,"op":"cas","key":"r","expected":"0","value":"1","call":3,"return":4,"ok":false,"node":1,"stamp":"5-1"}
)");
  REQUIRE(run.history.operations[1].outcome == checker::Outcome::mismatch);
  judge(run);
  CHECK(of(run, "consistent prefix").verdict == checker::Verdict::yes);
}

TEST_CASE("what one checker cannot decide is told by a stronger one that holds") {
  // Nobody knows what the mismatch saw, so that sequential consistency is not decided by itself.
  Run run = run_of(
      "register", "linearizable", "linearizable",
      R"({"client":1,"op":"write","key":"r","value":"1","call":1,"return":2,"ok":true,"node":1,"stamp":"1-1"}
{"client":2,"op":"cas","key":"r","expected":"2","call":3,"return":4,"ok":false,"mismatch":true,"node":1,"stamp":"1-1"}
)");
  judge(run);
  CHECK(of(run, "sequential").verdict == checker::Verdict::yes);
  CHECK(of(run, "sequential").reason == "as it is linearizable");
}

TEST_CASE("a run of registers tells which levels its whole history reaches") {
  Run run = run_of("register", "eventual", "eventual", kStale);
  judge(run);
  REQUIRE(run.levels);
  CHECK(run.levels->strongest == std::vector<std::string>{"sequential"});
  REQUIRE(run.levels->levels.size() == 9);
  const Verdict& linearizable = of_levels(run, "linearizable");
  CHECK(linearizable.verdict == checker::Verdict::no);
  CHECK(linearizable.witness == of(run, "linearizable").witness);
  CHECK(linearizable.operations == std::vector<std::size_t>{0, 1, 2});
  // Searches are not made twice.
  CHECK(of_levels(run, "causal memory (CM)").reason == "because it is sequential");
  CHECK(of_levels(run, "causal (CC)").reason == "because it is causal convergence (CCv)");
  const std::string text = findings_text(run);
  CHECK_THAT(text, Catch::Contains("the history as a whole is: sequential\n"));
  CHECK_THAT(text, Catch::Contains("    not linearizable:\n      Key \"r\" is not linearizable"));
  Run other = run_of("counter", "linearizable", "linearizable", "");
  judge(other);
  CHECK_FALSE(other.levels);
}

TEST_CASE("what keeps a history from a level that none of its guarantees asks for is told too") {
  // Each client writes once and then sees the other's write before its own one, and never after.
  Run run = run_of(
      "mixed-level", "linearizable", "prefix",
      R"({"client":1,"op":"write","key":"r","value":"1","call":1,"return":2,"ok":true,"level":"linearizable"}
{"client":1,"op":"read","key":"r","value":"2","call":5,"return":6,"ok":true,"level":"prefix"}
{"client":2,"op":"write","key":"r","value":"2","call":1,"return":3,"ok":true,"level":"linearizable"}
{"client":2,"op":"read","key":"r","value":"1","call":5,"return":6,"ok":true,"level":"prefix"}
)");
  judge(run);
  REQUIRE(run.levels);
  // The reads' levels play no part here, so that the verdict of the others is not taken over.
  CHECK(of(run, "linearizable").verdict == checker::Verdict::yes);
  CHECK(of_levels(run, "linearizable").verdict == checker::Verdict::no);
  CHECK(of_levels(run, "causal convergence (CCv)").verdict == checker::Verdict::no);
  CHECK_FALSE(of_levels(run, "causal convergence (CCv)").witness.empty());
  CHECK(of_levels(run, "causal memory (CM)").verdict == checker::Verdict::yes);
}

TEST_CASE("an acknowledged member that is missing at the end is lost") {
  const auto check = [](std::string_view members) {
    return check_no_loss(
        history_of(
            R"({"client":1,"op":"add","key":"s","value":"1","call":1,"return":2,"ok":true}
{"client":1,"op":"add","key":"s","value":"2","call":3,"ok":"unknown"}
{"client":1,"op":"add","key":"s","value":"3","call":4,"return":5,"ok":false}
{"client":1,"op":"read","key":"s","value":[],"call":6,"return":7,"ok":true}
{"client":2,"op":"read","key":"s","value":)" +
            std::string(members) + R"(,"call":10,"return":11,"ok":true}
)"),
        9);
  };
  CHECK(check(R"(["1"])").verdict == checker::Verdict::yes);
  CHECK(check(R"(["1","2"])").verdict == checker::Verdict::yes);
  const Finding lost = check(R"(["2"])");
  CHECK(lost.verdict == checker::Verdict::no);
  CHECK(lost.operations == std::vector<std::size_t>{0, 4});
  CHECK(lost.witness.find("1 was added") == 0);
  CHECK(check(R"(["1","3"])").operations == std::vector<std::size_t>{4});
  CHECK(check("null").verdict == checker::Verdict::no);
}

TEST_CASE("a counter at the end has all that was acknowledged and no more than what may be") {
  const auto check = [](std::string_view sum) {
    return check_no_loss(
        history_of(
            R"({"client":1,"op":"increment","key":"c","value":1,"call":1,"return":2,"ok":true}
{"client":1,"op":"increment","key":"c","value":1,"call":3,"ok":"unknown"}
{"client":1,"op":"increment","key":"c","value":1,"call":4,"return":5,"ok":false}
{"client":2,"op":"read","key":"c","value":)" +
            std::string(sum) + R"(,"call":10,"return":11,"ok":true}
)"),
        9);
  };
  CHECK(check("1").verdict == checker::Verdict::yes);
  CHECK(check("2").verdict == checker::Verdict::yes);
  CHECK(check("0").verdict == checker::Verdict::no);
  CHECK(check("3").verdict == checker::Verdict::no);
  CHECK(check("null").verdict == checker::Verdict::no);
}

TEST_CASE("a key that could not be read at the end leaves the loss undecided") {
  const Finding finding = check_no_loss(
      history_of(R"({"client":1,"op":"add","key":"s","value":"1","call":1,"return":2,"ok":true})"),
      9);
  CHECK(finding.verdict == checker::Verdict::undecided);
  CHECK(finding.reason == "\"s\" could not be read when all had healed");
}

TEST_CASE("two increments with one answer are found") {
  const auto check = [](std::string_view second) {
    return check_unique_answers(history_of(
        R"({"client":1,"op":"increment","key":"c","result":"7","call":1,"return":2,"ok":true}
{"client":2,"op":"increment","key":"c","result":")" +
        std::string(second) + R"(","call":1,"return":2,"ok":true})"));
  };
  CHECK(check("8").verdict == checker::Verdict::yes);
  CHECK(check("7").operations == std::vector<std::size_t>{0, 1});
}

}  // namespace
}  // namespace parallax::harness
