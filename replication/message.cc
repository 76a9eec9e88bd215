#include "replication/message.h"

namespace parallax {
namespace {

struct Name {
  std::string_view operator()(const VoteRequest&) const { return "vote-request"; }
  std::string_view operator()(const VoteReply&) const { return "vote-reply"; }
  std::string_view operator()(const AppendEntries&) const { return "append-entries"; }
  std::string_view operator()(const AppendReply&) const { return "append-reply"; }
  std::string_view operator()(const Heartbeat&) const { return "heartbeat"; }
  std::string_view operator()(const HeartbeatReply&) const { return "heartbeat-reply"; }
  std::string_view operator()(const TimeoutNow&) const { return "timeout-now"; }
  std::string_view operator()(const SnapshotChunk&) const { return "snapshot-chunk"; }
  std::string_view operator()(const SnapshotReply&) const { return "snapshot-reply"; }
  std::string_view operator()(const Probe&) const { return "probe"; }
  std::string_view operator()(const ProbeReply&) const { return "probe-reply"; }
  std::string_view operator()(const Forward&) const { return "forward"; }
  std::string_view operator()(const ForwardReply&) const { return "forward-reply"; }
};

}  // namespace

std::string_view message_name(const Message& message) {
  return std::visit(Name{}, message);
}

}  // namespace parallax
