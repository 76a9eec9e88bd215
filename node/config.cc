#include "node/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <CLI/CLI.hpp>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <toml++/toml.h>

namespace parallax {
namespace {

using std::chrono::milliseconds;

/// Names with their text as given; from which file, if not from a flag.
struct Setting {
  std::string text;
  std::string file;
};
using Settings = std::map<std::string, Setting, std::less<>>;

Error bad(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
}

template <class Int>
std::optional<Int> parse_number(std::string_view text) {
  Int value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::uint64_t> number_between(std::string_view text, std::uint64_t low, std::uint64_t high) {
  const auto value = parse_number<std::uint64_t>(text);
  if (!value || *value < low || *value > high) {
    return bad(fmt::format("\"{}\" is not a whole number from {} to {}", text, low, high));
  }
  return *value;
}

Result<milliseconds> parse_duration(std::string_view text) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_number<std::uint32_t>(text.substr(0, digits));
  for (const auto& [unit, factor] : kUnits) {
    if (count && text.substr(digits) == unit) return milliseconds(*count * factor);
  }
  return bad(fmt::format("\"{}\" is not a duration like \"60s\" (units: ms, s, m, h)", text));
}

Result<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return bad(fmt::format("\"{}\" is neither true nor false", text));
}

Result<LogLevel> parse_log_level(std::string_view text) {
  constexpr std::pair<std::string_view, LogLevel> kNames[] = {
      {"trace", LogLevel::trace}, {"debug", LogLevel::debug}, {"info", LogLevel::info},
      {"warn", LogLevel::warn},   {"error", LogLevel::error}, {"off", LogLevel::off}};
  for (const auto& [name, level] : kNames) {
    if (text == name) return level;
  }
  return bad(fmt::format("\"{}\" is none of trace, debug, info, warn, error, off", text));
}

/// "500-1000", or "500" for 500 to twice that.
Result<std::pair<milliseconds, milliseconds>> parse_election_timeout(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto low = parse_number<std::uint32_t>(text.substr(0, dash));
  auto high = dash == text.npos ? low : parse_number<std::uint32_t>(text.substr(dash + 1));
  if (low && dash == text.npos) high = *low * 2;
  if (!low || !high || *low < 100 || *high <= *low || *high > 60'000) {
    return bad(fmt::format(
        "\"{}\" is no range MIN-MAX of milliseconds with 100 <= MIN < MAX <= 60000", text));
  }
  return std::pair{milliseconds(*low), milliseconds(*high)};
}

Result<std::map<NodeId, HostPort>> parse_peers(std::string_view text) {
  std::map<NodeId, HostPort> peers;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = item.find('=');
    const auto id = parse_number<std::uint32_t>(item.substr(0, std::min(equals, item.size())));
    if (equals == item.npos || !id || *id == 0) {
      return bad(fmt::format("\"{}\" is not ID=HOST:PORT with an ID from 1", item));
    }
    PARALLAX_ASSIGN(const HostPort address, parse_host_port(item.substr(equals + 1)));
    for (const auto& [other, taken] : peers) {
      if (taken == address) {
        return bad(fmt::format("nodes {} and {} have the same address {}", other, *id,
                               address.to_string()));
      }
    }
    if (!peers.emplace(NodeId{*id}, address).second) {
      return bad(fmt::format("node {} is named twice", *id));
    }
  }
  return peers;
}

/// One setting: its name, its explanation, and what its text does to a configuration.
struct Row {
  const char* name;
  const char* value;  ///< what the help shows; nullptr: a switch
  const char* help;
  bool required;
  Result<void> (*apply)(NodeConfig&, std::string_view);
};

template <class T>
Result<void> assign(T& target, Result<T> value) {
  PARALLAX_TRY(value);
  target = std::move(*value);
  return {};
}

Result<void> assign_ms(milliseconds& target, std::string_view text, std::uint64_t low,
                       std::uint64_t high) {
  PARALLAX_ASSIGN(const std::uint64_t value, number_between(text, low, high));
  target = milliseconds(value);
  return {};
}

Result<void> assign_text(std::string& target, std::string_view text) {
  if (text.empty()) return bad("it is empty, expected a path");
  target = text;
  return {};
}

constexpr Row kRows[] = {
    {"node-id", "ID", "this node's number among the peers, from 1", true,
     [](NodeConfig& c, std::string_view text) -> Result<void> {
       PARALLAX_ASSIGN(const std::uint64_t id, number_between(text, 1, 0xffff'ffff));
       c.node_id = NodeId{static_cast<std::uint32_t>(id)};
       return {};
     }},
    {"data-dir", "DIR", "where this node keeps its data; created if it is not there", true,
     [](NodeConfig& c, std::string_view text) { return assign_text(c.data_dir, text); }},
    {"client-address", "HOST:PORT", "where clients connect", true,
     [](NodeConfig& c, std::string_view text) {
       return assign(c.client_address, parse_host_port(text));
     }},
    {"peer-address", "HOST:PORT", "where the other nodes connect", true,
     [](NodeConfig& c, std::string_view text) {
       return assign(c.peer_address, parse_host_port(text));
     }},
    {"peers", "ID=HOST:PORT,...", "peer addresses of all nodes, this one included", true,
     [](NodeConfig& c, std::string_view text) { return assign(c.peers, parse_peers(text)); }},
    {"log-level", "LEVEL", "trace, debug, info (default), warn, error or off", false,
     [](NodeConfig& c, std::string_view text) {
       return assign(c.log_level, parse_log_level(text));
     }},
    {"log-file", "FILE", "append the log to FILE instead of stderr", false,
     [](NodeConfig& c, std::string_view text) { return assign_text(c.log_file, text); }},
    {"max-value-bytes", "BYTES", "largest value (default 1048576)", false,
     [](NodeConfig& c, std::string_view text) -> Result<void> {
       PARALLAX_ASSIGN(c.max_value_bytes, number_between(text, 1, limits::kMaxFrameBytes / 2));
       return {};
     }},
    {"history-retention", "DURATION", "how long replaced versions stay (default 60s)", false,
     [](NodeConfig& c, std::string_view text) {
       return assign(c.history_retention, parse_duration(text));
     }},
    {"anti-entropy-interval", "DURATION",
     "how often two replicas compare what they hold (default 10s)", false,
     [](NodeConfig& c, std::string_view text) -> Result<void> {
       PARALLAX_ASSIGN(c.anti_entropy_interval, parse_duration(text));
       if (c.anti_entropy_interval >= milliseconds(100)) return {};
       return bad(fmt::format("{} is below 100ms", text));
     }},
    {"tombstone-grace", "DURATION",
     "how long all replicas have held a deletion before it is forgotten (default 4h)", false,
     [](NodeConfig& c, std::string_view text) -> Result<void> {
       PARALLAX_ASSIGN(c.tombstone_grace, parse_duration(text));
       if (c.tombstone_grace >= limits::kMinTombstoneGrace) return {};
       return bad(fmt::format("{} is below {}s: messages and requests may live that long", text,
                              limits::kMinTombstoneGrace.count()));
     }},
    {"semi-sync-timeout", "DURATION",
     "without a follower's word for so long, ack=semi-sync is the leader's alone (default 10s)",
     false,
     [](NodeConfig& c, std::string_view text) {
       return assign(c.semi_sync_timeout, parse_duration(text));
     }},
    {"max-clock-skew-ms", "MS", "a node further from its majority issues no stamps (default 500)",
     false,
     [](NodeConfig& c, std::string_view text) {
       return assign_ms(c.max_clock_skew, text, 1, 60'000);
     }},
    {"election-timeout-ms", "MIN-MAX", "silence after which a follower campaigns (500-1000)", false,
     [](NodeConfig& c, std::string_view text) -> Result<void> {
       PARALLAX_ASSIGN(const auto range, parse_election_timeout(text));
       std::tie(c.election_timeout_min, c.election_timeout_max) = range;
       return {};
     }},
    {"lease-reads", nullptr,
     "a leader answers linearizable reads without asking, while clocks keep to their bound", false,
     [](NodeConfig& c, std::string_view text) { return assign(c.lease_reads, parse_bool(text)); }},
    {"clock-drift-bound-ppm", "PPM",
     "by which monotonic clocks run faster or slower, for lease reads (default 10000)", false,
     [](NodeConfig& c, std::string_view text) -> Result<void> {
       PARALLAX_ASSIGN(const std::uint64_t ppm, number_between(text, 0, limits::kMaxClockDriftPpm));
       c.clock_drift_ppm = static_cast<std::uint32_t>(ppm);
       return {};
     }},
    {"io-threads", "N", "threads for clients' connections beside the engine's (default 0: none)",
     false,
     [](NodeConfig& c, std::string_view text) -> Result<void> {
       PARALLAX_ASSIGN(const std::uint64_t threads, number_between(text, 0, limits::kMaxIoThreads));
       c.io_threads = static_cast<unsigned>(threads);
       return {};
     }},
    {"max-reconnect-backoff-ms", "MS", "longest pause before a peer is dialled again (1000)", false,
     [](NodeConfig& c, std::string_view text) {
       return assign_ms(c.max_reconnect_backoff, text, 10, 60'000);
     }},
    {"enable-fault-injection", nullptr, "serve /v1/faults, for tests", false,
     [](NodeConfig& c, std::string_view text) {
       return assign(c.enable_fault_injection, parse_bool(text));
     }},
    {"allow-insecure-listen", nullptr, "listen beyond loopback without TLS and authentication",
     false,
     [](NodeConfig& c, std::string_view text) {
       return assign(c.allow_insecure_listen, parse_bool(text));
     }},
    {"recover", nullptr, "set a damaged store aside and recover the data from the peers", false,
     [](NodeConfig& c, std::string_view text) { return assign(c.recover, parse_bool(text)); }},
};

const Row* find_row(std::string_view name) {
  for (const Row& row : kRows) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

Error wrong_setting(std::string_view name, const Setting& setting, const std::string& what) {
  return definite(ErrorCode::refused, setting.file.empty()
                                          ? fmt::format("--{}: {}", name, what)
                                          : fmt::format("{}: {}: {}", setting.file, name, what));
}

/// The text of a TOML value, as the flag of the same name would have it.
Result<std::string> toml_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return std::string(truth->get() ? "true" : "false");
  // [peers] 1 = "..." as a table reads better than one long string.
  if (const auto* table = node.as_table()) {
    std::string joined;
    for (const auto& [key, value] : *table) {
      const auto* text = value.as_string();
      if (text == nullptr) {
        return bad(fmt::format("the value of {} is not a string", std::string_view(key)));
      }
      joined +=
          fmt::format("{}{}={}", joined.empty() ? "" : ",", std::string_view(key), text->get());
    }
    return joined;
  }
  return bad("it is neither a string, a whole number, a truth value nor a table");
}

std::string one_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

Result<void> read_settings_file(const std::string& path, const FileReader& read_file,
                                Settings& settings) {
  const Setting where{.text = path, .file = ""};
  const Result<std::string> text = read_file(path);
  if (!text) return wrong_setting("config", where, text.error().message);
  toml::table table;
  try {
    table = toml::parse(*text);
  } catch (const toml::parse_error& error) {
    return wrong_setting("config", where,
                         fmt::format("{}:{}: {}", path, error.source().begin.line,
                                     one_line(std::string(error.description()))));
  }
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    Setting setting{.text = "", .file = path};
    if (find_row(name) == nullptr) {
      std::string known;
      for (const Row& row : kRows)
        known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
      return wrong_setting(name, setting, "unknown setting; known are " + known);
    }
    if (node.is_table() && name != "peers") {
      return wrong_setting(name, setting, "it is a table, expected one value");
    }
    const Result<std::string> value = toml_text(node);
    if (!value) return wrong_setting(name, setting, value.error().message);
    setting.text = *value;
    settings.emplace(name, std::move(setting));
  }
  return {};
}

Result<void> check_listen_address(std::string_view name, const Setting& setting,
                                  const HostPort& address, const NodeConfig& config) {
  if (address.is_loopback() || config.allow_insecure_listen) return {};
  return wrong_setting(
      name, setting,
      fmt::format("{} is not a loopback address, and this version has no TLS and no "
                  "authentication; use 127.0.0.1 or [::1], or say --allow-insecure-listen",
                  address.to_string()));
}

/// What no setting can show alone.
Result<void> check_together(const NodeConfig& config, const Settings& settings) {
  const Setting& peers = settings.find("peers")->second;
  const auto self = config.peers.find(config.node_id);
  if (self == config.peers.end()) {
    return wrong_setting("peers", peers,
                         fmt::format("node {} (node-id) is not among them; expected {}=HOST:PORT "
                                     "with this node's peer-address",
                                     config.node_id, config.node_id));
  }
  const Setting& client = settings.find("client-address")->second;
  const Setting& peer = settings.find("peer-address")->second;
  PARALLAX_TRY(check_listen_address("client-address", client, config.client_address, config));
  PARALLAX_TRY(check_listen_address("peer-address", peer, config.peer_address, config));
  if (config.client_address == config.peer_address) {
    return wrong_setting("client-address", client,
                         fmt::format("{} is the peer-address too; clients and peers need one each",
                                     config.client_address.to_string()));
  }
  if (self->second != config.peer_address && !config.peer_address.is_wildcard()) {
    return wrong_setting(
        "peer-address", peer,
        fmt::format("{} is not what --peers says of node {}: {}", config.peer_address.to_string(),
                    config.node_id, self->second.to_string()));
  }
  return {};
}

Result<NodeConfig> to_config(const Settings& settings) {
  NodeConfig config;
  for (const Row& row : kRows) {
    const auto found = settings.find(row.name);
    if (found == settings.end()) {
      if (!row.required) continue;
      return wrong_setting(row.name, {},
                           fmt::format("missing, expected {} ({})", row.value, row.help));
    }
    if (const Result<void> applied = row.apply(config, found->second.text); !applied) {
      return wrong_setting(row.name, found->second, applied.error().message);
    }
  }
  PARALLAX_TRY(check_together(config, settings));
  return config;
}

}  // namespace

std::string HostPort::to_string() const {
  return host.find(':') == host.npos ? fmt::format("{}:{}", host, port)
                                     : fmt::format("[{}]:{}", host, port);
}

bool HostPort::is_loopback() const {
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

bool HostPort::is_wildcard() const {
  in6_addr v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_UNSPECIFIED(&v6);
  return host == "0.0.0.0";
}

Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::uint16_t port =
      colon == text.npos ? 0 : parse_number<std::uint16_t>(text.substr(colon + 1)).value_or(0);
  std::string_view host = text.substr(0, std::min(colon, text.size()));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  in6_addr v6{};
  const bool is_v6 = ::inet_pton(AF_INET6, std::string(host).c_str(), &v6) == 1;
  const bool odd = host.find_first_of(" /,=[]\t") != host.npos;
  if (port == 0 || host.empty() || odd || bracketed != is_v6) {
    return bad(fmt::format("\"{}\" is not HOST:PORT, like 127.0.0.1:7101 or [::1]:7101", text));
  }
  return HostPort{.host = std::string(host), .port = port};
}

std::vector<std::string_view> setting_names() {
  std::vector<std::string_view> names;
  for (const Row& row : kRows) names.emplace_back(row.name);
  return names;
}

std::vector<NodeId> NodeConfig::members() const {
  std::vector<NodeId> ids;
  for (const auto& [id, address] : peers) ids.push_back(id);
  return ids;
}

milliseconds NodeConfig::heartbeat_interval() const {
  return std::min(milliseconds(limits::kHeartbeatInterval), election_timeout_min / 5);
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments,
                                       const FileReader& read_file) {
  CLI::App app{"One node of a Parallax cluster: a replicated key-value store.", "parallaxd"};
  CommandLine line;
  bool version = false;
  std::string config_file;
  std::array<std::string, std::size(kRows)> texts;
  std::array<bool, std::size(kRows)> switches{};
  app.add_flag("--version", version, "print the version and exit");
  app.add_option("--dump-log", line.dump_log,
                 "print the replicated log in a stopped node's data directory, and exit")
      ->option_text("DIR");
  // Not for users, and release builds refuse it: no help shows it.
  app.add_option("--canary", line.canary)->group("");
  app.add_option("--config", config_file, "TOML file with these names; flags win over it")
      ->option_text("FILE");
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    const std::string flag = std::string("--") + kRows[i].name;
    if (kRows[i].value == nullptr) {
      app.add_flag(flag, switches[i], kRows[i].help);
    } else {
      app.add_option(flag, texts[i], kRows[i].help)->option_text(kRows[i].value);
    }
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    line.print = app.help();
    return line;
  } catch (const CLI::ParseError& error) {
    return definite(ErrorCode::refused, one_line(error.what()) + "; see parallaxd --help");
  }
  if (version) {
    line.print = fmt::format("parallaxd {}\n", PARALLAX_VERSION);
    return line;
  }
  if (!line.dump_log.empty()) return line;
  Settings settings;
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    const std::string flag = std::string("--") + kRows[i].name;
    if (app.count(flag) == 0) continue;
    settings[kRows[i].name].text =
        kRows[i].value != nullptr ? texts[i] : (switches[i] ? "true" : "false");
  }
  if (!config_file.empty()) PARALLAX_TRY(read_settings_file(config_file, read_file, settings));
  PARALLAX_ASSIGN(line.config, to_config(settings));
  return line;
}

}  // namespace parallax
