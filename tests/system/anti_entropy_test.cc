// Anti-entropy between real nodes with a million keys each: what comparing costs when nothing
// differs, and how long it takes until what differs is repaired. The stores are written beside
// their nodes: through the front door there would be hints, which repair first.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "replication/quorum/merkle_tree.h"
#include "storage/leveldb_store.h"
#include "storage/records.h"
#include "tests/system/cluster.h"
#include "tests/system/plain_http.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;
using SteadyTime = std::chrono::steady_clock::time_point;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kKeys = 100'000;
#else
constexpr int kKeys = 1'000'000;
#endif
constexpr int kDifferent = 1'000;
constexpr Actor kWriter{ActorPath::quorum, NodeId{1}, Incarnation{1}};

std::string key_of(int n) {
  return fmt::format("key/{:07}", n);
}

/// Written by quorum writes, all long ago; `count` is told from the stamps.
Hlc reading_of(int count) {
  constexpr UnixMillis kLongAgo{1'700'000'000'000};
  return Hlc{Hlc::from_millis(kLongAgo).value + static_cast<std::uint64_t>(count)};
}

void put(WriteBatch& batch, const std::string& key, int count, const std::string& value) {
  KeyState state;
  state.add(
      Version{.stamp = {reading_of(count), kWriter.node}, .actor = kWriter, .value = Bytes{value}});
  std::string at = records::key_state_key(kOnlyGroup, key);
  Bytes record = records::encode(at, state);
  batch.put(std::move(at), std::move(record));
  std::string leaf = records::leaf_key(kOnlyGroup, MerkleTree::leaf_of(key), key);
  Bytes row = records::encode(leaf, LeafRecord{});
  batch.put(std::move(leaf), std::move(row));
}

/// Every `step`-th key, into the store of a node that is not running.
void fill(const Cluster& cluster, int id, int step, int round, const std::string& value) {
  const auto store = LevelDbStore::open(std::filesystem::path(cluster.data_dir(id)) / "store");
  REQUIRE(store);
  WriteBatch batch;
  for (int n = 0; n < kKeys; n += step) {
    put(batch, key_of(n), round * kKeys + n, value);
    if (batch.changes().size() < 20'000) continue;
    REQUIRE((*store)->write(batch));
    batch = {};
  }
  REQUIRE((*store)->write(batch));
}

/// A counter of /metrics.
std::uint64_t figure(const Cluster& cluster, int id, const std::string& name) {
  const auto answer = ask(cluster.client_port(id), "GET", "/metrics");
  REQUIRE(answer);
  const std::size_t at = answer->body.find('\n' + name + ' ');
  REQUIRE(at != std::string::npos);
  return std::strtoull(answer->body.c_str() + at + name.size() + 2, nullptr, 10);
}

std::uint64_t rounds(const Cluster& cluster, int id) {
  return figure(cluster, id, "parallax_anti_entropy_rounds_total");
}

/// Waits until `what()` says so.
template <class What>
void await(std::chrono::seconds limit, What what) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + limit;
  while (!what()) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(20ms);
  }
}

void await_compared(const Cluster& cluster, std::uint64_t times) {
  await(120s, [&] {
    for (int id = 1; id <= cluster.size(); ++id) {
      if (rounds(cluster, id) < times) return false;
    }
    return true;
  });
}

TEST_CASE("system: a million keys are compared and repaired") {
  Cluster cluster(3, {"--anti-entropy-interval", "1s"});
  cluster.start_all();
  cluster.await_all_ready();
  for (int id = 1; id <= 3; ++id) REQUIRE(cluster.stop(id) == 0);
  for (int id = 1; id <= 3; ++id) fill(cluster, id, 1, 0, std::string(100, 'v'));

  // All equal: the roots say so, whatever the stores hold.
  cluster.start_all();
  cluster.await_all_ready();
  await_compared(cluster, 1);
  const std::uint64_t before = rounds(cluster, 1);
  const SteadyTime begun = std::chrono::steady_clock::now();
  await(20s, [&] { return rounds(cluster, 1) >= before + 3; });
  const auto three = std::chrono::steady_clock::now() - begun;
  const std::uint64_t bytes = figure(cluster, 1, "parallax_anti_entropy_bytes_total");
  CHECK(figure(cluster, 1, "parallax_anti_entropy_keys_total") == 0);
  CHECK(bytes < 1'000'000);
  CHECK(three < 5s);

  // One node has missed a thousand writes.
  REQUIRE(cluster.stop(3) == 0);
  for (int id = 1; id <= 2; ++id) {
    REQUIRE(cluster.stop(id) == 0);
    fill(cluster, id, kKeys / kDifferent, 1, "newer");
  }
  cluster.start_all();
  cluster.await_all_ready();
  // Whoever asks first finds it: the two that have it can mend all before the third one asks.
  await(120s, [&] {
    std::uint64_t found = 0;
    for (int id = 1; id <= cluster.size(); ++id) {
      found += figure(cluster, id, "parallax_anti_entropy_keys_total");
    }
    return found > 0;
  });
  const SteadyTime repair = std::chrono::steady_clock::now();
  const auto client = cluster.client_of(3);
  for (int n = 0; n < kKeys; n += kKeys / kDifferent) {
    await(60s, [&] {
      const auto answer = client->get(key_of(n), {.consistency = Consistency{Level::eventual}});
      return answer && answer->found && answer->value.to_string() == "newer";
    });
  }
  const auto took = std::chrono::steady_clock::now() - repair;
  CHECK(took < 10s);
  const auto seconds = [](auto time) { return std::chrono::duration<double>(time).count(); };
  std::cout << fmt::format(
      "{} equal keys: {} bytes for all comparisons, three in {:.1f} s; {} different: {:.1f} s\n",
      kKeys, bytes, seconds(three), kDifferent, seconds(took));
}

}  // namespace
}  // namespace parallax::system_tests
