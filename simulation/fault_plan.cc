#include "simulation/fault_plan.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace parallax::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, static_cast<std::size_t>(FaultKind::count)> kNames{
    "loss",      "duplication", "reordering", "delay", "partition", "crash",    "pause",
    "slow-disk", "disk-full",   "corruption", "wipe",  "clock",     "transfer", "silence"};

/// How likely a seed has the kind, and how many events of it a minute then brings.
struct Habit {
  FaultKind kind;
  double chance;
  std::uint64_t least;
  std::uint64_t most;
  Duration shortest;
  Duration longest;
};
constexpr Habit kHabits[] = {
    {FaultKind::delay, 0.3, 1, 4, 200ms, 3s},     {FaultKind::partition, 0.75, 1, 6, 200ms, 6s},
    {FaultKind::crash, 0.75, 1, 8, 50ms, 5s},     {FaultKind::pause, 0.4, 1, 4, 100ms, 4s},
    {FaultKind::slow_disk, 0.3, 1, 3, 500ms, 5s}, {FaultKind::disk_full, 0.15, 1, 2, 500ms, 4s},
    {FaultKind::corruption, 0.2, 1, 2, 1s, 4s},   {FaultKind::wipe, 0.4, 1, 3, 50ms, 4s},
    {FaultKind::clock, 0.4, 1, 6, 1s, 10s},       {FaultKind::transfer, 0.3, 1, 5, 0ms, 0ms},
    {FaultKind::silence, 0.3, 1, 5, 500ms, 8s},
};

constexpr std::uint64_t kMinute = Duration{1min}.count();

Duration draw(Random& random, Duration low, Duration high) {
  return Duration{static_cast<std::int64_t>(random.between(
      static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count())))};
}

FaultEvent draw_event(Random& random, const Habit& habit, const PlanOptions& options) {
  FaultEvent event;
  event.kind = habit.kind;
  event.at = MonoTime{} + draw(random, Duration{0}, options.duration);
  // Every third fault is aimed at whoever leads: that is where it hurts.
  event.node =
      random.chance(0.33) ? 0 : static_cast<std::uint32_t>(random.between(1, options.nodes));
  event.lasts = draw(random, habit.shortest, habit.longest);
  event.variant = random.next();
  event.amount = static_cast<std::int64_t>(random.below(4'000)) - 2'000;
  return event;
}

}  // namespace

std::string_view fault_name(FaultKind kind) {
  return kNames.at(static_cast<std::size_t>(kind));
}

Result<std::set<FaultKind>> parse_faults(std::string_view text) {
  std::set<FaultKind> result;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (word == "none") continue;
    if (word == "all") {
      for (std::size_t i = 0; i < kNames.size(); ++i) result.insert(static_cast<FaultKind>(i));
      continue;
    }
    const auto found = std::find(kNames.begin(), kNames.end(), word);
    if (found == kNames.end()) {
      return definite(ErrorCode::bad_parameter,
                      fmt::format("no fault is called '{}'; there are all, none, {}", word,
                                  fmt::join(kNames, ", ")));
    }
    result.insert(static_cast<FaultKind>(found - kNames.begin()));
  }
  return result;
}

FaultPlan make_plan(const PlanOptions& options) {
  Random random(options.seed ^ 0xfa017);
  FaultPlan plan;
  // Whole numbers: what a compiler may contract or round otherwise decides no plan.
  const auto duration =
      static_cast<std::uint64_t>(std::max<Duration>(options.duration, 1min).count());
  const bool lossy = random.chance(0.5);
  const double loss = 0.001 * static_cast<double>(random.between(1, 100));
  const bool doubling = random.chance(0.4);
  const double duplication = 0.001 * static_cast<double>(random.between(1, 300));
  const bool reordering = random.chance(0.5);
  if (lossy && options.allowed.contains(FaultKind::loss)) plan.loss = loss;
  if (doubling && options.allowed.contains(FaultKind::duplication)) plan.duplication = duplication;
  plan.reordering = reordering && options.allowed.contains(FaultKind::reordering);
  if (plan.loss > 0) plan.kinds.insert(FaultKind::loss);
  if (plan.duplication > 0) plan.kinds.insert(FaultKind::duplication);
  if (plan.reordering) plan.kinds.insert(FaultKind::reordering);
  for (const Habit& habit : kHabits) {
    const bool on = random.chance(habit.chance) && options.allowed.contains(habit.kind);
    Random own(random.next());  // what one kind draws does not move the others
    if (!on) continue;
    plan.kinds.insert(habit.kind);
    const std::uint64_t per_minute = own.between(habit.least, habit.most);
    const std::uint64_t count = (per_minute * duration + kMinute / 2) / kMinute;
    for (std::uint64_t i = 0; i < count; ++i)
      plan.events.push_back(draw_event(own, habit, options));
  }
  std::stable_sort(plan.events.begin(), plan.events.end(),
                   [](const FaultEvent& a, const FaultEvent& b) { return a.at < b.at; });
  plan.total = plan.events.size();
  std::vector<FaultEvent> kept;
  for (std::size_t i = 0; i < plan.events.size(); ++i) {
    if (!options.skip.contains(i)) kept.push_back(plan.events[i]);
  }
  plan.events = std::move(kept);
  return plan;
}

std::string describe(const FaultEvent& event) {
  const auto ms = [](auto duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  };
  return fmt::format("{} of {} for {} ms", fault_name(event.kind),
                     event.node == 0 ? "the leader" : fmt::format("node {}", event.node),
                     ms(event.lasts));
}

}  // namespace parallax::simulation
