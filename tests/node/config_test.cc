#include "node/config.h"

#include <catch2/catch.hpp>

namespace parallax {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kGood = {"--node-id",        "1",
                                        "--data-dir",       "/data/1",
                                        "--client-address", "127.0.0.1:7101",
                                        "--peer-address",   "127.0.0.1:7201",
                                        "--peers",          "1=127.0.0.1:7201,2=127.0.0.1:7202"};

Result<std::string> no_file(const std::string& path) {
  return definite(ErrorCode::io, path + ": No such file or directory");
}

/// The good command line with one flag's value replaced, or added.
std::vector<std::string> with(const std::string& flag, const std::string& value) {
  std::vector<std::string> arguments = kGood;
  const auto found = std::find(arguments.begin(), arguments.end(), flag);
  if (found != arguments.end()) {
    *(found + 1) = value;
  } else {
    arguments.insert(arguments.end(), {flag, value});
  }
  return arguments;
}

std::vector<std::string> without(const std::string& flag) {
  std::vector<std::string> arguments = kGood;
  const auto found = std::find(arguments.begin(), arguments.end(), flag);
  arguments.erase(found, found + 2);
  return arguments;
}

NodeConfig parsed(const std::vector<std::string>& arguments, const FileReader& read = no_file) {
  const Result<CommandLine> line = parse_command_line(arguments, read);
  if (!line) FAIL(line.error().message);
  return line->config;
}

std::string refusal(const std::vector<std::string>& arguments, const FileReader& read = no_file) {
  const Result<CommandLine> line = parse_command_line(arguments, read);
  REQUIRE_FALSE(line.has_value());
  CHECK(line.error().code == ErrorCode::refused);
  CHECK(line.error().message.find('\n') == std::string::npos);
  return line.error().message;
}

FileReader file_of(const std::string& text) {
  return [text](const std::string&) -> Result<std::string> { return text; };
}

TEST_CASE("config: a full command line") {
  const NodeConfig config = parsed(kGood);
  CHECK(config.node_id == NodeId{1});
  CHECK(config.data_dir == "/data/1");
  CHECK(config.client_address == HostPort{"127.0.0.1", 7101});
  CHECK(config.peer_address == HostPort{"127.0.0.1", 7201});
  CHECK(config.members() == std::vector{NodeId{1}, NodeId{2}});
  CHECK(config.peers.at(NodeId{2}) == HostPort{"127.0.0.1", 7202});
  CHECK(config.max_value_bytes == 1 << 20);
  CHECK(config.history_retention == 60s);
  CHECK(config.max_clock_skew == 500ms);
  CHECK_FALSE(config.lease_reads);
  CHECK(config.io_threads == 0);
  CHECK(config.clock_drift_ppm == 10'000);
  CHECK(config.election_timeout_min == 500ms);
  CHECK(config.election_timeout_max == 1000ms);
  CHECK(config.heartbeat_interval() == 100ms);
  CHECK_FALSE(config.enable_fault_injection);
  CHECK_FALSE(config.recover);
}

TEST_CASE("config: every optional setting by flag") {
  CHECK(parsed(with("--log-level", "warn")).log_level == LogLevel::warn);
  CHECK(parsed(with("--log-file", "x.log")).log_file == "x.log");
  CHECK(parsed(with("--max-value-bytes", "4096")).max_value_bytes == 4096);
  CHECK(parsed(with("--history-retention", "2h")).history_retention == 2h);
  CHECK(parsed(with("--history-retention", "250ms")).history_retention == 250ms);
  CHECK(parsed(with("--anti-entropy-interval", "500ms")).anti_entropy_interval == 500ms);
  CHECK(parsed(with("--tombstone-grace", "5m")).tombstone_grace == 5min);
  CHECK(parsed(with("--semi-sync-timeout", "2s")).semi_sync_timeout == 2s);
  CHECK(parsed(with("--max-clock-skew-ms", "50")).max_clock_skew == 50ms);
  CHECK(parsed(with("--clock-drift-bound-ppm", "0")).clock_drift_ppm == 0);
  CHECK(parsed(with("--io-threads", "4")).io_threads == 4);
  CHECK(parsed(with("--max-reconnect-backoff-ms", "200")).max_reconnect_backoff == 200ms);
  const NodeConfig quick = parsed(with("--election-timeout-ms", "150-300"));
  CHECK(quick.election_timeout_min == 150ms);
  CHECK(quick.election_timeout_max == 300ms);
  CHECK(quick.heartbeat_interval() == 30ms);
  CHECK(parsed(with("--election-timeout-ms", "400")).election_timeout_max == 800ms);
  std::vector<std::string> switched = kGood;
  switched.insert(switched.end(),
                  {"--enable-fault-injection", "--recover", "--enable-fault-injection"});
  CHECK(parsed(switched).enable_fault_injection);
  CHECK(parsed(switched).recover);
}

TEST_CASE("config: a missing setting is named with what was expected") {
  for (const char* flag :
       {"--node-id", "--data-dir", "--client-address", "--peer-address", "--peers"}) {
    const std::string message = refusal(without(flag));
    CHECK(message.find(std::string(flag) + ": missing, expected ") == 0);
  }
}

TEST_CASE("config: a wrong value is named with what was found and what would be right") {
  struct Case {
    const char* flag;
    const char* value;
    const char* right;
  };
  const Case wrong[] = {
      {"--node-id", "0", "from 1 to"},
      {"--node-id", "one", "from 1 to"},
      {"--node-id", "4294967296", "from 1 to"},
      {"--node-id", "1x", "from 1 to"},
      {"--client-address", "127.0.0.1", "HOST:PORT"},
      {"--client-address", "127.0.0.1:0", "HOST:PORT"},
      {"--client-address", "127.0.0.1:65536", "HOST:PORT"},
      {"--client-address", "::1:7101", "HOST:PORT"},
      {"--client-address", ":7101", "HOST:PORT"},
      {"--peers", "127.0.0.1:7201", "ID=HOST:PORT"},
      {"--peers", "1=127.0.0.1:7201,", "ID=HOST:PORT"},
      {"--peers", "0=127.0.0.1:7201", "ID=HOST:PORT"},
      {"--log-level", "loud", "trace, debug"},
      {"--max-value-bytes", "0", "from 1 to"},
      {"--max-value-bytes", "99999999999", "from 1 to"},
      {"--history-retention", "60", "like \"60s\""},
      {"--anti-entropy-interval", "99ms", "below 100ms"},
      {"--tombstone-grace", "4m", "below 300s"},
      {"--history-retention", "-1s", "like \"60s\""},
      {"--max-clock-skew-ms", "0", "from 1 to 60000"},
      {"--election-timeout-ms", "1000-500", "MIN-MAX"},
      {"--election-timeout-ms", "50-500", "MIN-MAX"},
      {"--election-timeout-ms", "500-", "MIN-MAX"},
  };
  for (const Case& c : wrong) {
    const std::string message = refusal(with(c.flag, c.value));
    INFO(c.flag << " " << c.value << " gave " << message);
    CHECK(message.find(c.flag) == 0);
    const std::string found(c.value);
    CHECK(message.find(found.substr(found.rfind(',') + 1)) != std::string::npos);
    CHECK(message.find(c.right) != std::string::npos);
  }
}

TEST_CASE("config: peers must make sense together") {
  CHECK(refusal(with("--node-id", "3")).find("--peers: node 3") == 0);
  CHECK(refusal(with("--peers", "1=127.0.0.1:7201,1=127.0.0.1:7202")).find("twice") !=
        std::string::npos);
  CHECK(refusal(with("--peers", "1=127.0.0.1:7201,2=127.0.0.1:7201")).find("same address") !=
        std::string::npos);
  CHECK(refusal(with("--peer-address", "127.0.0.1:7209")).find("--peer-address: ") == 0);
  CHECK(refusal(with("--client-address", "127.0.0.1:7201")).find("--client-address: ") == 0);
}

TEST_CASE("config: beyond loopback only on request") {
  for (const char* address : {"0.0.0.0:7101", "10.0.0.1:7101", "[::]:7101", "example.org:7101"}) {
    const std::string message = refusal(with("--client-address", address));
    CHECK(message.find("--client-address: ") == 0);
    CHECK(message.find("--allow-insecure-listen") != std::string::npos);
    CHECK(message.find("no TLS") != std::string::npos);
    std::vector<std::string> allowed = with("--client-address", address);
    allowed.push_back("--allow-insecure-listen");
    CHECK(parsed(allowed).client_address.to_string() == address);
  }
  for (const char* address : {"127.8.9.1:7101", "[::1]:7101", "localhost:7101"}) {
    CHECK(parsed(with("--client-address", address)).client_address.to_string() == address);
  }
  // A wildcard peer address need not be what the peers dial.
  CHECK(refusal(with("--peer-address", "0.0.0.0:7201")).find("--peer-address: ") == 0);
  std::vector<std::string> wildcard = with("--peer-address", "0.0.0.0:7201");
  wildcard.push_back("--allow-insecure-listen");
  CHECK(parsed(wildcard).peer_address.is_wildcard());
}

TEST_CASE("config: a file has the same names and flags win over it") {
  const std::string text = R"(
node-id = 2
data-dir = "/data/2"
client-address = "127.0.0.1:7102"
peer-address = "127.0.0.1:7202"
max-value-bytes = 1000
enable-fault-injection = true
election-timeout-ms = "200-400"
[peers]
1 = "127.0.0.1:7201"
2 = "127.0.0.1:7202"
)";
  const NodeConfig from_file = parsed({"--config", "node.toml"}, file_of(text));
  CHECK(from_file.node_id == NodeId{2});
  CHECK(from_file.data_dir == "/data/2");
  CHECK(from_file.max_value_bytes == 1000);
  CHECK(from_file.enable_fault_injection);
  CHECK(from_file.election_timeout_min == 200ms);
  CHECK(from_file.peers.size() == 2);
  const NodeConfig mixed =
      parsed({"--config", "node.toml", "--max-value-bytes", "2000"}, file_of(text));
  CHECK(mixed.max_value_bytes == 2000);
  CHECK(mixed.node_id == NodeId{2});
}

TEST_CASE("config: what is wrong in a file is named with the file") {
  const auto from = [](const std::string& text) {
    std::vector<std::string> arguments = kGood;
    arguments.insert(arguments.end(), {"--config", "node.toml"});
    return refusal(arguments, file_of(text));
  };
  CHECK(from("colour = 1").find("node.toml: colour: unknown setting; known are node-id") == 0);
  CHECK(from("[log-level]\na = 1").find("node.toml: log-level: ") == 0);
  CHECK(from("log-level = 1.5").find("node.toml: log-level: ") == 0);
  CHECK(from("log-level = \"loud\"").find("node.toml: log-level: \"loud\"") == 0);
  CHECK(from("[peers]\n1 = 7201").find("node.toml: peers: ") == 0);
  CHECK(from("= 3").find("--config: node.toml:1: ") == 0);
  CHECK(refusal({"--config", "absent.toml"}).find("--config: absent.toml: No such file") == 0);
}

TEST_CASE("config: unknown flags and stray words are refused on one line") {
  std::vector<std::string> unknown = kGood;
  unknown.push_back("--colour");
  CHECK(refusal(unknown).find("--colour") != std::string::npos);
  std::vector<std::string> stray = kGood;
  stray.push_back("word");
  CHECK(refusal(stray).find("word") != std::string::npos);
  std::vector<std::string> valueless = kGood;
  valueless.push_back("--log-level");
  CHECK(refusal(valueless).find("--log-level") != std::string::npos);
}

TEST_CASE("config: a canary is for tests: by flag alone and in no help") {
  const auto line = parse_command_line(with("--canary", "read_without_round"), no_file);
  REQUIRE(line.has_value());
  CHECK(line->canary == "read_without_round");
  CHECK(parse_command_line(kGood, no_file)->canary.empty());
  CHECK(refusal(with("--config", "f"), file_of("canary = \"read_without_round\""))
            .find("unknown setting") != std::string::npos);
  CHECK(parse_command_line({"--help"}, no_file)->print->find("canary") == std::string::npos);
}

TEST_CASE("config: help and version need nothing else") {
  const Result<CommandLine> help = parse_command_line({"--help"}, no_file);
  REQUIRE(help.has_value());
  REQUIRE(help->print);
  CHECK(help->print->find("--allow-insecure-listen") != std::string::npos);
  const Result<CommandLine> version = parse_command_line({"--version"}, no_file);
  REQUIRE(version.has_value());
  CHECK(version->print == std::string("parallaxd ") + PARALLAX_VERSION + "\n");
  const Result<CommandLine> dump = parse_command_line({"--dump-log", "/data"}, no_file);
  REQUIRE(dump.has_value());
  CHECK(dump->dump_log == "/data");
  CHECK_FALSE(dump->print);
}

}  // namespace
}  // namespace parallax
