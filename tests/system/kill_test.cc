// Killing processes under load: what was acknowledged is there, what was refused never happened.
#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <set>
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

/// What one writer knows of one of its keys. It writes rising numbers, one at a time.
struct KeyHistory {
  int acknowledged = -1;      ///< the highest number that was acknowledged
  std::set<int> unknown;      ///< above it: may have happened
  std::set<int> not_applied;  ///< definite failures: must never be seen
};

struct Writer {
  Consistency level = {};  ///< that it writes at
  std::map<std::string, KeyHistory> keys;
  int acknowledged = 0;
};

/// Writes until told to stop, to `key_count` keys in turn, a number each. Many keys: every write is
/// looked at in the end. Few keys: writes replace each other.
void write_on(Client& client, int number, int key_count, const std::atomic<bool>& stop,
              Writer& writer) {
  for (int n = 0; !stop; ++n) {
    const std::string key = fmt::format("w{}/{}", number, n % key_count);
    KeyHistory& history = writer.keys[key];
    const auto answer = client.put(key, fmt::format("{}", n), {.consistency = writer.level});
    if (answer) {
      ++writer.acknowledged;
      history.acknowledged = n;
      history.unknown.clear();
    } else {
      (answer.error().definite() ? history.not_applied : history.unknown).insert(n);
    }
  }
}

/// Reads every key through node `id` and judges what it says: at linearizable, or at the level that
/// `reads` gives for its writer.
void check_through(Cluster& cluster, int id, const std::vector<Writer>& writers,
                   const std::vector<Consistency>& reads = {}) {
  const auto client = cluster.client_of(id);
  int wrong = 0;
  for (std::size_t i = 0; i < writers.size(); ++i) {
    const Consistency level = reads.empty() ? Consistency{} : reads[i];
    for (const auto& [key, history] : writers[i].keys) {
      const auto answer = client->get(key, {.consistency = level});
      INFO("node " << id << ", " << key);
      REQUIRE(answer);
      const int value = answer->found ? std::stoi(answer->value.to_string()) : -1;
      const bool right = value == history.acknowledged || history.unknown.contains(value);
      if (!right && ++wrong <= 5) {
        INFO("read " << value << ", acknowledged " << history.acknowledged << ", "
                     << history.unknown.size() << " of unknown outcome"
                     << (history.not_applied.contains(value) ? ", and this one was refused" : ""));
        CHECK(right);
      }
    }
  }
  CHECK(wrong == 0);
}

/// Writers at work, each on its own thread, until told to stop.
class Writers {
 public:
  Writers(Client& client, std::vector<Writer> writers) : writers_(std::move(writers)) {
    for (std::size_t n = 0; n < writers_.size(); ++n) {
      threads_.emplace_back([this, &client, n] {
        write_on(client, static_cast<int>(n), 1'000'000, stop_, writers_[n]);
      });
    }
  }
  ~Writers() { stop(); }  // also when a check throws
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  /// What they have done.
  const std::vector<Writer>& stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    return writers_;
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<Writer> writers_;
  std::vector<std::thread> threads_;
};

/// What a node sends to its peers arrives late: what it acknowledged on its own word is lost with
/// it.
void delay_messages(const Cluster& cluster, int id) {
  (void)ask(cluster.client_port(id), "POST", "/v1/faults", R"({"delay_ms":30})");
}

TEST_CASE("system: twenty kills under load lose nothing that was acknowledged") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client(10s);
  Writers at_work(*client, std::vector<Writer>(4));

  Random random(20261120);
  int leaders_killed = 0;
  for (int round = 0; round < 20; ++round) {
    const int leader = cluster.await_leader();
    const int victim = round % 2 == 0 ? leader : static_cast<int>(random.between(1, 3));
    leaders_killed += victim == leader ? 1 : 0;
    if (round % 4 == 0) {
      delay_messages(cluster, victim);
      std::this_thread::sleep_for(200ms);
    }
    cluster.kill(victim);
    std::this_thread::sleep_for(std::chrono::milliseconds(random.between(0, 1'200)));
    cluster.start(victim);
    cluster.await_ready(victim);
    std::this_thread::sleep_for(std::chrono::milliseconds(random.between(0, 300)));
  }
  const std::vector<Writer>& writers = at_work.stop();

  CHECK(leaders_killed >= 10);
  int acknowledged = 0;
  for (const Writer& writer : writers) acknowledged += writer.acknowledged;
  CHECK(acknowledged > 500);
  for (int id = 1; id <= cluster.size(); ++id) check_through(cluster, id, writers);
}

TEST_CASE("system: kills lose no write that a level without a leader has acknowledged") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client(10s);
  const Consistency atomic{.level = Level::atomic};
  const Consistency quorum{.level = Level::quorum, .r = 2, .w = 2};
  const Consistency all{.level = Level::quorum, .r = Consistency::kAll, .w = 1};
  const Consistency eventual{.level = Level::eventual};
  Writers at_work(*client, {{.level = atomic}, {.level = quorum}, {.level = eventual}});

  Random random(20261126);
  for (int round = 0; round < 9; ++round) {
    const int victim = round % 3 == 0 ? cluster.await_leader() : 1 + round % 3;
    // What it has acknowledged alone, others have not heard of yet.
    delay_messages(cluster, victim);
    std::this_thread::sleep_for(100ms);
    cluster.kill(victim);
    std::this_thread::sleep_for(std::chrono::milliseconds(random.between(0, 1'000)));
    cluster.start(victim);
    cluster.await_ready(victim);
  }
  const std::vector<Writer>& writers = at_work.stop();

  for (const Writer& writer : writers) {
    INFO(writer.level.to_string());
    CHECK(writer.acknowledged > 100);
  }
  // Each at a level that has to meet its writes, and all of them through the log, which adopts
  // them.
  for (int id = 1; id <= cluster.size(); ++id) {
    check_through(cluster, id, writers, {atomic, quorum, all});
  }
  check_through(cluster, 1, writers);
}

TEST_CASE("system: a cluster whose nodes are all killed at once has everything afterwards") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  std::vector<Writer> writers(1);
  {
    const auto client = cluster.client();
    std::atomic<bool> stop{false};
    std::thread writer([&] { write_on(*client, 0, 20, stop, writers[0]); });
    std::this_thread::sleep_for(1s);
    for (int id = 1; id <= cluster.size(); ++id) cluster.kill(id);
    stop = true;
    writer.join();
  }
  CHECK(writers[0].acknowledged > 50);
  cluster.start_all();
  cluster.await_all_ready();
  for (int id = 1; id <= cluster.size(); ++id) check_through(cluster, id, writers);
}

TEST_CASE("system: writes go on within three seconds of the leader's end") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const int leader = cluster.await_leader();
  const auto client = cluster.client(10s);
  REQUIRE(put_surely(*client, "before", "1"));
  const auto killed = std::chrono::steady_clock::now();
  cluster.kill(leader);
  // A write that a follower passed on to the dead leader ends as unknown; the next one goes on.
  const auto impatient = cluster.client(500ms);
  while (!impatient->put("after", "1")) {
    REQUIRE(std::chrono::steady_clock::now() - killed < 10s);
  }
  const auto pause = std::chrono::steady_clock::now() - killed;
  CHECK(std::chrono::duration_cast<std::chrono::milliseconds>(pause).count() < 3'000);
}

TEST_CASE("system: a stopped leader hands over and ends well") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const int leader = cluster.await_leader();
  const auto client = cluster.client(10s);
  REQUIRE(put_surely(*client, "before", "1"));
  CHECK(cluster.stop(leader) == 0);
  // Handed over: nobody had to wait for an election timeout.
  const auto stopped = std::chrono::steady_clock::now();
  REQUIRE(put_surely(*client, "after", "1"));
  const auto pause = std::chrono::steady_clock::now() - stopped;
  CHECK(std::chrono::duration_cast<std::chrono::milliseconds>(pause).count() < 500);
  for (int id = 1; id <= cluster.size(); ++id) {
    if (id != leader) CHECK(cluster.stop(id) == 0);
  }
}

TEST_CASE("system: a disk that refuses writes acknowledges none") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client(3s);
  REQUIRE(put_surely(*client, "key", "before"));
  for (int id = 1; id <= cluster.size(); ++id) {
    const auto answer = ask(cluster.client_port(id), "POST", "/v1/faults", R"({"disk_full":true})");
    REQUIRE(answer);
    REQUIRE(answer->status / 100 == 2);
  }
  std::set<std::string> may_be_there{"before"};
  for (int n = 0; n < 4; ++n) {
    const std::string value = fmt::format("during {}", n);
    const auto answer = client->put("key", value);
    CHECK_FALSE(answer);
    if (!answer && !answer.error().definite()) may_be_there.insert(value);
  }
  // A node that could not write does not trust its store again before it is started anew.
  for (int id = 1; id <= cluster.size(); ++id) {
    if (cluster.running(id)) cluster.kill(id);
  }
  cluster.start_all();
  cluster.await_all_ready();
  const auto answer = client->get("key");
  REQUIRE(answer);
  REQUIRE(answer->found);
  INFO("read " << answer->value.to_string());
  CHECK(may_be_there.contains(answer->value.to_string()));
  CHECK(client->put("key", "after"));
}

TEST_CASE("system: a leader whose disk refuses writes gives way to one whose disk does not") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const int leader = cluster.await_leader();
  const auto client = cluster.client(15s);
  REQUIRE(put_surely(*client, "key", "before"));
  const auto fault =
      ask(cluster.client_port(leader), "POST", "/v1/faults", R"({"disk_full":true})");
  REQUIRE(fault);
  REQUIRE(fault->status / 100 == 2);
  (void)client->put("key", "between");  // finds the disk full; may be of unknown outcome
  REQUIRE(put_surely(*client, "key", "after"));
  for (int id = 1; id <= cluster.size(); ++id) {
    if (id == leader) continue;
    const auto answer = cluster.client_of(id)->get("key");
    REQUIRE(answer);
    CHECK(answer->value.to_string() == "after");
  }
}

TEST_CASE("system: a second signal ends a node whose disk hangs") {
  // At once, and when the time that a stop may take is over and only the disk is waited for.
  const auto pause = GENERATE(0ms, 6'000ms);
  Cluster cluster(1);
  cluster.start(1);
  cluster.await_ready(1);
  const auto client = cluster.client(500ms);
  REQUIRE(put_surely(*client, "key", "value"));
  REQUIRE(ask(cluster.client_port(1), "POST", "/v1/faults", R"({"fsync_delay_ms":60000})"));
  REQUIRE_FALSE(client->put("key", "unknown"));
  cluster.signal(1, SIGTERM);
  std::this_thread::sleep_for(pause + 200ms);
  REQUIRE(cluster.running(1));
  cluster.signal(1, SIGINT);
  CHECK(cluster.await_end(1, 2s) == 1);
  CHECK_THAT(cluster.log(1), Catch::Contains("parallaxd: a second signal ends it at once"));
  // What was acknowledged is there.
  cluster.start(1);
  cluster.await_ready(1);
  const auto answer = cluster.client()->get("key");
  REQUIRE(answer);
  CHECK(answer->found);
}

}  // namespace
}  // namespace parallax::system_tests
