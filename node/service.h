// What the HTTP side asks of a node. The engine implements it; tests use a fake one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/protocol.h"
#include "node/replica.h"

namespace parallax {

/// The faults of /v1/faults; the body of a request replaces all of them. Peer traffic and
/// forwarding are affected, client traffic not; the machine's clock is never touched.
struct FaultSettings {
  enum class OnCrash { keep, drop_unsynced, torn_tail };
  struct FailPoint {
    std::string name;    ///< one of kFailPoints (node/ports.h)
    std::string action;  ///< "crash" (SIGKILL itself) or "pause" (SIGSTOP itself)
  };
  std::vector<NodeId> drop_from;
  std::vector<NodeId> drop_to;
  double drop_probability = 0;
  std::chrono::milliseconds delay{0};
  double duplicate_probability = 0;
  double reorder_probability = 0;
  std::int64_t clock_offset_ms = 0;
  std::chrono::milliseconds fsync_delay{0};
  bool disk_full = false;
  OnCrash on_crash = OnCrash::keep;
  std::optional<FailPoint> fail_point;
};

/// Where a member listens, as far as this node knows.
struct MemberAddresses {
  NodeId id;
  std::string client;  ///< "127.0.0.1:7101"; empty until the peer has told
  std::string peer;
};

/// Figures of the process beside those of the replica.
struct ProcessStatus {
  std::uint64_t store_bytes = 0;
  std::uint64_t resident_bytes = 0;
  Duration uptime{};
  std::vector<MemberAddresses> addresses;  ///< itself included, by id
  /// Synced batches so far, their total duration and changes, for /metrics.
  std::uint64_t batches_written = 0;
  Duration batch_write_time{};
  std::uint64_t batch_bytes = 0;
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t peer_bytes_sent = 0;
  std::uint64_t frames_dropped = 0;
};

/// Every call on one thread: the engine's, or that of a ServiceLink (node/io/service_link.h).
class NodeService {
 public:
  virtual ~NodeService() = default;
  /// `done` is called exactly once, later, on that thread.
  virtual void submit(Request request, std::function<void(Reply)> done) = 0;
  /// What would be done about it. Errors: those with which it would be refused.
  virtual Result<Plan> explain(Request request) const = 0;
  virtual ReplicaStatus replica_status() const = 0;
  virtual const ReplicaCounters& replica_counters() const = 0;
  virtual ProcessStatus process_status() const = 0;
  virtual Result<void> transfer_leadership(NodeId to) = 0;
  /// Errors: not_found when fault injection is not enabled.
  virtual Result<void> set_faults(FaultSettings faults) = 0;
};

}  // namespace parallax
