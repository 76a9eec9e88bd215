#include "node/plan.h"

#include <boost/json.hpp>

namespace parallax {
namespace {

namespace json = boost::json;

json::string_view json_text(std::string_view text) {
  return {text.data(), text.size()};
}

json::value milliseconds_or_null(const std::optional<Duration>& duration) {
  if (!duration) return nullptr;
  return std::chrono::duration<double, std::milli>(*duration).count();
}

}  // namespace

std::string promise_of(const Consistency& consistency, bool is_read, const QuorumSizes& sizes) {
  const std::string promise(level_info(consistency.level).promise);
  if (consistency.level == Level::quorum) {
    if (consistency.sloppy) return "convergence: hints count, so that no r + w meets all writes";
    if (!sizes.strict()) return "convergence: r + w is not above n";
    return "no read is older than a write completed before it began";
  }
  if (consistency.level == Level::session) {
    return "of the session's guarantees: " + consistency.guarantees.to_string();
  }
  const bool early = consistency.ack == Ack::leader || consistency.ack == Ack::semi_sync;
  if (is_read || !early) return promise;
  return promise + ", from when it is committed: until then it may be lost with the leader";
}

std::string render_plan(const Plan& plan, const ObservedLatency& observed) {
  json::array replicas;
  for (const NodeId id : plan.replicas) replicas.emplace_back(id.value);
  json::object survives;
  survives["nodes_down"] = plan.nodes_down;
  survives["disks_lost"] = plan.disks_lost ? json::value(*plan.disks_lost) : json::value(nullptr);
  json::object object;
  object["op"] = plan.is_read ? "read" : "write";
  object["level"] = json_text(level_info(plan.consistency.level).name);
  object["consistency"] = plan.consistency.to_string();
  object["path"] = json_text(path_name(plan.path));
  object["node"] = plan.node == kNoNode ? json::value(nullptr) : json::value(plan.node.value);
  object["forwarded"] = plan.forwarded;
  object["replicas"] = std::move(replicas);
  object["needed"] = plan.needed;
  object["round_trips"] = plan.round_trips;
  object["round_trips_most"] = plan.round_trips_most;
  object["waits_for"] =
      plan.waits_for ? json::value(json_text(*plan.waits_for)) : json::value(nullptr);
  object["survives"] = std::move(survives);
  object["promises"] = plan.promises;
  object["p50_ms"] = milliseconds_or_null(observed.p50);
  object["p99_ms"] = milliseconds_or_null(observed.p99);
  object["observed"] = observed.count;
  return json::serialize(object) + '\n';
}

}  // namespace parallax
