#include "node/log_dump.h"

#include <limits>
#include <string>
#include <variant>

#include <fmt/format.h>

#include "node/json_text.h"
#include "replication/command.h"
#include "storage/log_segment.h"
#include "storage/records.h"

namespace parallax {
namespace {

std::string_view kind_name(const Command& command) {
  struct Name {
    std::string_view operator()(const NoOp&) const { return "no-op"; }
    std::string_view operator()(const InitCluster&) const { return "init-cluster"; }
    std::string_view operator()(const WriteKey&) const { return "write"; }
    std::string_view operator()(const EndRecovery&) const { return "end-recovery"; }
    std::string_view operator()(const WritePolicy&) const { return "write-policy"; }
    std::string_view operator()(const RemoveTombstones&) const { return "remove-tombstones"; }
  };
  return std::visit(Name{}, command);
}

void append_write(const WriteKey& write, std::string& out) {
  out += ',';
  append_text_or_base64("key", write.key, out);
  out += ",\"versions\":[";
  bool first = true;
  for (const Version& version : write.state.versions()) {
    out += fmt::format("{}{{\"stamp\":\"{}\",", first ? "" : ",", version.stamp);
    if (version.tombstone) {
      out += "\"deleted\":true";
    } else {
      append_text_or_base64("value", version.value.view(), out);
    }
    out += '}';
    first = false;
  }
  out += ']';
}

Result<std::string> entry_line(const LogEntry& entry) {
  Command command = NoOp{};  // that of a term has no payload
  if (!entry.payload.empty()) {
    PARALLAX_ASSIGN(command, decode_command(entry.payload));
  }
  std::string out = fmt::format("{{\"index\":{},\"term\":{},\"kind\":\"{}\"", entry.index,
                                entry.term, kind_name(command));
  if (const auto* write = std::get_if<WriteKey>(&command)) append_write(*write, out);
  return out + "}\n";
}

/// Calls `each(entry)` for every one of the log, which must be without gaps.
template <class Each>
Result<void> for_each_entry(const ReadView& store, LogIndex start, const Each& each) {
  LogIndex expected = start.next();
  Result<void> failed;
  PARALLAX_TRY(scan_log(store, kOnlyGroup, expected, [&](const LogSegment& segment) {
    for (const LogEntry& entry : segment.entries) {
      if (entry.index <= start) continue;
      if (entry.index != expected) {
        failed = definite(
            ErrorCode::corrupt,
            fmt::format("the log has entry {} where {} is expected", entry.index, expected));
      } else {
        failed = each(entry);
      }
      if (!failed) return false;
      expected = expected.next();
    }
    return true;
  }));
  return failed;
}

}  // namespace

Result<void> dump_log(const ReadView& store, const std::function<void(std::string_view)>& line) {
  PARALLAX_ASSIGN(const auto node, records::load<NodeRecord>(store, records::node_key()));
  if (!node) return definite(ErrorCode::refused, "there is no node's identity in it");
  PARALLAX_ASSIGN(const auto start,
                  records::load<LogStart>(store, records::log_start_key(kOnlyGroup)));
  PARALLAX_ASSIGN(const auto applied,
                  records::load<AppliedRecord>(store, records::applied_key(kOnlyGroup)));
  const LogIndex compacted = start ? start->index : LogIndex{};
  LogIndex last = compacted;
  PARALLAX_TRY(for_each_entry(store, compacted, [&](const LogEntry& entry) -> Result<void> {
    last = entry.index;
    return {};
  }));
  line(fmt::format("{{\"node\":{},\"log_start\":{},\"applied\":{},\"last\":{}}}\n", node->node,
                   compacted, applied ? applied->index : LogIndex{}, last));
  return for_each_entry(store, compacted, [&](const LogEntry& entry) -> Result<void> {
    PARALLAX_ASSIGN(const std::string text, entry_line(entry));
    line(text);
    return {};
  });
}

}  // namespace parallax
