// Conditions, increments, expiry and retries on real processes that are killed meanwhile: each
// write happens once or not at all, and the answer says which.
#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <numeric>
#include <thread>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "tests/system/cluster.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;

constexpr int kWorkers = 4;
constexpr int kKills = 6;

/// Runs `work(worker, stop)` in several threads while the leader is killed and started again, a few
/// times; then lets them end.
void under_kills(Cluster& cluster, const std::function<void(int, const std::atomic<bool>&)>& work) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  struct Join {  // also when a check throws
    std::atomic<bool>& stop;
    std::vector<std::thread>& threads;
    ~Join() {
      stop = true;
      for (std::thread& thread : threads) thread.join();
    }
  } join{stop, threads};
  for (int worker = 0; worker < kWorkers; ++worker) {
    threads.emplace_back([&, worker] { work(worker, stop); });
  }
  for (int kill = 0; kill < kKills; ++kill) {
    std::this_thread::sleep_for(300ms);
    const int leader = cluster.await_leader();
    cluster.kill(leader);
    cluster.await_leader(0, leader);
    std::this_thread::sleep_for(300ms);
    cluster.start(leader);
    cluster.await_all_ready();
  }
}

std::int64_t number_at(Client& client, const std::string& key) {
  const auto answer = client.get(key);
  REQUIRE(answer);
  return answer->found ? std::stoll(answer->value.to_string()) : 0;
}

TEST_CASE("system: increments through kills add up to what was acknowledged, and perhaps more") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client(3s);
  std::array<std::int64_t, kWorkers> certain{};
  std::array<std::int64_t, kWorkers> perhaps{};
  under_kills(cluster, [&](int worker, const std::atomic<bool>& stop) {
    const auto mine = static_cast<std::size_t>(worker);
    while (!stop) {
      const auto answer = client->increment("counter", 1 + worker);
      if (answer) {
        certain[mine] += 1 + worker;
      } else if (!answer.error().definite()) {
        perhaps[mine] += 1 + worker;
      }
    }
  });
  const std::int64_t least = std::accumulate(certain.begin(), certain.end(), std::int64_t{0});
  const std::int64_t most = std::accumulate(perhaps.begin(), perhaps.end(), least);
  CHECK(least > 100);
  for (int id = 1; id <= cluster.size(); ++id) {
    const std::int64_t sum = number_at(*cluster.client_of(id), "counter");
    INFO("node " << id << " has " << sum);
    CHECK(sum >= least);
    CHECK(sum <= most);
  }
}

TEST_CASE("system: increments that are asked again under their key through kills add up exactly") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client(30s);  // with sanitizers on a busy machine, too
  std::array<std::int64_t, kWorkers> added{};
  std::atomic<int> failed{0};
  under_kills(cluster, [&](int worker, const std::atomic<bool>& stop) {
    const auto mine = static_cast<std::size_t>(worker);
    for (int n = 0; !stop; ++n) {
      IncrementOptions options;
      options.idempotency_key = fmt::format("worker-{}/{}", worker, n);
      const auto answer = client->increment("counter", 1, options);
      if (answer) {
        ++added[mine];
      } else {
        ++failed;
      }
    }
  });
  const std::int64_t sum = std::accumulate(added.begin(), added.end(), std::int64_t{0});
  CHECK(failed == 0);
  CHECK(sum > 100);
  CHECK(number_at(*client, "counter") == sum);
}

TEST_CASE("system: of writers that race for one version through kills one wins each time") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client(3s);
  REQUIRE(put_surely(*client, "chain", "0"));
  std::array<std::int64_t, kWorkers> certain{};
  std::array<std::int64_t, kWorkers> perhaps{};
  std::atomic<int> refused{0};
  under_kills(cluster, [&](int worker, const std::atomic<bool>& stop) {
    const auto mine = static_cast<std::size_t>(worker);
    while (!stop) {
      const auto present = client->get("chain");
      if (!present || !present->found) continue;
      PutOptions options;
      options.if_match = this_version(*present->stamp);
      const std::int64_t next = std::stoll(present->value.to_string()) + 1;
      const auto answer = client->put("chain", fmt::format("{}", next), options);
      if (answer) {
        ++certain[mine];
      } else if (!answer.error().definite()) {
        ++perhaps[mine];
      } else if (answer.error().code == ErrorCode::precondition_failed) {
        ++refused;
      }
    }
  });
  const std::int64_t least = std::accumulate(certain.begin(), certain.end(), std::int64_t{0});
  const std::int64_t most = std::accumulate(perhaps.begin(), perhaps.end(), least);
  const std::int64_t length = number_at(*client, "chain");
  CHECK(least > 20);
  CHECK(refused > 0);
  CHECK(length >= least);
  CHECK(length <= most);
}

TEST_CASE("system: what has expired stays gone when its leader is killed") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client(10s);
  PutOptions options;
  options.ttl = 700ms;
  REQUIRE(client->put("short", "lived", options));
  REQUIRE(client->get("short")->found);
  std::this_thread::sleep_for(800ms);
  REQUIRE_FALSE(client->get("short")->found);
  cluster.kill(cluster.await_leader());
  const auto later = client->get("short");
  REQUIRE(later);
  CHECK_FALSE(later->found);
  PutOptions absent;
  absent.if_none_match = any_version();
  CHECK(client->put("short", "again", absent));
}

}  // namespace
}  // namespace parallax::system_tests
