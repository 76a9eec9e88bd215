#include "harness/log_dump.h"

#include <algorithm>

#include "client/json_members.h"

namespace parallax::harness {
namespace {

namespace json = boost::json;
using json_members::for_each_object;
using json_members::need;
using json_members::parse_object;
using json_members::read;

Result<void> read_head(const json::object& line, LogDump& dump) {
  PARALLAX_ASSIGN(const auto node, need<std::uint32_t>(line, "node"));
  dump.node = NodeId{node};
  PARALLAX_ASSIGN(dump.start, need<std::uint64_t>(line, "log_start"));
  PARALLAX_ASSIGN(dump.applied, need<std::uint64_t>(line, "applied"));
  PARALLAX_ASSIGN(dump.last, need<std::uint64_t>(line, "last"));
  return {};
}

Result<void> read_entry(const json::object& line, LogDump& dump) {
  PARALLAX_ASSIGN(const auto kind, need<std::string>(line, "kind"));
  if (kind != "write") return {};
  LoggedWrite write;
  PARALLAX_ASSIGN(write.index, need<std::uint64_t>(line, "index"));
  PARALLAX_ASSIGN(write.term, need<std::uint64_t>(line, "term"));
  PARALLAX_ASSIGN(const auto key, read<std::string>(line, "key"));
  if (!key) return {};
  write.key = *key;
  return for_each_object(line, "versions", [&](const json::object& version) -> Result<void> {
    PARALLAX_ASSIGN(write.stamp, need<std::string>(version, "stamp"));
    PARALLAX_ASSIGN(const auto value, read<std::string>(version, "value"));
    if (!value) return {};
    write.value = *value;
    dump.writes.push_back(write);
    return {};
  });
}

}  // namespace

Result<LogDump> read_log_dump(std::string_view lines) {
  LogDump dump;
  std::size_t number = 0;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const auto line = parse_object(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
    Result<void> taken = line ? Result<void>{} : Result<void>(line.error());
    if (taken) taken = number == 0 ? read_head(*line, dump) : read_entry(*line, dump);
    ++number;
    if (taken) continue;
    const Error error = taken.error();
    std::string_view said = error.message;
    if (said.starts_with(json_members::kNotUnderstood)) {
      said.remove_prefix(json_members::kNotUnderstood.size());
    }
    return definite(ErrorCode::corrupt, fmt::format("line {} of the log: {}", number, said));
  }
  if (number == 0) return definite(ErrorCode::corrupt, "the log has no lines");
  return dump;
}

}  // namespace parallax::harness
