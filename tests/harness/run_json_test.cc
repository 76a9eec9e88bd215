#include "harness/run_json.h"

#include <catch2/catch.hpp>

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;

/// Nothing in it is what it is by default.
Run full_run() {
  Run run;
  run.asked.target = "exec:\"a b\"";
  run.asked.nodes = 5;
  run.asked.endpoints = {"127.0.0.1:1", "h:2"};
  run.asked.workload = Workload::causal_reverse;
  run.asked.write_level = *parse_consistency("quorum; r=1; w=3; sloppy");
  run.asked.read_level = *parse_consistency("session; guarantees=\"ryw,mr\"");
  run.asked.faults = {Fault::kill, Fault::partition, Fault::bit_flip};
  run.asked.network = Network::namespaces;
  run.asked.clients = 7;
  run.asked.rate = 1'234;
  run.asked.time = 4'567ms;
  run.asked.keys = 9;
  run.asked.seed = 18'446'744'073'709'551'615U;
  run.asked.check = {"linearizable", "ryw"};
  run.asked.out = "/tmp/x y";
  run.asked.tighten = true;
  run.replay_command = replay_command(run.asked);
  run.faults = {{"kill", "n2", "", 10, 20},
                {"partition", "n1 | n2 n3", "majorities-ring \"\n", 30, 9'000'000'000'000}};
  run.verdicts = {
      {"linearizable", true, checker::Verdict::no, "", "client 3\nread \"7\"", {4, 9}, 5ms},
      {"sequential", false, checker::Verdict::undecided, "too many", "", {}, 6ns}};
  run.staleness =
      StalenessSummary{.reads = 100,
                       .stale_reads = 3,
                       .p50_ns = 1,
                       .p99_ns = 2,
                       .max_ns = 3,
                       .curve = {{1'000, 40, 0.25, 0.5, 7}, {2'000, 60, 1, std::nullopt, 0}},
                       .prediction = "from \"stores\""};
  run.levels =
      LevelsReached{{"sequential", "causal (CC)"},
                    {{"linearizable", false, checker::Verdict::no, "", "client 1", {2}, 0ns}}};
  run.tightening = Tightening{
      .unknown = 10,
      .happened = 4,
      .never = 3,
      .open = 2,
      .reason = "compacted",
      .verdicts = {{"sequential", true, checker::Verdict::yes, "as it is", "", {}, 6ns}}};
  run.convergence = Convergence{77, 88, "n3 differs"};
  run.outcome = RunOutcome::violated;
  run.reason = "linearizable is violated";
  return run;
}

void check_same(const Run& a, const Run& b) {
  CHECK(a.asked == b.asked);
  CHECK(a.replay_command == b.replay_command);
  CHECK(a.faults == b.faults);
  CHECK(a.verdicts == b.verdicts);
  CHECK(a.staleness == b.staleness);
  CHECK(a.levels == b.levels);
  CHECK(a.tightening == b.tightening);
  CHECK(a.convergence == b.convergence);
  CHECK(a.outcome == b.outcome);
  CHECK(a.reason == b.reason);
}

TEST_CASE("the results of a run are read back as they were written") {
  const Run run = full_run();
  const auto read = read_results(write_results(run));
  REQUIRE(read.has_value());
  check_same(*read, run);
}

TEST_CASE("results without what is optional are read back too") {
  Run run;
  run.convergence = Convergence{5, std::nullopt, "n1 and n2"};
  const auto read = read_results(write_results(run));
  REQUIRE(read.has_value());
  check_same(*read, run);
  CHECK_FALSE(read->staleness);
  CHECK_FALSE(read->levels);
  CHECK_FALSE(read->tightening);
}

TEST_CASE("what is wrong with results is named") {
  struct Case {
    std::string text;
    std::string error;
  };
  std::string right = write_results(full_run());
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = right;
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  for (const auto& [text, error] : {
           Case{"[]", "the results of a run: no JSON object"},
           Case{"{}", "the results of a run: \"asked\" is missing"},
           Case{with("\"nodes\":5", "\"nodes\":-5"),
                "the results of a run: \"nodes\" is of an unexpected type"},
           Case{with("\"violated\"", "\"fine\""),
                "the results of a run: \"outcome\" is not held, violated or undecided"},
           Case{with("\"verdict\":\"no\"", "\"verdict\":\"maybe\""),
                "the results of a run: \"verdict\" is not yes, no or undecided"},
           Case{with("[4,9]", "[4,-9]"),
                "the results of a run: \"operations\" is no list of indices"},
       }) {
    const auto read = read_results(text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().message == error);
  }
}

TEST_CASE("fault windows are read back as lines") {
  const Run run = full_run();
  const std::string lines = write_faults(run.faults);
  CHECK(lines.starts_with(R"({"kind":"kill","target":"n2","detail":"","begin":10,"end":20})"
                          "\n"));
  const auto read = read_faults(lines + "\n  \n");
  REQUIRE(read.has_value());
  CHECK(*read == run.faults);
  const auto wrong = read_faults(lines + R"({"kind":"kill","target":"n2","detail":"","begin":1})");
  REQUIRE_FALSE(wrong.has_value());
  CHECK(wrong.error().message == "line 3: \"end\" is missing");
}

}  // namespace
}  // namespace parallax::harness
