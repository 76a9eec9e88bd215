// A leader that slept, or was cut off, never answers a linearizable read with an older value.
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "tests/system/cluster.h"
#include "tests/system/plain_http.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;

TEST_CASE("system: a paused leader answers with nothing older when it wakes") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  int answered = 0;
  for (int round = 0; round < 5; ++round) {
    const int old_leader = cluster.await_leader();
    const auto all = cluster.client(15s);
    const std::string before = fmt::format("before {}", round);
    const std::string after = fmt::format("after {}", round);
    REQUIRE(put_surely(*all, "key", before));
    cluster.pause(old_leader);
    const int other = old_leader % 3 + 1;
    REQUIRE(cluster.await_leader(other, old_leader) != old_leader);
    REQUIRE(put_surely(*cluster.client_of(other), "key", after));

    // These reads begin after the write was acknowledged, and wait in the sleeper's sockets.
    std::vector<std::unique_ptr<Connection>> reads;
    for (int n = 0; n < 20; ++n) {
      reads.push_back(std::make_unique<Connection>(cluster.client_port(old_leader)));
      REQUIRE(reads.back()->send(
          plain_request("GET", n % 2 == 0 ? "/v1/kv/key" : "/v1/kv/key?forward=false")));
    }
    cluster.resume(old_leader);
    for (const auto& read : reads) {
      const auto text = read->receive_all(20s);
      REQUIRE(text);
      const auto answer = parse_answer(*text);
      REQUIRE(answer);
      INFO(*text);
      if (answer->status == 200) {
        ++answered;
        CHECK(answer->body == after);
      } else {
        CHECK((answer->status == 421 || answer->status == 503 || answer->status == 504));
      }
    }
    cluster.await_all_ready();
  }
  CHECK(answered > 0);  // else nothing was shown
}

void set_faults(const Cluster& cluster, int id, const std::string& faults) {
  const auto answer = ask(cluster.client_port(id), "POST", "/v1/faults", faults);
  REQUIRE(answer);
  REQUIRE(answer->status / 100 == 2);
}

TEST_CASE("system: a leader cut off from the others serves prefix and nothing linearizable") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const int old_leader = cluster.await_leader();
  const int other = old_leader % 3 + 1;
  const int third = other % 3 + 1;
  REQUIRE(put_surely(*cluster.client(), "key", "before"));
  set_faults(cluster, old_leader,
             fmt::format(R"({{"drop_from":[{0},{1}],"drop_to":[{0},{1}]}})", other, third));
  REQUIRE(cluster.await_leader(other, old_leader) != old_leader);
  REQUIRE(put_surely(*cluster.client_of(other), "key", "after"));

  const auto port = cluster.client_port(old_leader);
  const auto newest = ask(port, "GET", "/v1/kv/key?timeout_ms=2000");
  REQUIRE(newest);
  INFO(newest->body);
  CHECK((newest->status == 503 || newest->status == 504));
  const auto local = ask(port, "GET", "/v1/kv/key?consistency=prefix");
  REQUIRE(local);
  CHECK(local->status == 200);
  CHECK(local->body == "before");  // the anomaly that this level permits
  const auto write = ask(port, "PUT", "/v1/kv/key?timeout_ms=2000", "lost");
  REQUIRE(write);
  CHECK((write->status == 503 || write->status == 504));

  REQUIRE(ask(port, "DELETE", "/v1/faults")->status / 100 == 2);
  cluster.await_ready(old_leader);
  const auto healed = cluster.client_of(old_leader)->get("key");
  REQUIRE(healed);
  CHECK(healed->value.to_string() == "after");
}

}  // namespace
}  // namespace parallax::system_tests
