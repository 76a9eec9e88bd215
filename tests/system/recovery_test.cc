// First starts with nodes absent, lost and damaged disks.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "tests/system/cluster.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kKeys = 200;

std::string key_of(int n) {
  return fmt::format("key/{:03}", n);
}
std::string value_of(int n) {
  return fmt::format("value {} {}", n, std::string(500, 'x'));
}

void write_keys(const Cluster& cluster) {
  const auto client = cluster.client(15s);
  for (int n = 0; n < kKeys; ++n) REQUIRE(put_surely(*client, key_of(n), value_of(n)));
}

/// Every key in the node's own state, once it has caught up.
void check_own_state(const Cluster& cluster, int id) {
  const auto client = cluster.client_of(id);
  const Consistency prefix{Level::prefix};
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  for (int n = 0; n < kKeys; ++n) {
    for (;;) {
      const auto answer = client->get(key_of(n), {.consistency = prefix});
      if (answer && answer->found) {
        REQUIRE(answer->value.to_string() == value_of(n));
        REQUIRE(answer->evidence.node == NodeId(static_cast<std::uint32_t>(id)));
        break;
      }
      if (std::chrono::steady_clock::now() > deadline) FAIL(key_of(n) << " is not there");
      std::this_thread::sleep_for(20ms);
    }
  }
}

TEST_CASE("system: a cluster starts for the first time with a minority absent") {
  Cluster cluster;
  cluster.start(3);
  std::this_thread::sleep_for(1s);  // alone it must not begin
  cluster.start(1);
  cluster.await_ready(1);
  cluster.await_ready(3);
  write_keys(cluster);
  cluster.start(2);
  cluster.await_ready(2);
  check_own_state(cluster, 2);
}

TEST_CASE("system: a minority never begins on its own") {
  Cluster cluster;
  cluster.start(2);
  std::this_thread::sleep_for(3s);
  const auto answer = cluster.client_of(2)->put("key", "value", {.timeout = 1s});
  CHECK_FALSE(answer);
  CHECK(cluster.running(2));
}

TEST_CASE("system: a node that lost its disk recovers and counts again") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  write_keys(cluster);
  const int lost = cluster.await_leader();
  cluster.kill(lost);
  fs::remove_all(cluster.data_dir(lost));
  cluster.start(lost);
  cluster.await_ready(lost);
  check_own_state(cluster, lost);
  // A full member: with another node gone its word is needed, and given.
  cluster.kill(lost % 3 + 1);
  const auto client = cluster.client(15s);
  // If it was the leader that went, a write passed on to it ends as unknown; the next one goes on.
  const auto begun = std::chrono::steady_clock::now();
  while (!client->put("afterwards", "1")) {
    REQUIRE(std::chrono::steady_clock::now() - begun < 30s);
  }
  const auto answer = client->get(key_of(0));
  REQUIRE(answer);
  CHECK(answer->value.to_string() == value_of(0));
}

/// Flips one bit in the middle of the store's largest file.
void damage(const std::string& data_dir) {
  fs::path largest;
  std::uintmax_t size = 0;
  for (const auto& entry : fs::recursive_directory_iterator(data_dir)) {
    const std::string extension = entry.path().extension().string();
    if (!entry.is_regular_file() || (extension != ".log" && extension != ".ldb")) continue;
    if (entry.file_size() > size) {
      size = entry.file_size();
      largest = entry.path();
    }
  }
  REQUIRE(size > 10'000);
  std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(size / 2));
  const char byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(static_cast<std::streamoff>(size / 2));
  file.put(byte);
  REQUIRE(file.good());
}

TEST_CASE("system: a damaged store is refused in one line and recovers when told to") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  write_keys(cluster);
  const int victim = cluster.await_leader() % 3 + 1;
  REQUIRE(cluster.stop(victim) == 0);
  damage(cluster.data_dir(victim));

  const Ended refused = run(cluster.argv(victim), 30s);
  INFO(refused.output);
  CHECK(refused.code != 0);
  CHECK(refused.code < 128);
  CHECK(std::count(refused.output.begin(), refused.output.end(), '\n') == 1);
  CHECK_THAT(refused.output, Catch::Contains("--recover"));

  write_keys(cluster);  // the others do not care
  cluster.start(victim, {"--recover"});
  cluster.await_ready(victim);
  check_own_state(cluster, victim);
}

}  // namespace
}  // namespace parallax::system_tests
