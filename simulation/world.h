// A cluster in one process: replicas under the node's real driver, over a fake network, fake disks
// and fake clocks, in virtual time. One seed decides everything; nothing here reads a clock.
//
// Network: links are first in, first out with latency unless reordering is on; links can be cut one
// way, messages lost or doubled. Disk: batches are written in order, later than they are handed
// over; a crash keeps any number of the oldest that were not yet written, each whole or not at all
// (a torn last record is a batch that is not there). Clocks: every node has its own physical clock
// with offset and drift; monotonic clocks run at the rate of the true time, unless they are given
// another.
//
// After every turn of a node the observer looks at it.
//
// Not thread-safe; several worlds may run in several processes.
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
#include "simulation/trace.h"
#include "storage/memory_store.h"

namespace parallax::simulation {

using namespace std::chrono_literals;

struct WorldOptions {
  std::size_t nodes = 3;
  std::uint64_t seed = 1;
  Duration min_latency = 100us;
  Duration max_latency = 1ms;
  Duration min_write = 100us;
  Duration max_write = 1ms;
  Duration tick = 20ms;
  double drop = 0;
  double duplicate = 0;
  bool reorder = false;
  bool through_codec = true;  ///< every message is encoded and decoded, as on a wire
  /// A store found damaged is set aside, and its node comes back as one that lost its disk. Else it
  /// does not start, or stays up as a replica that has ended.
  bool set_damage_aside = true;
  std::uint64_t log_keep_entries = limits::kLogKeepEntries;
  std::size_t log_keep_bytes = limits::kLogKeepBytes;
  std::size_t max_requests = limits::kMaxRequestsInFlight;
  std::size_t log_cache_bytes = limits::kLogCacheBytes;
  std::size_t max_append_bytes = limits::kMaxAppendBytes;
  std::size_t max_inflight_appends = limits::kMaxInflightAppends;
  std::size_t snapshot_chunk_bytes = limits::kSnapshotChunkBytes;
  std::size_t recent_bytes = ReplicaConfig{}.recent_bytes;
  Duration states_wait = ReplicaConfig{}.states_wait;
  std::size_t states_wait_bytes = ReplicaConfig{}.states_wait_bytes;
  std::size_t causal_log_bytes = limits::kCausalLogBytes;
  std::size_t causal_batch_bytes = limits::kCausalBatchBytes;
  std::chrono::milliseconds history_retention = limits::kDefaultHistoryRetention;
  IdempotencyTable::Limits idempotency = {};
  std::chrono::milliseconds anti_entropy_interval = limits::kAntiEntropyInterval;
  TokenBucket::Rate anti_entropy_bytes = ReplicaConfig{}.anti_entropy_bytes;
  HintBounds hints = ReplicaConfig{}.hints;
  std::chrono::milliseconds tombstone_grace = limits::kTombstoneGrace;
  std::chrono::milliseconds semi_sync_timeout = limits::kSemiSyncTimeout;
  bool lease_reads = false;
  std::uint32_t clock_drift_ppm = limits::kClockDriftPpm;
};

class World;

/// Looks at nodes while they run. Broken properties are assertions.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void after_turn(NodeId, const Replica&) {}
  virtual void after_start(NodeId, const Replica&) {}
  virtual void after_crash(NodeId) {}
  /// The node lost its disk, by a fault or because a record was found to be damaged.
  virtual void after_loss(NodeId) {}
  /// A message as it arrives, before its receiver takes it in.
  virtual void on_message(World&, const Envelope&) {}
};

class World {
 public:
  using Done = std::function<void(const Reply&)>;

  explicit World(WorldOptions options, Trace* trace = nullptr, Observer* observer = nullptr);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- Time -------------------------------------------------------------------------------------
  MonoTime now() const { return now_; }
  void run_for(Duration duration);
  /// True as soon as `condition` holds, looked at after every event; false at the limit.
  bool run_until(const std::function<bool()>& condition, Duration limit);
  /// Runs `action` after `delay`.
  void after(Duration delay, std::function<void()> action);
  Random& random() { return random_; }
  std::uint64_t steps() const { return steps_; }
  /// run_for() and run_until() end when so many events have happened in all.
  void limit_steps(std::uint64_t steps) { max_steps_ = steps; }

  // --- Nodes ------------------------------------------------------------------------------------
  /// Opens the replica over its store. Errors as Replica::open(); not corrupt, unless damage is
  /// not set aside.
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
  /// Nodes whose disk is lost and that are not full members again, and those that have not applied
  /// the cluster's first entry. Faults must keep these a minority.
  std::size_t lost_disks() const;
  bool lost_disk(NodeId id) const;
  /// Whether what the envelope says rests on the disk that its sender has now.
  bool same_disk(const Envelope& envelope) const;
  /// A record was damaged and nobody has noticed yet.
  bool damage_pending(NodeId id) const;

  // --- Faults -----------------------------------------------------------------------------------
  void cut(NodeId from, NodeId to);  ///< one way
  void join(NodeId from, NodeId to);
  void isolate(NodeId id);
  /// No link is cut any more.
  void heal_links() { cut_.clear(); }
  /// Links, loss, duplication, reordering and delays are as if there had been none.
  void heal();
  void set_loss(double drop, double duplicate);
  void set_latency(Duration least, Duration most);
  /// Messages on this link take this much longer.
  void set_link_delay(NodeId from, NodeId to, Duration extra);
  /// Physical clock of a node, beside the true time.
  void set_clock(NodeId id, std::chrono::milliseconds offset);
  /// Parts per million that the clock runs too fast, from now on.
  void set_drift(NodeId id, std::int64_t ppm);
  /// Parts per million that the monotonic clock runs too fast, from now on; above -1,000,000.
  void set_monotonic_drift(NodeId id, std::int64_t ppm);
  void set_disk_full(NodeId id, bool full);
  /// Writes of this node take this much longer.
  void slow_disk(NodeId id, Duration extra);
  /// While held, no batch of the node is written.
  void hold_disk(NodeId id, bool held);
  /// While paused it takes no turn; what comes in meanwhile waits.
  void pause(NodeId id, bool paused);
  /// As pause(), in the middle of a turn: it has read its clocks. When it goes on that turn takes
  /// in what has come meanwhile from clients, and what peers have sent if it `hears_peers`.
  void pause_in_turn(NodeId id, bool hears_peers);
  /// Flips a bit of a record. False when there is none.
  bool corrupt(NodeId id);
  /// The node dies when it reaches this fail point the next time; empty: never.
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

  /// All nodes up, members, equal in applied index and in contents, nothing early. Once the applied
  /// index is equal, contents that come from the log alone must be (asserted). Not `led`: nobody
  /// says what is committed, and only contents are looked at.
  bool converged(bool led = true);
  std::uint64_t messages_delivered() const { return delivered_; }
  std::uint64_t corruptions_found() const { return corruptions_found_; }

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
  void deliver(const Envelope& envelope);
  void write_next(Node& node);
  Node& node(NodeId id) { return *nodes_.at(id); }
  const Node& node(NodeId id) const { return *nodes_.at(id); }
  void die(Node& node, std::optional<std::size_t> keep);
  void lose_disk(Node& node);
  Duration draw(Duration low, Duration high);
  template <class Tell>
  void note(char kind, NodeId node, std::uint64_t a, std::uint64_t b, Tell&& tell) {
    if (trace_ != nullptr) trace_->event(now_, kind, node, a, b, std::forward<Tell>(tell));
  }

  WorldOptions options_;
  Trace* trace_;
  Observer* observer_;
  Random random_;
  MonoTime now_{};
  std::uint64_t next_event_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t max_steps_ = ~std::uint64_t{0};
  std::priority_queue<Event> events_;
  std::map<NodeId, std::unique_ptr<Node>> nodes_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<std::pair<NodeId, NodeId>, MonoTime> link_busy_until_;
  std::map<std::pair<NodeId, NodeId>, Duration> link_delay_;
  std::function<bool(const Envelope&)> drop_if_;
  std::function<void(const Envelope&)> watcher_;
  std::uint64_t next_request_ = 1;
  std::uint64_t next_life_ = 1;
  std::uint64_t delivered_ = 0;
  std::uint64_t corruptions_found_ = 0;
};

Request put_request(std::string key, std::string value, Duration timeout = 5s);
Request get_request(std::string key, Level level = Level::linearizable, Duration timeout = 5s);
Request delete_request(std::string key, Duration timeout = 5s);

}  // namespace parallax::simulation
