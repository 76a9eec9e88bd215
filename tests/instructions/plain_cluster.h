// Three replicas in one process under the node's driver, moved by hand: no sockets, threads, codec
// or chance, and time that goes on only when it is told to. What one node does in one turn can be
// looked at alone. The simulator's world (simulation/world.h) cannot do that: its turns come when
// events say so.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "node/driver.h"
#include "storage/memory_store.h"

namespace parallax::instructions {

class PlainCluster;

/// One node with all its ports.
class PlainNode final : public PhysicalClock, DiskPort, NetworkPort, ClientPort {
 public:
  PlainNode(PlainCluster& cluster, NodeId id);

  // --- A turn, in the order of the driver -------------------------------------------------------
  /// What has arrived and what is written, as inputs.
  void take_inputs();
  void request(RequestId id, Request&& request) { driver_->request(id, std::move(request)); }
  void turn() { driver_->turn(); }

  /// The oldest batch that was handed over becomes durable: the storage thread's work.
  void write_batches();
  bool idle() const { return inbox.empty() && batches_.empty() && written_.empty(); }

  std::deque<Envelope> inbox;
  std::vector<std::pair<RequestId, Reply>> replies;  ///< since somebody took them away

  const Replica& replica() const { return *replica_; }

 private:
  UnixMillis now() const override;
  MonoTime monotonic_now() const override;
  void submit(std::uint64_t sequence, WriteBatch batch) override;
  void send(Envelope envelope) override;
  void reply(RequestId id, Reply&& reply) override;

  PlainCluster& cluster_;
  MemoryStore store_;
  std::unique_ptr<Replica> replica_;
  std::optional<Driver> driver_;
  std::deque<std::pair<std::uint64_t, WriteBatch>> batches_;
  std::deque<std::uint64_t> written_;
};

class PlainCluster {
 public:
  /// With a leader that serves.
  PlainCluster();

  PlainNode& leader() { return *leader_; }
  PlainNode& follower() { return *follower_; }

  /// Turns of every node, and writes, until nothing is on its way.
  void settle();
  /// As settle(), without turns of `one`: what it has to take in has arrived when this returns.
  void settle_all_but(const PlainNode& one);
  void pass_time(Duration duration) { now_ += duration; }
  MonoTime now() const { return now_; }
  PlainNode& node(NodeId id) { return *nodes_.at(id); }

 private:
  void settle_others(const PlainNode* but);

  MonoTime now_{};
  std::map<NodeId, std::unique_ptr<PlainNode>> nodes_;
  PlainNode* leader_ = nullptr;
  PlainNode* follower_ = nullptr;
};

}  // namespace parallax::instructions
