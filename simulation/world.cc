#include "simulation/world.h"

#include <algorithm>

#include "base/assert.h"
#include "replication/codec.h"
#include "simulation/convergence.h"
#include "simulation/node_clocks.h"
#include "storage/key_space.h"

namespace parallax::simulation {
namespace {

/// A node that found its store damaged is started anew after this.
constexpr Duration kRestartAfterDamage = 500ms;

/// Thrown out of a turn at a fail point; the world turns it into a crash.
struct Died {};

}  // namespace

struct World::Node : PhysicalClock, DiskPort, NetworkPort, ClientPort, FailPointPort {
  Node(World& w, NodeId i) : world(w), id(i), store(std::make_unique<MemoryStore>()) {}

  // Ports.
  UnixMillis now() const override { return clocks.physical(world.now_); }
  MonoTime monotonic_now() const override { return clocks.monotonic(world.now_); }
  void submit(std::uint64_t sequence, WriteBatch batch) override {
    world.note('b', id, sequence, batch.bytes(), [&] {
      return fmt::format("writes batch {} ({} changes)", sequence, batch.changes().size());
    });
    batches.push_back({sequence, std::move(batch)});
    if (batches.size() == 1) world.write_next(*this);
  }
  void send(Envelope envelope) override;
  void reply(RequestId request, Reply&& outcome) override {
    const auto found = requests.find(request);
    PARALLAX_ASSERT(found != requests.end(), "request {} is answered twice", request);
    Done done = std::move(found->second);
    requests.erase(found);
    // Not from inside the turn: the client may do anything.
    world.schedule(world.now_,
                   [done = std::move(done), outcome = std::move(outcome)] { done(outcome); });
  }
  void reached(std::string_view name) override {
    if (name != die_at) return;
    die_at.clear();
    throw Died{};
  }

  World& world;
  NodeId id;
  std::unique_ptr<MemoryStore> store;
  std::unique_ptr<Replica> replica;
  std::unique_ptr<Driver> driver;
  std::uint64_t life = 0;
  bool turn_due = false;
  bool paused = false;
  bool damage_pending = false;  ///< a flipped bit that nobody has seen yet
  bool start_as_lost = false;
  NodeClocks clocks;
  bool in_turn = false;     ///< it stopped in the middle of one
  bool hears_peers = true;  ///< in that turn
  Duration extra_write{};
  bool held = false;
  bool writing = false;
  std::string die_at;

  struct Submitted {
    std::uint64_t sequence;
    WriteBatch batch;
  };
  std::deque<Submitted> batches;
  std::deque<Envelope> inbox;
  std::deque<std::pair<RequestId, Request>> asked;
  std::deque<std::pair<std::uint64_t, Result<void>>> written;
  std::map<RequestId, Done> requests;
};

void World::Node::send(Envelope envelope) {
  World& w = world;
  w.note('s', id, envelope.to.value, envelope.message.index(),
         [&] { return fmt::format("to n{}: {}", envelope.to, describe(envelope.message)); });
  if (w.options_.drop > 0 && w.random_.chance(w.options_.drop)) return;
  const bool twice = w.options_.duplicate > 0 && w.random_.chance(w.options_.duplicate);
  MonoTime at = w.now_ + w.draw(w.options_.min_latency, w.options_.max_latency);
  if (!w.link_delay_.empty()) {
    const auto slow = w.link_delay_.find({envelope.from, envelope.to});
    if (slow != w.link_delay_.end()) at += slow->second;
  }
  if (!w.options_.reorder) {
    MonoTime& busy = w.link_busy_until_[{envelope.from, envelope.to}];
    at = busy = std::max(busy, at);
  }
  // A second copy comes late, and past others.
  if (twice) {
    const MonoTime late = at + w.draw(Duration{0}, 2s);
    w.schedule(late, [&w, envelope] { w.deliver(envelope); });
  }
  if (!w.options_.through_codec) {
    w.schedule(at, [&w, envelope = std::move(envelope)] { w.deliver(envelope); });
    return;
  }
  std::string bytes;
  encode_envelope(envelope, bytes);
  w.schedule(at, [&w, frame = Bytes{std::move(bytes)}] {
    Result<Envelope> decoded = decode_envelope(frame);
    PARALLAX_ASSERT(decoded, "a message does not decode: {}", decoded.error().message);
    w.deliver(*decoded);
  });
}

World::World(WorldOptions options, Trace* trace, Observer* observer)
    : options_(options), trace_(trace), observer_(observer), random_(options.seed) {
  for (std::uint32_t id = 1; id <= options_.nodes; ++id) {
    nodes_[NodeId{id}] = std::make_unique<Node>(*this, NodeId{id});
  }
}

World::~World() = default;

Duration World::draw(Duration low, Duration high) {
  return low + Duration{static_cast<std::int64_t>(
                   random_.below(static_cast<std::uint64_t>((high - low).count()) + 1))};
}

// --- Time ---

void World::schedule(MonoTime at, std::function<void()> action) {
  events_.push({at, next_event_++, std::move(action)});
}

void World::after(Duration delay, std::function<void()> action) {
  schedule(now_ + delay, std::move(action));
}

/// The next event, if it is not later than `limit`.
bool World::step(MonoTime limit) {
  if (events_.empty() || events_.top().at > limit || steps_ >= max_steps_) return false;
  // The queue only shows its top as const; it is gone before anybody looks again.
  std::function<void()> action = std::move(const_cast<Event&>(events_.top()).action);
  now_ = std::max(now_, events_.top().at);
  events_.pop();
  ++steps_;
  action();
  return true;
}

void World::run_for(Duration duration) {
  const MonoTime end = now_ + duration;
  while (step(end)) {
  }
  now_ = end;
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  const MonoTime end = now_ + limit;
  while (!condition()) {
    if (!step(end)) return false;
  }
  return true;
}

// --- Nodes ---

bool World::up(NodeId id) const {
  return node(id).replica != nullptr;
}

std::uint64_t World::life(NodeId id) const {
  return node(id).life;
}

Replica& World::replica(NodeId id) {
  PARALLAX_ASSERT(up(id), "node {} is down", id);
  return *node(id).replica;
}

MemoryStore& World::store(NodeId id) {
  return *node(id).store;
}

std::vector<NodeId> World::ids() const {
  std::vector<NodeId> all;
  for (const auto& [id, n] : nodes_) all.push_back(id);
  return all;
}

std::vector<NodeId> World::others(NodeId id) const {
  std::vector<NodeId> result = ids();
  std::erase(result, id);
  return result;
}

Result<void> World::start(NodeId id, bool lost_disk) {
  Node& n = node(id);
  PARALLAX_ASSERT(!n.replica, "node {} is up", id);
  n.life = next_life_++;
  ReplicaConfig config;
  config.id = id;
  config.members = ids();
  config.seed = random_.next();
  config.life = n.life;
  config.max_requests = options_.max_requests;
  config.log_keep_entries = options_.log_keep_entries;
  config.log_keep_bytes = options_.log_keep_bytes;
  config.history_retention = options_.history_retention;
  config.idempotency = options_.idempotency;
  config.anti_entropy_interval = options_.anti_entropy_interval;
  config.anti_entropy_bytes = options_.anti_entropy_bytes;
  config.hints = options_.hints;
  config.tombstone_grace = options_.tombstone_grace;
  config.semi_sync_timeout = options_.semi_sync_timeout;
  config.lease_reads = options_.lease_reads;
  config.clock_drift_ppm = options_.clock_drift_ppm;
  config.log_cache_bytes = options_.log_cache_bytes;
  config.max_append_bytes = options_.max_append_bytes;
  config.max_inflight_appends = options_.max_inflight_appends;
  config.snapshot_chunk_bytes = options_.snapshot_chunk_bytes;
  config.recent_bytes = options_.recent_bytes;
  config.states_wait = options_.states_wait;
  config.states_wait_bytes = options_.states_wait_bytes;
  config.causal_log_bytes = options_.causal_log_bytes;
  config.causal_batch_bytes = options_.causal_batch_bytes;
  const TurnTime time{n.monotonic_now(), n.now()};
  lost_disk = lost_disk || n.start_as_lost;
  auto opened = Replica::open(config, *n.store, time, lost_disk);
  if (!opened && opened.error().code == ErrorCode::corrupt && options_.set_damage_aside) {
    note('d', id, 0, 0, [&] { return "finds its store damaged: " + opened.error().message; });
    ++corruptions_found_;
    lose_disk(n);
    opened = Replica::open(config, *n.store, time, true);
  }
  if (!opened) return opened.error();
  n.replica = std::move(*opened);
  n.driver = std::make_unique<Driver>(*n.replica, DriverPorts{n, n, n, n, &n});
  note('u', id, n.life, 0, [&] { return lost_disk ? "starts without its disk" : "starts"; });
  if (observer_ != nullptr) observer_->after_start(id, *n.replica);
  tick(id, n.life);
  return {};
}

void World::start_all() {
  for (NodeId id : ids()) {
    if (up(id)) continue;
    const Result<void> started = start(id);
    PARALLAX_ASSERT(started, "node {}: {}", id, started.error().message);
  }
}

/// What was found damaged is set aside; what comes next knows that a disk was there.
void World::lose_disk(Node& n) {
  n.store = std::make_unique<MemoryStore>();
  n.damage_pending = false;
  n.start_as_lost = true;
  if (observer_ != nullptr) observer_->after_loss(n.id);
}

void World::die(Node& n, std::optional<std::size_t> keep) {
  const std::size_t kept =
      std::min(n.batches.size(),
               keep.value_or(static_cast<std::size_t>(random_.below(n.batches.size() + 1))));
  note('x', n.id, kept, n.batches.size(), [&] {
    return fmt::format("dies; {} of {} unsynced batches survive", kept, n.batches.size());
  });
  for (std::size_t i = 0; i < kept; ++i) {
    if (!n.store->write(n.batches[i].batch)) break;
  }
  n.driver.reset();
  n.replica.reset();
  n.batches.clear();
  n.inbox.clear();
  n.asked.clear();
  n.written.clear();
  n.writing = n.held = n.turn_due = n.paused = n.in_turn = false;
  n.hears_peers = true;
  n.die_at.clear();
  n.store->crash();
  if (observer_ != nullptr) observer_->after_crash(n.id);
  for (auto& [id, done] : std::exchange(n.requests, {})) {
    schedule(now_, [done = std::move(done)] {
      done(indefinite(ErrorCode::io, "the node died before it answered"));
    });
  }
}

void World::crash(NodeId id, std::optional<std::size_t> keep) {
  if (up(id)) die(node(id), keep);
}

void World::wipe(NodeId id) {
  crash(id);
  Node& n = node(id);
  n.store = std::make_unique<MemoryStore>();
  n.damage_pending = false;
  note('w', id, 0, 0, [] { return std::string("loses its disk"); });
  if (observer_ != nullptr) observer_->after_loss(id);
}

bool World::lost_disk(NodeId id) const {
  const Node& n = node(id);
  if (n.damage_pending || n.start_as_lost) return true;
  const auto record = records::load<NodeRecord>(*n.store, records::node_key());
  return !record || !*record || (*record)->membership != Membership::member ||
         (*record)->cluster.empty();
}

bool World::same_disk(const Envelope& envelope) const {
  if (lost_disk(envelope.from)) return false;
  const auto record = records::load<NodeRecord>(*node(envelope.from).store, records::node_key());
  return record && *record && (*record)->incarnation == envelope.incarnation;
}

bool World::damage_pending(NodeId id) const {
  return node(id).damage_pending;
}

std::size_t World::lost_disks() const {
  std::size_t lost = 0;
  for (const auto& [id, n] : nodes_) lost += lost_disk(id) ? 1 : 0;
  return lost;
}

NodeId World::leader() const {
  NodeId best;
  Term term;
  for (const auto& [id, n] : nodes_) {
    if (!n->replica) continue;
    const Raft* raft = n->replica->raft();
    if (raft == nullptr || !raft->ready_to_serve() || raft->term() < term) continue;
    best = id;
    term = raft->term();
  }
  return best;
}

NodeId World::wait_for_leader(Duration limit) {
  const bool found = run_until(
      [&] { return leader() != kNoNode && !replica(leader()).status().cluster.empty(); }, limit);
  PARALLAX_ASSERT(found, "no leader within {} ms",
                  std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
  return leader();
}

// --- Turns ---

void World::tick(NodeId id, std::uint64_t life) {
  Node& n = node(id);
  if (!n.replica || n.life != life) return;
  wake(n);
  schedule(now_ + options_.tick, [this, id, life] { tick(id, life); });
}

void World::wake(Node& n) {
  if (n.turn_due || !n.replica || n.paused) return;
  n.turn_due = true;
  schedule(now_, [this, &n, life = n.life] {
    if (n.replica && n.life == life && !n.paused) turn(n);
  });
}

void World::turn(Node& n) {
  n.turn_due = false;
  try {
    if (!std::exchange(n.in_turn, false)) n.driver->begin_inputs();
    for (const auto& [sequence, result] : std::exchange(n.written, {})) {
      n.driver->on_written(sequence, result);
    }
    if (std::exchange(n.hears_peers, true)) {
      for (const Envelope& envelope : std::exchange(n.inbox, {})) n.driver->receive(envelope);
    } else {
      wake(n);  // the next turn has them
    }
    for (auto& [id, request] : std::exchange(n.asked, {})) {
      n.driver->request(id, std::move(request));
    }
    n.driver->turn();
  } catch (const Died&) {
    // What it did before it died may be out already.
    if (observer_ != nullptr) observer_->after_turn(n.id, *n.replica);
    die(n, std::nullopt);
    return;
  }
  if (n.replica->fatal() && options_.set_damage_aside) {
    note('d', n.id, 1, 0, [&] { return "finds a damaged record: " + n.replica->fatal()->message; });
    PARALLAX_ASSERT(n.damage_pending, "node {} finds damage that nobody did: {}", n.id,
                    n.replica->fatal()->message);
    ++corruptions_found_;
    die(n, 0);
    lose_disk(n);
    schedule(now_ + kRestartAfterDamage, [this, id = n.id] {
      if (!up(id)) (void)start(id);
    });
    return;
  }
  if (n.start_as_lost && n.replica->status().membership != Membership::none) {
    n.start_as_lost = false;  // its own store says so from here on
  }
  if (observer_ != nullptr) observer_->after_turn(n.id, *n.replica);
}

void World::write_next(Node& n) {
  if (n.writing || n.held || n.batches.empty()) return;
  n.writing = true;
  const Duration takes = n.extra_write + draw(options_.min_write, options_.max_write);
  schedule(now_ + takes, [this, &n, life = n.life] {
    if (!n.replica || n.life != life || !n.writing) return;
    n.writing = false;
    if (n.held || n.batches.empty()) return;
    n.written.emplace_back(n.batches.front().sequence, n.store->write(n.batches.front().batch));
    n.batches.pop_front();
    wake(n);
    write_next(n);
  });
}

void World::deliver(const Envelope& envelope) {
  if (cut_.contains({envelope.from, envelope.to})) return;
  if (drop_if_ && drop_if_(envelope)) return;
  Node& n = node(envelope.to);
  if (!n.replica) return;
  if (observer_ != nullptr) observer_->on_message(*this, envelope);
  if (watcher_) watcher_(envelope);
  ++delivered_;
  note('r', n.id, envelope.from.value, envelope.message.index(),
       [&] { return fmt::format("from n{}: {}", envelope.from, describe(envelope.message)); });
  n.inbox.push_back(envelope);
  wake(n);
}

// --- Faults ---

void World::cut(NodeId from, NodeId to) {
  if (from != to) cut_.insert({from, to});
}
void World::join(NodeId from, NodeId to) {
  cut_.erase({from, to});
}
void World::isolate(NodeId id) {
  for (NodeId other : others(id)) {
    cut(id, other);
    cut(other, id);
  }
}
void World::heal() {
  cut_.clear();
  link_delay_.clear();
  drop_if_ = nullptr;
  options_.drop = options_.duplicate = 0;
  options_.reorder = false;
  set_latency(100us, 1ms);
}
void World::set_loss(double drop, double duplicate) {
  options_.drop = drop;
  options_.duplicate = duplicate;
}
void World::set_latency(Duration least, Duration most) {
  options_.min_latency = least;
  options_.max_latency = most;
}
void World::set_link_delay(NodeId from, NodeId to, Duration extra) {
  if (extra == Duration{}) {
    link_delay_.erase({from, to});
  } else {
    link_delay_[{from, to}] = extra;
  }
}
void World::set_clock(NodeId id, std::chrono::milliseconds offset) {
  node(id).clocks.set_offset(offset);
}
void World::set_drift(NodeId id, std::int64_t ppm) {
  node(id).clocks.set_drift(now_, ppm);
}
void World::set_monotonic_drift(NodeId id, std::int64_t ppm) {
  node(id).clocks.set_monotonic_drift(now_, ppm);
}
void World::set_disk_full(NodeId id, bool full) {
  store(id).set_disk_full(full);
}
void World::slow_disk(NodeId id, Duration extra) {
  node(id).extra_write = extra;
}
void World::hold_disk(NodeId id, bool held) {
  node(id).held = held;
  write_next(node(id));
}
void World::pause(NodeId id, bool paused) {
  Node& n = node(id);
  if (n.paused == paused) return;
  note('p', id, paused ? 1 : 0, 0, [&] { return paused ? "stands still" : "goes on"; });
  n.paused = paused;
  n.turn_due = false;
  if (!paused) wake(n);
}
void World::pause_in_turn(NodeId id, bool hears_peers) {
  Node& n = node(id);
  if (n.paused || !n.replica) return;
  n.driver->begin_inputs();
  n.in_turn = true;
  n.hears_peers = hears_peers;
  pause(id, true);
}
void World::crash_at(NodeId id, std::string_view fail_point) {
  node(id).die_at = std::string(fail_point);
}

bool World::corrupt(NodeId id) {
  Node& n = node(id);
  std::vector<std::string> keys;
  // History is hardly read here; leaf records are when there is something to repair.
  const Result<void> scanned = n.store->scan({}, [&](std::string_view key, std::string_view) {
    if (key[0] != 'H' && key[0] != 'M') keys.emplace_back(key);
    return true;
  });
  PARALLAX_ASSERT(scanned, "{}", scanned.error().message);
  if (keys.empty()) return false;
  const std::string& key = keys[random_.below(keys.size())];
  const std::uint64_t bit = random_.below(4'096);
  if (!n.store->flip_bit(key, bit)) return false;
  n.damage_pending = true;
  note('c', id, key.size(), bit,
       [&] { return fmt::format("a bit flips in a record '{}'", key[0]); });
  return true;
}

// --- Clients ---

void World::submit(NodeId at, Request request, Done done) {
  Node& n = node(at);
  if (!n.replica) {
    schedule(now_, [done = std::move(done)] { done(definite(ErrorCode::io, "the node is down")); });
    return;
  }
  const RequestId id{next_request_++};
  n.requests.emplace(id, std::move(done));
  n.asked.emplace_back(id, std::move(request));
  wake(n);
}

Reply World::call(NodeId at, Request request) {
  std::optional<Reply> reply;
  const Duration limit = request.timeout + 5s;
  submit(at, std::move(request), [&](const Reply& outcome) { reply = outcome; });
  const bool answered = run_until([&] { return reply.has_value(); }, limit);
  PARALLAX_ASSERT(answered, "a request at node {} was never answered", at);
  return *reply;
}

Reply World::put(NodeId at, std::string key, std::string value) {
  return call(at, put_request(std::move(key), std::move(value)));
}
Reply World::get(NodeId at, std::string key, Level level) {
  return call(at, get_request(std::move(key), level));
}
Reply World::remove(NodeId at, std::string key) {
  return call(at, delete_request(std::move(key)));
}
std::size_t World::open_requests(NodeId id) const {
  return node(id).requests.size();
}

bool World::converged(bool led) {
  std::optional<LogIndex> applied;
  for (const auto& [id, n] : nodes_) {
    if (!n->replica) return false;
    const Raft* raft = n->replica->raft();
    if (raft == nullptr || raft->recovering()) return false;
    if (!led) continue;
    if (applied && *applied != raft->applied_index()) return false;
    if (raft->applied_index() != raft->log().last_index()) return false;
    applied = raft->applied_index();
  }
  for (const auto& [id, n] : nodes_) {
    const ReplicaStatus status = n->replica->status();
    if (status.membership != Membership::member || status.installing_snapshot) return false;
  }
  std::optional<std::uint64_t> digest;
  bool equal = true;
  for (auto& [id, n] : nodes_) {
    const auto mine = KeySpace(n->replica->state(), kOnlyGroup).digest();
    if (!mine && n->damage_pending) {
      // Nobody had read the damaged record until now.
      note('d', id, 2, 0, [&] { return "finds a damaged record: " + mine.error().message; });
      ++corruptions_found_;
      die(*n, 0);
      lose_disk(*n);
      (void)start(id);
      return false;
    }
    PARALLAX_ASSERT(mine, "node {}: {}", id, mine.error().message);
    equal = equal && (!digest || *digest == *mine);
    digest = *mine;
  }
  Views views;
  for (const auto& [id, n] : nodes_) views.emplace(id, &n->replica->state());
  if (!equal && led) check_log_equal(views);
  return equal && !any_early(views);
}

}  // namespace parallax::simulation
