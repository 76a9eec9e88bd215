// A group of Raft cores over a fake network and fake disks, stepped by hand, by scripts or at
// random.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "replication/leader_follower/raft.h"
#include "replication/leader_follower/raft_invariants.h"

namespace parallax::testing {

/// What a node's disk holds. The "state machine" is the list of applied payloads.
struct RaftDisk {
  HardState hard_state;
  LogStart start;
  std::map<LogIndex, LogEntry> log;
  LogIndex applied;
  std::map<LogIndex, std::string> state;
  Incarnation incarnation{1};
  bool recovering = false;
};

class RaftWorld {
 public:
  struct Options {
    std::size_t nodes = 3;
    std::uint64_t seed = 1;
    std::size_t log_cache_bytes = limits::kLogCacheBytes;
    bool durable_at_once = true;  ///< disks finish every batch at once
    std::size_t chunk_entries = 2;
  };
  struct Packet {
    NodeId from;
    NodeId to;
    Sender sender;
    Message message;
  };
  struct Node {
    NodeId id;
    std::unique_ptr<Raft> raft;  ///< null while down
    RaftDisk disk;
    bool hold_disk = false;
    /// Applied in memory, as far as not in `disk` yet.
    std::map<LogIndex, std::string> state;
    LogIndex applied;
    struct Batch {
      std::function<void(RaftDisk&)> change;
      PersistedMark mark;
      std::vector<RaftMessage> send_after;
    };
    std::deque<Batch> batches;
    std::vector<ConfirmedRound> confirmed;
    std::optional<RaftSummary> last_seen;
    std::map<std::uint64_t, std::pair<LogStart, std::map<LogIndex, std::string>>> views;
  };

  explicit RaftWorld(Options options);

  Node& node(std::uint32_t id) { return nodes_.at(id - 1); }
  Raft& raft(std::uint32_t id) { return *node(id).raft; }
  bool up(std::uint32_t id) { return node(id).raft != nullptr; }
  std::size_t size() const { return nodes_.size(); }
  MonoTime now() const { return now_; }

  /// Advances time and ticks every node that is up.
  void advance(Duration by);
  /// Takes and carries out what every node has ready.
  void collect();
  void collect(Node& node);
  void persist_one(Node& node);
  /// Delivers every packet now under way, once. Packets of cut links are lost.
  std::size_t deliver_round();
  void deliver(std::size_t position);
  void drop(std::size_t position) {
    packets_.erase(packets_.begin() + static_cast<long>(position));
  }
  /// Delivers and collects until nothing moves.
  void stabilize();
  void crash(std::uint32_t id);
  void restart(std::uint32_t id);
  /// The node loses its disk and comes back empty, recovering.
  void wipe(std::uint32_t id);
  void cut(std::uint32_t a, std::uint32_t b) { cut_.insert({NodeId{a}, NodeId{b}}); }
  void isolate(std::uint32_t id);
  void heal() { cut_.clear(); }

  std::deque<Packet>& packets() { return packets_; }
  std::optional<std::uint32_t> leader() const;
  /// Ticks and delivers until a leader has applied its no-op; its id. Fails after 30 s of its time.
  std::uint32_t elect();
  /// Called with every packet that is delivered.
  std::function<void(const Packet&)> on_deliver;
  /// Invariants of each node and between nodes: Raft's five properties (figure 3.2).
  void check();

 private:
  void start(Node& node);
  void serve_chunk(Node& node, const ChunkRead& read);
  void install(Node& node, const SnapshotChunk& chunk, RaftDisk& disk);

  Options options_;
  MonoTime now_{};
  std::deque<Node> nodes_;
  std::deque<Packet> packets_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<Term, NodeId> leaders_;          ///< election safety
  std::map<LogIndex, LogEntry> committed_;  ///< state machine safety, leader completeness
  std::uint64_t lives_ = 0;
};

}  // namespace parallax::testing
