// The simulator itself: it repeats itself exactly, has the faults that it says, shrinks what
// breaks, and refuses what it does not understand.
#include "simulation/simulation.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "base/canary.h"
#include "base/coverage.h"

namespace parallax::simulation {
namespace {

using namespace std::chrono_literals;

SimulationOptions short_run(std::uint64_t seed) {
  SimulationOptions options;
  options.seed = seed;
  options.duration = 10s;
  return options;
}

TEST_CASE("simulation: the same seed takes the same way, line by line") {
  const std::uint64_t seed = GENERATE(range(1, 6));
  std::vector<std::string> first;
  std::vector<std::string> second;
  const Outcome a = simulate(short_run(seed), [&](const std::string& l) { first.push_back(l); });
  const Outcome b = simulate(short_run(seed), [&](const std::string& l) { second.push_back(l); });
  const Outcome untold = simulate(short_run(seed));
  CAPTURE(a.broken);
  CHECK(a.ok);
  CHECK(first.size() > 1'000);
  CHECK(first == second);
  CHECK(a.hash == b.hash);
  CHECK(a.hash == untold.hash);  // whether somebody listens changes nothing
  CHECK(a.hash != simulate(short_run(seed + 100)).hash);
}

TEST_CASE("simulation: without faults every operation is answered") {
  SimulationOptions options = short_run(3);
  options.faults = {};
  options.duration = 30s;
  const Outcome outcome = simulate(options);
  CAPTURE(outcome.broken);
  CHECK(outcome.ok);
  CHECK(outcome.faults == 0);
  CHECK(outcome.operations > 600);
  // Refused is what comes before the first leader, and sessions that do not want to wait.
  CHECK(outcome.answered * 100 > outcome.operations * 85);
}

TEST_CASE("simulation: clusters of one, two, five and seven nodes") {
  SimulationOptions options = short_run(GENERATE(range(1, 4)));
  options.nodes = GENERATE(1u, 2u, 5u, 7u);
  const Outcome outcome = simulate(options);
  CAPTURE(options.nodes, options.seed, outcome.broken);
  CHECK(outcome.ok);
  CHECK(outcome.answered > 20);
}

TEST_CASE("simulation: plans have faults of every kind over a few seeds") {
  std::set<FaultKind> seen;
  std::size_t crashes = 0;
  std::size_t partitions = 0;
  constexpr std::size_t kSeeds = 200;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const FaultPlan plan = make_plan({seed, 3, 60s, *parse_faults("all"), {}});
    seen.insert(plan.kinds.begin(), plan.kinds.end());
    for (const FaultEvent& event : plan.events) {
      CHECK(plan.kinds.contains(event.kind));
      crashes += event.kind == FaultKind::crash ? 1 : 0;
      partitions += event.kind == FaultKind::partition ? 1 : 0;
    }
  }
  CHECK(seen.size() == static_cast<std::size_t>(FaultKind::count));
  CHECK(crashes >= kSeeds);  // on average one a seed
  CHECK(partitions >= kSeeds);
}

TEST_CASE("simulation: a fault that is not allowed does not happen") {
  const FaultPlan plan = make_plan({1, 3, 600s, *parse_faults("crash"), {}});
  for (const FaultEvent& event : plan.events) CHECK(event.kind == FaultKind::crash);
  CHECK(plan.loss == 0);
  CHECK(make_plan({1, 3, 600s, {}, {}}).events.empty());
}

TEST_CASE("simulation: faults are named, and others are refused with the valid names") {
  CHECK(parse_faults("none")->empty());
  CHECK(parse_faults("all")->size() == static_cast<std::size_t>(FaultKind::count));
  CHECK(*parse_faults("crash,wipe") == std::set{FaultKind::crash, FaultKind::wipe});
  const auto wrong = parse_faults("crash,flood");
  REQUIRE(!wrong);
  CHECK(wrong.error().message.find("'flood'") != std::string::npos);
  CHECK(wrong.error().message.find("partition") != std::string::npos);
}

#ifdef PARALLAX_TEST_BUILD

struct WithCanary {
  explicit WithCanary(Canary bug) { g_active_canary = bug; }
  ~WithCanary() { g_active_canary = Canary::none; }
};

TEST_CASE("simulation: what breaks is named, and shrinks to a run that breaks the same way") {
  constexpr std::string_view kProperty = "definite means not done";
  const WithCanary bug(Canary::unknown_called_definite);
  SimulationOptions options;
  options.level = "linearizable";  // others' clients notice other things of it first
  std::optional<SimulationOptions> breaking;
  for (options.seed = 1; options.seed < 60 && !breaking; ++options.seed) {
    const Outcome outcome = simulate(options);
    if (outcome.broken.find(kProperty) != std::string::npos) breaking = options;
  }
  REQUIRE(breaking);
  const Outcome before = simulate(*breaking);
  CHECK(before.broken.find(kProperty) != std::string::npos);
  const SimulationOptions smaller = shrink(*breaking, [](const std::string&) {});
  const Outcome after = simulate(smaller);
  CHECK_FALSE(after.ok);
  CHECK(after.broken.find(kProperty) != std::string::npos);
  CHECK(smaller.faults.size() < breaking->faults.size());
  CHECK(after.faults <= before.faults);
  CHECK(replay_arguments(smaller).find(fmt::format("--seed {} ", breaking->seed)) == 0);
}

TEST_CASE("simulation: a run marks the rare paths that it takes") {
  g_marks = {};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) CHECK(simulate(short_run(seed)).ok);
  std::size_t reached = 0;
  for (std::uint64_t count : g_marks) reached += count > 0 ? 1 : 0;
  CHECK(reached > 10);
  CHECK(kMarkNames.size() >= 30);
}

#endif

}  // namespace
}  // namespace parallax::simulation
