// One request of the quorum levels under way at the node that has taken it: the core that counts
// its replicas, and what it takes to carry out what the core says.
//
// A value; belongs to one replica (replica_quorum.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "node/request_table.h"
#include "replication/quorum/atomic.h"
#include "replication/quorum/read.h"
#include "replication/quorum/write.h"

namespace parallax {

using QuorumCore = std::variant<QuorumRead, QuorumWrite, AtomicRead, AtomicWrite>;

struct Coordination {
  QuorumCore core;
  RequestHandle request;  ///< finds nothing once it is answered
  std::string key;
  bool majority = false;  ///< its queries wait for the log's pending tail
  std::optional<KeyState>
      state;  ///< of a write: what its replicas are sent, whole and durable here
  MonoTime begun;
  std::optional<MonoTime> asked;  ///< when the first other replica was asked
  std::optional<MonoTime> sent;   ///< of a write: when others were sent the state
  MonoTime look_at;               ///< when to look at it again
  std::optional<MonoTime> answered;
  bool handed_out = false;       ///< of a write: it is durable here, and has been sent
  std::vector<NodeId> stood_in;  ///< of a sloppy one: replicas for which hints have been asked
};

/// The calls of a coordination: its queries, and its stores.
constexpr RequestId query_call(std::uint64_t coordination) {
  return RequestId{2 * coordination};
}
constexpr RequestId store_call(std::uint64_t coordination) {
  return RequestId{2 * coordination + 1};
}
constexpr std::uint64_t coordination_of(RequestId call) {
  return call.value / 2;
}

/// How often a coordination looks whether those it waits for are still there.
inline constexpr Duration kCoordinationLook = std::chrono::milliseconds(200);

/// 503: so many of the replicas that it takes have done `what`; of a query, how many could not
/// tell.
/// Of a write that so many recover that it is not begun.
Error too_few_can_store(const WriteOutcome& outcome);
Error not_enough_replicas(Certainty certainty, std::size_t required, std::size_t received,
                          std::string_view what, std::size_t unresolved = 0);

}  // namespace parallax
