#include "tests/system/cluster.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "tests/system/plain_http.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

/// Generous: the programs may be built with sanitizers, on a busy machine.
constexpr auto kPatience = 60s;

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// It dies with this thread.
harness::ChildProcess spawn(const std::vector<std::string>& argv, const std::string& output) {
  auto child = harness::ChildProcess::start(argv, output);
  if (!child) throw std::runtime_error(child.error().message);
  return std::move(*child);
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "parallax-test.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Ended run(const std::vector<std::string>& argv, std::chrono::seconds limit) {
  const TemporaryDirectory directory;
  const std::string output = directory.path() + "/output";
  harness::ChildProcess child = spawn(argv, output);
  const auto deadline = Clock::now() + limit;
  while (child.running()) {
    if (Clock::now() > deadline) {
      child.kill();
      FAIL(argv[0] << " still ran after " << limit.count() << " s; it said:\n"
                   << read_text(output));
    }
    std::this_thread::sleep_for(5ms);
  }
  return {child.code(), read_text(output)};
}

std::string programs() {
  return std::string(PARALLAX_BINARY_DIR) + "/bin";
}

std::uint16_t free_ports(int count) {
  const auto base = harness::free_ports(count);
  if (!base) throw std::runtime_error(base.error().message);
  return *base;
}

Result<Answer> put_surely(Client& client, std::string key, std::string value) {
  PutOptions options;
  options.idempotency_key = draw_idempotency_key();
  return client.put(std::move(key), Bytes(std::move(value)), options);
}

Cluster::Cluster(int nodes, std::vector<std::string> arguments)
    : base_port_(free_ports(2 * nodes)),
      arguments_(std::move(arguments)),
      nodes_(static_cast<std::size_t>(nodes)) {}

Cluster::~Cluster() = default;

Cluster::Node& Cluster::node(int id) {
  return nodes_.at(static_cast<std::size_t>(id - 1));
}

std::uint16_t Cluster::client_port(int id) const {
  return static_cast<std::uint16_t>(base_port_ + id - 1);
}
std::uint16_t Cluster::peer_port(int id) const {
  return static_cast<std::uint16_t>(base_port_ + size() + id - 1);
}
std::string Cluster::client_address(int id) const {
  return fmt::format("127.0.0.1:{}", client_port(id));
}
std::string Cluster::peer_address(int id) const {
  return fmt::format("127.0.0.1:{}", peer_port(id));
}
std::string Cluster::data_dir(int id) const {
  return fmt::format("{}/node-{}", directory_.path(), id);
}
std::string Cluster::log(int id) const {
  return read_text(data_dir(id) + ".log");
}

std::vector<std::string> Cluster::argv(int id, const std::vector<std::string>& extra) const {
  std::string peers;
  for (int n = 1; n <= size(); ++n) {
    peers += fmt::format("{}{}={}", n == 1 ? "" : ",", n, peer_address(n));
  }
  std::vector<std::string> argv{programs() + "/parallaxd",
                                "--node-id",
                                std::to_string(id),
                                "--data-dir",
                                data_dir(id),
                                "--client-address",
                                client_address(id),
                                "--peer-address",
                                peer_address(id),
                                "--peers",
                                peers,
                                "--enable-fault-injection"};
  argv.insert(argv.end(), arguments_.begin(), arguments_.end());
  argv.insert(argv.end(), extra.begin(), extra.end());
  return argv;
}

void Cluster::start(int id, const std::vector<std::string>& extra) {
  REQUIRE(node(id).process.pid() == 0);
  node(id) = {spawn(argv(id, extra), data_dir(id) + ".log"), false};
}

void Cluster::start_all() {
  for (int id = 1; id <= size(); ++id) start(id);
}

bool Cluster::running(int id) {
  return node(id).process.running();
}

std::uint64_t Cluster::resident_bytes(int id) {
  std::ifstream file(fmt::format("/proc/{}/status", node(id).process.pid()));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) << 10;
  }
  FAIL("node " << id << " does not run");
  return 0;
}

int Cluster::await_end(int id, std::chrono::seconds limit) {
  const auto deadline = Clock::now() + limit;
  while (running(id)) {
    if (Clock::now() > deadline) {
      FAIL("node " << id << " still runs after " << limit.count() << " s; its log:\n" << log(id));
    }
    std::this_thread::sleep_for(5ms);
  }
  return node(id).process.code();
}

void Cluster::kill(int id) {
  node(id).process.kill();
}

void Cluster::signal(int id, int number) {
  REQUIRE(running(id));
  node(id).process.signal(number);
}

int Cluster::stop(int id) {
  signal(id, SIGTERM);
  return await_end(id, kPatience);
}

void Cluster::pause(int id) {
  REQUIRE(running(id));
  node(id).process.signal(SIGSTOP);
  node(id).paused = true;
}

void Cluster::resume(int id) {
  REQUIRE(node(id).paused);
  node(id).process.signal(SIGCONT);
  node(id).paused = false;
}

void Cluster::await_ready(int id) {
  const auto deadline = Clock::now() + kPatience;
  for (;;) {
    const auto answer = ask(client_port(id), "GET", "/readyz", {}, 2s);
    if (answer && answer->status == 200) return;
    if (!running(id)) FAIL("node " << id << " has ended; its log:\n" << log(id));
    if (Clock::now() > deadline) {
      FAIL("node " << id << " is not ready (" << (answer ? answer->body : "no answer")
                   << "); its log:\n"
                   << log(id));
    }
    std::this_thread::sleep_for(20ms);
  }
}

void Cluster::await_all_ready() {
  for (int id = 1; id <= size(); ++id) await_ready(id);
}

int Cluster::await_leader(int asked, int not_this) {
  const auto deadline = Clock::now() + kPatience;
  for (;;) {
    for (int id = 1; id <= size(); ++id) {
      if ((asked != 0 && id != asked) || !running(id) || node(id).paused) continue;
      const auto answer = ask(client_port(id), "GET", "/v1/cluster", {}, 2s);
      if (!answer || answer->status != 200) continue;
      boost::system::error_code broken;
      const auto body = boost::json::parse(answer->body, broken);
      if (broken || !body.is_object() || !body.as_object().contains("leader")) continue;
      const auto& leader = body.at("leader");
      if (leader.is_number() && leader.to_number<int>() != not_this) return leader.to_number<int>();
    }
    if (Clock::now() > deadline) FAIL("no node leads");
    std::this_thread::sleep_for(20ms);
  }
}

std::unique_ptr<Client> Cluster::client(std::chrono::milliseconds timeout) const {
  ClientOptions options;
  for (int id = 1; id <= size(); ++id) options.endpoints.push_back(client_address(id));
  options.timeout = timeout;
  auto client = Client::open(std::move(options));
  REQUIRE(client);
  return std::move(*client);
}

std::unique_ptr<Client> Cluster::client_of(int id) const {
  ClientOptions options;
  options.endpoints = {client_address(id)};
  options.follow_leader = false;
  options.timeout = 15s;
  auto client = Client::open(std::move(options));
  REQUIRE(client);
  return std::move(*client);
}

}  // namespace parallax::system_tests
