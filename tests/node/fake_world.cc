#include "tests/node/fake_world.h"

#include <algorithm>

#include "base/assert.h"
#include "replication/codec.h"

namespace parallax::testing {
namespace {

/// True time at the beginning of every world.
constexpr std::uint64_t kEpochMs = 1'700'000'000'000;

/// Thrown out of a turn at a fail point; the world turns it into a crash.
struct Died {};

}  // namespace

struct World::Node : PhysicalClock, DiskPort, NetworkPort, ClientPort, FailPointPort {
  Node(World& w, NodeId i) : world(w), id(i), store(std::make_unique<MemoryStore>()) {}

  // Ports.
  UnixMillis now() const override {
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(world.now_.time_since_epoch());
    return UnixMillis{static_cast<std::uint64_t>(static_cast<std::int64_t>(kEpochMs) + ms.count() +
                                                 clock_offset.count())};
  }
  MonoTime monotonic_now() const override { return world.now_; }
  void submit(std::uint64_t sequence, WriteBatch batch) override {
    batches.push_back({sequence, std::move(batch)});
    if (batches.size() == 1) world.write_next(*this);
  }
  void send(Envelope envelope) override;
  void reply(RequestId request, Reply outcome) override {
    const auto found = requests.find(request);
    PARALLAX_ASSERT(found != requests.end(), "request {} is answered twice", request);
    Done done = std::move(found->second);
    requests.erase(found);
    // Not from inside the turn: the client may do anything.
    world.schedule(world.now_, [done, outcome] { done(outcome); });
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
  std::chrono::milliseconds clock_offset{0};
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
  std::optional<RaftSummary> last_seen;
  LogIndex checked;
};

void World::Node::send(Envelope envelope) {
  World& w = world;
  if (w.random_.chance(w.options_.drop)) return;
  const int copies = w.random_.chance(w.options_.duplicate) ? 2 : 1;
  std::string bytes;
  encode_envelope(envelope, bytes);
  const Bytes frame{std::move(bytes)};
  for (int copy = 0; copy < copies; ++copy) {
    const auto spread =
        static_cast<std::uint64_t>((w.options_.max_latency - w.options_.min_latency).count());
    Duration latency =
        w.options_.min_latency + Duration{static_cast<std::int64_t>(w.random_.below(spread + 1))};
    // A second copy comes late, and past others.
    if (copy == 1) latency += Duration{static_cast<std::int64_t>(w.random_.below(2'000'000'000))};
    MonoTime at = w.now_ + latency;
    if (copy == 0) {
      MonoTime& busy = w.link_busy_until_[{envelope.from, envelope.to}];
      at = busy = std::max(busy, at);
    }
    w.schedule(at, [&w, frame] {
      Result<Envelope> decoded = decode_envelope(frame);
      PARALLAX_ASSERT(decoded, "a message does not decode: {}", decoded.error().message);
      w.deliver(*decoded);
    });
  }
}

World::World(WorldOptions options) : options_(options), random_(options.seed) {
  for (std::uint32_t id = 1; id <= options_.nodes; ++id) {
    nodes_[NodeId{id}] = std::make_unique<Node>(*this, NodeId{id});
  }
}

World::~World() = default;

// --- Time
// -----------------------------------------------------------------------------------------

void World::schedule(MonoTime at, std::function<void()> action) {
  events_.push({at, next_event_++, std::move(action)});
}

void World::after(Duration delay, std::function<void()> action) {
  schedule(now_ + delay, std::move(action));
}

/// The next event, if it is not later than `limit`.
bool World::step(MonoTime limit) {
  if (events_.empty() || events_.top().at > limit) return false;
  std::function<void()> action = std::move(const_cast<Event&>(events_.top()).action);
  now_ = std::max(now_, events_.top().at);
  events_.pop();
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

// --- Nodes
// ----------------------------------------------------------------------------------------

World::Node& World::node(NodeId id) {
  return *nodes_.at(id);
}
const World::Node& World::node(NodeId id) const {
  return *nodes_.at(id);
}
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
  PARALLAX_ASSIGN(n.replica,
                  Replica::open(std::move(config), *n.store, {now_, n.now()}, lost_disk));
  n.driver = std::make_unique<Driver>(*n.replica, DriverPorts{n, n, n, n, &n});
  n.last_seen.reset();
  n.checked = n.replica->status().applied_index;
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

void World::die(Node& n, std::optional<std::size_t> keep) {
  const std::size_t kept =
      std::min(n.batches.size(),
               keep.value_or(static_cast<std::size_t>(random_.below(n.batches.size() + 1))));
  for (std::size_t i = 0; i < kept; ++i) {
    if (!n.store->write(n.batches[i].batch)) break;
  }
  n.driver.reset();
  n.replica.reset();
  n.batches.clear();
  n.inbox.clear();
  n.asked.clear();
  n.written.clear();
  n.writing = false;
  n.held = false;
  n.turn_due = false;
  n.store->crash();
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
  node(id).store = std::make_unique<MemoryStore>();
}

NodeId World::leader() const {
  NodeId best;
  Term term;
  for (const auto& [id, n] : nodes_) {
    if (!n->replica || n->replica->raft() == nullptr) continue;
    const ReplicaStatus status = n->replica->status();
    if (status.role != Role::leader || !n->replica->raft()->ready_to_serve()) continue;
    if (status.cluster.empty() || status.term < term) continue;
    best = id;
    term = status.term;
  }
  return best;
}

NodeId World::wait_for_leader(Duration limit) {
  const bool found = run_until([&] { return leader() != kNoNode; }, limit);
  PARALLAX_ASSERT(found, "no leader within {} ms",
                  std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
  return leader();
}

// --- Turns
// ----------------------------------------------------------------------------------------

void World::tick(NodeId id, std::uint64_t life) {
  Node& n = node(id);
  if (!n.replica || n.life != life) return;
  wake(n);
  schedule(now_ + options_.tick, [this, id, life] { tick(id, life); });
}

void World::wake(Node& n) {
  if (n.turn_due || !n.replica) return;
  n.turn_due = true;
  schedule(now_, [this, &n, life = n.life] {
    if (n.replica && n.life == life) turn(n);
  });
}

void World::turn(Node& n) {
  n.turn_due = false;
  try {
    n.driver->begin_inputs();
    for (const auto& [sequence, result] : std::exchange(n.written, {})) {
      n.driver->on_written(sequence, result);
    }
    for (const Envelope& envelope : std::exchange(n.inbox, {})) n.driver->receive(envelope);
    for (auto& [id, request] : std::exchange(n.asked, {})) {
      n.driver->request(id, std::move(request));
    }
    n.driver->turn();
  } catch (const Died&) {
    die(n, std::nullopt);
    return;
  }
  check(n);
}

void World::check(Node& n) {
  const Raft* raft = n.replica->raft();
  if (raft == nullptr) return;
  check_basic(*raft);
  if (n.last_seen) check_delta(*n.last_seen, *raft);
  n.last_seen = summarize(*raft);
  if (raft->is_leader()) {
    const auto [known, added] = leaders_.emplace(raft->term(), n.id);
    PARALLAX_ASSERT(known->second == n.id, "term {} has the leaders {} and {}", raft->term(),
                    known->second, n.id);
  }
  const LogIndex applied = n.replica->status().applied_index;
  PARALLAX_ASSERT(applied >= n.checked, "node {} applied {} and then {}", n.id, n.checked, applied);
  for (LogIndex i = n.checked.next(); i <= applied; i = i.next()) {
    const std::optional<Term> term = raft->log().term_at(i);
    if (!term) continue;
    const auto [known, added] = committed_.emplace(i, *term);
    PARALLAX_ASSERT(known->second == *term, "entry {} is applied with terms {} and {}", i,
                    known->second, *term);
  }
  n.checked = applied;
}

void World::write_next(Node& n) {
  if (n.writing || n.held || n.batches.empty()) return;
  n.writing = true;
  const auto spread = static_cast<std::uint64_t>((options_.max_write - options_.min_write).count());
  const Duration takes = options_.min_write + n.extra_write +
                         Duration{static_cast<std::int64_t>(random_.below(spread + 1))};
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
  if (watcher_) watcher_(envelope);
  ++delivered_;
  n.inbox.push_back(envelope);
  wake(n);
}

// --- Faults
// ---------------------------------------------------------------------------------------

void World::cut(NodeId from, NodeId to) {
  cut_.insert({from, to});
}
void World::isolate(NodeId id) {
  for (NodeId other : others(id)) {
    cut(id, other);
    cut(other, id);
  }
}
void World::heal() {
  cut_.clear();
  drop_if_ = nullptr;
  options_.drop = options_.duplicate = 0;
}
void World::set_loss(double drop, double duplicate) {
  options_.drop = drop;
  options_.duplicate = duplicate;
}
void World::set_clock(NodeId id, std::chrono::milliseconds offset) {
  node(id).clock_offset = offset;
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
void World::crash_at(NodeId id, std::string_view fail_point) {
  node(id).die_at = std::string(fail_point);
}

// --- Clients
// --------------------------------------------------------------------------------------

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

bool World::converged() {
  std::optional<LogIndex> applied;
  for (const auto& [id, n] : nodes_) {
    if (!n->replica) return false;
    const ReplicaStatus status = n->replica->status();
    if (status.membership != Membership::member || status.installing_snapshot) return false;
    if (applied && *applied != status.applied_index) return false;
    if (status.applied_index != status.last_index) return false;
    applied = status.applied_index;
  }
  std::optional<std::uint64_t> digest;
  for (const auto& [id, n] : nodes_) {
    const auto mine = KeySpace(n->replica->state(), kOnlyGroup).digest();
    PARALLAX_ASSERT(mine, "{}", mine.error().message);
    PARALLAX_ASSERT(!digest || *digest == *mine, "node {} differs at index {}", id, *applied);
    digest = *mine;
  }
  return true;
}

namespace {

Request request_of(Operation operation, Level level, Duration timeout) {
  Request request;
  request.operation = std::move(operation);
  request.consistency.level = level;
  request.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(timeout);
  return request;
}

}  // namespace

Request put_request(std::string key, std::string value, Duration timeout) {
  return request_of(Put{std::move(key), Bytes{std::move(value)}, "text/plain"}, Level::linearizable,
                    timeout);
}
Request get_request(std::string key, Level level, Duration timeout) {
  return request_of(Get{std::move(key)}, level, timeout);
}
Request delete_request(std::string key, Duration timeout) {
  return request_of(Delete{std::move(key)}, Level::linearizable, timeout);
}

}  // namespace parallax::testing
