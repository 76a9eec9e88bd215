#include "harness/fault_plan.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/random.h"
#include "node/ports.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

/// How long a kind of fault lasts and pauses, at most; less in short runs.
struct Habit {
  Fault fault;
  Duration shortest;
  Duration longest;
  Duration pause;  ///< between two windows, at most
};
constexpr std::array<Habit, kFaults.size()> kHabits{{
    {Fault::kill, 100ms, 5s, 8s},
    {Fault::pause, 100ms, 5s, 8s},
    {Fault::restart, 100ms, 1s, 20s},
    {Fault::partition, 500ms, 8s, 6s},
    {Fault::loss, 500ms, 8s, 8s},
    {Fault::delay, 500ms, 8s, 8s},
    {Fault::duplicate, 500ms, 8s, 8s},
    {Fault::reorder, 500ms, 8s, 8s},
    {Fault::clock, 500ms, 10s, 8s},
    {Fault::crash, 500ms, 4s, 10s},
    {Fault::slow_disk, 500ms, 6s, 10s},
    {Fault::disk_full, 500ms, 4s, 20s},
    {Fault::bit_flip, 200ms, 2s, 30s},
    {Fault::transfer, 0ms, 0ms, 5s},
    {Fault::rate, 500ms, 8s, 8s},
}};

Duration draw(Random& random, Duration low, Duration high) {
  if (high <= low) return low;
  return Duration{static_cast<std::int64_t>(random.between(
      static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count())))};
}

std::uint32_t draw_form(Random& random, Fault fault) {
  switch (fault) {
    case Fault::partition:
      return static_cast<std::uint32_t>(random.below(kPartitions.size()));
    case Fault::clock:
      return static_cast<std::uint32_t>(random.below(kClockFaults.size()));
    case Fault::crash:
      return static_cast<std::uint32_t>(random.below(std::size(kFailPoints)));
    default:
      return 0;
  }
}

std::int64_t draw_amount(Random& random, Fault fault) {
  switch (fault) {
    case Fault::loss:
      return static_cast<std::int64_t>(random.between(10, 300));
    case Fault::duplicate:
    case Fault::reorder:
      return static_cast<std::int64_t>(random.between(50, 500));
    case Fault::delay:
      return static_cast<std::int64_t>(random.between(2, 150));
    case Fault::slow_disk:
      return static_cast<std::int64_t>(random.between(20, 300));
    case Fault::rate:
      return static_cast<std::int64_t>(random.between(128, 2'000));
    case Fault::clock:
      // Within what nodes put up with, and beyond it.
      return (random.chance(0.5) ? 1 : -1) *
             static_cast<std::int64_t>(random.chance(0.7) ? random.between(20, 450)
                                                          : random.between(500, 5'000));
    default:
      return 0;
  }
}

/// What the crash leaves of writes that were not synced.
std::string_view on_crash(const PlannedFault& fault) {
  return fault.draw % 2 == 0 ? "drop_unsynced" : "torn_tail";
}

std::string names_of(const std::vector<std::uint32_t>& nodes) {
  std::string text;
  for (const std::uint32_t node : nodes)
    text += fmt::format("{}n{}", text.empty() ? "" : " ", node);
  return text;
}

void cut_both_ways(CutLinks& links, const std::vector<std::uint32_t>& side,
                   const std::vector<std::uint32_t>& other) {
  for (const std::uint32_t a : side) {
    for (const std::uint32_t b : other) {
      links.emplace_back(a, b);
      links.emplace_back(b, a);
    }
  }
}

/// All nodes, in an order that is drawn, `first` first.
std::vector<std::uint32_t> shuffled(std::uint32_t nodes, std::uint32_t first, Random random) {
  std::vector<std::uint32_t> order(nodes);
  std::iota(order.begin(), order.end(), 1);
  for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random.below(i + 1)]);
  std::swap(order.front(), *std::find(order.begin(), order.end(), first));
  return order;
}

}  // namespace

std::vector<PlannedFault> plan_faults(const RunOptions& options) {
  std::vector<PlannedFault> plan;
  Random random(options.seed ^ 0xfa017);
  const Duration time = options.time;
  for (const Habit& habit : kHabits) {
    Random own(random.next());  // what one kind draws does not move the others
    if (std::find(options.faults.begin(), options.faults.end(), habit.fault) ==
        options.faults.end()) {
      continue;
    }
    const Duration longest = std::min(habit.longest, time / 4);
    const Duration shortest = std::min(habit.shortest, longest);
    const Duration pause = std::min(habit.pause, time / 3);
    // The first comes early, so that even a short run has each kind that was asked for.
    for (Duration at = draw(own, time / 50, time / 5);;) {
      PlannedFault fault{.fault = habit.fault, .at = at, .lasts = draw(own, shortest, longest)};
      // Every third is aimed at whoever leads: that is where it hurts.
      fault.node = own.chance(0.33) ? 0 : 1 + static_cast<std::uint32_t>(own.below(options.nodes));
      fault.form = draw_form(own, habit.fault);
      fault.amount = draw_amount(own, habit.fault);
      fault.draw = own.next();
      at += fault.lasts;
      if (at >= time) break;
      plan.push_back(fault);
      at += draw(own, pause / 4, pause);
    }
  }
  std::stable_sort(plan.begin(), plan.end(),
                   [](const PlannedFault& a, const PlannedFault& b) { return a.at < b.at; });
  return plan;
}

std::string describe(const PlannedFault& fault) {
  switch (fault.fault) {
    case Fault::partition:
      return std::string(kPartitions[fault.form]);
    case Fault::clock:
      return fmt::format("{} {} ms", kClockFaults[fault.form], fault.amount);
    case Fault::crash:
      return fmt::format("{}, {}", kFailPoints[fault.form], on_crash(fault));
    case Fault::delay:
    case Fault::slow_disk:
      return fmt::format("{} ms", fault.amount);
    case Fault::rate:
      return fmt::format("{} kbit/s", fault.amount);
    case Fault::loss:
    case Fault::duplicate:
    case Fault::reorder:
      return fmt::format("{:.1f} % of what it sends", static_cast<double>(fault.amount) / 10);
    default:
      return {};
  }
}

CutLinks cut_links(Partition form, std::uint32_t nodes, std::uint32_t node, std::uint32_t leader,
                   std::uint64_t draw) {
  CutLinks links;
  if (nodes < 2) return links;
  const bool at_leader = form == Partition::leader && leader != 0;
  const auto order = shuffled(nodes, at_leader ? leader : node, Random(draw));
  const std::uint32_t majority = nodes / 2 + 1;
  const auto part = [&](std::size_t from, std::size_t upto) {
    return std::vector<std::uint32_t>(order.begin() + static_cast<std::ptrdiff_t>(from),
                                      order.begin() + static_cast<std::ptrdiff_t>(upto));
  };
  switch (form) {
    case Partition::one:
    case Partition::leader:
      cut_both_ways(links, part(0, 1), part(1, nodes));
      break;
    case Partition::majority:
      cut_both_ways(links, part(0, nodes - majority), part(nodes - majority, nodes));
      break;
    case Partition::majorities_ring:
      // Each hears itself and the majority - 1 that follow it in the ring.
      for (std::size_t i = 0; i < nodes; ++i) {
        for (std::size_t step = majority; step < nodes; ++step) {
          links.emplace_back(order[(i + step) % nodes], order[i]);
        }
      }
      break;
    case Partition::one_way:
      for (std::size_t i = 1; i < nodes; ++i) {
        if (draw % 2 == 0) {
          links.emplace_back(order[i], order[0]);
        } else {
          links.emplace_back(order[0], order[i]);
        }
      }
      break;
    case Partition::bridge:
      cut_both_ways(links, part(1, 1 + (nodes - 1) / 2), part(1 + (nodes - 1) / 2, nodes));
      break;
  }
  std::sort(links.begin(), links.end());
  return links;
}

std::string describe_cut(const CutLinks& links, std::uint32_t nodes) {
  const std::set<std::pair<std::uint32_t, std::uint32_t>> cut(links.begin(), links.end());
  const auto one_way = [&](std::uint32_t from) {
    std::vector<std::uint32_t> deaf;
    for (std::uint32_t to = 1; to <= nodes; ++to) {
      if (cut.contains({from, to})) deaf.push_back(to);
    }
    return deaf;
  };
  // Two sides that hear nothing of each other?
  std::vector<std::uint32_t> side;
  std::vector<std::uint32_t> other = links.empty() ? side : one_way(links.front().first);
  for (std::uint32_t n = 1; n <= nodes; ++n) {
    if (std::find(other.begin(), other.end(), n) == other.end()) side.push_back(n);
  }
  if (cut.size() == 2 * side.size() * other.size() && !other.empty()) {
    CutLinks both;
    cut_both_ways(both, side, other);
    if (std::set(both.begin(), both.end()) == cut) {
      return names_of(side) + " | " + names_of(other);
    }
  }
  std::string text;
  for (std::uint32_t from = 1; from <= nodes; ++from) {
    const auto deaf = one_way(from);
    if (deaf.empty()) continue;
    text += fmt::format("{}n{} -/-> {}", text.empty() ? "" : ", ", from, names_of(deaf));
  }
  return text;
}

std::int64_t clock_offset(const PlannedFault& fault, Duration since) {
  const std::int64_t tenths = since / 100ms;
  switch (static_cast<ClockFault>(fault.form)) {
    case ClockFault::bump:
      return fault.amount;
    case ClockFault::strobe:
      return tenths % 2 == 0 ? fault.amount : -fault.amount;
    case ClockFault::drift:
      break;
  }
  // The whole of it after five seconds.
  return fault.amount * std::min<std::int64_t>(tenths + 1, 50) / 50;
}

std::string faults_body(std::uint32_t node, const std::vector<ActiveFault>& active) {
  json::object body;
  std::set<std::uint32_t> deaf_to;
  for (const ActiveFault& fault : active) {
    for (const auto& [from, to] : fault.links) {
      if (to == node) deaf_to.insert(from);
    }
    if (fault.planned.node != node) continue;
    const double share = static_cast<double>(fault.planned.amount) / 1'000;
    switch (fault.planned.fault) {
      case Fault::loss:
        body["drop_probability"] = share;
        break;
      case Fault::duplicate:
        body["duplicate_probability"] = share;
        break;
      case Fault::reorder:
        body["reorder_probability"] = share;
        break;
      case Fault::delay:
        body["delay_ms"] = fault.planned.amount;
        break;
      case Fault::clock:
        body["clock_offset_ms"] = fault.offset;
        break;
      case Fault::slow_disk:
        body["fsync_delay_ms"] = fault.planned.amount;
        break;
      case Fault::disk_full:
        body["disk_full"] = true;
        break;
      case Fault::crash:
        body["fail_point"] = {{"name", kFailPoints[fault.planned.form]}, {"action", "crash"}};
        body["on_crash"] = on_crash(fault.planned);
        break;
      default:
        break;
    }
  }
  if (!deaf_to.empty()) body["drop_from"] = json::array(deaf_to.begin(), deaf_to.end());
  return body.empty() ? std::string() : json::serialize(body);
}

bool is_of_network(const ActiveFault& fault) {
  return fault.planned.fault == Fault::partition || fault.planned.fault == Fault::loss ||
         fault.planned.fault == Fault::rate;
}

bool is_told(std::uint32_t node, const ActiveFault& fault) {
  return !faults_body(node, {fault}).empty() ||
         (fault.planned.fault == Fault::rate && fault.planned.node == node);
}

}  // namespace parallax::harness
