// The bodies of GET /v1/cluster and GET /v1/status. What a node does not know is null.
#pragma once

#include <string>
#include <string_view>

#include "node/replica.h"
#include "node/service.h"

namespace parallax {

/// "leader", "follower", "candidate", "recovering", or "starting" before membership is decided.
std::string_view status_role(const ReplicaStatus& status);

/// {"cluster_id","term","leader","members":[{"id","client","peer","role","up","match_index",
/// "applied_index","lag_ms","clock_offset_ms"}]}. One line. Members come by id: those that the
/// replica names, and those of which only an address is known.
std::string render_cluster(const ReplicaStatus& status, const ProcessStatus& process);

/// This node alone. One line. Of a vector an entry per incarnation that has written.
std::string render_status(const ReplicaStatus& status, const ProcessStatus& process);

/// Where `node` serves clients; empty when that is not known.
std::string client_address(const ProcessStatus& process, NodeId node);

}  // namespace parallax
