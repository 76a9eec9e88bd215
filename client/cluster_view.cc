#include "client/cluster_view.h"

#include "client/json_members.h"

namespace parallax {
namespace {

namespace json = boost::json;

using json_members::need;
using json_members::parse_object;
using json_members::read;

Result<MemberView> read_member(const json::object& object) {
  MemberView member;
  PARALLAX_ASSIGN(const auto id, need<std::uint32_t>(object, "id"));
  PARALLAX_ASSIGN(const auto client, read<std::string>(object, "client"));
  PARALLAX_ASSIGN(const auto peer, read<std::string>(object, "peer"));
  PARALLAX_ASSIGN(const auto role, read<std::string>(object, "role"));
  PARALLAX_ASSIGN(member.up, read<bool>(object, "up"));
  PARALLAX_ASSIGN(member.match_index, read<std::uint64_t>(object, "match_index"));
  PARALLAX_ASSIGN(member.applied_index, read<std::uint64_t>(object, "applied_index"));
  PARALLAX_ASSIGN(member.lag_ms, read<double>(object, "lag_ms"));
  PARALLAX_ASSIGN(member.clock_offset_ms, read<double>(object, "clock_offset_ms"));
  member.id = NodeId{id};
  member.client = client.value_or("");
  member.peer = peer.value_or("");
  member.role = role.value_or("");
  return member;
}

/// The last member of each element, by what the others say: a vector, a line per entry.
bool flatten_rows(const json::array& rows, const std::string& name,
                  std::vector<StatusField>& fields) {
  std::vector<StatusField> lines;
  for (const json::value& row : rows) {
    if (!row.is_object() || row.get_object().size() < 2) return false;
    std::vector<std::string> cells;
    for (const auto& member : row.get_object()) cells.push_back(json::serialize(member.value()));
    const std::string last = std::move(cells.back());
    cells.pop_back();
    lines.push_back({fmt::format("{}.{}", name, fmt::join(cells, ".")), last});
  }
  fields.insert(fields.end(), lines.begin(), lines.end());
  return !lines.empty();
}

void flatten(const json::object& object, const std::string& prefix,
             std::vector<StatusField>& fields) {
  for (const auto& [key, value] : object) {
    const std::string name = prefix + std::string(key);
    if (value.is_object() && !value.get_object().empty()) {
      flatten(value.get_object(), name + ".", fields);
    } else if (value.is_array() && flatten_rows(value.get_array(), name, fields)) {
      continue;
    } else if (value.is_string()) {
      fields.push_back({name, std::string(value.get_string())});
    } else if (value.is_null()) {
      fields.push_back({name, "-"});
    } else {
      fields.push_back({name, json::serialize(value)});
    }
  }
}

}  // namespace

Result<ClusterView> parse_cluster_view(std::string_view text) {
  PARALLAX_ASSIGN(const json::object object, parse_object(text));
  ClusterView view;
  PARALLAX_ASSIGN(const auto cluster_id, read<std::string>(object, "cluster_id"));
  PARALLAX_ASSIGN(const auto term, read<std::uint64_t>(object, "term"));
  PARALLAX_ASSIGN(const auto leader, read<std::uint32_t>(object, "leader"));
  view.cluster_id = cluster_id.value_or("");
  view.term = Term{term.value_or(0)};
  view.leader = NodeId{leader.value_or(0)};
  PARALLAX_TRY(json_members::for_each_object(object, "members", [&](const json::object& member) {
    auto read_one = read_member(member);
    if (!read_one) return Result<void>(read_one.error());
    view.members.push_back(std::move(*read_one));
    return Result<void>();
  }));
  view.json = std::string(text);
  return view;
}

Result<NodeStatus> parse_node_status(std::string_view text) {
  PARALLAX_ASSIGN(const json::object object, parse_object(text));
  NodeStatus status;
  PARALLAX_ASSIGN(const auto id, need<std::uint32_t>(object, "id"));
  PARALLAX_ASSIGN(const auto role, read<std::string>(object, "role"));
  status.id = NodeId{id};
  status.role = role.value_or("");
  flatten(object, "", status.fields);
  status.json = std::string(text);
  return status;
}

Result<PlanView> parse_plan(std::string_view text) {
  PARALLAX_ASSIGN(const json::object object, parse_object(text));
  PARALLAX_TRY(need<std::string>(object, "path"));
  PlanView plan;
  flatten(object, "", plan.fields);
  plan.json = std::string(text);
  return plan;
}

}  // namespace parallax
