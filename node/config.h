// The settings of a node: from flags, from a TOML file with the same names, checked before anything
// is opened. Flags win over the file.
//
// Errors are one line that names the setting, what was found and what would be right. Nothing here
// listens, resolves names or opens anything; the file's text comes through a function.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/limits.h"

namespace parallax {

/// "127.0.0.1:7101", "[::1]:7101" or "name:7101".
struct HostPort {
  std::string host;  ///< without brackets
  std::uint16_t port = 0;

  std::string to_string() const;
  /// Whether only this machine can reach it. A name other than "localhost" counts as not.
  bool is_loopback() const;
  /// 0.0.0.0 or [::]: every address of the machine.
  bool is_wildcard() const;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// Errors: bad_parameter, saying what is wrong with `text`.
Result<HostPort> parse_host_port(std::string_view text);

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

struct NodeConfig {
  NodeId node_id;
  std::string data_dir;
  HostPort client_address;
  HostPort peer_address;
  std::map<NodeId, HostPort> peers;  ///< itself included
  LogLevel log_level = LogLevel::info;
  std::string log_file;  ///< empty: stderr
  std::size_t max_value_bytes = limits::kDefaultMaxValueBytes;
  std::chrono::milliseconds history_retention = limits::kDefaultHistoryRetention;
  std::chrono::milliseconds anti_entropy_interval = limits::kAntiEntropyInterval;
  std::chrono::milliseconds tombstone_grace = limits::kTombstoneGrace;
  std::chrono::milliseconds semi_sync_timeout = limits::kSemiSyncTimeout;
  std::chrono::milliseconds max_clock_skew = limits::kDefaultMaxClockSkew;
  std::chrono::milliseconds election_timeout_min = limits::kElectionTimeoutMin;
  std::chrono::milliseconds election_timeout_max = limits::kElectionTimeoutMax;
  bool lease_reads = false;
  std::uint32_t clock_drift_ppm = limits::kClockDriftPpm;
  unsigned io_threads = 0;  ///< for clients' connections, beside the engine's thread
  std::chrono::milliseconds max_reconnect_backoff = limits::kMaxReconnectBackoff;
  bool enable_fault_injection = false;
  bool allow_insecure_listen = false;
  /// A store that cannot be read is set aside, and the node comes back as recovering.
  bool recover = false;

  friend bool operator==(const NodeConfig&, const NodeConfig&) = default;

  std::vector<NodeId> members() const;
  /// Often enough that a few lost heartbeats start no election.
  std::chrono::milliseconds heartbeat_interval() const;
};

/// What a command line asks for: to print something and exit 0, or to run.
struct CommandLine {
  std::optional<std::string> print;  ///< of --help and --version
  std::string dump_log;              ///< a data directory, whose log is to be printed; or empty
  std::string canary;                ///< a deliberate bug to run with (base/canary.h); empty: none
  NodeConfig config;
};

/// The names of all settings but "config", which only names the file they may be in.
std::vector<std::string_view> setting_names();

/// The text of a file. Errors: io.
using FileReader = std::function<Result<std::string>(const std::string& path)>;

/// `arguments` without the program's name. Errors: refused, naming the setting.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments,
                                       const FileReader& read_file);

}  // namespace parallax
