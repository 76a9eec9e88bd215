// What a node refuses: settings, directories, bytes.
#include <algorithm>
#include <filesystem>
#include <thread>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "base/random.h"
#include "tests/system/cluster.h"
#include "tests/system/plain_http.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;

/// Refused with one line that names `what`, before anything is done.
void check_refused(const std::vector<std::string>& argv, const std::string& what) {
  const Ended ended = run(argv, 30s);
  INFO(ended.output);
  CHECK(ended.code == 2);
  CHECK(std::count(ended.output.begin(), ended.output.end(), '\n') == 1);
  CHECK_THAT(ended.output, Catch::Contains(what));
}

/// The command line with the value of one option replaced, or without it.
std::vector<std::string> with(std::vector<std::string> argv, const std::string& option,
                              const std::string& value) {
  const auto at = std::find(argv.begin(), argv.end(), option);
  if (value.empty()) {
    argv.erase(at, at + 2);
  } else {
    *(at + 1) = value;
  }
  return argv;
}

TEST_CASE("system: wrong and missing settings are refused by name") {
  const Cluster cluster;
  const auto argv = cluster.argv(1);
  check_refused(with(argv, "--node-id", ""), "node-id");
  check_refused(with(argv, "--node-id", "0"), "node-id");
  check_refused(with(argv, "--node-id", "7"), "peers");
  check_refused(with(argv, "--data-dir", ""), "data-dir");
  check_refused(with(argv, "--client-address", "nonsense"), "client-address");
  check_refused(with(argv, "--peers", "1=127.0.0.1"), "peers");
  check_refused(cluster.argv(1, {"--no-such-setting"}), "no-such-setting");
}

TEST_CASE("system: an address that is not loopback needs an explicit word") {
  const Cluster cluster;
  check_refused(
      with(cluster.argv(1), "--client-address", fmt::format("0.0.0.0:{}", cluster.client_port(1))),
      "--allow-insecure-listen");
  CHECK_FALSE(std::filesystem::exists(cluster.data_dir(1)));
}

TEST_CASE("system: a data directory serves one process and one node") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  // The same directory, other ports: it is the directory that is refused.
  Cluster elsewhere;
  check_refused(with(elsewhere.argv(1), "--data-dir", cluster.data_dir(1)), cluster.data_dir(1));
  CHECK(cluster.running(1));
  REQUIRE(cluster.stop(2) == 0);
  check_refused(with(cluster.argv(2), "--data-dir", cluster.data_dir(1)), cluster.data_dir(1));
  REQUIRE(cluster.stop(1) == 0);
  check_refused(with(cluster.argv(2), "--data-dir", cluster.data_dir(1)), "node 1");
}

TEST_CASE("system: random bytes at either port change nothing") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client();
  REQUIRE(put_surely(*client, "key", "value"));
  Random random(4711);
  for (int round = 0; round < 100; ++round) {
    std::string bytes(random.between(1, 4'000), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.between(0, 255));
    if (round % 4 == 1) bytes.insert(0, "PUT /v1/kv/key HTTP/1.1\r\nContent-Length: 4000\r\n");
    if (round % 4 == 2) bytes.insert(0, std::string("\0\0\0\x10", 4));
    const int id = static_cast<int>(random.between(1, 3));
    Connection connection(round % 2 == 0 ? cluster.peer_port(id) : cluster.client_port(id));
    (void)connection.send(bytes);  // it may be refused in the middle
  }
  for (int id = 1; id <= cluster.size(); ++id) {
    INFO(cluster.log(id));
    REQUIRE(cluster.running(id));
    cluster.await_ready(id);
    const auto answer = cluster.client_of(id)->get("key");
    REQUIRE(answer);
    CHECK(answer->value.to_string() == "value");
  }
}

TEST_CASE("system: programs tell their version") {
  for (const char* name : {"parallaxd", "parallax"}) {
    const Ended ended = run({programs() + "/" + name, "--version"}, 10s);
    CHECK(ended.code == 0);
    CHECK_THAT(ended.output, Catch::Contains(PARALLAX_VERSION));
  }
}

}  // namespace
}  // namespace parallax::system_tests
