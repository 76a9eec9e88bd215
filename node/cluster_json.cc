#include "node/cluster_json.h"

#include <map>

#include <boost/json.hpp>

namespace parallax {
namespace {

namespace json = boost::json;

json::string_view json_text(std::string_view text) {
  return {text.data(), text.size()};
}

json::value text_or_null(std::string_view text) {
  if (text.empty()) return nullptr;
  return json_text(text);
}

template <class Number>
json::value number_or_null(const std::optional<Number>& number) {
  if (!number) return nullptr;
  if constexpr (std::is_same_v<Number, LogIndex>) {
    return number->value;
  } else {
    return *number;
  }
}

json::value node_or_null(NodeId node) {
  if (node == kNoNode) return nullptr;
  return node.value;
}

json::value cluster_or_null(const ClusterId& cluster) {
  return cluster.empty() ? json::value(nullptr) : json::value(cluster.to_string());
}

json::object member_json(const MemberStatus& member, const ReplicaStatus& status,
                         const MemberAddresses& addresses) {
  const bool self = member.id == status.id;
  json::object object;
  object["id"] = member.id.value;
  object["client"] = text_or_null(addresses.client);
  object["peer"] = text_or_null(addresses.peer);
  object["role"] = json_text(self ? status_role(status) : member.role);
  object["up"] = self || member.up;
  object["match_index"] = number_or_null(member.match_index);
  object["applied_index"] = number_or_null(member.applied_index);
  object["lag_ms"] = number_or_null(member.lag_ms);
  object["clock_offset_ms"] = number_or_null(member.clock_offset_ms);
  object["hints"] = member.hints;
  return object;
}

json::array vector_json(const OriginVector& vector) {
  json::array entries;
  for (const auto& [origin, count] : vector.entries()) {
    entries.push_back({{"node", origin.node.value},
                       {"incarnation", origin.incarnation.value},
                       {"operations", count}});
  }
  return entries;
}

}  // namespace

std::string_view status_role(const ReplicaStatus& status) {
  if (status.membership == Membership::recovering) return "recovering";
  if (status.membership == Membership::none) return "starting";
  switch (status.role) {
    case Role::leader:
      return "leader";
    case Role::follower:
      return "follower";
    case Role::pre_candidate:
    case Role::candidate:
      return "candidate";
  }
  PARALLAX_UNREACHABLE("role {}", static_cast<int>(status.role));
}

std::string client_address(const ProcessStatus& process, NodeId node) {
  for (const MemberAddresses& addresses : process.addresses) {
    if (addresses.id == node) return addresses.client;
  }
  return {};
}

std::string render_cluster(const ReplicaStatus& status, const ProcessStatus& process) {
  std::map<NodeId, std::pair<MemberStatus, MemberAddresses>> members;
  for (const MemberAddresses& addresses : process.addresses) {
    members[addresses.id] = {MemberStatus{.id = addresses.id, .role = "unknown"}, addresses};
  }
  for (const MemberStatus& member : status.members) members[member.id].first = member;

  json::array list;
  for (const auto& [id, member] : members) {
    list.push_back(member_json(member.first, status, member.second));
  }
  json::object object;
  object["cluster_id"] = cluster_or_null(status.cluster);
  object["term"] = status.term.value;
  object["leader"] = node_or_null(status.leader);
  object["members"] = std::move(list);
  return json::serialize(object) + '\n';
}

std::string render_status(const ReplicaStatus& status, const ProcessStatus& process) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  json::object object;
  object["id"] = status.id.value;
  object["role"] = json_text(status_role(status));
  object["ready"] = status.ready;
  object["term"] = status.term.value;
  object["leader"] = node_or_null(status.leader);
  object["cluster_id"] = cluster_or_null(status.cluster);
  object["commit_index"] = status.commit_index.value;
  object["applied_index"] = status.applied_index.value;
  object["durable_index"] = status.durable_index.value;
  object["last_index"] = status.last_index.value;
  object["log_start_index"] = status.log_start.value;
  object["installing_snapshot"] = status.installing_snapshot;
  object["lease_reads"] = status.lease_reads;
  object["clock"] = status.clock.value;
  object["causal_vector"] = vector_json(status.causal);
  object["stable_vector"] = vector_json(status.stable);
  object["hints_queued"] = status.hints;
  object["store_bytes"] = process.store_bytes;
  object["resident_bytes"] = process.resident_bytes;
  object["uptime_ms"] = duration_cast<milliseconds>(process.uptime).count();
  object["version"] = PARALLAX_VERSION;
  return json::serialize(object) + '\n';
}

}  // namespace parallax
