// The body of POST /v1/faults.
#include <algorithm>

#include "node/http_routes.h"
#include "node/json_body.h"
#include "node/ports.h"

namespace parallax {
namespace {

Error bad_parameter(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
}

Result<std::vector<NodeId>> nodes(const JsonBody& body, std::string_view name) {
  PARALLAX_ASSIGN(const auto numbers, body.whole_numbers(name));
  std::vector<NodeId> ids;
  for (const std::int64_t number : numbers) ids.emplace_back(static_cast<std::uint32_t>(number));
  return ids;
}

Result<double> probability(const JsonBody& body, std::string_view name) {
  PARALLAX_ASSIGN(const auto number, body.number(name));
  return number.value_or(0);
}

Result<std::chrono::milliseconds> delay(const JsonBody& body, std::string_view name) {
  PARALLAX_ASSIGN(const auto number, body.whole_number(name));
  return std::chrono::milliseconds{number.value_or(0)};
}

Result<FaultSettings::OnCrash> on_crash(const JsonBody& body) {
  PARALLAX_ASSIGN(const auto text, body.text("on_crash"));
  if (!text || *text == "keep") return FaultSettings::OnCrash::keep;
  if (*text == "drop_unsynced") return FaultSettings::OnCrash::drop_unsynced;
  if (*text == "torn_tail") return FaultSettings::OnCrash::torn_tail;
  return bad_parameter("\"on_crash\" must be keep, drop_unsynced or torn_tail");
}

Result<std::optional<FaultSettings::FailPoint>> fail_point(const JsonBody& body) {
  PARALLAX_ASSIGN(const auto object, body.object("fail_point", kFailPointMembers));
  if (!object) return std::optional<FaultSettings::FailPoint>{};
  PARALLAX_ASSIGN(const auto name, object->text("name"));
  PARALLAX_ASSIGN(const auto action, object->text("action"));
  if (!name ||
      std::find(std::begin(kFailPoints), std::end(kFailPoints), *name) == std::end(kFailPoints)) {
    return bad_parameter(
        fmt::format("\"fail_point.name\" must be one of {}", fmt::join(kFailPoints, ", ")));
  }
  if (!action || (*action != "crash" && *action != "pause")) {
    return bad_parameter("\"fail_point.action\" must be crash or pause");
  }
  return std::optional<FaultSettings::FailPoint>{{*name, *action}};
}

}  // namespace

Result<FaultSettings> parse_faults(std::string_view text) {
  PARALLAX_ASSIGN(const JsonBody body, JsonBody::parse(text, kFaultMembers));
  FaultSettings faults;
  PARALLAX_ASSIGN(faults.drop_from, nodes(body, "drop_from"));
  PARALLAX_ASSIGN(faults.drop_to, nodes(body, "drop_to"));
  PARALLAX_ASSIGN(faults.drop_probability, probability(body, "drop_probability"));
  PARALLAX_ASSIGN(faults.delay, delay(body, "delay_ms"));
  PARALLAX_ASSIGN(faults.duplicate_probability, probability(body, "duplicate_probability"));
  PARALLAX_ASSIGN(faults.reorder_probability, probability(body, "reorder_probability"));
  PARALLAX_ASSIGN(const auto offset, body.whole_number("clock_offset_ms"));
  PARALLAX_ASSIGN(faults.fsync_delay, delay(body, "fsync_delay_ms"));
  PARALLAX_ASSIGN(const auto full, body.boolean("disk_full"));
  PARALLAX_ASSIGN(faults.on_crash, on_crash(body));
  PARALLAX_ASSIGN(faults.fail_point, fail_point(body));
  faults.clock_offset_ms = offset.value_or(0);
  faults.disk_full = full.value_or(false);
  return faults;
}

}  // namespace parallax
