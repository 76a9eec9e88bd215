#include "tests/system/cluster.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/// Starts a program with stdout and stderr in a file. It dies with this thread.
pid_t spawn(const std::vector<std::string>& argv, const std::string& output) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  const int in = open("/dev/null", O_RDONLY);
  const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (in < 0 || out < 0) _exit(126);
  dup2(in, 0);
  dup2(out, 1);
  dup2(out, 2);
  execv(arguments[0], arguments.data());
  _exit(127);
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool can_listen(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free =
      ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return free;
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
  const pid_t pid = spawn(argv, output);
  const auto deadline = Clock::now() + limit;
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (Clock::now() > deadline) {
      ::kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      FAIL(argv[0] << " still ran after " << limit.count() << " s; it said:\n"
                   << read_text(output));
    }
    std::this_thread::sleep_for(5ms);
  }
  return {code_of(status), read_text(output)};
}

std::string programs() {
  return std::string(PARALLAX_BINARY_DIR) + "/bin";
}

std::uint16_t free_ports(int count) {
  static int next = static_cast<int>(getpid()) * 13;
  for (int tries = 0; tries < 200; ++tries) {
    const int base = 10'000 + next++ % 200 * 100;
    bool free = true;
    for (int i = 0; i < count && free; ++i) free = can_listen(static_cast<std::uint16_t>(base + i));
    if (free) return static_cast<std::uint16_t>(base);
  }
  throw std::runtime_error("no free ports between 10000 and 30000");
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

Cluster::~Cluster() {
  for (int id = 1; id <= size(); ++id) {
    if (node(id).pid != 0) kill(id);
  }
}

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
  REQUIRE(node(id).pid == 0);
  node(id) = {spawn(argv(id, extra), data_dir(id) + ".log"), false};
}

void Cluster::start_all() {
  for (int id = 1; id <= size(); ++id) start(id);
}

bool Cluster::reap(int id, int& code) {
  int status = 0;
  const pid_t ended = waitpid(node(id).pid, &status, WNOHANG);
  if (ended == 0) return false;
  code = code_of(status);
  node(id).pid = 0;
  return true;
}

bool Cluster::running(int id) {
  int code = 0;
  return node(id).pid != 0 && !reap(id, code);
}

int Cluster::await_end(int id, std::chrono::seconds limit) {
  const auto deadline = Clock::now() + limit;
  int code = 0;
  while (!reap(id, code)) {
    if (Clock::now() > deadline) {
      FAIL("node " << id << " still runs after " << limit.count() << " s; its log:\n" << log(id));
    }
    std::this_thread::sleep_for(5ms);
  }
  return code;
}

void Cluster::kill(int id) {
  ::kill(node(id).pid, SIGKILL);
  int status = 0;
  while (waitpid(node(id).pid, &status, 0) < 0 && errno == EINTR) {
  }
  node(id).pid = 0;
}

void Cluster::signal(int id, int number) {
  REQUIRE(running(id));
  ::kill(node(id).pid, number);
}

int Cluster::stop(int id) {
  signal(id, SIGTERM);
  return await_end(id, kPatience);
}

void Cluster::pause(int id) {
  REQUIRE(running(id));
  ::kill(node(id).pid, SIGSTOP);
  node(id).paused = true;
}

void Cluster::resume(int id) {
  REQUIRE(node(id).paused);
  ::kill(node(id).pid, SIGCONT);
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
