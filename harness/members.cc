#include "harness/members.h"

#include <map>

#include <fmt/format.h>

namespace parallax::harness {
namespace {

Error bad(std::string message) {
  return definite(ErrorCode::bad_parameter, "--endpoints: " + std::move(message));
}

/// All that any of them calls a member, with its address where one of them knows it.
std::map<NodeId, std::string> members_of(const std::vector<EndpointSeen>& seen) {
  std::map<NodeId, std::string> members;
  for (const EndpointSeen& one : seen) {
    members[one.id];
    for (const MemberView& member : one.cluster.members) {
      std::string& address = members[member.id];
      if (address.empty()) address = member.client;
    }
  }
  return members;
}

Error incomplete_cluster(const std::map<NodeId, std::string>& members,
                         const std::map<NodeId, std::string>& named) {
  std::string nodes;
  std::string missing;
  std::string add;
  for (const auto& [id, address] : members) {
    nodes += fmt::format("{}{}", nodes.empty() ? "" : ", ", id);
    if (named.contains(id)) continue;
    missing += fmt::format("{}{}", missing.empty() ? "" : ", ", id);
    add += fmt::format("{}{}", add.empty() ? "" : ",",
                       address.empty() ? fmt::format("HOST:PORT of node {}", id) : address);
  }
  return bad(fmt::format(
      "they are a part of a cluster of the nodes {}; what is not named is node {}; add {}", nodes,
      missing, add));
}

}  // namespace

Result<std::vector<std::string>> one_whole_cluster(const std::vector<EndpointSeen>& seen) {
  std::map<NodeId, std::string> named;
  for (const EndpointSeen& one : seen) {
    const EndpointSeen& first = seen.front();
    if (one.cluster.cluster_id.empty()) {
      return bad(fmt::format("{} does not know its cluster yet; wait until /readyz says 200",
                             one.endpoint));
    }
    if (one.cluster.cluster_id != first.cluster.cluster_id) {
      return bad(fmt::format(
          "{} is of cluster {}, {} is of cluster {}; name the nodes of one of "
          "them",
          first.endpoint, first.cluster.cluster_id, one.endpoint, one.cluster.cluster_id));
    }
    const auto [found, fresh] = named.try_emplace(one.id, one.endpoint);
    if (!fresh) {
      return bad(fmt::format("{} and {} are both node {}; name each node once", found->second,
                             one.endpoint, one.id));
    }
  }
  const auto members = members_of(seen);
  if (named.size() < members.size()) return incomplete_cluster(members, named);
  std::vector<std::string> by_node;
  for (const auto& [id, endpoint] : named) {
    by_node.push_back(endpoint);
    if (id.value == by_node.size()) continue;
    return bad(
        fmt::format("{} is node {}; only clusters whose nodes are numbered from 1 without "
                    "gaps can be run against",
                    endpoint, id));
  }
  return by_node;
}

}  // namespace parallax::harness
