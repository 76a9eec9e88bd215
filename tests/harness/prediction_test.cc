#include "harness/prediction.h"

#include <algorithm>
#include <cmath>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "base/random.h"
#include "harness/workload_checks.h"

namespace parallax::harness {
namespace {

constexpr std::int64_t kUs = 1'000;
constexpr std::int64_t kMs = 1'000 * kUs;

Run run_at(std::string_view write, std::string_view read) {
  Run run;
  run.asked.write_level = *parse_consistency(write);
  run.asked.read_level = *parse_consistency(read);
  return run;
}

/// What a node says in /metrics of these times.
std::string metrics_of(const std::vector<std::int64_t>& stores,
                       const std::vector<std::int64_t>& ways,
                       const std::vector<std::int64_t>& queries) {
  std::string text =
      "# HELP parallax_peer_answer_duration_seconds x\n"
      "# TYPE parallax_peer_answer_duration_seconds histogram\n"
      "parallax_request_duration_seconds_bucket{level=\"quorum\",le=\"0.000128\"} 9\n";
  const auto render = [&](std::string_view name, std::string_view request,
                          const std::vector<std::int64_t>& times) {
    for (std::int64_t bound = 16 * kUs; bound <= 16 * kUs << 20; bound *= 2) {
      text += fmt::format(
          "parallax_peer_{}_duration_seconds_bucket{{request=\"{}\",le=\"{}\"}} {}\n", name,
          request, static_cast<double>(bound) / 1e9,
          std::count_if(times.begin(), times.end(), [&](std::int64_t t) { return t <= bound; }));
    }
    text += fmt::format(
        "parallax_peer_{0}_duration_seconds_bucket{{request=\"{1}\",le=\"+Inf\"}} {2}\n"
        "parallax_peer_{0}_duration_seconds_sum{{request=\"{1}\"}} 0\n"
        "parallax_peer_{0}_duration_seconds_count{{request=\"{1}\"}} {2}\n",
        name, request, times.size());
  };
  render("answer", "store", stores);
  render("answer", "query", queries);
  render("way", "store", ways);
  return text;
}

/// A store of n replicas whose latencies are known: a read asks the node that takes it, and what
/// has arrived there is shown once it is synced, which takes longer than all ways.
struct Known {
  static constexpr std::int64_t kSync = 40 * kMs;
  Random random{7};
  std::vector<std::int64_t> stores;
  std::vector<std::int64_t> ways;

  /// Longer than most of the time in one of four.
  std::int64_t way_to_replica() {
    const double spread = std::exp2(static_cast<double>(random.below(1'000)) / 500.0);
    return static_cast<std::int64_t>(static_cast<double>(2 * kMs) * spread) *
           (random.chance(0.25) ? 4 : 1);
  }

  checker::History record(std::uint32_t n, std::uint32_t w, std::int64_t client_way) {
    checker::History history;
    std::int64_t now = 0;
    for (int i = 0; i < 4'000; ++i) {
      const auto key = history.texts.intern(fmt::format("k{}", i));
      const auto writer = static_cast<std::uint32_t>(random.below(n)) + 1;
      const auto reader = static_cast<std::uint32_t>(random.below(n)) + 1;
      std::vector<std::int64_t> there(n + 1);
      std::vector<std::int64_t> answered{0};  // of the writer: from when it was durable there
      for (std::uint32_t node = 1; node <= n; ++node) {
        if (node == writer) continue;
        there[node] = way_to_replica();
        ways.push_back(2 * there[node]);
        stores.push_back(ways.back() + kSync);
        answered.push_back(stores.back());
      }
      std::sort(answered.begin(), answered.end());
      const std::int64_t returned = now + answered[w - 1] + client_way;
      const auto wait =
          static_cast<std::int64_t>(static_cast<double>(100 * kUs) *
                                    std::exp2(static_cast<double>(random.below(9'000)) / 1e3));
      const std::int64_t taken = returned + wait + client_way;
      history.operations.push_back({.kind = checker::OperationKind::write,
                                    .client = 1,
                                    .node = NodeId{writer},
                                    .key = key,
                                    .value = history.texts.intern("new"),
                                    .call_ns = now - 3 * client_way,
                                    .return_ns = returned});
      const bool seen = reader == writer || taken >= now + there[reader];
      history.operations.push_back({.kind = checker::OperationKind::read,
                                    .client = 2,
                                    .node = NodeId{reader},
                                    .key = key,
                                    .result = seen ? history.texts.intern("new") : checker::kAbsent,
                                    .call_ns = returned + wait,
                                    .return_ns = taken + client_way});
      now += 500 * kMs;
    }
    return history;
  }
};

TEST_CASE("a curve of known latencies is predicted and synced writes there make no read stale") {
  for (const char* level : {"quorum; r=1; w=1", "eventual", "quorum; r=1; w=2"}) {
    INFO(level);
    Known known;
    Run run = run_at(level, level);
    const std::uint32_t w = run.asked.write_level.w == 2 ? 2 : 1;
    run.history = known.record(3, w, 300 * kUs);
    run.staleness = summarize_staleness(run.history);
    predict_staleness(run, parse_peer_times(metrics_of(known.stores, known.ways, {})));
    REQUIRE(run.staleness->curve.size() > 8);
    double least = 1;
    for (const StalenessPoint& point : run.staleness->curve) {
      if (point.reads < 100) continue;
      INFO(point.after_ns << " ns: " << point.reads << " reads, " << point.same_node
                          << " at the same node");
      REQUIRE(point.predicted);
      // Buckets of /metrics and of the curve are a factor of two wide.
      CHECK(*point.predicted == Approx(point.seen).margin(0.08));
      least = std::min(least, *point.predicted);
    }
    CHECK((w == 2 || least < 0.6));
    CHECK(run.staleness->curve.back().predicted.value() == Approx(1.0).margin(0.02));
    CHECK_THAT(run.staleness->prediction, Catch::Contains(fmt::format("n = 3, r = 1, w = {}", w)));
    CHECK_THAT(run.staleness->prediction,
               Catch::Contains("8000 durable stores at another replica"));
    CHECK_THAT(run.staleness->prediction, Catch::Contains("8000 ways there and back"));
    CHECK_THAT(run.staleness->prediction,
               Catch::Contains("% of the reads were answered by the node"));
  }
}

TEST_CASE("quorums that overlap are predicted to be fresh and queries are taken for ways to read") {
  Known known;
  Run run = run_at("quorum; w=2", "quorum; r=2");
  run.history = known.record(3, 2, 300 * kUs);
  run.staleness = summarize_staleness(run.history);
  const std::vector<std::int64_t> queries(50, 3 * kMs);
  predict_staleness(run, parse_peer_times(metrics_of(known.stores, known.ways, queries)));
  for (const StalenessPoint& point : run.staleness->curve) {
    CHECK(point.predicted.value() == Approx(1.0));
  }
  CHECK_THAT(run.staleness->prediction, Catch::Contains("half each of 50 queries"));
}

TEST_CASE("runs without quorums have no prediction and say why") {
  struct Case {
    std::string write, read, why;
  };
  const PeerTimes times = parse_peer_times(metrics_of({5 * kMs}, {5 * kMs}, {}));
  for (const auto& [write, read, why] : {
           Case{"linearizable", "linearizable",
                "at linearizable the log decides what a read shows"},
           Case{"linearizable", "prefix", "the log decides"},
           Case{"quorum; r=1; w=1", "prefix", "at prefix the log decides"},
           Case{"causal", "causal", "at causal writes are passed on in causal order"},
           Case{"atomic", "atomic", "at atomic a read writes back"},
           Case{"weak", "weak", "at weak writes are acknowledged before"},
       }) {
    INFO(write << " / " << read);
    Run run = run_at(write, read);
    run.staleness = StalenessSummary{.curve = {{1'000, 10, 0.5, std::nullopt, 3}}};
    predict_staleness(run, times);
    CHECK_FALSE(run.staleness->curve[0].predicted);
    CHECK_THAT(run.staleness->prediction, Catch::StartsWith("No prediction: "));
    CHECK_THAT(run.staleness->prediction, Catch::Contains(why));
  }
  Run run = run_at("quorum; r=1; w=1", "quorum; r=1; w=1");
  run.staleness = StalenessSummary{};
  predict_staleness(run, {});
  CHECK(run.staleness->prediction == "No prediction: no node has timed a store at another one.");
  run.asked.workload = Workload::mixed_level;
  CHECK(unpredictable(run.asked) == "reads are at several levels");
  run.asked = run_at("eventual", "eventual").asked;
  run.asked.nodes = 1;
  CHECK(unpredictable(run.asked) == "one node alone has nobody to be behind");
}

TEST_CASE("times of several nodes are counted by bucket and those before the run are not") {
  PeerTimes times =
      parse_peer_times(metrics_of({10 * kUs, 20 * kUs, 21 * kUs, 60'000 * kMs}, {20 * kUs}, {}));
  CHECK(times.stores.at(16 * kUs) == 1);
  CHECK(times.ways.at(32 * kUs) == 1);
  CHECK(times.stores.at(32 * kUs) == 2);
  CHECK(times.stores.at(64 * kUs) == 0);
  CHECK(times.stores.rbegin()->second == 1);  // above all bounds
  CHECK(times.stores.rbegin()->first == 2 * (16 * kUs << 20));
  const PeerTimes before = times;
  add(times, parse_peer_times(metrics_of({30 * kUs}, {10 * kUs, 30 * kUs}, {kMs})));
  const PeerTimes during = since(before, times);
  std::uint64_t stores = 0;
  for (const auto& [bound, count] : during.stores) stores += count;
  CHECK(stores == 1);
  CHECK(during.stores.at(32 * kUs) == 1);
  CHECK(during.queries.at(1'024 * kUs) == 1);
  CHECK(during.ways.at(16 * kUs) == 1);
  CHECK(during.ways.at(32 * kUs) == 1);
  CHECK(parse_peer_times("nonsense\nparallax_peer_answer_duration_seconds_bucket{request=\"store\","
                         "le=\"x") == PeerTimes{});
}

}  // namespace
}  // namespace parallax::harness
