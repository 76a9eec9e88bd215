// scripts/cluster, scripts/demo and scripts/demo-causality, and with them what README.md tells a
// newcomer to type.
#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/system/cluster.h"
#include "tests/system/plain_http.h"
#include "tests/system/script_cluster.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;

/// A shell command line as a newcomer would type it; what it printed.
std::string shell(const std::string& command) {
  const Ended ended = run({"/bin/bash", "-c", command}, 60s);
  INFO(command << "\n" << ended.output);
  REQUIRE(ended.code == 0);
  return ended.output;
}

int status_of(const ScriptCluster& cluster, int id, const std::string& target) {
  const auto answer = ask(cluster.port(id), "GET", target);
  return answer ? answer->status : 0;
}

TEST_CASE("system: what the README shows works") {
  const ScriptCluster cluster;
  cluster.up();
  const auto at = [&](int id) {
    return fmt::format("http://127.0.0.1:{}/v1/kv/greeting", cluster.port(id));
  };
  shell("curl -sS -X PUT --data-binary hello " + at(1));
  const std::string newest = shell("curl -sS -i " + at(2));
  CHECK_THAT(newest, Catch::Contains("200 OK") && Catch::Contains("hello") &&
                         Catch::Contains("Parallax-Consistency: linearizable") &&
                         Catch::Contains("Parallax-Evidence: ") && Catch::Contains("ETag: "));
  CHECK_THAT(shell("curl -sS -i '" + at(3) + "?consistency=prefix'"),
             Catch::Contains("Parallax-Consistency: prefix"));
  cluster.must({"kill", "1"});
  CHECK_THAT(shell("curl -sS -i " + at(2)), Catch::Contains("hello"));
  cluster.must({"start", "1"});
  CHECK(status_of(cluster, 1, "/healthz") == 200);
  cluster.must({"down"});
  cluster.must({"up"});  // ports are remembered, data stays
  CHECK_THAT(shell("curl -sS -i " + at(1)), Catch::Contains("hello"));
}

TEST_CASE("system: scripts cluster stops, pauses, parts and heals nodes") {
  const ScriptCluster cluster;
  cluster.up();
  cluster.must({"stop", "2"});
  CHECK(status_of(cluster, 2, "/healthz") == 0);
  cluster.must({"start", "2"});
  CHECK(status_of(cluster, 2, "/healthz") == 200);
  cluster.must({"pause", "3"});
  CHECK_THAT(cluster.call({"status"}).output, Catch::Contains("paused"));
  cluster.must({"resume", "3"});
  CHECK(status_of(cluster, 3, "/healthz") == 200);

  // The minority side cannot serve what needs a majority; after heal it can.
  cluster.must({"partition", "1,2/3"});
  CHECK_THAT(cluster.call({"status"}).output, Catch::Contains("partition 1,2/3"));
  const std::string read = "/v1/kv/key?timeout_ms=3000";
  CHECK(status_of(cluster, 1, read) == 404);
  CHECK(status_of(cluster, 3, read) / 100 == 5);
  cluster.must({"heal"});
  CHECK(status_of(cluster, 3, "/v1/kv/key?timeout_ms=20000") == 404);
  CHECK_THAT(cluster.call({"logs", "1"}).output, Catch::Contains("node=1"));
}

TEST_CASE("system: scripts cluster signals only what it started") {
  const ScriptCluster cluster;
  cluster.up();
  cluster.must({"down"});
  // A number that belongs to another process now: this test's own.
  std::ofstream(cluster.directory() + "/node-1.pid") << getpid() << "\n";
  CHECK(cluster.call({"kill", "1"}).code == 1);
  CHECK(cluster.call({"pause", "1"}).code == 1);
  cluster.must({"down"});
}

TEST_CASE("system: scripts cluster says what is wrong and what would be right") {
  const ScriptCluster cluster;
  const auto refused = [&](std::vector<std::string> words, int code, const std::string& what) {
    const Ended ended = cluster.call(std::move(words));
    INFO(ended.output);
    CHECK(ended.code == code);
    CHECK(std::count(ended.output.begin(), ended.output.end(), '\n') == 1);
    CHECK_THAT(ended.output, Catch::Contains(what));
  };
  refused({"status"}, 1, "scripts/cluster up");
  refused({"restart"}, 2, "valid: up, status, kill");
  refused({"up", "--nodes", "0"}, 2, "from 1 to 99");
  refused({"up", "--colour"}, 2, "unknown option '--colour'");
  cluster.up();
  refused({"kill", "4"}, 2, "valid: 1 to 3");
  refused({"kill"}, 2, "a node id");
  refused({"partition", "1,2,3"}, 2, "one group");
  refused({"partition", "1,1/2"}, 2, "twice");
  refused({"up", "--nodes", "5"}, 1, "a cluster of 3 nodes");
  refused({"wipe", "1"}, 1, "is running");
  cluster.must({"kill", "2"});
  refused({"kill", "2"}, 1, "running: 1 3");
}

TEST_CASE("system: scripts bench refuses what it cannot measure before it installs anything") {
  const auto refused = [&](const std::string& words, const std::string& what) {
    const Ended ended = run({"/bin/bash", "-c", "exec " + kScripts + "/bench " + words}, 20s);
    INFO(words << "\n" << ended.output);
    CHECK(ended.code == 2);
    CHECK(std::count(ended.output.begin(), ended.output.end(), '\n') == 1);
    CHECK_THAT(ended.output, Catch::Contains(what) && Catch::Contains("scripts/bench --help"));
  };
  refused("--colour", "valid: --quick, --levels, --scale, --targets");
  refused("--quick --levels", "exclude each other");
  refused("--targets parallax,mongo", "there is no 'mongo'; valid: parallax, etcd-grpc");
  refused("--targets redis,redis", "twice");
  refused("--clients 1,x", "no list such as");
  refused("--clients 0", "from 1 to 5000");
  refused("--levels --clients 64", "not even over 3 nodes");
  refused("--levels --targets redis", "parallax alone");
  refused("--scale --levels", "exclude each other");
  refused("--scale --targets redis", "parallax alone");
  refused("--scale --keys many", "no list such as");
  refused("--rounds 0", "from 1 to 100");
  refused("--dir", "needs a value");
}

TEST_CASE("system: scripts cluster leaves nodes detached from its caller") {
  const ScriptCluster cluster;
  // The pipe ends with the script although the nodes live on; so does a descriptor of the caller's.
  const std::string up = fmt::format("{}/cluster up --dir {} --base-port {}", kScripts,
                                     cluster.directory(), cluster.base_port());
  CHECK_THAT(shell("exec 7> >(cat); " + up + " | cat"), Catch::Contains("http://127.0.0.1:"));
  CHECK(status_of(cluster, 1, "/healthz") == 200);
}

TEST_CASE("system: the demonstration keeps its promises") {
  setenv("PARALLAX_BIN", programs().c_str(), 1);
  const Ended ended = run({"/bin/bash", "-c", "exec " + kScripts + "/demo"}, 240s);
  INFO(ended.output);
  CHECK(ended.code == 0);
  CHECK_THAT(ended.output,
             Catch::Contains("read back (linearizable)") && !Catch::Contains("BROKEN"));
}

TEST_CASE("system: the demonstration of causality shows an anomaly and its absence") {
  setenv("PARALLAX_BIN", programs().c_str(), 1);
  const Ended ended = run({"/bin/bash", "-c", "exec " + kScripts + "/demo-causality"}, 120s);
  INFO(ended.output);
  CHECK(ended.code == 0);
  const std::size_t causal = ended.output.find("Level: causal");
  REQUIRE(causal != std::string::npos);
  CHECK(ended.output.find("Cleo sees the comment ALONE") < causal);
  CHECK(ended.output.rfind("Cleo sees the comment ALONE") < causal);
  CHECK(ended.output.find("Cleo sees post and comment [1 1 0]") != std::string::npos);
}

}  // namespace
}  // namespace parallax::system_tests
