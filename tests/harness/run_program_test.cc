// parallax-harness as a program: real processes, real faults.
#include "tests/harness/run_program.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include <catch2/catch.hpp>
#include <signal.h>

#include "harness/io/cluster.h"
#include "harness/io/log_reader.h"
#include "harness/io/plain_http.h"
#include "harness/io/run_harness.h"

namespace parallax::harness {
namespace {

using namespace testing;

std::size_t acknowledged(const Run& run) {
  return static_cast<std::size_t>(
      std::count_if(run.history.operations.begin(), run.history.operations.end(),
                    [](const checker::Operation& o) { return o.outcome == checker::Outcome::ok; }));
}

TEST_CASE("a linearizable register holds while nodes are killed and cut off") {
  Program program({"--time", "5s", "--faults", "kill,partition", "--seed", "3"}, true);
  const int code = program.await_end();
  INFO(program.output());
  CHECK(code == 0);
  const Run run = results_of(program);
  CHECK(run.outcome == RunOutcome::held);
  CHECK(acknowledged(run) > 20);
  const auto has = [&](std::string_view kind) {
    return std::any_of(run.faults.begin(), run.faults.end(), [&](const FaultWindow& window) {
      return window.kind == kind && window.end_ns > window.begin_ns;
    });
  };
  CHECK(has("kill"));
  CHECK(has("partition"));
  CHECK(run.convergence);
  CHECK(program.output().find("held: linearizable, ") != std::string::npos);
}

TEST_CASE("eventual reads held to linearizability are found stale with a witness") {
  Program program(
      {"--level", "eventual", "--check", "linearizable", "--time", "3s", "--faults", "partition"},
      true);
  const int code = program.await_end();
  INFO(program.output());
  CHECK(code == 1);
  const Run run = results_of(program);
  CHECK(run.outcome == RunOutcome::violated);
  REQUIRE_FALSE(run.verdicts.empty());
  CHECK(run.verdicts[0].guarantee == "linearizable");
  CHECK(run.verdicts[0].verdict == checker::Verdict::no);
  CHECK(run.verdicts[0].witness.find("client ") != std::string::npos);
  REQUIRE(run.verdicts[0].operations.size() >= 2);
  CHECK(run.verdicts[0].operations.back() < run.history.operations.size());
  // What the level does promise is not lost over it.
  const auto converged =
      std::find_if(run.verdicts.begin(), run.verdicts.end(),
                   [](const Verdict& verdict) { return verdict.guarantee == "convergence"; });
  REQUIRE(converged != run.verdicts.end());
  CHECK(converged->verdict == checker::Verdict::yes);
  CHECK(run.verdicts.back().guarantee == "evidence of answers");
  CHECK(run.verdicts.back().verdict == checker::Verdict::yes);
}

TEST_CASE("unknown outcomes are looked up in the log of the stopped nodes") {
  Program program({"--time", "4s", "--faults", "kill,restart", "--seed", "5", "--tighten"}, true);
  const int code = program.await_end();
  INFO(program.output());
  CHECK(code == 0);
  const Run run = results_of(program);
  REQUIRE(run.tightening);
  const Tightening& tightening = *run.tightening;
  CHECK(tightening.unknown ==
        static_cast<std::size_t>(std::count_if(
            run.history.operations.begin(), run.history.operations.end(),
            [](const checker::Operation& o) { return o.outcome == checker::Outcome::unknown; })));
  CHECK(tightening.unknown > 0);
  CHECK(tightening.happened + tightening.never == tightening.unknown);
  CHECK(tightening.open == 0);
  // Beside the verdicts by answers.
  const auto of = [](const std::vector<Verdict>& verdicts, std::string_view guarantee) {
    const auto found = std::find_if(verdicts.begin(), verdicts.end(), [&](const Verdict& verdict) {
      return verdict.guarantee == guarantee;
    });
    REQUIRE(found != verdicts.end());
    return found->verdict;
  };
  CHECK(of(run.verdicts, "linearizable") == checker::Verdict::yes);
  CHECK(of(tightening.verdicts, "linearizable") == checker::Verdict::yes);
  CHECK(of(tightening.verdicts, "answers agree with the log") == checker::Verdict::yes);
  CHECK(program.output().find("by the nodes' log, ") != std::string::npos);
  // The history as it was recorded, and what it reaches.
  REQUIRE(run.levels);
  CHECK(run.levels->strongest == std::vector<std::string>{"linearizable"});
  REQUIRE(run.staleness);
  CHECK(run.staleness->prediction.starts_with("No prediction: at linearizable the log decides"));
}

TEST_CASE("a partial quorum has a prediction from what its nodes have timed") {
  Program program(
      {"--level", "quorum; r=1; w=1", "--time", "3s", "--clients", "6", "--rate", "600"}, true);
  const int code = program.await_end();
  INFO(program.output());
  CHECK(code == 0);
  const Run run = results_of(program);
  REQUIRE(run.staleness);
  CHECK(run.staleness->prediction.starts_with("Predicted for n = 3, r = 1, w = 1"));
  REQUIRE_FALSE(run.staleness->curve.empty());
  for (const StalenessPoint& point : run.staleness->curve) {
    REQUIRE(point.predicted);
    CHECK(*point.predicted > 0);
    CHECK(*point.predicted <= 1);
    CHECK(point.same_node <= point.reads);
  }
  CHECK(*run.staleness->curve.back().predicted > 0.99);
  REQUIRE(run.levels);
  CHECK(run.levels->levels.size() == 9);
}

TEST_CASE("the log of a node is printed once it is stopped and not before") {
  const Directory directory;
  RunOptions asked;
  asked.nodes = 1;
  const std::string parallaxd = std::string(PARALLAX_BINARY_DIR) + "/bin/parallaxd";
  auto cluster = Cluster::open(asked, parallaxd, directory.path());
  REQUIRE(cluster.has_value());
  REQUIRE(cluster->await_ready(60s));
  const auto put = ask(cluster->endpoint(1), "PUT", "/v1/kv/r", "7");
  REQUIRE(put);
  CHECK(put->status / 100 == 2);
  const auto print = [&](const std::string& data, const std::string& output) {
    auto child = ChildProcess::start({parallaxd, "--dump-log", data}, directory / output);
    REQUIRE(child.has_value());
    while (child->running()) std::this_thread::sleep_for(2ms);
    return child->code();
  };
  CHECK(print(cluster->data_dir(1), "running") == 2);
  CHECK(read_text(directory / "running").find("in use by another process") != std::string::npos);
  CHECK(print(directory / "nowhere", "nowhere") == 2);
  CHECK_FALSE(fs::exists(directory / "nowhere" + "/lock"));
  const auto logs = stop_and_read_logs(*cluster, parallaxd);
  REQUIRE(logs.has_value());
  REQUIRE(logs->size() == 1);
  CHECK(logs->front().start == 0);
  REQUIRE(logs->front().writes.size() == 1);
  CHECK(logs->front().writes[0].key == "r");
  CHECK(logs->front().writes[0].value == "7");
  CHECK_FALSE(cluster->running(1));
}

TEST_CASE("nodes end with a harness that is killed") {
  Program program({"--time", "60s", "--faults", "pause", "--clients", "2", "--rate", "50"});
  const auto nodes = await_nodes(program, 3);
  program.child.kill();
  CHECK(all_gone(nodes));
}

TEST_CASE("an interrupt ends a run at once and leaves no node") {
  Program program({"--time", "60s", "--clients", "2", "--rate", "50"});
  const auto nodes = await_nodes(program, 3);
  program.child.signal(SIGINT);
  CHECK(program.await_end(30s) == 2);
  CHECK(all_gone(nodes));
  CHECK(program.output().find("the run broke: it was interrupted") != std::string::npos);
}

/// 300,000 last reads by one client, one after the other: minutes.
const std::vector<std::string> kManyLastReads{"--workload", "unique-ids", "--keys", "100000",
                                              "--clients",  "1",          "--time", "1s"};

TEST_CASE("an interrupt ends the last reads") {
  Program program(kManyLastReads);
  const auto nodes = await_nodes(program, 3);
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (program.output().find("last reads") == std::string::npos) {
    INFO(program.output());
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(10ms);
  }
  program.child.signal(SIGINT);
  CHECK(program.await_end(15s) == 2);
  CHECK(all_gone(nodes));
  CHECK(program.output().find("the run broke: it was interrupted") != std::string::npos);
}

TEST_CASE("last reads that take too long break the run") {
  Program program(kManyLastReads);
  CHECK(program.await_end(120s) == 2);
  INFO(program.output());
  CHECK(program.output().find(" of 300000 last reads were not over after 30 s") !=
        std::string::npos);
}

TEST_CASE("clients stop at the most operations that a run may have and it says so") {
  const Directory directory;
  RunOptions asked;
  asked.nodes = 1;
  asked.time = 60s;
  const auto began = std::chrono::steady_clock::now();
  const Run run =
      run_harness(asked, {.parallaxd = std::string(PARALLAX_BINARY_DIR) + "/bin/parallaxd",
                          .directory = directory.path(),
                          .progress = [](const Progress&) {},
                          .interrupted = [] { return false; },
                          .most_operations = 100});
  CHECK(std::chrono::steady_clock::now() - began < 55s);
  CHECK(run.outcome == RunOutcome::undecided);
  CHECK(run.reason.starts_with("the run broke: 100 operations, as many as a run may have, were "));
  CHECK(run.history.operations.size() >= 100);
  CHECK(run.convergence);
}

TEST_CASE("a cluster that cannot be reached makes a broken run and no violation") {
  Program program({"--endpoints", "127.0.0.1:1", "--time", "1s"});
  CHECK(program.await_end(60s) == 2);
  INFO(program.output());
  CHECK(program.output().find("--endpoints 127.0.0.1:1: no node answers") != std::string::npos);
}

TEST_CASE("endpoints are one whole cluster or the run says what they are and breaks") {
  const Directory directory;
  RunOptions asked;
  asked.nodes = 3;
  auto cluster =
      Cluster::open(asked, std::string(PARALLAX_BINARY_DIR) + "/bin/parallaxd", directory.path());
  REQUIRE(cluster.has_value());
  REQUIRE(cluster->await_ready(60s));
  const auto run_on = [](const std::string& endpoints, int code) {
    Program program({"--endpoints", endpoints, "--time", "1s", "--rate", "100"});
    CHECK(program.await_end() == code);
    INFO(program.output());
    return program.output();
  };
  const auto at = [&](std::uint32_t node) { return cluster->endpoint(node); };
  CHECK(run_on(at(3) + "," + at(1) + "," + at(2), 0).find("\nheld: ") != std::string::npos);
  const std::string part = run_on(at(1) + "," + at(2), 2);
  CHECK(
      part.find("the run broke: --endpoints: they are a part of a cluster of the nodes 1, 2, 3") !=
      std::string::npos);
  CHECK(part.find("add " + at(3)) != std::string::npos);
  const Directory elsewhere;
  asked.nodes = 1;
  auto other =
      Cluster::open(asked, std::string(PARALLAX_BINARY_DIR) + "/bin/parallaxd", elsewhere.path());
  REQUIRE(other.has_value());
  REQUIRE(other->await_ready(60s));
  CHECK(run_on(at(1) + "," + at(2) + "," + at(3) + "," + other->endpoint(1), 2)
            .find("name the nodes of one of them") != std::string::npos);
}

TEST_CASE("options that are wrong are named and nothing is started") {
  struct Case {
    std::vector<std::string> arguments;
    std::string said;
  };
  for (const auto& [arguments, said] : {
           Case{{"--level", "strict"}, "strict"},
           Case{{"--workload", "bank"}, "no workload is called 'bank'; there are register, "},
           Case{{"--faults", "fire"}, "no fault is called 'fire'; there are all, none, kill, "},
           Case{{"--nodes", "0"}, "--nodes 0: it must be from 1 to 9"},
           Case{{"--time", "soon"}, "--time soon: it must be a whole number with ms, s, m or h"},
           Case{{"--workload", "append", "--level", "atomic"}, "append is decided by the leader"},
           Case{{"--check", "fast"}, "--check fast: no guarantee is called that; there are "},
           Case{{"--endpoints", "127.0.0.1:1", "--faults", "kill"},
                "only what the harness has started can be killed"},
           Case{{"--tighten", "--level", "quorum"},
                "--tighten: writes at quorum go through no log"},
           Case{{"--parallaxd", "/nowhere"}, "/nowhere: there is no such program"},
           Case{{"--clients", "many"}, "many"},
       }) {
    Program program(arguments);
    CHECK(program.await_end(20s) == 4);
    INFO(program.output());
    CHECK(program.output().starts_with("parallax-harness: "));
    CHECK(program.output().find(said) != std::string::npos);
  }
}

}  // namespace
}  // namespace parallax::harness
