#include "harness/io/cluster.h"

#include <algorithm>
#include <thread>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "harness/io/parallax_store.h"
#include "harness/io/plain_http.h"
#include "harness/members.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

/// For what a node answers from memory.
constexpr auto kPatience = 1'000ms;
/// Less while faults are being made: the one node must not hold up what is due at the others.
constexpr auto kShortPatience = 300ms;

/// A member of the object that a node answered with, as a number; 0 when it is not there.
std::uint64_t number_in(const std::optional<PlainAnswer>& answer, std::string_view name) {
  if (!answer || answer->status != 200) return 0;
  boost::system::error_code error;
  const json::value body = json::parse(answer->body, error);
  if (error || !body.is_object()) return 0;
  const json::value* member = body.get_object().if_contains({name.data(), name.size()});
  if (member == nullptr || !member->is_number()) return 0;
  const auto number = member->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

/// What a node says of why it refused.
std::string detail_of(const PlainAnswer& answer) {
  boost::system::error_code error;
  const json::value body = json::parse(answer.body, error);
  if (error || !body.is_object()) return answer.body;
  const json::value* detail = body.get_object().if_contains("detail");
  return detail != nullptr && detail->is_string() ? std::string(detail->get_string()) : answer.body;
}

}  // namespace

Result<Cluster> Cluster::open(const RunOptions& options, const std::string& program,
                              const std::string& directory, const std::vector<std::string>& more) {
  Cluster cluster;
  cluster.more_arguments_ = more;
  cluster.program_ = program;
  cluster.directory_ = directory;
  if (options.endpoints.empty()) {
    PARALLAX_TRY(cluster.start_all(options));
    return cluster;
  }
  for (const std::string& endpoint : options.endpoints) {
    if (number_in(ask(endpoint, "GET", "/v1/status", {}, 5s), "id") == 0) {
      return definite(ErrorCode::io, fmt::format("--endpoints {}: no node answers", endpoint));
    }
    Node node;
    node.endpoint = endpoint;
    node.ours = false;
    cluster.nodes_.push_back(std::move(node));
  }
  return cluster;
}

Result<void> Cluster::start_all(const RunOptions& options) {
  if (options.network == Network::namespaces) {
    PARALLAX_ASSIGN(network_, Namespaces::open(options.nodes, directory_));
    // Beyond loopback, but nobody else is there.
    more_arguments_.emplace_back("--allow-insecure-listen");
    for (std::uint32_t n = 1; n <= options.nodes; ++n) {
      Node node;
      node.endpoint = Namespaces::endpoint(n);
      node.peer = Namespaces::peer(n);
      nodes_.push_back(std::move(node));
    }
  } else {
    const auto count = static_cast<std::uint16_t>(options.nodes);
    PARALLAX_ASSIGN(const std::uint16_t base, free_ports(2 * count));
    for (std::uint16_t i = 0; i < count; ++i) {
      Node node;
      node.endpoint = fmt::format("127.0.0.1:{}", base + i);
      node.peer = fmt::format("127.0.0.1:{}", base + count + i);
      nodes_.push_back(std::move(node));
    }
  }
  for (std::uint32_t node = 1; node <= options.nodes; ++node) PARALLAX_TRY(start(node));
  return {};
}

Result<void> Cluster::identify() {
  std::vector<EndpointSeen> all;
  for (const Node& node : nodes_) {
    if (node.ours) return {};
    const auto status = ask(node.endpoint, "GET", "/v1/status", {}, 5s);
    const auto cluster = ask(node.endpoint, "GET", "/v1/cluster", {}, 5s);
    const auto id = static_cast<std::uint32_t>(number_in(status, "id"));
    if (id == 0 || !cluster || cluster->status != 200) {
      return definite(ErrorCode::io,
                      fmt::format("--endpoints {}: it does not say which node of which cluster it "
                                  "is; is it parallaxd's --client-address?",
                                  node.endpoint));
    }
    EndpointSeen seen{.endpoint = node.endpoint, .id = NodeId{id}, .cluster = {}};
    PARALLAX_ASSIGN(seen.cluster, parse_cluster_view(cluster->body));
    all.push_back(std::move(seen));
  }
  PARALLAX_ASSIGN(const auto endpoints, one_whole_cluster(all));
  for (std::size_t i = 0; i < endpoints.size(); ++i) nodes_[i].endpoint = endpoints[i];
  return {};
}

Result<void> Cluster::start(std::uint32_t node, bool recover) {
  std::string peers;
  for (std::uint32_t n = 1; n <= size(); ++n) {
    peers += fmt::format("{}{}={}", n == 1 ? "" : ",", n, at(n).peer);
  }
  std::vector<std::string> argv{
      program_, "--node-id", std::to_string(node), "--data-dir", data_dir(node), "--client-address",
      at(node).endpoint, "--peer-address", at(node).peer, "--peers", peers,
      "--enable-fault-injection",
      // So that convergence is a matter of seconds.
      "--anti-entropy-interval", "500ms", "--max-reconnect-backoff-ms", "200"};
  argv.insert(argv.end(), more_arguments_.begin(), more_arguments_.end());
  if (recover) argv.emplace_back("--recover");
  std::optional<Namespaces::Visit> inside;
  if (network_) inside.emplace(*network_, node);
  return launch(node, argv);
}

bool Cluster::ready(std::uint32_t node) {
  if (!awake(node)) return false;
  const auto answer = ask(endpoint(node), "GET", "/readyz", {}, kPatience);
  return answer && answer->status == 200;
}

std::string Cluster::why_not_ready(std::uint32_t node) {
  const auto status = ask(endpoint(node), "GET", "/v1/status", {}, kPatience);
  if (!status) return System::why_not_ready(node);
  return status->body + (at(node).ours ? "its log ends:\n" + last_words(node) : std::string());
}

bool Cluster::await_ready(std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (std::uint32_t node = 1; node <= size();) {
    if (ready(node)) {
      ++node;
      continue;
    }
    if (std::chrono::steady_clock::now() > deadline || !running(node)) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

std::uint32_t Cluster::leader() {
  std::uint64_t newest = 0;
  std::uint64_t leads = 0;
  for (std::uint32_t node = 1; node <= size(); ++node) {
    if (!awake(node)) continue;
    const auto answer = ask(endpoint(node), "GET", "/v1/cluster", {}, kShortPatience);
    const std::uint64_t term = number_in(answer, "term");
    const std::uint64_t leader = number_in(answer, "leader");
    if (leader == 0 || leader > size() || term < newest) continue;
    newest = term;
    leads = leader;
  }
  return static_cast<std::uint32_t>(leads);
}

Result<void> Cluster::set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) {
  std::vector<ActiveFault> of_node = active;
  if (network_) {
    PARALLAX_TRY(network_->set_faults(node, active));
    std::erase_if(of_node, [](const ActiveFault& fault) { return is_of_network(fault); });
  }
  const std::string body = faults_body(node, of_node);
  const auto answer =
      ask(endpoint(node), body.empty() ? "DELETE" : "POST", "/v1/faults", body, kShortPatience);
  if (answer && answer->status == 204) return {};
  if (answer && answer->status >= 400 && answer->status < 500) {
    return definite(ErrorCode::io, fmt::format("node {} at {} refuses faults with {}: {}", node,
                                               endpoint(node), answer->status, detail_of(*answer)));
  }
  return indefinite(ErrorCode::io,
                    fmt::format("node {} at {} says nothing of faults", node, endpoint(node)));
}

PeerTimes Cluster::peer_times() {
  PeerTimes times;
  for (std::uint32_t node = 1; node <= size(); ++node) {
    if (!awake(node)) continue;
    const auto answer = ask(endpoint(node), "GET", "/metrics", {}, kPatience);
    if (answer && answer->status == 200) add(times, parse_peer_times(answer->body));
  }
  return times;
}

bool Cluster::transfer_leadership(std::uint32_t from, std::uint32_t to) {
  const auto answer = ask(endpoint(from), "POST", "/v1/cluster/transfer-leadership",
                          fmt::format(R"({{"to":{}}})", to), kShortPatience);
  return answer && answer->status == 202;
}

Result<std::unique_ptr<Store>> Cluster::open_store(const RunOptions& options) {
  PARALLAX_ASSIGN(auto store, ParallaxStore::open(endpoints(), options));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace parallax::harness
