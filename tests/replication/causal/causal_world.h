// A few Causal cores over a fake network and fake disks, with sessions that read and write; and the
// truth about what each operation follows, kept beside them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "consistency/session_guarantees.h"
#include "replication/causal/causal.h"

namespace parallax::test {

using OperationId = std::pair<Origin, std::uint64_t>;

class CausalWorld {
 public:
  struct Options {
    std::size_t nodes = 3;
    Delivery::Bounds buffer = {64, 64 << 10};
    std::size_t batch_bytes = 1 << 10;
    std::size_t log_bytes = 1 << 20;
    std::size_t cache_bytes = 1 << 20;
    std::size_t max_removals = 1'000;
    std::size_t page_keys = 2;
    bool hold_disks = false;  ///< batches stay in flight until persist() says so
  };
  struct Disk {
    CausalRecord record;
    std::map<OperationId, CausalOperation> log;
    std::map<std::string, KeyState> keys;
    Incarnation incarnation{1};
    bool recovering = false;
    std::size_t entries = 0;  ///< of recoveries() that it has applied
  };
  struct Session {
    SessionToken token;
    SessionGuarantees guarantees = kAllGuarantees;
    OriginVector wrote;  ///< with all that it follows
    OriginVector saw;
    bool busy = false;
  };
  struct Node {
    NodeId id;
    std::unique_ptr<Causal> core;  ///< null while down
    Disk disk;
    std::map<std::string, KeyState> keys;   ///< disk.keys with what is on its way there
    std::map<std::string, KeyState> early;  ///< brought by repair, ahead of its past
    std::set<std::string> dirty;            ///< keys that changed since the last batch
    Hlc clock;
    using Answer = std::pair<Session*, std::function<void()>>;
    struct Batch {
      std::function<void(Disk&)> change;
      CausalMark mark;
      std::vector<CausalMessage> send_after;
      std::vector<Answer> answers;
    };
    std::deque<Batch> batches;
    std::vector<Answer> answers;  ///< with the next batch
    Causal::Counters counters;    ///< of lives that are over
    std::uint64_t transfers = 0;  ///< of this life, seen
  };
  struct Packet {
    NodeId to;
    Sender from;
    Hlc clock;
    Message message;
  };

  explicit CausalWorld(Options options);

  Node& node(std::uint32_t id) { return nodes_.at(id - 1); }
  Causal& core(std::uint32_t id) { return *node(id).core; }
  std::size_t size() const { return nodes_.size(); }
  std::deque<Packet>& packets() { return packets_; }
  Origin origin(std::uint32_t id) { return {NodeId{id}, node(id).disk.incarnation}; }

  // --- Steps ----------------------------------------------------------------------------------
  void advance(Duration by);
  void collect(Node& node);
  void persist(Node& node);
  void deliver(std::size_t position);
  void drop(std::size_t position) {
    packets_.erase(packets_.begin() + static_cast<long>(position));
  }
  /// Everything is delivered and persisted, and time goes on, for so long.
  void run_for(Duration time);
  void crash(std::uint32_t id);
  void restart(std::uint32_t id);
  /// The node loses its disk and comes back empty, recovering.
  void wipe(std::uint32_t id);
  /// The log takes in that a recovery is over, if it is.
  void end_recovery(std::uint32_t id);
  /// The node applies the next entry that ends a recovery.
  void apply_entry(Node& node);
  void cut(std::uint32_t a, std::uint32_t b) {
    cut_.insert({NodeId{a}, NodeId{b}});
    cut_.insert({NodeId{b}, NodeId{a}});
  }
  void isolate(std::uint32_t id);
  void heal() { cut_.clear(); }

  /// One node is given another one's durable state of a key.
  void repair(std::uint32_t from, std::uint32_t to, const std::string& key);

  // --- Sessions -------------------------------------------------------------------------------
  /// False: the node must wait, by its own word.
  bool write(Session& session, std::uint32_t id, const std::string& key, bool blind);
  bool read(Session& session, std::uint32_t id, const std::vector<std::string>& keys);
  /// The winner of a key at a node; "" when there is none.
  std::string value(std::uint32_t id, const std::string& key);

  // --- Verdicts -------------------------------------------------------------------------------
  /// What went wrong first; empty: nothing.
  const std::string& broken() const { return broken_; }
  void fail(std::string what) {
    if (broken_.empty()) broken_ = std::move(what);
  }
  /// All nodes are up, and have been connected for long enough.
  void check_converged(bool disks_were_lost);
  /// What a node's states hold is between its two bounds.
  void check_contents(const Node& node);
  Causal::Counters counters() const;
  std::size_t operations() const { return ledger_.size(); }

 private:
  /// An operation as it was issued, with all that its session made it follow, itself included.
  struct Issued {
    std::string key;
    Version version;
    OriginVector past;
  };
  void start(Node& node);
  void take(Node& node, CausalReady& ready);
  void join_early(Node& node);
  void serve_reads(Node& node, const CausalReady& ready);
  void send(Node& node, std::vector<CausalMessage>& messages);
  void observe(Node& node, Hlc clock) { node.clock = std::max(node.clock, clock); }
  Stamp stamp(Node& node);
  void judge_applied(Node& node, const CausalOperation& operation);
  void judge_read(const Node& node, const std::vector<std::string>& keys, OriginVector past);
  OriginVector past_of_state(const KeyState& state) const;
  std::uint64_t surviving(const Origin& origin) const;
  void forget_unwritten(const Node& node);

  Options options_;
  MonoTime now_{};
  std::deque<Node> nodes_;
  std::deque<Packet> packets_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<OperationId, Issued> ledger_;
  std::map<Stamp, OperationId> by_stamp_;
  std::vector<std::pair<NodeId, Incarnation>> recoveries_;
  std::map<Origin, OriginVector> seen_by_;  ///< applied, as the world counts it
  std::uint64_t lives_ = 0;
  std::string broken_;
};

}  // namespace parallax::test
