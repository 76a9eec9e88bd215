#include "harness/promises.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/target.h"
#include "harness/workload.h"

namespace parallax::harness {
namespace {

bool by_log(const Consistency& level) {
  return level_info(level.level).protocol == Protocol::leader_follower;
}

/// Whether what it acknowledges is committed.
bool committed(const Consistency& level) {
  return level.ack == Ack::majority || level.ack == Ack::all;
}

/// Whether every read meets every write that was completed before it.
bool quorums_meet(const RunOptions& options) {
  const std::uint32_t members = members_of(options);
  return !options.write_level.sloppy &&
         quorum_of(options.write_level.w, members) + quorum_of(options.read_level.r, members) >
             members;
}

SessionGuarantees session_guarantees(const Consistency& level) {
  return level.level == Level::causal ? kAllGuarantees : level.guarantees;
}

/// Of reads and writes of registers.
std::vector<Guarantee> of_levels(const RunOptions& options) {
  const Consistency& write = options.write_level;
  const Consistency& read = options.read_level;
  const Level reads = read.level;
  // Its documents say of serializable reads that they may be stale, and no more.
  if (options.target == "etcd" && reads != Level::linearizable) return {};
  if (by_log(write)) {
    if (!by_log(read) || !committed(write)) return {};
    if (reads == Level::linearizable) {
      return {
          Guarantee::linearizable,        Guarantee::sequential,      Guarantee::causal,
          Guarantee::read_your_writes,    Guarantee::monotonic_reads, Guarantee::monotonic_writes,
          Guarantee::writes_follow_reads, Guarantee::regular,         Guarantee::prefix};
    }
    if (reads == Level::sequential) {
      return {
          Guarantee::sequential,      Guarantee::causal,           Guarantee::read_your_writes,
          Guarantee::monotonic_reads, Guarantee::monotonic_writes, Guarantee::writes_follow_reads,
          Guarantee::prefix};
    }
    if (reads == Level::bounded) return {Guarantee::prefix, Guarantee::bounded};
    return {Guarantee::prefix};
  }
  if (write.level == Level::atomic && reads == Level::atomic) {
    return {Guarantee::linearizable,        Guarantee::sequential,      Guarantee::causal,
            Guarantee::read_your_writes,    Guarantee::monotonic_reads, Guarantee::monotonic_writes,
            Guarantee::writes_follow_reads, Guarantee::regular};
  }
  if (write.level == Level::quorum && reads == Level::quorum) {
    return quorums_meet(options) ? std::vector{Guarantee::regular} : std::vector<Guarantee>{};
  }
  const auto causal = [](const Consistency& level) {
    return level_info(level.level).protocol == Protocol::causal;
  };
  if (!causal(write) || !causal(read)) return {};
  const SessionGuarantees of_reads = session_guarantees(read);
  const SessionGuarantees of_writes = session_guarantees(write);
  std::vector<Guarantee> out;
  if (of_reads == kAllGuarantees && of_writes == kAllGuarantees) out.push_back(Guarantee::causal);
  if (of_reads.read_your_writes) out.push_back(Guarantee::read_your_writes);
  if (of_reads.monotonic_reads) out.push_back(Guarantee::monotonic_reads);
  // Clients tell by reading twice, so the reader has to read monotonically.
  if (of_writes.monotonic_writes && of_reads.monotonic_reads) {
    out.push_back(Guarantee::monotonic_writes);
  }
  if (of_writes.writes_follow_reads && of_reads.monotonic_reads) {
    out.push_back(Guarantee::writes_follow_reads);
  }
  return out;
}

bool is_in(const std::vector<Guarantee>& list, Guarantee guarantee) {
  return std::find(list.begin(), list.end(), guarantee) != list.end();
}

}  // namespace

const GuaranteeInfo& guarantee_info(Guarantee guarantee) {
  return kGuarantees[static_cast<std::size_t>(guarantee)];
}

Result<Guarantee> parse_guarantee(std::string_view name) {
  for (const GuaranteeInfo& info : kGuarantees) {
    if (info.name == name) return info.guarantee;
  }
  std::vector<std::string_view> names;
  for (const GuaranteeInfo& info : kGuarantees) names.push_back(info.name);
  return definite(ErrorCode::bad_parameter,
                  fmt::format("--check {}: no guarantee is called that; there are {}", name,
                              fmt::join(names, ", ")));
}

namespace {

/// Whoever the target is.
std::vector<Guarantee> judgeable_workload(const RunOptions& options) {
  const bool log = by_log(options.write_level) && by_log(options.read_level);
  switch (options.workload) {
    case Workload::unique_ids:
      return {Guarantee::no_loss, Guarantee::unique, Guarantee::converge};
    case Workload::counter:
    case Workload::set:
      if (log) return {Guarantee::linearizable, Guarantee::no_loss, Guarantee::converge};
      return {Guarantee::no_loss, Guarantee::converge};
    case Workload::append:
      return {Guarantee::linearizable, Guarantee::converge};
    case Workload::mixed_level:
      // Linearizable is asked of those that say so; the others' reads stand at places of the log.
      return {Guarantee::linearizable, Guarantee::prefix, Guarantee::bounded, Guarantee::converge};
    default:
      break;
  }
  std::vector<Guarantee> all;
  for (const GuaranteeInfo& info : kGuarantees) {
    const Guarantee guarantee = info.guarantee;
    const bool of_log = guarantee == Guarantee::prefix || guarantee == Guarantee::bounded;
    if (guarantee == Guarantee::no_loss || guarantee == Guarantee::unique) continue;
    if (of_log && !by_log(options.write_level)) continue;
    if (guarantee == Guarantee::bounded && !options.read_level.max_staleness_ms) continue;
    all.push_back(guarantee);
  }
  return all;
}

}  // namespace

std::vector<Guarantee> judgeable(const RunOptions& options) {
  std::vector<Guarantee> all = judgeable_workload(options);
  const TargetInfo& target = target_info(options.target);
  std::erase_if(all, [&](Guarantee guarantee) {
    if (guarantee == Guarantee::converge) return !target.digests;
    return !target.stamps && (guarantee == Guarantee::regular || guarantee == Guarantee::prefix ||
                              guarantee == Guarantee::bounded);
  });
  return all;
}

/// Whether what it acknowledges may be on too few disks to outlive one of them.
bool lost_with_a_disk(const RunOptions& options) {
  const Consistency& write = options.write_level;
  const std::uint32_t members = members_of(options);
  if (by_log(write) || write.level == Level::atomic) return false;
  return write.level != Level::quorum || quorum_of(write.w, members) <= members / 2;
}

std::vector<Guarantee> promised(const RunOptions& options) {
  std::vector<Guarantee> wanted = of_levels(options);
  const bool loses_disks = std::find(options.faults.begin(), options.faults.end(),
                                     Fault::bit_flip) != options.faults.end();
  if (loses_disks && lost_with_a_disk(options)) {
    return options.write_level.level == Level::weak ? std::vector<Guarantee>{}
                                                    : std::vector{Guarantee::converge};
  }
  const Workload workload = options.workload;
  const bool merges = !by_log(options.write_level) && options.write_level.level != Level::weak;
  const bool kept = by_log(options.write_level) ? committed(options.write_level) : merges;
  if (workload == Workload::mixed_level && committed(options.write_level)) {
    wanted = {Guarantee::prefix, Guarantee::bounded};
    if (options.read_level.level == Level::linearizable) wanted.push_back(Guarantee::linearizable);
  }
  if (kept) {
    wanted.push_back(Guarantee::no_loss);
    wanted.push_back(Guarantee::unique);
  }
  if (options.write_level.level != Level::weak) wanted.push_back(Guarantee::converge);
  std::vector<Guarantee> out;
  for (const Guarantee guarantee : judgeable(options)) {
    if (is_in(wanted, guarantee)) out.push_back(guarantee);
  }
  return out;
}

Result<std::vector<Guarantee>> held_to(const RunOptions& options) {
  if (options.check.empty()) return promised(options);
  const std::vector<Guarantee> all = judgeable(options);
  std::vector<Guarantee> out;
  for (const std::string& name : options.check) {
    PARALLAX_ASSIGN(const Guarantee guarantee, parse_guarantee(name));
    if (!is_in(all, guarantee)) {
      std::vector<std::string_view> names;
      for (const Guarantee other : all) names.push_back(guarantee_info(other).name);
      return definite(ErrorCode::bad_parameter,
                      fmt::format("--check {}: it cannot be judged of the workload {} at {}; there "
                                  "are {}",
                                  name, to_string(options.workload), level_text(options),
                                  fmt::join(names, ", ")));
    }
    if (!is_in(out, guarantee)) out.push_back(guarantee);
  }
  return out;
}

}  // namespace parallax::harness
