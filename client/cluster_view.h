// What /v1/cluster, /v1/status and /v1/explain say, as values. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace parallax {

struct MemberView {
  NodeId id;
  std::string client;  ///< where it listens for clients; empty until known
  std::string peer;
  std::string role;  ///< "leader", "follower", ...; empty when unknown
  std::optional<bool> up;
  std::optional<std::uint64_t> match_index;
  std::optional<std::uint64_t> applied_index;
  std::optional<double> lag_ms;
  std::optional<double> clock_offset_ms;
};

/// The cluster as one node sees it. The leader may be out of date for one election timeout.
struct ClusterView {
  std::string cluster_id;  ///< empty until the first leader has drawn it
  Term term;
  NodeId leader = kNoNode;  ///< kNoNode: unknown
  std::vector<MemberView> members;
  std::string json;  ///< the answer itself, for what is newer than this library
};

/// One figure of a node, as /v1/status names it; nested ones as "outer.inner". A list of objects is
/// a field for each, named by the values of all its members but the last one, which is the value.
struct StatusField {
  std::string name;
  std::string value;
  friend bool operator==(const StatusField&, const StatusField&) = default;
};

struct NodeStatus {
  NodeId id;
  std::string endpoint;  ///< that was asked
  std::string role;
  std::vector<StatusField> fields;  ///< every field of the answer, in its order
  std::string json;                 ///< the answer itself
};

/// What a node would do about a request, as /v1/explain has it.
struct PlanView {
  std::vector<StatusField> fields;  ///< every field of the answer, in its order
  std::string json;                 ///< the answer itself
};

/// Errors: corrupt, naming what is missing or of another type. Unknown members are ignored.
Result<ClusterView> parse_cluster_view(std::string_view json);
Result<NodeStatus> parse_node_status(std::string_view json);
Result<PlanView> parse_plan(std::string_view json);

}  // namespace parallax
