// Prints how long the checkers of sessions take on large drawn histories.
#include <chrono>
#include <cstdio>
#include <string>

#include <fmt/format.h>
#include <sys/resource.h>

#include "consistency/checker/causal.h"
#include "consistency/checker/session_guarantees.h"
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
