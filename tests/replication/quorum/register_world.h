// Replicas of one key under the atomic register, with a log beside it: messages that are lost,
// doubled and overtaken, coordinators that die, disks that are lost; every operation with its
// times.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "replication/quorum/atomic.h"
#include "replication/quorum/sizes.h"
#include "tests/replication/quorum/copies.h"

namespace parallax::test {

class RegisterWorld {
 public:
  struct Options {
    std::size_t nodes = 3;
    bool log_writes = false;
    bool expiries = false;
    bool lost_disks = false;
    std::optional<QuorumSizes> quorum = std::nullopt;  ///< instead of the register
    bool blocking_repair = false;
  };
  RegisterWorld(std::uint64_t seed, Options options);

  void run(std::size_t steps);
  /// Why the history is not linearizable; empty: it is. By stamps (Lynch and Shvartsman 1997): what
  /// begins after a completed operation has its stamp at least, and a write one above it.
  std::string judge() const;
  /// Why a read shows less than a completed write or read before it; empty: none does.
  std::string judge_reads(bool after_writes, bool after_reads) const;

  struct Operation {
    bool read = false;
    bool log = false;  ///< through the log: completed when committed and applied somewhere
    std::size_t call = 0;
    std::optional<std::size_t> returned;
    Stamp stamp;         ///< written, or shown (empty: nothing)
    bool alive = false;  ///< a read: the version shown was no tombstone
    bool definite = false;
    bool rounds_two = false;
  };
  const std::vector<Operation>& history() const { return history_; }

 private:
  struct Node {
    KeyState store;
    Incarnation incarnation{1};
    bool recovering = false;
    Hlc clock;
    std::uint64_t offset = 0;  ///< its physical clock is that much ahead
    std::size_t appended = 0;  ///< of the log
    std::size_t applied = 0;
  };
  struct Active {
    std::size_t operation;  ///< in the history
    NodeId coordinator;
    std::variant<AtomicRead, AtomicWrite, QuorumRead, QuorumWrite> core;
    bool expires = false;
  };
  struct Packet {
    std::size_t active;
    NodeId from;
    NodeId to;
    Hlc clock;
    Incarnation incarnation;
    bool recovering;
    std::variant<QuorumQuery, QuorumQueryReply, QuorumStore, QuorumStoreReply> message;
    std::size_t tail = 0;  ///< a query that waits: for so much of the log
  };

  Node& node(NodeId id) { return nodes_.at(id.value - 1); }
  Hlc tick(Node& node);
  void observe(Node& node, Hlc clock) { node.clock = std::max(node.clock, clock); }
  std::size_t committed() const;
  void apply(Node& node, std::size_t up_to);
  void begin();
  void collect(std::size_t id);
  /// Writes a version into the coordinator's store, on top of `seen`; its stamp.
  Stamp write(std::size_t id, const KeyState& seen, VersionVector context);
  void deliver(Packet packet);
  void receive(Packet& packet, const QuorumStore& store);
  bool receive(Packet& packet, const QuorumQuery& query);
  template <class Reply>
  void give(const Packet& packet, const Reply& reply);
  void send(std::size_t id, NodeId from, NodeId to, decltype(Packet::message) message);
  void finish(std::size_t id);
  void log_step();
  void lose_disk();
  void recover();

  Random random_;
  Options options_;
  std::vector<NodeId> ids_;
  std::vector<Node> nodes_;
  std::vector<Version> log_;
  std::map<std::size_t, Active> active_;
  std::size_t next_active_ = 0;
  std::vector<Packet> packets_;
  std::vector<std::size_t> persisting_;
  std::vector<Operation> history_;
  std::map<std::size_t, std::size_t> log_operations_;  ///< place in the log -> in the history
  std::size_t now_ = 0;
};

}  // namespace parallax::test
