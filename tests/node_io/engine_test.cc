#include "node/io/engine.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include "tests/node_io/peer_world.h"

namespace parallax {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// The answer to one request on a connection of its own; empty when nobody listens.
std::string http(const HostPort& to, const std::string& method, const std::string& target,
                 const std::string& body = "") {
  asio::io_context context;
  Socket socket(context);
  boost::system::error_code failed;
  socket.connect(*literal_endpoint(to), failed);
  if (failed) return "";
  asio::write(socket,
              asio::buffer(fmt::format(
                  "{} {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
                  method, target, body.size(), body)),
              failed);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), failed);
  return answer;
}

bool has_status(const std::string& answer, int status) {
  return answer.find(fmt::format("HTTP/1.1 {} ", status)) == 0;
}

/// Directories and addresses of a cluster, and its engines, each on a thread of its own.
class Cluster {
 public:
  explicit Cluster(std::uint32_t nodes) {
    static int count = 0;
    spdlog::set_level(spdlog::level::off);
    directory_ =
        fs::temp_directory_path() / fmt::format("parallax-engine-{}-{}", ::getpid(), count++);
    fs::remove_all(directory_);
    const std::vector<std::uint16_t> ports = test::free_ports(nodes * 2);
    std::map<NodeId, HostPort> peers;
    for (std::uint32_t i = 0; i < nodes; ++i) peers[NodeId{i + 1}] = {"127.0.0.1", ports[i]};
    for (std::uint32_t i = 0; i < nodes; ++i) {
      NodeConfig config;
      config.node_id = NodeId{i + 1};
      config.data_dir = directory_ / std::to_string(i + 1);
      config.peers = peers;
      config.peer_address = peers[config.node_id];
      config.client_address = {"127.0.0.1", ports[nodes + i]};
      config.election_timeout_min = 150ms;
      config.election_timeout_max = 300ms;
      configs.push_back(config);
    }
  }
  ~Cluster() {
    if (!threads_.empty()) stop();
    fs::remove_all(directory_);
  }

  void start() {
    for (const NodeConfig& config : configs) {
      Result<std::unique_ptr<Engine>> engine = Engine::open(config);
      if (!engine) FAIL(engine.error().message);
      engines_.push_back(std::move(*engine));
    }
    exits.assign(engines_.size(), std::nullopt);
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      threads_.emplace_back([this, i] { exits[i] = engines_[i]->run(); });
    }
  }
  /// As an operator would: the signal goes to every engine of this process.
  void stop() {
    ::raise(SIGTERM);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    engines_.clear();
  }
  /// Asks again until the answer has `status`, for as long as an election may take.
  std::string ask(std::size_t node, int status, const std::string& method,
                  const std::string& target, const std::string& body = "") {
    const auto end = std::chrono::steady_clock::now() + 10s;
    std::string answer;
    do {
      answer = http(configs.at(node).client_address, method, target, body);
      if (has_status(answer, status)) return answer;
      std::this_thread::sleep_for(20ms);
    } while (std::chrono::steady_clock::now() < end);
    INFO("the last answer was " << answer);
    CHECK(has_status(answer, status));
    return answer;
  }
  fs::path directory(std::size_t node) const { return configs.at(node).data_dir; }

  std::vector<NodeConfig> configs;
  std::vector<std::optional<ExitCode>> exits;

 private:
  fs::path directory_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<std::thread> threads_;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.ends_with(end);
}

std::size_t stores_set_aside(const fs::path& directory) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    count += entry.path().filename().string().starts_with("damaged-store-") ? 1 : 0;
  }
  return count;
}

TEST_CASE("engine: what was acknowledged is there after a stop and a start") {
  Cluster cluster(1);
  const unsigned threads = GENERATE(0u, 2u);
  for (NodeConfig& config : cluster.configs) config.io_threads = threads;
  cluster.start();
  cluster.ask(0, 204, "PUT", "/v1/kv/key", "value");
  cluster.stop();
  CHECK(cluster.exits[0] == ExitCode::ok);
  CHECK(http(cluster.configs[0].client_address, "GET", "/healthz").empty());
  cluster.start();
  CHECK(ends_with(cluster.ask(0, 200, "GET", "/v1/kv/key"), "\r\n\r\nvalue"));
}

TEST_CASE("engine: three nodes serve through any of them") {
  Cluster cluster(3);
  const unsigned threads = GENERATE(0u, 2u);
  for (NodeConfig& config : cluster.configs) config.io_threads = threads;
  cluster.start();
  for (std::size_t i = 0; i < 3; ++i) {
    cluster.ask(i, 204, "PUT", fmt::format("/v1/kv/key-{}", i), fmt::format("value-{}", i));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(ends_with(cluster.ask(i, 200, "GET", "/v1/kv/key-1"), "\r\n\r\nvalue-1"));
  }
  const std::string status = cluster.ask(1, 200, "GET", "/v1/cluster");
  for (const NodeConfig& config : cluster.configs) {
    CHECK(status.find(config.client_address.to_string()) != std::string::npos);
  }
  cluster.stop();
  for (const auto& code : cluster.exits) CHECK(code == ExitCode::ok);
}

TEST_CASE("engine: a directory in use or of another node is refused") {
  Cluster cluster(1);
  cluster.start();
  const auto refused = [&](const NodeConfig& config) {
    const auto second = Engine::open(config);
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == ErrorCode::refused);
    CHECK(second.error().message.find("--data-dir: ") == 0);
    return second.error().message;
  };
  CHECK(refused(cluster.configs[0]).find("in use by another process") != std::string::npos);
  cluster.ask(0, 204, "PUT", "/v1/kv/key", "value");
  cluster.stop();
  NodeConfig other = cluster.configs[0];
  other.node_id = NodeId{2};
  other.peers = {{NodeId{2}, other.peer_address}};
  CHECK(refused(other).find("is of node 1, expected that of node 2") != std::string::npos);
}

TEST_CASE("engine: an address in use is named with its setting") {
  Cluster cluster(1);
  asio::io_context context;
  const Acceptor taken(context, *literal_endpoint(cluster.configs[0].client_address));
  const auto engine = Engine::open(cluster.configs[0]);
  REQUIRE_FALSE(engine.has_value());
  CHECK(engine.error().code == ErrorCode::refused);
  CHECK(engine.error().message.find("--client-address: ") == 0);
}

TEST_CASE("engine: a node with a damaged store gets its data back from its peers") {
  Cluster cluster(3);
  cluster.start();
  cluster.ask(0, 204, "PUT", "/v1/kv/key", "value");
  cluster.stop();
  const fs::path damaged = cluster.directory(0);
  SECTION("found while it ran: set aside without asking") {
    std::ofstream(damaged / "damaged") << "entry 3 is corrupt\n";
  }
  SECTION("found at the start: refused and on request set aside") {
    fs::remove(damaged / "store" / "CURRENT");
    const auto refused = Engine::open(cluster.configs[0]);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::corrupt);
    CHECK(refused.error().message.find("start with --recover") != std::string::npos);
    CHECK(stores_set_aside(damaged) == 0);
    cluster.configs[0].recover = true;
  }
  cluster.start();
  CHECK(ends_with(cluster.ask(0, 200, "GET", "/v1/kv/key?consistency=prefix"), "\r\n\r\nvalue"));
  CHECK(stores_set_aside(damaged) == 1);
  CHECK_FALSE(fs::exists(damaged / "damaged"));
  cluster.stop();
  CHECK(cluster.exits[0] == ExitCode::ok);
}

TEST_CASE("engine: faults only where they are enabled") {
  Cluster cluster(1);
  SECTION("enabled") {
    cluster.configs[0].enable_fault_injection = true;
    cluster.start();
    CHECK(has_status(
        http(cluster.configs[0].client_address, "POST", "/v1/faults", R"({"clock_offset_ms":100})"),
        204));
    CHECK(has_status(http(cluster.configs[0].client_address, "POST", "/v1/faults",
                          R"({"on_crash":"torn_tail"})"),
                     400));
    CHECK(has_status(http(cluster.configs[0].client_address, "DELETE", "/v1/faults"), 204));
  }
  SECTION("not enabled") {
    cluster.start();
    CHECK(has_status(http(cluster.configs[0].client_address, "POST", "/v1/faults", "{}"), 404));
  }
}

TEST_CASE("engine: a full disk stops writes and nothing else") {
  Cluster cluster(1);
  cluster.configs[0].enable_fault_injection = true;
  cluster.start();
  cluster.ask(0, 204, "PUT", "/v1/kv/key", "value");
  http(cluster.configs[0].client_address, "POST", "/v1/faults", R"({"disk_full":true})");
  http(cluster.configs[0].client_address, "PUT", "/v1/kv/key?timeout_ms=300", "lost");
  cluster.ask(0, 503, "PUT", "/v1/kv/key?timeout_ms=300", "lost");
  CHECK(ends_with(cluster.ask(0, 200, "GET", "/v1/kv/key?consistency=prefix"), "\r\n\r\nvalue"));
  cluster.stop();
  CHECK(cluster.exits[0] == ExitCode::ok);
}

}  // namespace
}  // namespace parallax
