// What a log entry says. Entries carry effects, not operations: the versions that result, not the
// conditions that led to them, so applying is a join and cannot diverge.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "clock/stamp.h"
#include "storage/records.h"

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

/// The first outcome under an idempotency key, in the same entry as the effect.
struct IdempotencyRow {
  std::string key;
  IdempotencyRecord record;
  friend bool operator==(const IdempotencyRow&, const IdempotencyRow&) = default;
};

/// Versions of one key to join. The log_index of new versions is set at apply. The state is empty
/// when there is only an outcome to remember.
struct WriteKey {
  std::string key;
  KeyState state;
  std::optional<IdempotencyRow> idempotency = std::nullopt;
  Hlc idempotency_floor = {};  ///< rows up to here are let go of
  friend bool operator==(const WriteKey&, const WriteKey&) = default;
};

/// `node` is a full member again with this incarnation. Committed without its own acknowledgement.
struct EndRecovery {
  NodeId node;
  Incarnation incarnation;
  friend bool operator==(const EndRecovery&, const EndRecovery&) = default;
};

/// What holds for the keys under `prefix` from here on. The record's log_index is set at apply.
struct WritePolicy {
  std::string prefix;
  PolicyRecord record;
  friend bool operator==(const WritePolicy&, const WritePolicy&) = default;
};

/// Key states without a value that every replica has held for a while: whoever holds one as it is
/// here, once it is joined, removes it (node/replica_tombstones.cc says why that is safe).
struct RemoveTombstones {
  struct Tombstone {
    std::string key;
    KeyState state;
    friend bool operator==(const Tombstone&, const Tombstone&) = default;
  };
  std::vector<Tombstone> tombstones;
  Hlc at;  ///< the clock of its leader: frames far older than this are void for whoever applies it
  friend bool operator==(const RemoveTombstones&, const RemoveTombstones&) = default;
};

using Command =
    std::variant<NoOp, InitCluster, WriteKey, EndRecovery, WritePolicy, RemoveTombstones>;

Bytes encode_command(const Command& command);
/// Errors: corrupt. Thread-safe, as encode_command() is.
Result<Command> decode_command(const Bytes& payload);

}  // namespace parallax
