// Whether the endpoints that a run was given are one whole cluster, and which node each of them is.
//
// Convergence must be seen on every member, and quorums are counted from all of them: a part of a
// cluster is refused, not judged as if it were the whole.
//
// What it does not do: ask them (harness/io/cluster.h).
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "client/cluster_view.h"

namespace parallax::harness {

/// What one endpoint said of itself and its cluster.
struct EndpointSeen {
  std::string endpoint;  ///< "host:port", as it was given
  NodeId id;
  ClusterView cluster;
};

/// The endpoints by node - 1. Errors: bad_parameter, naming what is wrong and what would be right:
/// nodes of several clusters, a node twice, a member without an endpoint, members that are not
/// numbered from 1.
Result<std::vector<std::string>> one_whole_cluster(const std::vector<EndpointSeen>& seen);

}  // namespace parallax::harness
