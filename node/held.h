// What a replica carries out once a batch is durable (node/replica_join.cc).
#pragma once

#include <cstdint>
#include <variant>

#include "base/ids.h"
#include "client/protocol.h"
#include "node/request_table.h"
#include "replication/message.h"
#include "storage/version.h"

namespace parallax {

struct HeldMessage {
  NodeId to;
  Message message;
  MonoTime since = {};  ///< of answers to stores: when the state was joined
};
struct HeldReply {
  RequestHandle request;
  Answer reply;
};
struct OwnStored {
  std::uint64_t coordination;
};
struct OwnHint {
  std::uint64_t coordination;
  NodeId target;
};
struct OwnHeld {
  std::uint64_t coordination;
  KeyState state;
};
using Held = std::variant<HeldMessage, HeldReply, OwnStored, OwnHeld, OwnHint>;

}  // namespace parallax
