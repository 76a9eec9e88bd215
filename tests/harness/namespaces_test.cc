// A network of its own for the nodes of a run: what its faults do to packets, to a cluster, and
// what is left of it.
#include "harness/io/namespaces.h"

#include <cctype>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "harness/io/cluster.h"
#include "harness/io/plain_http.h"
#include "tests/harness/run_program.h"

namespace parallax::harness {
namespace {

using namespace testing;

/// False, and says so, where such a network cannot be made.
bool possible() {
  const auto checked = check_namespaces();
  if (!checked) WARN("skipped: " << checked.error().message);
  return checked.has_value();
}

template <class T>
void require(const Result<T>& result) {
  if (!result) FAIL(result.error().message);
}

ActiveFault fault_of(Fault fault, std::uint32_t node, std::int64_t amount) {
  return {.planned = {.fault = fault, .node = node, .amount = amount}};
}

ActiveFault cut(CutLinks links) {
  ActiveFault fault = fault_of(Fault::partition, 1, 0);
  fault.links = std::move(links);
  return fault;
}

// --- Packets -------------------------------------------------------------------------------------

/// A socket of the namespace in which its thread was when it was made.
class Datagrams {
 public:
  Datagrams() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(kPort);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  }
  ~Datagrams() { ::close(socket_); }
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;

  /// `endpoint`: only its host plays a part.
  void send(const std::string& endpoint, std::size_t bytes) const {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(kPort);
    const std::string host = endpoint.substr(0, endpoint.find(':'));
    REQUIRE(::inet_pton(AF_INET, host.c_str(), &to.sin_addr) == 1);
    const std::string data(bytes, 'x');
    // What the kernel loses at once is lost, too.
    static_cast<void>(::sendto(socket_, data.data(), data.size(), 0,
                               reinterpret_cast<const sockaddr*>(&to), sizeof to));
  }
  /// How many come until there are `most`, or none comes for `quiet`.
  int receive(int most, std::chrono::milliseconds quiet) const {
    int count = 0;
    char buffer[2'000];
    while (count < most) {
      pollfd waiting{socket_, POLLIN, 0};
      if (::poll(&waiting, 1, static_cast<int>(quiet.count())) <= 0) break;
      while (count<most&& ::recv(socket_, buffer, sizeof buffer, 0)> 0) ++count;
    }
    return count;
  }

 private:
  static constexpr std::uint16_t kPort = 9'000;
  int socket_;
};

/// Three nodes that are sockets, and one beside the clients.
class Cables {
 public:
  Cables() {
    auto opened = Namespaces::open(3, directory_.path());
    require(opened);
    network = std::move(*opened);
    client.emplace();
    for (std::uint32_t node = 1; node <= 3; ++node) {
      const Namespaces::Visit visit(*network, node);
      sockets_[node].emplace();
    }
  }
  /// Of `count` small ones, how many arrive.
  int arrive(std::uint32_t from, std::uint32_t to, int count = 20) {
    return arrive(*sockets_[from], *sockets_[to], Namespaces::peer(to), count);
  }
  int arrive_from_client(std::uint32_t to) {
    return arrive(*client, *sockets_[to], Namespaces::endpoint(to), 20);
  }
  /// By link, of ten each: "1>2 1>3 2>1 ..." where any arrives.
  std::string open_links() {
    std::string text;
    for (std::uint32_t from = 1; from <= 3; ++from) {
      for (std::uint32_t to = 1; to <= 3; ++to) {
        if (from == to || arrive(from, to, 10) == 0) continue;
        text += fmt::format("{}{}>{}", text.empty() ? "" : " ", from, to);
      }
    }
    return text;
  }
  const Datagrams& socket(std::uint32_t node) { return *sockets_[node]; }
  void set(const std::vector<ActiveFault>& active) {
    for (std::uint32_t node = 1; node <= 3; ++node) {
      require(network->set_faults(node, active));
    }
  }

 private:
  static int arrive(const Datagrams& from, const Datagrams& to, const std::string& at, int count) {
    int arrived = 0;
    for (int sent = 0; sent < count;) {
      const int some = std::min(count - sent, 50);  // more would not fit into what a socket holds
      for (int i = 0; i < some; ++i) from.send(at, 100);
      sent += some;
      arrived += to.receive(some, 20ms);
    }
    return arrived + to.receive(count - arrived, 200ms);  // the machine may be busy
  }

  const Directory directory_;

 public:
  std::unique_ptr<Namespaces> network;
  std::optional<Datagrams> client;

 private:
  std::map<std::uint32_t, std::optional<Datagrams>> sockets_;
};

constexpr const char* kAllLinks = "1>2 1>3 2>1 2>3 3>1 3>2";

TEST_CASE("a network's rules are those of the faults that a node has") {
  const std::vector<ActiveFault> all{cut({{1, 2}, {2, 1}, {3, 2}}), fault_of(Fault::loss, 2, 25),
                                     fault_of(Fault::rate, 3, 64), fault_of(Fault::delay, 2, 9)};
  CHECK(bridge_rules(2, all) ==
        "flush chain bridge faults node2\n"
        "add rule bridge faults node2 iifname peer1 oifname peer2 drop\n"
        "add rule bridge faults node2 iifname peer3 oifname peer2 drop\n"
        "add rule bridge faults node2 iifname peer2 numgen random mod 1000 < 25 drop");
  CHECK(bridge_rules(3, all) == "flush chain bridge faults node3");
  CHECK(rate_of(3, all) == 64);
  CHECK(rate_of(2, all) == 0);
}

TEST_CASE("a link that is cut carries nothing in its direction until it is healed") {
  if (!possible()) return;
  Cables cables;
  CHECK(cables.open_links() == kAllLinks);
  cables.set({cut({{1, 2}})});
  CHECK(cables.open_links() == "1>3 2>1 2>3 3>1 3>2");
  // In place of what was; and two at once.
  cables.set({cut({{3, 1}, {1, 3}}), cut({{3, 2}, {2, 3}})});
  CHECK(cables.open_links() == "1>2 2>1");
  // Clients are no nodes.
  CHECK(cables.arrive_from_client(3) == 20);
  cables.set({});
  CHECK(cables.open_links() == kAllLinks);
}

TEST_CASE("packets that one node sends are lost as often as is said") {
  if (!possible()) return;
  Cables cables;
  // Who has which address is asked by packets, too.
  REQUIRE(cables.open_links() == kAllLinks);
  cables.set({fault_of(Fault::loss, 1, 300)});
  // Of a share of 0.7 of 2,000 ten deviations are 205.
  CHECK(cables.arrive(1, 2, 2'000) == Approx(1'400).margin(205));
  CHECK(cables.arrive(2, 1, 100) == 100);
  CHECK(cables.arrive(3, 2, 100) == 100);
  CHECK(cables.arrive_from_client(1) == 20);
  cables.set({});
  CHECK(cables.arrive(1, 2, 100) == 100);
}

TEST_CASE("a node sends no faster than it may") {
  if (!possible()) return;
  constexpr std::int64_t kRate = 100;  // kbit/s
  constexpr int kBytes = 1'000;
  Cables cables;
  REQUIRE(cables.open_links() == kAllLinks);
  REQUIRE(cables.arrive_from_client(1) == 20);
  cables.set({fault_of(Fault::rate, 1, kRate)});
  const auto began = std::chrono::steady_clock::now();
  const auto since = [&] {
    const auto took = std::chrono::steady_clock::now() - began;
    return std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  };
  for (int i = 0; i < 20; ++i) cables.socket(1).send(Namespaces::peer(2), kBytes);
  const auto most_passed = (since() + Namespaces::kMostQueued.count()) * kRate / 8 / kBytes;
  int arrived = 0;
  std::int64_t last = 0;
  while (cables.socket(2).receive(1, 500ms) > 0) {
    ++arrived;
    last = since();
  }
  // Beside what passes in time 4 KB pass at once.
  CHECK(arrived <= most_passed + 5);
  CHECK(arrived >= 5);
  CHECK(last >= 150);
  CHECK(cables.arrive(2, 1, 100) == 100);
  CHECK(cables.arrive_from_client(1) == 20);
  cables.set({});
  CHECK(cables.arrive(1, 2, 100) == 100);
}

// --- A cluster -----------------------------------------------------------------------------------

RunOptions in_namespaces() {
  RunOptions options;
  options.network = Network::namespaces;
  return options;
}

/// Whether the node acknowledges a write, at the strongest level.
bool writes(Cluster& cluster, std::uint32_t node, std::chrono::milliseconds limit) {
  const auto answer = ask(cluster.endpoint(node), "PUT", "/v1/kv/k", "1", limit);
  return answer && answer->status / 100 == 2;
}

bool comes_to_write(Cluster& cluster, std::uint32_t node) {
  const auto until = std::chrono::steady_clock::now() + 30s;
  while (!writes(cluster, node, 1s)) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

/// Segments that the nodes' kernels have sent again, by what each sees of its own network.
std::uint64_t retransmitted() {
  std::uint64_t all = 0;
  for (const pid_t pid : children_of(::getpid())) {
    std::istringstream lines(read_text(fmt::format("/proc/{}/net/snmp", pid)));
    std::vector<std::string> names;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("Tcp:")) continue;
      std::istringstream words(line);
      const std::vector<std::string> row(std::istream_iterator<std::string>(words), {});
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == "RetransSegs") all += std::stoull(row.at(i));
      }
      names = row;
    }
  }
  return all;
}

TEST_CASE("a leader that is cut off by its network acknowledges nothing and the others do") {
  if (!possible()) return;
  const Directory directory;
  auto cluster = Cluster::open(in_namespaces(), std::string(PARALLAX_BINARY_DIR) + "/bin/parallaxd",
                               directory.path());
  require(cluster);
  REQUIRE(cluster->await_ready(60s));
  for (std::uint32_t node = 1; node <= 3; ++node) CHECK(comes_to_write(*cluster, node));
  const std::uint32_t alone = cluster->leader();
  REQUIRE(alone != 0);
  const std::uint32_t other = alone % 3 + 1;
  const auto set = [&](const std::vector<ActiveFault>& active) {
    for (std::uint32_t node = 1; node <= 3; ++node) {
      require(cluster->set_faults(node, active));
    }
  };
  const std::uint64_t before = retransmitted();
  set({cut(cut_links(Partition::one, 3, alone, 0, 7))});
  CHECK_FALSE(writes(*cluster, alone, 2s));
  CHECK(comes_to_write(*cluster, other));
  CHECK(cluster->leader() != alone);
  CHECK_FALSE(writes(*cluster, alone, 1s));
  // It is the network that loses what they say, not they themselves.
  CHECK(retransmitted() > before);
  set({});
  CHECK(comes_to_write(*cluster, alone));
}

TEST_CASE("a run whose network cuts links and loses packets and is slow holds") {
  if (!possible()) return;
  Program program({"--level", "linearizable", "--network", "namespaces", "--faults",
                   "partition,loss,rate", "--time", "6s", "--rate", "1000"},
                  true);
  const int code = program.await_end(120s);
  INFO(program.output());
  CHECK(code == 0);
  const Run run = results_of(program);
  CHECK(run.outcome == RunOutcome::held);
  CHECK(run.asked.network == Network::namespaces);
  CHECK(run.replay_command.find("--network namespaces") != std::string::npos);
  for (const std::string kind : {"partition", "loss", "rate"}) {
    INFO(kind);
    CHECK(std::any_of(run.faults.begin(), run.faults.end(), [&](const FaultWindow& window) {
      return window.kind == kind && window.end_ns > window.begin_ns &&
             window.detail.find("not confirmed") == std::string::npos;
    }));
  }
}

// --- What is left --------------------------------------------------------------------------------

/// "net:[4026531840]", or what else the link says; empty: it is gone.
std::string where(const fs::path& link) {
  std::error_code gone;
  return fs::read_symlink(link, gone).string();
}

std::set<std::string> namespaces_of(const std::vector<pid_t>& pids) {
  std::set<std::string> all;
  for (const pid_t pid : pids) all.insert(where(fmt::format("/proc/{}/ns/net", pid)));
  return all;
}

/// What keeps one of `wanted`: threads in it, and descriptors of it, by /proc; and mounts.
std::vector<std::string> holders_of(const std::set<std::string>& wanted) {
  std::vector<std::string> holders;
  const auto look = [&](const fs::path& link) {
    if (wanted.contains(where(link))) holders.push_back(link.string());
  };
  std::error_code gone;
  for (const auto& process : fs::directory_iterator("/proc")) {
    if (!std::isdigit(process.path().filename().string().front())) continue;
    for (const auto& thread : fs::directory_iterator(process.path() / "task", gone)) {
      look(thread.path() / "ns/net");
    }
    for (const auto& open : fs::directory_iterator(process.path() / "fd", gone)) look(open.path());
  }
  const std::string mounts = read_text("/proc/self/mountinfo");
  for (const std::string& one : wanted) {
    if (mounts.find(one) != std::string::npos) holders.push_back("a mount of " + one);
  }
  return holders;
}

std::set<std::string> interfaces() {
  std::set<std::string> names;
  struct if_nameindex* all = ::if_nameindex();
  for (auto* one = all; one != nullptr && one->if_name != nullptr; ++one)
    names.insert(one->if_name);
  ::if_freenameindex(all);
  return names;
}

TEST_CASE("nothing is left of a network whatever ends the harness") {
  if (!possible()) return;
  const auto before = interfaces();
  const std::string own = where("/proc/self/ns/net");
  for (const int signal : {SIGINT, SIGKILL}) {
    INFO("signal " << signal);
    Program program({"--network", "namespaces", "--faults", "partition,loss,rate", "--time", "60s",
                     "--rate", "50"});
    const auto nodes = await_nodes(program, 3);
    auto theirs = namespaces_of(nodes);
    CHECK(theirs.size() == 3);
    std::this_thread::sleep_for(2s);
    // It may be visiting a node just now.
    for (int tries = 0; theirs.size() == 3 && tries < 100; ++tries) {
      theirs.insert(where(fmt::format("/proc/{}/ns/net", program.child.pid())));
      std::this_thread::sleep_for(10ms);
    }
    CHECK(theirs.size() == 4);
    CHECK_FALSE(theirs.contains(own));
    CHECK_FALSE(holders_of(theirs).empty());
    CHECK(interfaces() == before);
    program.child.signal(signal);
    CHECK(program.await_end(60s) == (signal == SIGINT ? 2 : 128 + SIGKILL));
    INFO(program.output());
    CHECK(all_gone(nodes));
    CHECK(holders_of(theirs) == std::vector<std::string>{});
    CHECK(interfaces() == before);
  }
}

TEST_CASE("who has opened a network is back where it was when it ends") {
  if (!possible()) return;
  const std::string own = where("/proc/thread-self/ns/net");
  std::string hub;
  {
    const Cables cables;
    hub = where("/proc/thread-self/ns/net");
    CHECK(hub != own);
    {
      const Namespaces::Visit visit(*cables.network, 2);
      CHECK(where("/proc/thread-self/ns/net") != hub);
    }
    CHECK(where("/proc/thread-self/ns/net") == hub);
    CHECK(interfaces() == std::set<std::string>{"lo", "peers", "clients", "peer1", "peer2", "peer3",
                                                "client1", "client2", "client3"});
  }
  CHECK(where("/proc/thread-self/ns/net") == own);
  CHECK(holders_of({hub}) == std::vector<std::string>{});
}

TEST_CASE("a network that cannot be made is told with what would be right") {
  const auto says = [](const std::vector<std::string>& before, const std::string& path,
                       const std::string& error) {
    const Directory directory;
    std::vector<std::string> argv = before;
    argv.insert(argv.end(), {std::string(PARALLAX_BINARY_DIR) + "/bin/parallax-harness", "run",
                             "--network", "namespaces", "--time", "1s"});
    const std::string usual = std::getenv("PATH");
    ::setenv("PATH", path.c_str(), 1);
    auto child = ChildProcess::start(argv, directory / "output");
    ::setenv("PATH", usual.c_str(), 1);
    REQUIRE(child.has_value());
    while (child->running()) std::this_thread::sleep_for(2ms);
    CHECK(child->code() == 4);
    CHECK(read_text(directory / "output") == "parallax-harness: --network namespaces: " + error);
  };
  std::vector<std::string> without_rights;
  if (::geteuid() == 0) without_rights = {"/usr/bin/setpriv", "--bounding-set=-sys_admin"};
  says(without_rights, "/usr/sbin",
       "no network namespace can be made and left (Operation not permitted); it needs root; "
       "--network faults does not\n");
  if (!possible()) return;
  says({}, "/nowhere",
       "there is no ip in PATH; scripts/setup --targets installs it (Debian package iproute2); "
       "--network faults does without\n");
}

}  // namespace
}  // namespace parallax::harness
