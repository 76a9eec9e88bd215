// A small deterministic world: replicas under the real Driver, over a fake network, fake disks and
// fake clocks, in virtual time. One seed decides everything.
//
// Network: first in, first out on every link, with latency; links can be cut, messages dropped or
// doubled. Every message goes through the codec, as it would on a wire.
// Disk: batches are written in order, later than they are handed over; a crash keeps any number of
// the oldest that were not written yet.
// After every turn of a node the invariants of its Raft core are checked, and those between nodes:
// one leader per term, one term per committed index.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "node/driver.h"
#include "node/replica.h"
#include "replication/leader_follower/raft_invariants.h"
#include "storage/key_space.h"
#include "storage/memory_store.h"

namespace parallax::testing {

using namespace std::chrono_literals;

struct WorldOptions {
  std::size_t nodes = 3;
  std::uint64_t seed = 1;
  Duration min_latency = 100us;
  Duration max_latency = 1ms;
  Duration min_write = 100us;
  Duration max_write = 1ms;
  Duration tick = 10ms;
  double drop = 0;
  double duplicate = 0;
  std::uint64_t log_keep_entries = limits::kLogKeepEntries;
  std::size_t log_keep_bytes = limits::kLogKeepBytes;
  std::size_t max_requests = limits::kMaxRequestsInFlight;
  std::chrono::milliseconds history_retention = limits::kDefaultHistoryRetention;
};

class World {
 public:
  using Done = std::function<void(const Reply&)>;

  explicit World(WorldOptions options);
  ~World();

  // --- Time -------------------------------------------------------------------------------------
  MonoTime now() const { return now_; }
  void run_for(Duration duration);
  /// True as soon as `condition` holds, looked at after every event; false at the limit.
  bool run_until(const std::function<bool()>& condition, Duration limit);
  /// Runs `action` after `delay`.
  void after(Duration delay, std::function<void()> action);
  Random& random() { return random_; }

  // --- Nodes ------------------------------------------------------------------------------------
  /// Opens the replica over its store. Errors as Replica::open().
  Result<void> start(NodeId id, bool lost_disk = false);
  void start_all();
  /// The process dies: of the batches handed over and not written, `keep` of the oldest are.
  /// Nothing: a random number.
  void crash(NodeId id, std::optional<std::size_t> keep = std::nullopt);
  /// Crashes it if it is up, and empties its disk.
  void wipe(NodeId id);
  bool up(NodeId id) const;
  /// Counts the processes that there have been; another one after every start.
  std::uint64_t life(NodeId id) const;
  Replica& replica(NodeId id);
  MemoryStore& store(NodeId id);
  std::vector<NodeId> ids() const;
  /// The node that leads and serves in the highest term; none.
  NodeId leader() const;
  NodeId wait_for_leader(Duration limit = 10s);
  std::vector<NodeId> others(NodeId id) const;

  // --- Faults -----------------------------------------------------------------------------------
  void cut(NodeId from, NodeId to);  ///< one way
  void isolate(NodeId id);
  void heal();
  void set_loss(double drop, double duplicate);
  /// Physical clock of a node, beside the true time.
  void set_clock(NodeId id, std::chrono::milliseconds offset);
  void set_disk_full(NodeId id, bool full);
  /// Writes of this node take this much longer.
  void slow_disk(NodeId id, Duration extra);
  /// While held, no batch of the node is written.
  void hold_disk(NodeId id, bool held);
  /// The node dies when it reaches this fail point the next time.
  void crash_at(NodeId id, std::string_view fail_point);
  /// Messages for which this is true are lost. Null: none.
  void drop_if(std::function<bool(const Envelope&)> predicate) { drop_if_ = std::move(predicate); }
  /// A look at every message that is delivered.
  void watch(std::function<void(const Envelope&)> watcher) { watcher_ = std::move(watcher); }

  // --- Clients ----------------------------------------------------------------------------------
  /// `done` is called once; with an indefinite io error when the node dies first.
  void submit(NodeId at, Request request, Done done);
  /// Runs the world until it is answered.
  Reply call(NodeId at, Request request);
  Reply put(NodeId at, std::string key, std::string value);
  Reply get(NodeId at, std::string key, Level level = Level::linearizable);
  Reply remove(NodeId at, std::string key);
  std::size_t open_requests(NodeId id) const;

  /// All nodes up, none recovering, and equal in applied index and contents.
  bool converged();
  std::uint64_t messages_delivered() const { return delivered_; }

 private:
  struct Node;
  struct Event {
    MonoTime at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator<(const Event& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  void schedule(MonoTime at, std::function<void()> action);
  bool step(MonoTime limit);
  void wake(Node& node);
  void tick(NodeId id, std::uint64_t life);
  void turn(Node& node);
  void check(Node& node);
  void deliver(const Envelope& envelope);
  void write_next(Node& node);
  Node& node(NodeId id);
  const Node& node(NodeId id) const;
  void die(Node& node, std::optional<std::size_t> keep);

  WorldOptions options_;
  Random random_;
  MonoTime now_{};
  std::uint64_t next_event_ = 0;
  std::priority_queue<Event> events_;
  std::map<NodeId, std::unique_ptr<Node>> nodes_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<std::pair<NodeId, NodeId>, MonoTime> link_busy_until_;
  std::function<bool(const Envelope&)> drop_if_;
  std::function<void(const Envelope&)> watcher_;
  std::map<Term, NodeId> leaders_;
  std::map<LogIndex, Term> committed_;
  std::uint64_t next_request_ = 1;
  std::uint64_t next_life_ = 1;
  std::uint64_t delivered_ = 0;
};

Request put_request(std::string key, std::string value, Duration timeout = 5s);
Request get_request(std::string key, Level level = Level::linearizable, Duration timeout = 5s);
Request delete_request(std::string key, Duration timeout = 5s);

}  // namespace parallax::testing
