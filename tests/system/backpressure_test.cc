// Who is slow, or too many, costs a node a bounded amount of memory, and nobody else is kept
// waiting (base/limits.h).
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "tests/system/cluster.h"
#include "tests/system/plain_http.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMiB = 1 << 20;

std::string get_request(std::string_view target) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", target);
}

TEST_CASE("system: a follower that stands still costs its leader a bounded amount of memory") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const int leader = cluster.await_leader();
  const int stalled = leader == 1 ? 2 : 1;
  const auto client = cluster.client_of(leader);
  const std::string value(256 << 10, 'v');
  for (int i = 0; i < 8; ++i) REQUIRE(client->put("before", value).has_value());
  const std::uint64_t before = cluster.resident_bytes(leader);
  cluster.pause(stalled);
  // Six times what the leader may keep for a peer.
  constexpr int kWrites = 1'600;
  static_assert(kWrites * (256 << 10) > 6 * limits::kMaxPeerQueueBytes);
  std::uint64_t most = before;
  for (int i = 0; i < kWrites; ++i) {
    REQUIRE(client->put(fmt::format("k{}", i % 16), value).has_value());
    if (i % 50 == 0) most = std::max(most, cluster.resident_bytes(leader));
  }
  INFO("resident: " << before / kMiB << " MiB before, at most " << most / kMiB << " MiB");
  // A peer's queue, the log's cache, the store's buffers and what the allocator has not given back.
  CHECK(most - before < limits::kMaxPeerQueueBytes + 96 * kMiB);
  cluster.resume(stalled);
  REQUIRE(client->put("last", "1").has_value());
  const auto there = cluster.client_of(stalled);
  const auto deadline = Clock::now() + 60s;
  for (;;) {
    const auto answer = there->get("last", {.consistency = Consistency{Level::prefix}});
    if (answer && answer->found) break;
    REQUIRE(Clock::now() < deadline);
    std::this_thread::sleep_for(20ms);
  }
}

TEST_CASE("system: clients that take no answers cost a bounded amount of memory") {
  const std::vector<std::string> arguments =
      GENERATE(std::vector<std::string>{}, std::vector<std::string>{"--io-threads", "2"});
  Cluster cluster(1, arguments);
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client_of(1);
  REQUIRE(client->put("large", std::string(kMiB, 'v')).has_value());
  const std::uint64_t before = cluster.resident_bytes(1);
  constexpr int kClients = 64;
  constexpr int kAsked = 100;
  std::string asked;
  for (int i = 0; i < kAsked; ++i) asked += get_request("/v1/kv/large");
  std::vector<std::unique_ptr<Connection>> lazy;
  for (int i = 0; i < kClients; ++i) {
    lazy.push_back(std::make_unique<Connection>(cluster.client_port(1)));
    REQUIRE(lazy.back()->send(asked));
  }
  std::uint64_t most = before;
  for (int i = 0; i < 100; ++i) {
    // Others are served meanwhile.
    REQUIRE(client->put("other", fmt::format("{}", i)).has_value());
    REQUIRE(client->get("other").has_value());
    most = std::max(most, cluster.resident_bytes(1));
    std::this_thread::sleep_for(5ms);
  }
  INFO("resident: " << before / kMiB << " MiB before, at most " << most / kMiB << " MiB");
  // One answer each is on its way, of the 6,400 that were asked for.
  CHECK(most - before < (kClients + 64) * kMiB);
}

TEST_CASE("system: a burst of ten thousand connections is served, and the rest is told so") {
  const std::vector<std::string> arguments =
      GENERATE(std::vector<std::string>{}, std::vector<std::string>{"--io-threads", "2"});
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  constexpr std::size_t kBurst = limits::kMaxClientConnections + 32;
  if (limit.rlim_max < kBurst + 200) {
    WARN("skipped: " << limit.rlim_max << " descriptors are allowed, which is too few");
    return;
  }
  Cluster cluster(1, arguments);
  cluster.start_all();
  cluster.await_all_ready();
  const std::uint64_t before = cluster.resident_bytes(1);
  std::vector<std::unique_ptr<Connection>> clients;
  const std::string asked = get_request("/v1/kv/none");
  for (std::size_t i = 0; i < kBurst; ++i) {
    clients.push_back(std::make_unique<Connection>(cluster.client_port(1)));
    REQUIRE(clients.back()->send(asked));
  }
  std::size_t served = 0;
  std::size_t refused = 0;
  for (const auto& client : clients) {
    const std::string answer = client->receive_some(10s).value_or("");
    served += answer.starts_with("HTTP/1.1 404 ") ? 1 : 0;
    refused += answer.starts_with("HTTP/1.1 429 ") ? 1 : 0;
  }
  CHECK(served + refused == kBurst);
  CHECK(served == limits::kMaxClientConnections);
  const std::uint64_t with_all = cluster.resident_bytes(1);
  INFO("resident: " << before / kMiB << " MiB before, " << with_all / kMiB << " MiB with all");
  CHECK(with_all - before < kBurst * (16 << 10));
  clients.clear();
  // The node is as it was: it serves.
  const auto client = cluster.client_of(1);
  const auto deadline = Clock::now() + 20s;
  while (!client->put("after", "1")) REQUIRE(Clock::now() < deadline);
  CHECK(client->get("after")->found);
}

}  // namespace
}  // namespace parallax::system_tests
