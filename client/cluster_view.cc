#include "client/cluster_view.h"

#include <boost/json.hpp>

namespace parallax {
namespace {

namespace json = boost::json;

Error shape_error(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("the node's answer is not understood: {}", what));
}

Result<json::object> parse_object(std::string_view text) {
  json::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error);
  if (error) return shape_error(fmt::format("no JSON ({})", error.message()));
  if (!value.is_object()) return shape_error("no JSON object");
  return std::move(value.get_object());
}

const json::value* find(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

/// Absent and null are nothing; a value of another type is an error.
template <class T>
Result<std::optional<T>> read(const json::object& object, std::string_view name) {
  const json::value* value = find(object, name);
  if (value == nullptr) return std::optional<T>{};
  if constexpr (std::is_same_v<T, std::string>) {
    if (value->is_string()) return std::optional<T>{std::string(value->get_string())};
  } else if constexpr (std::is_same_v<T, bool>) {
    if (value->is_bool()) return std::optional<T>{value->get_bool()};
  } else {
    json::error_code error;
    const T number = value->is_number() ? value->to_number<T>(error) : T{};
    if (value->is_number() && !error) return std::optional<T>{number};
  }
  return shape_error(fmt::format("\"{}\" is of an unexpected type", name));
}

template <class T>
Result<T> need(const json::object& object, std::string_view name) {
  PARALLAX_ASSIGN(const auto value, read<T>(object, name));
  if (!value) return shape_error(fmt::format("\"{}\" is missing", name));
  return *value;
}

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

void flatten(const json::object& object, const std::string& prefix,
             std::vector<StatusField>& fields) {
  for (const auto& [key, value] : object) {
    const std::string name = prefix + std::string(key);
    if (value.is_object() && !value.get_object().empty()) {
      flatten(value.get_object(), name + ".", fields);
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
  const json::value* members = find(object, "members");
  if (members == nullptr || !members->is_array()) return shape_error("\"members\" is no list");
  for (const json::value& value : members->get_array()) {
    if (!value.is_object()) return shape_error("a member is no object");
    PARALLAX_ASSIGN(MemberView member, read_member(value.get_object()));
    view.members.push_back(std::move(member));
  }
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

}  // namespace parallax
