#include "replication/command.h"

#include "base/limits.h"
#include "replication/command.pb.h"
#include "storage/key_state_codec.h"

namespace parallax {
namespace {

Error corrupt(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("a command is corrupt: {}", what));
}

void fill(logged::IdempotencyRow& out, const IdempotencyRow& row) {
  out.set_key(row.key);
  out.set_at(row.record.at.value);
  out.set_fingerprint(row.record.fingerprint);
  out.set_refusal(row.record.refusal);
  out.set_message(row.record.message);
  if (row.record.stamp) {
    out.set_stamp_hlc(row.record.stamp->hlc.value);
    out.set_stamp_node(row.record.stamp->node.value);
  }
  out.set_has_number(row.record.number.has_value());
  out.set_number(row.record.number.value_or(0));
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
    if (!command.state.empty()) encode_key_state(command.state, *write.mutable_state());
    if (command.idempotency) fill(*write.mutable_idempotency(), *command.idempotency);
    write.set_idempotency_floor(command.idempotency_floor.value);
  }
  void operator()(const WritePolicy& command) const {
    logged::WritePolicy& write = *out.mutable_write_policy();
    write.set_prefix(command.prefix);
    write.set_removed(command.record.removed);
    write.set_default_consistency(command.record.default_consistency);
    write.set_mixing(command.record.mixing);
    write.set_conflict(command.record.conflict);
  }
  void operator()(const EndRecovery& command) const {
    logged::EndRecovery& end = *out.mutable_end_recovery();
    end.set_node(command.node.value);
    end.set_incarnation(command.incarnation.value);
  }
  void operator()(const RemoveTombstones& command) const {
    logged::RemoveTombstones& remove = *out.mutable_remove_tombstones();
    for (const RemoveTombstones::Tombstone& tombstone : command.tombstones) {
      logged::Tombstone& item = *remove.add_tombstones();
      item.set_key(tombstone.key);
      encode_key_state(tombstone.state, *item.mutable_state());
    }
    remove.set_at(command.at.value);
  }
};

Result<void> read(const logged::InitCluster& in, InitCluster& out) {
  out.cluster = ClusterId{in.cluster_high(), in.cluster_low()};
  if (out.cluster.empty()) return corrupt("init_cluster.cluster: empty");
  return {};
}

Result<void> read(logged::IdempotencyRow& in, IdempotencyRow& out) {
  if (in.key().empty() || in.key().size() > limits::kMaxIdempotencyKeyBytes) {
    return corrupt(fmt::format("write_key.idempotency.key: {} bytes, 1 to {} expected",
                               in.key().size(), limits::kMaxIdempotencyKeyBytes));
  }
  if (in.at() == 0) return corrupt("write_key.idempotency.at: 0, a stamp's time expected");
  out.key = std::move(*in.mutable_key());
  IdempotencyRecord& record = out.record;
  record.at = Hlc{in.at()};
  record.fingerprint = in.fingerprint();
  record.refusal = std::move(*in.mutable_refusal());
  record.message = std::move(*in.mutable_message());
  if (in.stamp_hlc() != 0) record.stamp = Stamp{Hlc{in.stamp_hlc()}, NodeId{in.stamp_node()}};
  if (in.has_number()) record.number = in.number();
  return {};
}

Result<void> read(logged::WritePolicy& in, WritePolicy& out) {
  if (in.prefix().size() > limits::kMaxKeyBytes) {
    return corrupt(fmt::format("write_policy.prefix: {} bytes, at most {} expected",
                               in.prefix().size(), limits::kMaxKeyBytes));
  }
  out.prefix = std::move(*in.mutable_prefix());
  out.record.removed = in.removed();
  out.record.default_consistency = std::move(*in.mutable_default_consistency());
  out.record.mixing = std::move(*in.mutable_mixing());
  out.record.conflict = std::move(*in.mutable_conflict());
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
  out.idempotency_floor = Hlc{in.idempotency_floor()};
  if (in.has_idempotency()) {
    PARALLAX_TRY(read(*in.mutable_idempotency(), out.idempotency.emplace()));
  }
  return {};
}

Result<void> read(const logged::EndRecovery& in, EndRecovery& out) {
  if (in.node() == 0) return corrupt("end_recovery.node: 0, a node expected");
  if (in.incarnation() == 0) return corrupt("end_recovery.incarnation: 0, at least 1 expected");
  out = {NodeId{in.node()}, Incarnation{in.incarnation()}};
  return {};
}

Result<void> read(logged::RemoveTombstones& in, RemoveTombstones& out) {
  out.at = Hlc{in.at()};
  for (logged::Tombstone& item : *in.mutable_tombstones()) {
    if (item.key().empty() || item.key().size() > limits::kMaxKeyBytes) {
      return corrupt(fmt::format("remove_tombstones.key: {} bytes, 1 to {} expected",
                                 item.key().size(), limits::kMaxKeyBytes));
    }
    auto state = decode_key_state(Bytes{std::move(*item.mutable_state())});
    if (!state) return corrupt(fmt::format("remove_tombstones: {}", state.error().message));
    for (const Version& version : state->versions()) {
      if (!version.tombstone) return corrupt("remove_tombstones: a version that is none");
    }
    out.tombstones.push_back({std::move(*item.mutable_key()), *std::move(state)});
  }
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
    case logged::Command::kRemoveTombstones:
      PARALLAX_TRY(read(*in.mutable_remove_tombstones(), command.emplace<RemoveTombstones>()));
      break;
    case logged::Command::kWriteKey:
      PARALLAX_TRY(read(*in.mutable_write_key(), command.emplace<WriteKey>()));
      break;
    case logged::Command::kEndRecovery:
      PARALLAX_TRY(read(in.end_recovery(), command.emplace<EndRecovery>()));
      break;
    case logged::Command::kWritePolicy:
      PARALLAX_TRY(read(*in.mutable_write_policy(), command.emplace<WritePolicy>()));
      break;
    case logged::Command::COMMAND_NOT_SET:
      return corrupt("of no kind that is known here");
  }
  return command;
}

}  // namespace parallax
