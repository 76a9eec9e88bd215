// What a log entry says. Entries carry effects, not operations: the versions that result, not the
// conditions that led to them, so applying is a join and cannot diverge.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "clock/stamp.h"
#include "storage/version.h"

namespace parallax {

/// The first entry of every term (Ongaro 2014, section 6.4): commits what came before.
struct NoOp {
  friend bool operator==(const NoOp&, const NoOp&) = default;
};

/// Entry 1: the first leader names the cluster.
struct InitCluster {
  ClusterId cluster;
  friend bool operator==(const InitCluster&, const InitCluster&) = default;
};

/// Versions of one key to join. The versions' log_index is set at apply.
struct WriteKey {
  std::string key;
  KeyState state;
  friend bool operator==(const WriteKey&, const WriteKey&) = default;
};

/// `node` is a full member again with this incarnation. Committed without its own acknowledgement.
struct EndRecovery {
  NodeId node;
  Incarnation incarnation;
  friend bool operator==(const EndRecovery&, const EndRecovery&) = default;
};

using Command = std::variant<NoOp, InitCluster, WriteKey, EndRecovery>;

Bytes encode_command(const Command& command);
/// Errors: corrupt. Thread-safe, as encode_command() is.
Result<Command> decode_command(const Bytes& payload);

}  // namespace parallax
