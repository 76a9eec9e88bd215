// parallax-harness on systems that others have written, and on commands.
#include <cstdlib>

#include <catch2/catch.hpp>

#include "harness/io/targets.h"
#include "tests/harness/run_program.h"

namespace parallax::harness {
namespace {

using namespace testing;

/// False, and says so, when the target's program is not installed.
bool installed(const std::string& target) {
  const auto program = find_program(target);
  if (!program) WARN("skipped: " << program.error().message);
  return program.has_value();
}

const Verdict& verdict_of(const Run& run, std::string_view guarantee) {
  const auto found = std::find_if(run.verdicts.begin(), run.verdicts.end(),
                                  [&](const Verdict& v) { return v.guarantee == guarantee; });
  REQUIRE(found != run.verdicts.end());
  return *found;
}

void check_windows(const Run& run, const std::vector<std::string>& kinds) {
  for (const std::string& kind : kinds) {
    INFO(kind);
    CHECK(std::any_of(run.faults.begin(), run.faults.end(), [&](const FaultWindow& window) {
      return window.kind == kind && window.end_ns > window.begin_ns;
    }));
  }
}

std::string dictionary(const std::string& arguments = {}) {
  return "exec:/usr/bin/python3 " PARALLAX_SOURCE_DIR "/tests/data/exec/dictionary.py" + arguments;
}

TEST_CASE("etcd holds what it promises while nodes are killed and paused and cut off") {
  if (!installed("etcd")) return;
  Program program({"--target", "etcd", "--time", "8s", "--faults", "kill,pause,partition"}, true);
  const int code = program.await_end();
  INFO(program.output());
  CHECK(code == 0);
  const Run run = results_of(program);
  CHECK(run.outcome == RunOutcome::held);
  check_windows(run, {"kill", "pause", "partition"});
  for (const std::string guarantee :
       {"linearizable", "regular, in the order of stamps", "consistent prefix", "convergence"}) {
    INFO(guarantee);
    CHECK(verdict_of(run, guarantee).promised);
    CHECK(verdict_of(run, guarantee).verdict == checker::Verdict::yes);
  }
}

TEST_CASE("serializable reads of etcd are found stale") {
  if (!installed("etcd")) return;
  Program program({"--target", "etcd", "--read-level", "serializable", "--check", "linearizable",
                   "--time", "5s", "--faults", "pause,partition"},
                  true);
  const int code = program.await_end();
  INFO(program.output());
  CHECK(code == 1);
  const Run run = results_of(program);
  CHECK(run.outcome == RunOutcome::violated);
  CHECK(verdict_of(run, "linearizable").witness.find("client ") != std::string::npos);
  // They are old, not wrong.
  CHECK(verdict_of(run, "consistent prefix").verdict == checker::Verdict::yes);
  CHECK(verdict_of(run, "convergence").verdict == checker::Verdict::yes);
  REQUIRE(run.staleness);
  CHECK(run.staleness->stale_reads > 0);
  const auto level = std::find_if(
      run.history.operations.begin(), run.history.operations.end(),
      [](const checker::Operation& o) { return o.kind == checker::OperationKind::read; });
  REQUIRE(level != run.history.operations.end());
  CHECK(run.history.texts[level->level] == "serializable");
}

TEST_CASE("Redis loses writes that it has acknowledged when its primary fails") {
  if (!installed("redis")) return;
  struct Case {
    std::string seed, workload, check, guarantee;
  };
  for (const auto& [seed, workload, check, guarantee] :
       {Case{"1", "register", "linearizable", "linearizable"},
        Case{"2", "register", "linearizable", "linearizable"},
        Case{"3", "set", "no-loss", "nothing acknowledged is lost"},
        Case{"4", "set", "no-loss", "nothing acknowledged is lost"}}) {
    Program program({"--target", "redis", "--workload", workload, "--check", check, "--seed", seed,
                     "--time", "8s", "--faults", "partition,pause,kill", "--rate", "2000"},
                    true);
    const int code = program.await_end();
    INFO(program.output());
    CHECK(code == 1);
    const Run run = results_of(program);
    CHECK(verdict_of(run, guarantee).verdict == checker::Verdict::no);
    CHECK(verdict_of(run, "convergence").verdict == checker::Verdict::yes);
  }
}

TEST_CASE("Redis is linearizable at its primary as long as nothing fails") {
  if (!installed("redis")) return;
  Program program(
      {"--target", "redis", "--check", "linearizable,converge", "--time", "2s", "--rate", "2000"});
  const int code = program.await_end();
  INFO(program.output());
  CHECK(code == 0);
}

TEST_CASE("a system that a command speaks for is judged by what it says") {
  for (const std::string workload : {"register", "set", "counter", "append"}) {
    Program program({"--target", dictionary(), "--workload", workload, "--time", "1s", "--rate",
                     "500", "--clients", "4"});
    const int code = program.await_end();
    INFO(program.output());
    CHECK(code == 0);
    CHECK(program.output().find("\n  convergence ") == std::string::npos);
  }
  Program stale({"--target", dictionary(" --stale"), "--time", "2s", "--rate", "500"}, true);
  CHECK(stale.await_end() == 1);
  INFO(stale.output());
  CHECK(verdict_of(results_of(stale), "linearizable").witness.find("client ") != std::string::npos);
}

TEST_CASE("a command that does not speak for anything breaks the run and is named") {
  struct Case {
    std::string command;
    std::string said;
  };
  for (
      const auto& [command, said] :
      {Case{"exec:/nowhere/driver", "has ended with code 127; its errors end:"},
       Case{"exec:cat /dev/null", "has ended with code 0; its errors end:"},
       Case{"exec:sh -c 'echo hello; exec sleep 60'", "does not answer hello: hello"},
       Case{
           R"(exec:sh -c 'echo "{\"id\":0,\"ok\":true}"; read a; read b; echo hello; exec sleep 60')",
           "has said what has no \"id\": hello"},
       Case{
           R"(exec:sh -c 'echo "{\"id\":0,\"ok\":true}"; read a; read b; echo "{\"id\":1,\"ok\":1}"; cat')",
           "\"ok\" is not true, false or \"unknown\""}}) {
    Program program({"--target", command, "--time", "5s", "--clients", "1"});
    CHECK(program.await_end(30s) == 2);
    INFO(program.output());
    CHECK(program.output().find("the run broke: the command of client 1 ") != std::string::npos);
    CHECK(program.output().find(said) != std::string::npos);
  }
}

TEST_CASE("nodes of other systems end with a harness that is killed") {
  for (const std::string target : {"etcd", "redis"}) {
    if (!installed(target)) continue;
    Program program({"--target", target, "--time", "60s", "--faults", "pause", "--rate", "50"});
    const auto nodes = await_nodes(program, 3);
    program.child.kill();
    CHECK(all_gone(nodes));
  }
}

TEST_CASE("a target that is not installed is told with its package") {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  Program program({"--target", "etcd"});
  ::setenv("PATH", path.c_str(), 1);
  CHECK(program.await_end(20s) == 4);
  CHECK(program.output() ==
        "parallax-harness: --target etcd: there is no etcd in PATH; scripts/setup --targets "
        "installs it (Debian package etcd-server)\n");
}

}  // namespace
}  // namespace parallax::harness
