// What an acknowledgement mode lets go when its leader does, by count: at ack=leader all that was
// acknowledged while nobody heard the leader, at majority and all nothing.
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "tests/system/cluster.h"
#include "tests/system/plain_http.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;

/// Writes at one node, each key once.
class Writes {
 public:
  Writes(const Cluster& cluster, int id, Ack ack) : client_(cluster.client_of(id)), ack_(ack) {}

  /// Whether it was acknowledged.
  bool write() {
    std::string key = fmt::format("written/{}", next_++);
    const auto answer =
        client_->put(key, Bytes{key},
                     {.consistency = Consistency{.ack = ack_}, .timeout = 1s, .forward = false});
    if (!answer) return false;
    CHECK(answer->consistency.ack == ack_);
    acknowledged_.push_back(std::move(key));
    return true;
  }

  /// How many of the acknowledged ones node `id` does not have.
  std::size_t lost(const Cluster& cluster, int id) const {
    const auto client = cluster.client_of(id);
    std::size_t gone = 0;
    for (const std::string& key : acknowledged_) {
      const auto answer = client->get(key);
      REQUIRE(answer);
      if (answer->found) CHECK(answer->value.to_string() == key);
      gone += answer->found ? 0 : 1;
    }
    return gone;
  }

  std::size_t acknowledged() const { return acknowledged_.size(); }

 private:
  std::unique_ptr<Client> client_;
  Ack ack_;
  int next_ = 0;
  std::vector<std::string> acknowledged_;
};

/// A leader, and a way in which it goes and comes back.
struct Failover {
  Cluster& cluster;
  bool killed;  ///< else it sleeps
  int leader;
  int other = leader % 3 + 1;

  /// From now on nobody hears the leader, nor does it hear anybody.
  void cut_off() const {
    const auto set =
        ask(cluster.client_port(leader), "POST", "/v1/faults",
            fmt::format(R"({{"drop_from":[{0},{1}],"drop_to":[{0},{1}]}})", other, other % 3 + 1));
    REQUIRE(set);
    REQUIRE(set->status / 100 == 2);
  }
  /// The others have another leader, which has written.
  void fail_over() const {
    if (killed) {
      cluster.kill(leader);
    } else {
      cluster.pause(leader);
    }
    REQUIRE(cluster.await_leader(other, leader) != leader);
    REQUIRE(put_surely(*cluster.client_of(other), "after", "the failover"));
  }
  void come_back() const {
    if (killed) {
      cluster.start(leader);
    } else {
      cluster.resume(leader);
      REQUIRE(ask(cluster.client_port(leader), "DELETE", "/v1/faults")->status / 100 == 2);
    }
    cluster.await_ready(leader);
  }
};

TEST_CASE("system: what ack=leader acknowledged is lost with a leader that was cut off") {
  const bool killed = GENERATE(true, false);
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  // It leads on until it notices: on a busy machine that may be before the first write.
  std::size_t acknowledged = 0;
  for (int round = 0; round < 5 && acknowledged == 0; ++round) {
    const Failover failover{cluster, killed, cluster.await_leader()};
    Writes writes(cluster, failover.leader, Ack::leader);
    failover.cut_off();
    while (writes.acknowledged() < 100 && writes.write()) {
    }
    acknowledged = writes.acknowledged();
    failover.fail_over();
    const std::size_t lost = writes.lost(cluster, failover.other);
    failover.come_back();
    WARN(fmt::format("ack=leader, the leader {}: {} writes acknowledged, {} lost",
                     killed ? "killed" : "paused", acknowledged, lost));
    CHECK(lost == acknowledged);
    // They do not come back with it.
    CHECK(writes.lost(cluster, failover.leader) == acknowledged);
  }
  CHECK(acknowledged > 0);
}

TEST_CASE("system: what ack=majority and ack=all acknowledged survives a leader that was cut off") {
  const bool killed = GENERATE(true, false);
  const Ack ack = GENERATE(Ack::majority, Ack::all);
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const Failover failover{cluster, killed, cluster.await_leader()};
  Writes writes(cluster, failover.leader, ack);
  while (writes.acknowledged() < 100 && writes.write()) {
  }
  const std::size_t before = writes.acknowledged();
  CHECK(before > 0);
  failover.cut_off();
  for (int n = 0; n < 3; ++n) CHECK_FALSE(writes.write());
  failover.fail_over();
  const std::size_t lost = writes.lost(cluster, failover.other);
  failover.come_back();
  WARN(fmt::format("ack={}, the leader {}: {} writes acknowledged, {} lost",
                   kAcks[static_cast<std::size_t>(ack)], killed ? "killed" : "paused",
                   writes.acknowledged(), lost));
  CHECK(lost == 0);
  CHECK(writes.lost(cluster, failover.leader) == 0);
}

}  // namespace
}  // namespace parallax::system_tests
