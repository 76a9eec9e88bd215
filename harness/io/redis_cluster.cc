#include "harness/io/redis_cluster.h"

#include <charconv>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 300ms;
/// How often sentinels look, how long the primary must be gone for them to replace it, and how long
/// they watch another one before they make it a replica. Theirs are 1 s, 30 s and 8 s; a run has
/// less time.
constexpr auto kLook = 100ms;
constexpr auto kGone = 500ms;
constexpr auto kWatched = 300ms;

}  // namespace

std::optional<std::int64_t> replica_offset(const RespReply& info) {
  constexpr std::string_view kName = "slave_repl_offset:";
  const std::size_t found = info.text.find(kName);
  if (found == std::string::npos) return std::nullopt;
  const char* from = info.text.data() + found + kName.size();
  std::int64_t offset = 0;
  const auto [end, error] = std::from_chars(from, info.text.data() + info.text.size(), offset);
  if (error != std::errc{}) return std::nullopt;
  return offset;
}

Result<std::unique_ptr<System>> RedisCluster::open(const RunOptions& options,
                                                   const std::string& program,
                                                   const std::string& directory) {
  auto cluster = std::make_unique<RedisCluster>();
  cluster->program_ = program;
  cluster->directory_ = directory;
  const auto count = static_cast<std::uint16_t>(options.nodes);
  PARALLAX_ASSIGN(const std::uint16_t base, free_ports(2 * count));
  std::vector<std::uint16_t> ports;
  for (std::uint16_t i = 0; i < count; ++i) {
    Node node;
    ports.push_back(static_cast<std::uint16_t>(base + i));
    node.endpoint = fmt::format("127.0.0.1:{}", ports.back());
    cluster->connections_.emplace_back(node.endpoint);
    cluster->nodes_.push_back(std::move(node));
    cluster->told_.push_back(i == 0 ? 0 : 1);
    cluster->other_primary_.emplace_back();
  }
  PARALLAX_ASSIGN(cluster->links_, Links::open(ports, static_cast<std::uint16_t>(base + count)));
  for (std::uint32_t node = 1; node <= options.nodes; ++node) {
    PARALLAX_TRY(cluster->start(node, false));
  }
  return std::unique_ptr<System>(std::move(cluster));
}

Result<void> RedisCluster::start(std::uint32_t node, bool /*recover*/) {
  std::error_code error;
  std::filesystem::create_directories(data_dir(node), error);
  const std::string& where = endpoint(node);
  std::vector<std::string> argv{program_,
                                "--port",
                                where.substr(where.rfind(':') + 1),
                                "--bind",
                                "127.0.0.1",
                                "--dir",
                                data_dir(node),
                                "--appendonly",
                                "yes",
                                "--save",
                                "",
                                "--repl-diskless-sync-delay",
                                "0",
                                "--enable-debug-command",
                                "yes",  // for digests
                                "--loglevel",
                                "warning"};
  if (const std::uint32_t primary = told_.at(node - 1); primary != 0) {
    argv.insert(argv.end(), {"--replicaof", "127.0.0.1", std::to_string(links_->port(primary))});
  }
  PARALLAX_TRY(launch(node, argv));
  links_->set_process(node, at(node).process.pid());
  return {};
}

std::optional<RedisRole> RedisCluster::role(std::uint32_t node) {
  if (!awake(node)) return std::nullopt;
  const auto outcome = connections_.at(node - 1).call({{"ROLE"}}, kPatience);
  return outcome.replies.empty() ? std::nullopt : parse_role(outcome.replies[0]);
}

bool RedisCluster::ready(std::uint32_t node) {
  const auto now = role(node);
  if (!now) return false;
  if (node == primary_) return now->primary;
  return !now->primary && now->connected && now->follows == links_->port(primary_);
}

Result<void> RedisCluster::set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) {
  links_->set_faults(node, active);
  return {};
}

bool RedisCluster::reaches(std::uint32_t from, std::uint32_t to) {
  return awake(from) && awake(to) && (from == to || links_->connected(from, to));
}

bool RedisCluster::has_majority(std::uint32_t node) {
  std::uint32_t count = 0;
  for (std::uint32_t from = 1; from <= size(); ++from) count += reaches(from, node) ? 1 : 0;
  return count > size() / 2;
}

Result<void> RedisCluster::look_after() {
  const auto now = Clock::now();
  if (now - looked_ < kLook) return {};
  looked_ = now;
  if (has_majority(primary_)) {
    lost_.reset();
  } else if (!lost_) {
    lost_ = now;
  } else if (now - *lost_ >= kGone) {
    fail_over();
  }
  follow_primary();
  return {};
}

void RedisCluster::fail_over() {
  std::uint32_t best = 0;
  std::int64_t most = -1;
  for (std::uint32_t node = 1; node <= size(); ++node) {
    if (node == primary_ || !has_majority(node)) continue;
    const auto info = connections_.at(node - 1).call({{"INFO", "replication"}}, kPatience);
    const auto offset = info.replies.empty() ? std::nullopt : replica_offset(info.replies[0]);
    if (!offset || *offset <= most) continue;
    best = node;
    most = *offset;
  }
  if (best == 0) return;
  const auto outcome = connections_.at(best - 1).call({{"REPLICAOF", "NO", "ONE"}}, kPatience);
  if (outcome.replies.empty() || outcome.replies[0].is_error("")) return;
  told_.at(best - 1) = 0;
  primary_ = best;
  lost_.reset();
}

void RedisCluster::follow_primary() {
  for (std::uint32_t node = 1; node <= size(); ++node) {
    auto& since = other_primary_.at(node - 1);
    const auto seen = node != primary_ && reaches(node, primary_) ? role(node) : std::nullopt;
    if (!seen || !seen->primary) since.reset();
    const std::uint16_t port = links_->port(primary_);
    if (!seen || (!seen->primary && seen->follows == port)) continue;
    if (seen->primary && !since) since = looked_;
    if (seen->primary && looked_ - *since < kWatched) continue;
    connections_.at(node - 1).call({{"REPLICAOF", "127.0.0.1", std::to_string(port)}}, kPatience);
    told_.at(node - 1) = primary_;
  }
}

Result<std::unique_ptr<Store>> RedisCluster::open_store(const RunOptions& /*options*/) {
  std::vector<std::uint16_t> ports;
  for (std::uint32_t node = 1; node <= size(); ++node) ports.push_back(links_->port(node));
  return std::unique_ptr<Store>(std::make_unique<RedisStore>(endpoints(), std::move(ports)));
}

}  // namespace parallax::harness
