#include "harness/io/etcd_cluster.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "harness/io/etcd_store.h"
#include "harness/io/plain_http.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr auto kPatience = 1'000ms;
constexpr auto kShortPatience = 300ms;

}  // namespace

Result<std::unique_ptr<System>> EtcdCluster::open(const RunOptions& options,
                                                  const std::string& program,
                                                  const std::string& directory) {
  auto cluster = std::make_unique<EtcdCluster>();
  cluster->program_ = program;
  cluster->directory_ = directory;
  const auto count = static_cast<std::uint16_t>(options.nodes);
  PARALLAX_ASSIGN(const std::uint16_t base, free_ports(3 * count));
  std::vector<std::uint16_t> peers;
  for (std::uint16_t i = 0; i < count; ++i) {
    Node node;
    node.endpoint = fmt::format("127.0.0.1:{}", base + i);
    peers.push_back(static_cast<std::uint16_t>(base + count + i));
    node.peer = fmt::format("127.0.0.1:{}", peers.back());
    cluster->nodes_.push_back(std::move(node));
  }
  PARALLAX_ASSIGN(cluster->links_,
                  Links::open(peers, static_cast<std::uint16_t>(base + 2 * count)));
  cluster->members_.resize(count);
  for (std::uint32_t node = 1; node <= options.nodes; ++node) {
    PARALLAX_TRY(cluster->start(node, false));
  }
  return std::unique_ptr<System>(std::move(cluster));
}

Result<void> EtcdCluster::start(std::uint32_t node, bool /*recover*/) {
  const auto link = [this](std::uint32_t n) {
    return fmt::format("http://127.0.0.1:{}", links_->port(n));
  };
  std::string all;
  for (std::uint32_t n = 1; n <= size(); ++n) {
    all += fmt::format("{}n{}={}", n == 1 ? "" : ",", n, link(n));
  }
  const std::string client = "http://" + endpoint(node);
  PARALLAX_TRY(launch(node, {program_,
                             "--name",
                             fmt::format("n{}", node),
                             "--data-dir",
                             data_dir(node),
                             "--listen-client-urls",
                             client,
                             "--advertise-client-urls",
                             client,
                             "--listen-peer-urls",
                             "http://" + at(node).peer,
                             "--initial-advertise-peer-urls",
                             link(node),
                             "--initial-cluster",
                             all,
                             "--initial-cluster-state",
                             "new",
                             "--initial-cluster-token",
                             "parallax-harness",
                             "--logger",
                             "zap",
                             "--log-level",
                             "warn"}));
  links_->set_process(node, at(node).process.pid());
  return {};
}

bool EtcdCluster::ready(std::uint32_t node) {
  if (!awake(node)) return false;
  const auto answer = ask(endpoint(node), "GET", "/health", {}, kPatience);
  return answer && answer->status == 200 &&
         answer->body.find(R"("health":"true")") != std::string::npos;
}

std::optional<json::object> EtcdCluster::maintain(std::uint32_t node, std::string_view what,
                                                  const json::object& body) {
  const auto endpoint_of = parse_endpoint(endpoint(node));
  if (!endpoint_of || !awake(node)) return std::nullopt;
  EtcdConnection connection(*endpoint_of);
  return connection.call(fmt::format("maintenance/{}", what), body, kShortPatience).body;
}

std::string EtcdCluster::member_of(std::uint32_t node) {
  std::string& member = members_.at(node - 1);
  if (member.empty()) {
    const auto status = maintain(node, "status");
    const std::string told = status ? etcd_header_number(*status, "member_id") : "0";
    if (told == "0") return told;
    member = told;
  }
  return member;
}

std::uint32_t EtcdCluster::leader() {
  std::uint64_t newest = 0;
  std::string leads = "0";
  for (std::uint32_t node = 1; node <= size(); ++node) {
    const auto status = maintain(node, "status");
    if (!status) continue;
    const std::string who = etcd_number(*status, "leader");
    const std::uint64_t term = std::stoull(etcd_number(*status, "raftTerm"));
    if (who == "0" || term < newest) continue;
    newest = term;
    leads = who;
  }
  for (std::uint32_t node = 1; leads != "0" && node <= size(); ++node) {
    if (member_of(node) == leads) return node;
  }
  return 0;
}

Result<void> EtcdCluster::set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) {
  links_->set_faults(node, active);
  return {};
}

bool EtcdCluster::transfer_leadership(std::uint32_t from, std::uint32_t to) {
  const std::string target = member_of(to);
  return target != "0" && maintain(from, "transfer-leadership", {{"targetID", target}}).has_value();
}

Result<std::unique_ptr<Store>> EtcdCluster::open_store(const RunOptions& /*options*/) {
  PARALLAX_ASSIGN(auto store, EtcdStore::open(endpoints()));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace parallax::harness
