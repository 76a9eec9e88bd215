// Prints how long the checkers of sessions take on large drawn histories.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

#include "consistency/checker/causal.h"
#include "consistency/checker/log_order.h"
#include "consistency/checker/sequential.h"
#include "consistency/checker/session_guarantees.h"
#include "consistency/checker/stamped_guarantees.h"
#include "tests/checker/stores.h"

namespace parallax::checker {
namespace {

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class Check>
void measure(const std::string& name, const History& history, Check check) {
  const double busy = processor_seconds();
  const auto start = std::chrono::steady_clock::now();
  const auto result = check(history);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("{:44} {:>8} operations {:8.3f} s ({:.3f} of processor)  {:9} peak {} MB {}\n", name,
             history.operations.size(), took.count(), processor_seconds() - busy,
             to_string(result.verdict), usage.ru_maxrss / 1024, result.reason);
  std::fflush(stdout);
}

void measure_guarantees(const std::string& name, const SessionShape& shape) {
  Random random(1);
  const History history = random_sessions(shape, random);
  measure("four session guarantees " + name, history, [&](const History& h) {
    GuaranteeResults results = check_session_guarantees(h);
    GuaranteeResult all{.verdict = Verdict::yes};
    for (const GuaranteeResult& result : results) {
      if (result.verdict != Verdict::yes) all.verdict = result.verdict;
    }
    return all;
  });
}

/// A hundred histories of 20 clients with 500 operations each; `skew`: each client's times are
/// moved by up to so many ns, so that they are bad hints.
void measure_sequential(std::uint32_t keys, double reads, std::int64_t skew) {
  Random random(1);
  int decided = 0;
  double longest = 0;
  std::uint64_t steps = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    History history = random_sessions({.store = Store::log,
                                       .operations = 10'000,
                                       .clients = 20,
                                       .keys = keys,
                                       .reads = reads,
                                       .unknown = 0.01,
                                       .lag = 1 + i * 2},
                                      random);
    std::vector<std::int64_t> moved(20, 0);
    for (std::int64_t& m : moved) {
      m = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(skew) + 1));
    }
    for (Operation& o : history.operations) {
      o.call_ns += moved[o.client];
      if (o.outcome == Outcome::ok) o.return_ns += moved[o.client];
    }
    const double busy = processor_seconds();
    const SequentialResult result = check_sequential(history);
    longest = std::max(longest, processor_seconds() - busy);
    steps = std::max(steps, result.steps);
    decided += result.verdict == Verdict::yes ? 1 : 0;
  }
  fmt::print(
      "sequential, 20 x 500, {:4} keys, {:.0f}% reads, skew {:6}: {} of 100 decided, longest "
      "{:.3f} s of processor, {} steps\n",
      keys, reads * 100, skew, decided, longest, steps);
  std::fflush(stdout);
}

void measure_log() {
  Random random(1);
  const History history = random_sessions(
      {.store = Store::log, .operations = 1'000'000, .clients = 50, .keys = 1000}, random);
  const auto log = log_by_stamps(history);
  measure("prefix and staleness against the log", history, [&](const History& h) {
    const LogResult result = check_against_log(h, *log, {.own_writes = true});
    return GuaranteeResult{.verdict = result.prefix};
  });
  measure("four session guarantees by stamps", history,
          [&](const History& h) { return check_stamped_guarantees(h)[3]; });
}

void measure_causal(const std::string& name, const SessionShape& shape) {
  Random random(1);
  const History history = random_sessions(shape, random);
  for (const CausalModel model : {CausalModel::cc, CausalModel::ccv, CausalModel::cm}) {
    measure(fmt::format("{} {}", to_string(model), name), history,
            [&](const History& h) { return check_causal(h, model); });
  }
}

}  // namespace
}  // namespace parallax::checker

int main() {
  using namespace parallax::checker;
  using enum Store;
  for (const std::int64_t skew : {0, 100, 100'000}) {
    measure_sequential(10, 0.5, skew);
    measure_sequential(100, 0.5, skew);
    measure_sequential(2, 0.5, skew);
    measure_sequential(10, 0.1, skew);
  }
  measure_log();
  for (const std::uint32_t keys : {100u, 1000u, 50'000u}) {
    for (const Store store : {gossip, log}) {
      if (store == gossip && keys > 1000) continue;
      measure_guarantees(fmt::format("{}, {} keys", store == log ? "log" : "gossip", keys),
                         {.store = store, .operations = 1'000'000, .clients = 50, .keys = keys});
    }
  }
  measure_causal("gossip, 100 keys",
                 {.store = gossip, .operations = 100'000, .clients = 50, .keys = 100});
  for (const std::uint32_t keys : {1u, 100u, 1000u}) {
    for (const Store store : {gossip, log}) {
      measure_causal(fmt::format("{}, {} keys", store == log ? "log" : "gossip", keys),
                     {.store = store, .operations = 1'000'000, .clients = 50, .keys = keys});
    }
  }
  measure_causal(
      "gossip, 1% unknown",
      {.store = gossip, .operations = 1'000'000, .clients = 50, .keys = 100, .unknown = 0.01});
}
