#include "replication/command.h"

#include "base/limits.h"
#include "replication/command.pb.h"
#include "storage/key_state_codec.h"

namespace parallax {
namespace {

Error corrupt(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("a command is corrupt: {}", what));
}

struct Fill {
  logged::Command& out;

  void operator()(const NoOp&) const { out.mutable_no_op(); }
  void operator()(const InitCluster& command) const {
    logged::InitCluster& init = *out.mutable_init_cluster();
    init.set_cluster_high(command.cluster.high);
    init.set_cluster_low(command.cluster.low);
  }
  void operator()(const WriteKey& command) const {
    logged::WriteKey& write = *out.mutable_write_key();
    write.set_key(command.key);
    encode_key_state(command.state, *write.mutable_state());
  }
  void operator()(const EndRecovery& command) const {
    logged::EndRecovery& end = *out.mutable_end_recovery();
    end.set_node(command.node.value);
    end.set_incarnation(command.incarnation.value);
  }
};

Result<void> read(const logged::InitCluster& in, InitCluster& out) {
  out.cluster = ClusterId{in.cluster_high(), in.cluster_low()};
  if (out.cluster.empty()) return corrupt("init_cluster.cluster: empty");
  return {};
}

Result<void> read(logged::WriteKey& in, WriteKey& out) {
  if (in.key().empty() || in.key().size() > limits::kMaxKeyBytes) {
    return corrupt(fmt::format("write_key.key: {} bytes, 1 to {} expected", in.key().size(),
                               limits::kMaxKeyBytes));
  }
  auto state = decode_key_state(Bytes{std::move(*in.mutable_state())});
  if (!state) return corrupt(fmt::format("write_key.state: {}", state.error().message));
  out.key = std::move(*in.mutable_key());
  out.state = *std::move(state);
  return {};
}

Result<void> read(const logged::EndRecovery& in, EndRecovery& out) {
  if (in.node() == 0) return corrupt("end_recovery.node: 0, a node expected");
  if (in.incarnation() == 0) return corrupt("end_recovery.incarnation: 0, at least 1 expected");
  out = {NodeId{in.node()}, Incarnation{in.incarnation()}};
  return {};
}

}  // namespace

Bytes encode_command(const Command& command) {
  logged::Command out;
  std::visit(Fill{out}, command);
  return Bytes{out.SerializeAsString()};
}

Result<Command> decode_command(const Bytes& payload) {
  logged::Command in;
  if (payload.size() > limits::kMaxFrameBytes ||
      !in.ParseFromArray(payload.view().data(), static_cast<int>(payload.size()))) {
    return corrupt("it does not follow its schema");
  }
  Command command;
  switch (in.command_case()) {
    case logged::Command::kNoOp:
      command = NoOp{};
      break;
    case logged::Command::kInitCluster:
      PARALLAX_TRY(read(in.init_cluster(), command.emplace<InitCluster>()));
      break;
    case logged::Command::kWriteKey:
      PARALLAX_TRY(read(*in.mutable_write_key(), command.emplace<WriteKey>()));
      break;
    case logged::Command::kEndRecovery:
      PARALLAX_TRY(read(in.end_recovery(), command.emplace<EndRecovery>()));
      break;
    case logged::Command::COMMAND_NOT_SET:
      return corrupt("of no kind that is known here");
  }
  return command;
}

}  // namespace parallax
