#include "harness/run_options.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/promises.h"
#include "harness/target.h"
#include "harness/tighten.h"
#include "harness/workload.h"

namespace parallax::harness {
namespace {

Error bad(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
}

/// Whether `text` is "host:port".
bool is_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5) return false;
  unsigned number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number >= 1 && number <= 65'535;
}

/// What does not go together.
Result<void> check_together(const RunOptions& options) {
  PARALLAX_TRY(check_target(options));
  if (const auto needs =
          workload_needs(options.workload, options.write_level, options.read_level)) {
    return bad(fmt::format("--workload {}", *needs));
  }
  for (const Consistency* level : {&options.write_level, &options.read_level}) {
    if (const auto missing = incomplete(*level)) return *missing;
  }
  if (!options.endpoints.empty()) {
    for (const Fault fault : options.faults) {
      if (!needs_process(fault)) continue;
      return bad(
          fmt::format("--faults {}: only what the harness has started can be killed, paused "
                      "or started anew; leave it out, or leave out --endpoints",
                      to_string(fault)));
    }
  }
  const bool has_rate =
      std::find(options.faults.begin(), options.faults.end(), Fault::rate) != options.faults.end();
  if (has_rate && options.network != Network::namespaces) {
    return bad("--faults rate: no node limits what it sends; it needs --network namespaces");
  }
  if (options.network == Network::namespaces && !options.endpoints.empty()) {
    return bad(
        "--network namespaces: only what the harness starts can be put there; leave it out, or "
        "leave out --endpoints");
  }
  if (options.tighten) {
    if (const auto why = untightenable(options)) return bad(fmt::format("--tighten: {}", *why));
  }
  const auto wanted = held_to(options);
  if (!wanted) return wanted.error();
  return {};
}

/// A word that a shell takes as it is, else in single quotes.
std::string quoted(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(word);
  }
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

std::string_view to_string(Workload workload) {
  return kWorkloads[static_cast<std::size_t>(workload)];
}

std::string_view to_string(Fault fault) {
  return kFaults[static_cast<std::size_t>(fault)];
}

std::string_view to_string(Network network) {
  return kNetworks[static_cast<std::size_t>(network)];
}

bool needs_process(Fault fault) {
  switch (fault) {
    case Fault::kill:
    case Fault::pause:
    case Fault::restart:
    case Fault::crash:
    case Fault::disk_full:
    case Fault::bit_flip:
      return true;
    default:
      return false;
  }
}

Result<Workload> parse_workload(std::string_view name) {
  const auto* found = std::find(kWorkloads.begin(), kWorkloads.end(), name);
  if (found == kWorkloads.end()) {
    return bad(
        fmt::format("no workload is called '{}'; there are {}", name, fmt::join(kWorkloads, ", ")));
  }
  return static_cast<Workload>(found - kWorkloads.begin());
}

Result<Network> parse_network(std::string_view name) {
  const auto* found = std::find(kNetworks.begin(), kNetworks.end(), name);
  if (found == kNetworks.end()) {
    return bad(fmt::format("--network {}: there are {}", name, fmt::join(kNetworks, ", ")));
  }
  return static_cast<Network>(found - kNetworks.begin());
}

Result<std::vector<Fault>> parse_faults(std::string_view text,
                                        const std::optional<std::vector<Fault>>& all) {
  std::array<bool, kFaults.size()> chosen{};
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view word = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (word == "none") continue;
    if (word == "all") {
      if (!all) chosen.fill(true);
      for (const Fault fault : all.value_or(std::vector<Fault>{})) {
        chosen[static_cast<std::size_t>(fault)] = true;
      }
      continue;
    }
    const auto* found = std::find(kFaults.begin(), kFaults.end(), word);
    if (found == kFaults.end()) {
      return bad(fmt::format("no fault is called '{}'; there are all, none, {}", word,
                             fmt::join(kFaults, ", ")));
    }
    chosen[static_cast<std::size_t>(found - kFaults.begin())] = true;
  }
  std::vector<Fault> faults;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]) faults.push_back(static_cast<Fault>(i));
  }
  return faults;
}

Result<std::chrono::milliseconds> parse_time(std::string_view text) {
  const Error wrong =
      bad(fmt::format("--time {}: it must be a whole number with ms, s, m or h", text));
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  // A hundred days are more than any run has.
  if (error != std::errc{} || number < 0 || number > 8'640'000'000) return wrong;
  for (const auto& [name, ms] : {std::pair<std::string_view, std::int64_t>{"ms", 1},
                                 {"s", 1'000},
                                 {"m", 60'000},
                                 {"h", 3'600'000}}) {
    if (unit == name) return std::chrono::milliseconds(number * ms);
  }
  return wrong;
}

std::uint32_t members_of(const RunOptions& options) {
  return options.endpoints.empty() ? options.nodes
                                   : static_cast<std::uint32_t>(options.endpoints.size());
}

std::uint32_t quorum_of(std::uint32_t asked, std::uint32_t members) {
  if (asked == 0) return members / 2 + 1;
  return asked == Consistency::kAll ? members : asked;
}

Result<void> check_options(const RunOptions& options) {
  using namespace std::chrono_literals;
  struct Bound {
    std::string_view name;
    std::int64_t value, least, most;
  };
  for (const Bound& bound :
       {Bound{"--nodes", options.nodes, 1, 9}, Bound{"--clients", options.clients, 1, 1'000},
        Bound{"--rate", options.rate, 0, 1'000'000}, Bound{"--keys", options.keys, 1, 100'000}}) {
    if (bound.value < bound.least || bound.value > bound.most) {
      return bad(fmt::format("{} {}: it must be from {} to {}", bound.name, bound.value,
                             bound.least, bound.most));
    }
  }
  if (options.time < 1s || options.time > 24h) {
    return bad(fmt::format("--time {}ms: it must be from 1s to 24h", options.time.count()));
  }
  const std::int64_t operations = options.rate * options.time.count() / 1'000;
  if (operations > std::int64_t{kMostOperations}) {
    return bad(fmt::format("--rate {} for --time {}ms is {} operations; a run has at most {}",
                           options.rate, options.time.count(), operations, kMostOperations));
  }
  for (const std::string& endpoint : options.endpoints) {
    if (is_endpoint(endpoint)) continue;
    return bad(
        fmt::format("--endpoints {}: it must be HOST:PORT, with commas between several", endpoint));
  }
  for (const Consistency* level : {&options.write_level, &options.read_level}) {
    const std::uint32_t members = options.nodes;
    for (const std::uint32_t replicas : {level->r, level->w}) {
      if (level->level != Level::quorum || replicas == Consistency::kAll || replicas <= members ||
          !options.endpoints.empty()) {
        continue;
      }
      return bad(fmt::format("--level {}: {} nodes are started, so r and w must be from 1 to {}",
                             level->to_string(), members, members));
    }
  }
  return check_together(options);
}

std::string level_text(const RunOptions& options) {
  std::string text = level_word(options.target, options.write_level);
  if (!(options.read_level == options.write_level)) {
    text += " / " + level_word(options.target, options.read_level);
  }
  return text;
}

std::string replay_command(const RunOptions& options) {
  std::string text = "parallax-harness run";
  const auto add = [&](std::string_view name, std::string_view value) {
    text += fmt::format(" {} {}", name, quoted(value));
  };
  add("--target", options.target);
  if (options.endpoints.empty()) {
    add("--nodes", std::to_string(options.nodes));
  } else {
    add("--endpoints", fmt::format("{}", fmt::join(options.endpoints, ",")));
  }
  add("--workload", to_string(options.workload));
  add("--level", level_word(options.target, options.write_level));
  if (!(options.read_level == options.write_level)) {
    add("--read-level", level_word(options.target, options.read_level));
  }
  std::string faults;
  for (const Fault fault : options.faults) {
    faults += fmt::format("{}{}", faults.empty() ? "" : ",", to_string(fault));
  }
  add("--faults", faults.empty() ? "none" : faults);
  if (options.network != Network::faults) add("--network", to_string(options.network));
  add("--clients", std::to_string(options.clients));
  add("--rate", std::to_string(options.rate));
  add("--time", fmt::format("{}ms", options.time.count()));
  add("--keys", std::to_string(options.keys));
  add("--seed", std::to_string(options.seed));
  if (!options.check.empty()) add("--check", fmt::format("{}", fmt::join(options.check, ",")));
  if (options.tighten) text += " --tighten";
  if (!options.out.empty()) add("--out", options.out);
  return text;
}

}  // namespace parallax::harness
