#include "harness/io/namespaces.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include "base/assert.h"
#include "harness/io/child_process.h"
#include "harness/io/files.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;

constexpr auto kMostOfTool = 10s;
/// Above the greatest packet, and above what comes between two ticks of the slowest clock.
constexpr std::string_view kBurst = "4kb";

constexpr const char* kOfThisThread = "/proc/thread-self/ns/net";

struct Tool {
  std::string_view name;
  std::string_view package;  ///< Debian's
};
constexpr std::array<Tool, 3> kTools{{{"ip", "iproute2"}, {"tc", "iproute2"}, {"nft", "nftables"}}};

// In the hub each node has two ports.
std::string peer_port(std::uint32_t node) {
  return fmt::format("peer{}", node);
}
std::string client_port(std::uint32_t node) {
  return fmt::format("client{}", node);
}
std::string peer_host(std::uint32_t node) {
  return fmt::format("10.0.1.{}", node);
}
std::string client_host(std::uint32_t node) {
  return fmt::format("10.0.2.{}", node);
}
/// The harness, among the clients.
constexpr std::string_view kHarnessHost = "10.0.2.254";

Error failed(std::string_view what) {
  return definite(ErrorCode::io, fmt::format("--network namespaces: {}", what));
}

Error cannot(std::string_view what) {
  return failed(fmt::format("{} ({})", what, std::strerror(errno)));
}

}  // namespace

Result<void> check_namespaces() {
  int error = 0;
  std::thread([&error] {
    const int before = ::open(kOfThisThread, O_RDONLY | O_CLOEXEC);
    // Coming back needs rights of its own.
    if (::unshare(CLONE_NEWNET) != 0 || ::setns(before, CLONE_NEWNET) != 0) error = errno;
    ::close(before);
  }).join();
  if (error != 0) {
    return definite(ErrorCode::bad_parameter,
                    fmt::format("--network namespaces: no network namespace can be made and left "
                                "({}); it needs root; --network faults does not",
                                std::strerror(error)));
  }
  for (const Tool& tool : kTools) {
    if (!program_in_path(tool.name).empty()) continue;
    return definite(ErrorCode::bad_parameter,
                    fmt::format("--network namespaces: there is no {} in PATH; scripts/setup "
                                "--targets installs it (Debian package {}); --network faults does "
                                "without",
                                tool.name, tool.package));
  }
  return {};
}

std::string bridge_rules(std::uint32_t node, const std::vector<ActiveFault>& active) {
  std::string rules = fmt::format("flush chain bridge faults node{}", node);
  const auto add = [&](const std::string& rule) {
    rules += fmt::format("\nadd rule bridge faults node{} {} drop", node, rule);
  };
  for (const ActiveFault& fault : active) {
    for (const auto& [from, to] : fault.links) {
      if (to != node) continue;
      add(fmt::format("iifname {} oifname {}", peer_port(from), peer_port(to)));
    }
    if (fault.planned.fault == Fault::loss && fault.planned.node == node) {
      add(fmt::format("iifname {} numgen random mod 1000 < {}", peer_port(node),
                      fault.planned.amount));
    }
  }
  return rules;
}

std::int64_t rate_of(std::uint32_t node, const std::vector<ActiveFault>& active) {
  for (const ActiveFault& fault : active) {
    if (fault.planned.fault == Fault::rate && fault.planned.node == node) {
      return fault.planned.amount;
    }
  }
  return 0;
}

// --- Handles -------------------------------------------------------------------------------------

Result<Namespaces::Handle> Namespaces::Handle::of_this_thread() {
  Handle handle;
  handle.descriptor_ = ::open(kOfThisThread, O_RDONLY | O_CLOEXEC);
  if (handle.descriptor_ < 0) return cannot(fmt::format("{} cannot be opened", kOfThisThread));
  return handle;
}

Namespaces::Handle::~Handle() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Namespaces::Handle::Handle(Handle&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

Namespaces::Handle& Namespaces::Handle::operator=(Handle&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void Namespaces::Handle::enter() const {
  // Elsewhere the thread must not go on: it would speak to another network.
  PARALLAX_ASSERT(::setns(descriptor_, CLONE_NEWNET) == 0, "{}", std::strerror(errno));
}

std::string Namespaces::Handle::path() const {
  return fmt::format("/proc/{}/fd/{}", ::getpid(), descriptor_);
}

Namespaces::Visit::Visit(const Namespaces& network, std::uint32_t node) : network_(network) {
  network_.nodes_.at(node - 1).place.enter();
}

Namespaces::Visit::~Visit() {
  network_.hub_.enter();
}

// --- Making it -----------------------------------------------------------------------------------

Result<Namespaces::Handle> Namespaces::make() {
  if (::unshare(CLONE_NEWNET) != 0) return cannot("no network namespace can be made");
  return Handle::of_this_thread();
}

Result<std::unique_ptr<Namespaces>> Namespaces::open(std::uint32_t nodes,
                                                     const std::string& directory) {
  PARALLAX_TRY(check_namespaces());
  PARALLAX_ASSIGN(Handle outside, Handle::of_this_thread());
  std::unique_ptr<Namespaces> network(new Namespaces(std::move(outside), directory));
  PARALLAX_ASSIGN(network->hub_, make());
  // Before the cables: where both ends of one have the same number, the kernel takes a second to
  // find out that they are plugged in.
  PARALLAX_TRY(
      network->run_ip(fmt::format("link add peers type bridge\n"
                                  "link add clients type bridge\n"
                                  "address add {}/24 dev clients\n"
                                  "link set peers up\n"
                                  "link set clients up\n",
                                  kHarnessHost)));
  for (std::uint32_t node = 1; node <= nodes; ++node) PARALLAX_TRY(network->plug_in(node));
  network->hub_.enter();
  PARALLAX_TRY(network->join_bridges());
  return network;
}

Namespaces::~Namespaces() {
  outside_.enter();
}

std::string Namespaces::endpoint(std::uint32_t node) {
  return fmt::format("{}:7101", client_host(node));
}

std::string Namespaces::peer(std::uint32_t node) {
  return fmt::format("{}:7201", peer_host(node));
}

Result<void> Namespaces::plug_in(std::uint32_t node) {
  Node made;
  PARALLAX_ASSIGN(made.place, make());
  nodes_.push_back(std::move(made));
  return run_ip(
      fmt::format("link set lo up\n"
                  "link add peers type veth peer name {} netns {}\n"
                  "link add clients type veth peer name {} netns {}\n"
                  "address add {}/24 dev peers\n"
                  "address add {}/24 dev clients\n"
                  "link set peers up\n"
                  "link set clients up\n",
                  peer_port(node), hub_.path(), client_port(node), hub_.path(), peer_host(node),
                  client_host(node)));
}

Result<void> Namespaces::join_bridges() {
  std::string lines;
  std::string rules =
      "add table bridge faults\n"
      "add chain bridge faults forward { type filter hook forward priority 0; }";
  for (std::uint32_t node = 1; node <= nodes_.size(); ++node) {
    lines += fmt::format("link set {} master peers up\nlink set {} master clients up\n",
                         peer_port(node), client_port(node));
    rules += fmt::format(
        "\nadd chain bridge faults node{}\nadd rule bridge faults forward jump node{}", node, node);
    nodes_[node - 1].rules = bridge_rules(node, {});
  }
  PARALLAX_TRY(run_ip(lines));
  PARALLAX_TRY(run("nft", {rules}));
  return await_ports();
}

Result<void> Namespaces::await_ports() const {
  constexpr std::string_view kReady = "state forwarding";
  const auto until = std::chrono::steady_clock::now() + kMostOfTool;
  for (;;) {
    PARALLAX_TRY(run("ip", {"-details", "link", "show", "type", "bridge_slave"}));
    const std::string said = read_text(output());
    std::size_t ready = 0;
    for (std::size_t at = said.find(kReady); at != std::string::npos; ++ready) {
      at = said.find(kReady, at + 1);
    }
    if (ready == 2 * nodes_.size()) return {};
    if (std::chrono::steady_clock::now() > until) {
      return failed(fmt::format("{} of {} ports of the bridges were ready after {} s", ready,
                                2 * nodes_.size(), kMostOfTool.count()));
    }
    std::this_thread::sleep_for(10ms);
  }
}

// --- Breaking it ---------------------------------------------------------------------------------

Result<void> Namespaces::set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) {
  Node& at = nodes_.at(node - 1);
  if (std::string rules = bridge_rules(node, active); rules != at.rules) {
    PARALLAX_TRY(run("nft", {rules}));
    at.rules = std::move(rules);
  }
  if (const std::int64_t rate = rate_of(node, active); rate != at.rate) {
    PARALLAX_TRY(set_rate(node, rate));
    at.rate = rate;
  }
  return {};
}

Result<void> Namespaces::set_rate(std::uint32_t node, std::int64_t rate) {
  const Visit visit(*this, node);
  if (rate == 0) return run("tc", {"qdisc", "delete", "dev", "peers", "root"});
  // tc's "latency" would have it wait for a whole burst besides. A kbit/s is a bit in a ms.
  return run("tc", {"qdisc", "replace", "dev", "peers", "root", "tbf", "rate",
                    fmt::format("{}kbit", rate), "burst", std::string(kBurst), "limit",
                    fmt::format("{}", rate * kMostQueued.count() / 8)});
}

Result<void> Namespaces::run(const std::string& tool, std::vector<std::string> arguments) const {
  std::error_code ignored;
  std::filesystem::remove(output(), ignored);
  arguments.insert(arguments.begin(), program_in_path(tool));
  PARALLAX_ASSIGN(ChildProcess child, ChildProcess::start(arguments, output()));
  const auto until = std::chrono::steady_clock::now() + kMostOfTool;
  while (child.running()) {
    if (std::chrono::steady_clock::now() > until) {
      return failed(fmt::format("{} was not over after {} s", tool, kMostOfTool.count()));
    }
    std::this_thread::sleep_for(1ms);
  }
  if (child.code() == 0) return {};
  constexpr std::size_t kEnough = 500;
  return failed(fmt::format("{} ended with {}: {}", tool, child.code(),
                            end_of(read_text(output()), kEnough)));
}

Result<void> Namespaces::run_ip(const std::string& lines) const {
  const std::string path = directory_ + "/network.batch";
  PARALLAX_TRY(write_text(path, lines));
  return run("ip", {"-batch", path});
}

}  // namespace parallax::harness
