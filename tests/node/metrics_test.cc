#include "node/metrics.h"

#include <map>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax {
namespace {

using namespace std::chrono_literals;

/// Sample name with labels -> value; checks HELP, TYPE and order on the way.
std::map<std::string, double> read_metrics(const std::string& text) {
  std::map<std::string, double> samples;
  std::set<std::string> described;
  std::istringstream lines(text);
  std::string line;
  std::string current;
  while (std::getline(lines, line)) {
    if (line.starts_with("# HELP ")) {
      current = line.substr(7, line.find(' ', 7) - 7);
      CHECK(described.insert(current).second);  // once each
      REQUIRE(std::getline(lines, line));
      CHECK(line.starts_with("# TYPE " + current + " "));
      continue;
    }
    const std::size_t space = line.rfind(' ');
    REQUIRE(space != std::string::npos);
    const std::string name = line.substr(0, space);
    INFO(line);
    CHECK(name.starts_with(current));
    CHECK(samples.emplace(name, std::stod(line.substr(space + 1))).second);
  }
  return samples;
}

}  // namespace

TEST_CASE("metrics: a duration falls into the first bucket that is not below it") {
  Random random(3);
  for (int round = 0; round < 10'000; ++round) {
    const auto magnitude = random.below(36);
    const Duration duration{static_cast<std::int64_t>(random.below(2ull << magnitude))};
    LatencyHistogram histogram;
    histogram.add(duration);
    std::size_t expected = 0;
    while (expected < LatencyHistogram::kBounds &&
           duration > std::chrono::microseconds{16ll << expected}) {
      ++expected;
    }
    INFO(duration.count());
    REQUIRE(histogram.bucket(expected) == 1);
  }
  LatencyHistogram histogram;
  histogram.add(16us);
  histogram.add(16us + 1ns);
  histogram.add(-5ns);
  histogram.add(1h);
  CHECK(histogram.bucket(0) == 2);
  CHECK(histogram.bucket(1) == 1);
  CHECK(histogram.bucket(LatencyHistogram::kBounds) == 1);
  CHECK(histogram.count() == 4);
  CHECK(histogram.sum() == 1h + 32us + 1ns);
  CHECK(LatencyHistogram::bound_seconds(0) == 16e-6);
}

TEST_CASE("metrics: what was counted is shown") {
  RequestMetrics requests;
  const RequestMetrics::Answered get{
      .level = Level::prefix, .op = KvOp::get, .status = 200, .path = Path::local};
  requests.count(get, 20us);
  requests.count(get, 100us);
  requests.count({.level = Level::linearizable,
                  .op = KvOp::put,
                  .status = 504,
                  .outcome = RequestOutcome::unknown},
                 5s);
  requests.count({.op = KvOp::increment, .status = 503, .outcome = RequestOutcome::not_applied},
                 1s);
  requests.count({.level = Level::prefix, .op = KvOp::delete_policy, .status = 204}, 1s);
  requests.count_other(400);
  requests.count_other(400);
  requests.count_other(200);
  requests.count_connection(false);

  ReplicaStatus status{.id = NodeId{1}, .membership = Membership::member, .role = Role::leader};
  status.commit_index = LogIndex{12};
  status.applied_index = LogIndex{10};
  status.leader = NodeId{1};
  status.members = {{.id = NodeId{1}, .role = "leader", .up = true},
                    {.id = NodeId{2},
                     .role = "follower",
                     .up = false,
                     .match_index = LogIndex{9},
                     .applied_index = LogIndex{8},
                     .clock_offset_ms = -20,
                     .lag_ms = 1500}};
  ReplicaCounters counters;
  counters.elections_won = 4;
  counters.peer_stores.add(100us);
  counters.peer_stores.add(20us);
  counters.peer_ways.add(20us);
  ProcessStatus process;
  process.batches_written = 3;
  process.batch_write_time = 6ms;
  process.batch_bytes = 700;

  auto samples = read_metrics(render_metrics(requests, {.connections = 7, .requests_in_flight = 2},
                                             status, counters, process));
  const auto sample = [&](const std::string& name) {
    INFO(name);
    REQUIRE(samples.contains(name));
    return samples[name];
  };
  CHECK(sample("parallax_requests_total{level=\"prefix\",op=\"get\",status=\"200\","
               "outcome=\"done\"}") == 2);
  CHECK(sample("parallax_requests_total{level=\"linearizable\",op=\"put\",status=\"504\","
               "outcome=\"unknown\"}") == 1);
  CHECK(sample("parallax_requests_total{level=\"policy\",op=\"increment\",status=\"503\","
               "outcome=\"not_applied\"}") == 1);
  CHECK(sample("parallax_requests_total{level=\"prefix\",op=\"delete-policy\",status=\"204\","
               "outcome=\"done\"}") == 1);
  CHECK(sample("parallax_other_requests_total{status=\"400\"}") == 2);
  const std::string local = "level=\"prefix\",op=\"get\",path=\"local\"";
  const std::string name = "parallax_request_duration_seconds";
  CHECK(sample(name + "_bucket{" + local + ",le=\"1.6e-05\"}") == 0);
  CHECK(sample(name + "_bucket{" + local + ",le=\"3.2e-05\"}") == 1);
  CHECK(sample(name + "_bucket{" + local + ",le=\"0.000128\"}") == 2);
  CHECK(sample(name + "_bucket{" + local + ",le=\"+Inf\"}") == 2);
  CHECK(sample(name + "_count{" + local + "}") == 2);
  CHECK(sample(name + "_sum{" + local + "}") == Approx(120e-6));
  CHECK(sample(name + "_count{level=\"linearizable\",op=\"put\",path=\"none\"}") == 1);
  CHECK(sample("parallax_connections") == 7);
  CHECK(sample("parallax_requests_in_flight") == 2);
  CHECK(sample("parallax_connections_accepted_total") == 1);
  CHECK(sample("parallax_is_leader") == 1);
  CHECK(sample("parallax_apply_lag_entries") == 2);
  CHECK(sample("parallax_elections_won_total") == 4);
  CHECK(sample("parallax_member_up{member=\"1\"}") == 1);
  CHECK(sample("parallax_member_up{member=\"2\"}") == 0);
  CHECK(sample("parallax_member_match_index{member=\"2\"}") == 9);
  CHECK(sample("parallax_member_applied_index{member=\"2\"}") == 8);
  CHECK_FALSE(samples.contains("parallax_member_match_index{member=\"1\"}"));
  CHECK(sample("parallax_member_lag_seconds{member=\"2\"}") == 1.5);
  CHECK(sample("parallax_member_clock_offset_seconds{member=\"2\"}") == Approx(-0.02));
  CHECK(sample("parallax_fsync_duration_seconds_count") == 3);
  CHECK(sample("parallax_fsync_duration_seconds_sum") == Approx(0.006));
  CHECK(sample("parallax_batch_size_bytes_sum") == 700);
  const std::string answers = "parallax_peer_answer_duration_seconds";
  CHECK(sample(answers + "_bucket{request=\"store\",le=\"3.2e-05\"}") == 1);
  CHECK(sample(answers + "_count{request=\"store\"}") == 2);
  CHECK(sample(answers + "_count{request=\"query\"}") == 0);
  CHECK(sample("parallax_peer_way_duration_seconds_bucket{request=\"store\",le=\"3.2e-05\"}") == 1);
}

TEST_CASE("metrics: before anything happened every metric is described") {
  const auto samples = read_metrics(render_metrics({}, {}, {}, {}, {}));
  CHECK(samples.at("parallax_leader") == 0);
  CHECK(samples.at("parallax_build_info{version=\"" PARALLAX_VERSION "\"}") == 1);
}

}  // namespace parallax
