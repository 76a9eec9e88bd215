#include "harness/promise_table.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"

namespace parallax::harness {
namespace {

constexpr std::array kOfGuarantees{
    std::pair{Guarantee::linearizable, Demand::linearizable},
    std::pair{Guarantee::sequential, Demand::sequential},
    std::pair{Guarantee::causal, Demand::causal_convergence},
    std::pair{Guarantee::read_your_writes, Demand::read_your_writes},
    std::pair{Guarantee::monotonic_reads, Demand::monotonic_reads},
    std::pair{Guarantee::monotonic_writes, Demand::monotonic_writes},
    std::pair{Guarantee::writes_follow_reads, Demand::writes_follow_reads},
    std::pair{Guarantee::regular, Demand::fresh},
    std::pair{Guarantee::bounded, Demand::bounded},
    std::pair{Guarantee::prefix, Demand::prefix},
    std::pair{Guarantee::converge, Demand::converges},
};

bool promises(const RunOptions& options, Guarantee guarantee) {
  const std::vector<Guarantee> all = promised(options);
  return std::find(all.begin(), all.end(), guarantee) != all.end();
}

/// Who denies it; what is denied of a guarantee is denied of those that imply it.
std::vector<std::pair<const Denial*, Demand>> denied_by(std::span<const Denial> denials,
                                                        const LevelRow& row, Demand demand) {
  std::vector<std::pair<const Denial*, Demand>> itself;
  std::vector<std::pair<const Denial*, Demand>> below;
  for (const Denial& denial : denials) {
    if (denial.level != row.level) continue;
    if (denial.demands.contains(demand)) itself.emplace_back(&denial, demand);
    for (const DemandInfo& info : kDemands) {
      if (info.demand == demand || !denial.demands.contains(info.demand)) continue;
      if (implied_by(demand).contains(info.demand)) below.emplace_back(&denial, info.demand);
    }
  }
  // One with a run first: what nobody could produce contradicts nothing.
  std::erase_if(below, [](const auto& by) { return by.first->kept.empty(); });
  itself.insert(itself.end(), below.begin(), below.end());
  return itself;
}

}  // namespace

Consistency level_of(std::string_view text) {
  const auto level = parse_consistency(text);
  PARALLAX_ASSERT(level.has_value(), "a row's level is one: {}", text);
  return *level;
}

const DemandInfo& demand_info(Demand demand) {
  return kDemands[static_cast<std::size_t>(demand)];
}

std::optional<Demand> demand_of(Guarantee guarantee) {
  for (const auto& [of, demand] : kOfGuarantees) {
    if (of == guarantee) return demand;
  }
  return std::nullopt;
}

Demands implied_by(Demand demand) {
  constexpr Demands kOfSessions{Demand::read_your_writes, Demand::monotonic_reads,
                                Demand::monotonic_writes, Demand::writes_follow_reads};
  switch (demand) {
    case Demand::linearizable:
      return Demands{Demand::sequential, Demand::fresh} | implied_by(Demand::sequential) |
             implied_by(Demand::fresh);
    case Demand::sequential:
      return Demands{Demand::causal_convergence} | implied_by(Demand::causal_convergence);
    case Demand::causal_convergence:
      return Demands{Demand::causal} | kOfSessions;
    case Demand::causal:
      return kOfSessions;
    case Demand::fresh:
      return {Demand::bounded};
    case Demand::survives_disk:
      return {Demand::survives_crash};
    default:
      return {};
  }
}

Demands promised_demands(const Consistency& write, const Consistency& read) {
  RunOptions options;
  options.write_level = write;
  options.read_level = read;
  Demands out;
  for (const auto& [guarantee, demand] : kOfGuarantees) {
    if (promises(options, guarantee)) out = out | Demands{demand} | implied_by(demand);
  }
  // What is there at the end is told of sets.
  options.workload = Workload::set;
  if (promises(options, Guarantee::no_loss)) out.insert(Demand::survives_crash);
  options.faults = {Fault::bit_flip};
  if (promises(options, Guarantee::no_loss)) out.insert(Demand::survives_disk);
  return out;
}

Demands strongest(Demands demands) {
  Demands out;
  for (const DemandInfo& info : kDemands) {
    if (!demands.contains(info.demand)) continue;
    const bool above = std::any_of(kDemands.begin(), kDemands.end(), [&](const DemandInfo& other) {
      return demands.contains(other.demand) && implied_by(other.demand).contains(info.demand);
    });
    if (!above) out.insert(info.demand);
  }
  return out;
}

PairRule pair_rule(const Consistency& write, const Consistency& read) {
  const auto protocol = [](const Consistency& level) { return level_info(level.level).protocol; };
  if (write.level == Level::weak) return PairRule::weak;
  if (protocol(write) != protocol(read)) return PairRule::apart;
  switch (protocol(write)) {
    case Protocol::leader_follower:
      return write.ack == Ack::majority || write.ack == Ack::all ? PairRule::one_log
                                                                 : PairRule::early;
    case Protocol::causal:
      return PairRule::sessions;
    default:
      break;
  }
  if (write.level != read.level) return PairRule::apart;
  if (write.level == Level::atomic) return PairRule::majorities;
  if (write.level == Level::eventual) return PairRule::sets_miss;
  return promised_demands(write, read).contains(Demand::fresh) ? PairRule::sets_meet
                                                               : PairRule::sets_miss;
}

bool has_place(const Consistency& level, Demand demand) {
  return demand != Demand::prefix || level_info(level.level).protocol == Protocol::leader_follower;
}

Standing standing(const LevelRow& row, Demand demand) {
  const Consistency level = level_of(row.level);
  if (!has_place(level, demand)) return {.kind = Standing::Kind::no_place};
  if (promised_demands(level, level).contains(demand)) return {};
  const auto found = denied_by(denials(), row, demand);
  PARALLAX_ASSERT(!found.empty(), "what is not promised is denied: {} at {}",
                  demand_info(demand).title, row.level);
  return {Standing::Kind::denied, found.front().first, found.front().second};
}

std::vector<std::string> contradictions(std::span<const Denial> denials) {
  std::vector<std::string> out;
  for (const LevelRow& row : kLevelRows) {
    const Consistency level = level_of(row.level);
    const Demands promises = promised_demands(level, level);
    for (const DemandInfo& info : kDemands) {
      const auto denied = denied_by(denials, row, info.demand);
      const auto times = std::count_if(denied.begin(), denied.end(),
                                       [&](const auto& by) { return by.second == info.demand; });
      const auto tell = [&](std::string_view what) {
        out.push_back(fmt::format("{} at {}: {}", info.title, row.level, what));
      };
      if (times > 1) tell("denied twice");
      if (!has_place(level, info.demand)) {
        if (!denied.empty()) tell("denied where it has no place");
      } else if (promises.contains(info.demand)) {
        if (!denied.empty()) tell("promised, and denied");
      } else if (denied.empty()) {
        tell("neither promised nor denied");
      }
    }
  }
  for (const Denial& denial : denials) {
    const bool known = std::any_of(kLevelRows.begin(), kLevelRows.end(),
                                   [&](const LevelRow& row) { return row.level == denial.level; });
    if (!known) out.push_back(fmt::format("{}: there is no such row", denial.level));
    if (denial.why.empty()) out.push_back(fmt::format("{}: a denial without a why", denial.level));
  }
  return out;
}

}  // namespace parallax::harness
