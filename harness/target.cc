#include "harness/target.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/assert.h"

namespace parallax::harness {
namespace {

constexpr std::string_view kExec = "exec:";

Error bad(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
}

std::vector<Fault> all_faults() {
  std::vector<Fault> all;
  for (std::size_t i = 0; i < kFaults.size(); ++i) all.push_back(static_cast<Fault>(i));
  return all;
}

const std::array<TargetInfo, 4>& targets() {
  static const std::array<TargetInfo, 4> all{{
      {.name = "parallax",
       .program = {},
       .package = {},
       .levels = {},
       .faults = all_faults(),
       .endpoints = true,
       .stamps = true,
       .digests = true},
      {.name = "etcd",
       .program = "etcd",
       .package = "etcd-server",
       .levels = {{"linearizable", "reads by agreement of a majority", {}},
                  {"serializable",
                   "reads of what the node that is asked has applied",
                   {.level = Level::prefix},
                   false}},
       .faults = {Fault::kill, Fault::pause, Fault::restart, Fault::partition, Fault::delay,
                  Fault::transfer},
       .stamps = true,
       .digests = true},
      {.name = "redis",
       .program = "redis-server",
       .package = "redis-server",
       .levels = {{"primary", "reads of the primary", {.ack = Ack::leader}},
                  {"replica",
                   "reads of the node that is asked, whichever it is",
                   {.level = Level::prefix, .ack = Ack::leader},
                   false}},
       .faults = {Fault::kill, Fault::pause, Fault::restart, Fault::partition, Fault::delay},
       .digests = true},
      {.name = "exec:COMMAND", .program = {}, .package = {}, .levels = {}, .faults = {}},
  }};
  return all;
}

/// `option` is how the text was given.
Result<Consistency> parse_level(const TargetInfo& target, std::string_view option,
                                std::string_view text, bool of_writes) {
  if (target.levels.empty()) return parse_consistency(text);
  std::vector<std::string> words;
  for (const TargetLevel& level : target.levels) {
    const bool fits = level.writes || !of_writes;
    if (fits) words.push_back(fmt::format("{} ({})", level.word, level.what));
    if (level.word != text) continue;
    if (fits) return level.like;
    return bad(fmt::format("{} {}: in {} that is a level of reads; name it with --read-level",
                           option, text, target.name));
  }
  return bad(fmt::format("{} {}: {} has no such level; there are {}", option, text, target.name,
                         fmt::join(words, ", ")));
}

}  // namespace

std::optional<std::string> exec_command(std::string_view target) {
  if (!target.starts_with(kExec)) return std::nullopt;
  return std::string(target.substr(kExec.size()));
}

Result<const TargetInfo*> find_target(std::string_view target) {
  if (target == kExec) return bad("--target exec: it needs a command, as in exec:./driver");
  std::vector<std::string_view> names;
  for (const TargetInfo& info : targets()) {
    const bool exec = info.name.starts_with(kExec) && target.starts_with(kExec);
    if (exec || info.name == target) return &info;
    names.push_back(info.name);
  }
  return bad(fmt::format("--target {}: there are {}", target, fmt::join(names, ", ")));
}

const TargetInfo& target_info(std::string_view target) {
  const auto found = find_target(target);
  PARALLAX_ASSERT(found, "the target was not checked: {}", target);
  return **found;
}

Result<std::pair<Consistency, Consistency>> parse_levels(std::string_view target,
                                                         std::string_view writes,
                                                         std::string_view reads) {
  PARALLAX_ASSIGN(const TargetInfo* info, find_target(target));
  if (writes.empty()) {
    writes = info->levels.empty() ? level_info(Level::linearizable).name : info->levels[0].word;
  }
  PARALLAX_ASSIGN(const Consistency of_writes, parse_level(*info, "--level", writes, true));
  if (reads.empty()) return std::pair{of_writes, of_writes};
  PARALLAX_ASSIGN(const Consistency of_reads, parse_level(*info, "--read-level", reads, false));
  return std::pair{of_writes, of_reads};
}

std::string level_word(std::string_view target, const Consistency& level) {
  for (const TargetLevel& own : target_info(target).levels) {
    if (own.like == level) return std::string(own.word);
  }
  return level.to_string();
}

std::vector<Fault> possible_faults(const TargetInfo& target, Network network) {
  std::vector<Fault> faults = target.faults;
  if (network != Network::namespaces) std::erase(faults, Fault::rate);
  return faults;
}

Result<void> check_target(const RunOptions& options) {
  PARALLAX_ASSIGN(const TargetInfo* target, find_target(options.target));
  if (!target->endpoints && !options.endpoints.empty()) {
    return bad(fmt::format("--endpoints: {} is run only as the harness starts it", target->name));
  }
  if (options.target != "parallax" && options.workload == Workload::mixed_level) {
    return bad(fmt::format("--workload mixed-level: its levels are not those of {}", target->name));
  }
  if (options.target != "parallax" && options.network != Network::faults) {
    return bad(fmt::format("--network {}: {} is not run in it; leave it out",
                           to_string(options.network), target->name));
  }
  for (const Fault fault : options.faults) {
    if (std::find(target->faults.begin(), target->faults.end(), fault) != target->faults.end()) {
      continue;
    }
    std::vector<std::string_view> names;
    for (const Fault other : target->faults) names.push_back(to_string(other));
    if (names.empty()) {
      return bad(
          fmt::format("--faults {}: {} runs no nodes of the harness's; break it in the "
                      "command",
                      to_string(fault), target->name));
    }
    return bad(fmt::format("--faults {}: from outside {} can have {}", to_string(fault),
                           target->name, fmt::join(names, ", ")));
  }
  return {};
}

}  // namespace parallax::harness
