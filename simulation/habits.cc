#include "simulation/habits.h"

#include <algorithm>

namespace parallax::simulation {

using namespace std::chrono_literals;

WorldOptions Habits::world() {
  WorldOptions world;
  world.nodes = options_.nodes;
  world.seed = options_.seed ^ 0x30d1d;
  world.drop = plan_.loss;
  world.duplicate = plan_.duplication;
  world.reorder = plan_.reordering;
  world.through_codec = random_.chance(0.2);
  // Some runs forget their log at once, so that snapshots are needed all the time.
  if (random_.chance(0.5)) world.log_keep_entries = random_.between(1, 60);
  if (random_.chance(0.5)) world.snapshot_chunk_bytes = random_.between(1, 400);
  // Some trim their causal logs at once: who was away is brought the states instead.
  if (random_.chance(0.5)) world.causal_log_bytes = random_.between(1, 1'000);
  if (random_.chance(0.5)) world.causal_batch_bytes = random_.between(1, 400);
  if (random_.chance(0.3)) world.log_cache_bytes = 200;
  if (random_.chance(0.3)) world.max_append_bytes = random_.between(1, 500);
  if (random_.chance(0.3)) world.max_inflight_appends = random_.between(1, 4);
  if (random_.chance(0.3)) world.max_write = 10ms;
  if (random_.chance(0.3)) world.max_latency = 20ms;
  if (random_.chance(0.3)) world.history_retention = 1s;
  // Longer than anybody tries again, unless clocks jump.
  const bool clocks_jump =
      std::any_of(plan_.events.begin(), plan_.events.end(),
                  [](const FaultEvent& event) { return event.kind == FaultKind::clock; });
  if (!clocks_jump) world.idempotency.retention = 45s;
  // Drawn apart: what a run does is the same with and without it. A bit that turns is found where
  // nothing is in memory.
  Random apart(options_.seed ^ 0x2ece47);
  if (apart.chance(0.6)) world.recent_bytes = apart.chance(0.5) ? 0 : apart.between(1, 5'000);
  if (apart.chance(0.3)) world.states_wait = std::chrono::milliseconds(apart.below(10'000));
  if (apart.chance(0.3)) world.states_wait_bytes = apart.below(20'000);
  choose_leases(world);
  choose_log_clients(world);
  return world;
}

/// A share of the seeds; not those that look for something else.
void Habits::choose_leases(WorldOptions& world) {
  const bool share = lease_random_.chance(0.25) && !options_.show && !options_.no_leader;
  lease_reads_ = world.lease_reads = options_.lease_reads || options_.break_drift_bound || share;
  constexpr std::uint32_t kBounds[] = {1'000, limits::kClockDriftPpm, 200'000};
  if (!options_.break_drift_bound) {
    world.clock_drift_ppm = kBounds[lease_random_.below(std::size(kBounds))];
  }
}

/// A share of the seeds: the others go on as they are without them.
void Habits::choose_log_clients(WorldOptions& world) {
  const bool share = log_random_.chance(0.4) && !options_.show && options_.level.empty();
  const bool led = !options_.no_leader && !options_.break_drift_bound;
  has_log_clients_ = led && (share || (options_.show && of_log_clients(*options_.show)));
  if (has_log_clients_) {
    world.semi_sync_timeout = std::chrono::milliseconds(log_random_.between(100, 2'000));
  }
}

LogClientOptions Habits::log_clients(const WorldOptions& world) {
  LogClientOptions clients;
  clients.seed = options_.seed;
  if (!has_log_clients_) return clients;
  clients.clients = log_random_.between(2, 3);
  clients.keys = log_random_.between(1, 3);
  clients.think = std::chrono::milliseconds(log_random_.between(100, 300));
  clients.reads = 0.1 * static_cast<double>(log_random_.between(4, 7));
  if (world.lease_reads) clients.slow_clock_ppm = world.clock_drift_ppm;
  return clients;
}

std::int64_t Habits::monotonic_drift(const WorldOptions& world) {
  const std::int64_t bound = world.clock_drift_ppm;
  if (!world.lease_reads || options_.break_drift_bound) return 0;
  if (lease_random_.chance(0.5)) return lease_random_.chance(0.5) ? bound : -bound;
  return static_cast<std::int64_t>(lease_random_.below(2 * world.clock_drift_ppm + 1)) - bound;
}

ClientOptions Habits::clients() {
  ClientOptions clients;
  clients.seed = options_.seed;
  clients.clients = random_.between(4, 10);
  clients.keys = random_.between(1, 6);
  clients.think = std::chrono::milliseconds(random_.between(60, 160));
  // Blind writes of many at one key: which orders explain a history is soon too much to look for.
  if (clients.keys == 1) clients.clients = std::min<std::size_t>(clients.clients, 7);
  clients.reads = 0.1 * static_cast<double>(random_.between(2, 7));
  clients.deletes = random_.chance(0.5) ? 0.1 : 0.0;
  if (random_.chance(0.5)) clients.conditions = 0.5;
  if (random_.chance(0.3)) clients.increments = 0.4;
  if (random_.chance(0.3)) clients.expiring = 0.5;
  if (random_.chance(0.7)) clients.contexts = 0.0;
  if (random_.chance(0.3)) clients.retried = 0.8;
  if (options_.level == "prefix") clients.prefix_reads = 1.0;
  if (options_.level == "linearizable") clients.prefix_reads = 0.0;
  const bool at_leases = lease_random_.chance(0.5) && lease_reads_ && !options_.show;
  if (options_.break_drift_bound || at_leases) {
    // Who writes at a leader that is cut off is stuck there: it is readers who find what it shows,
    // of the one key that is overwritten meanwhile.
    clients.keys = 1;
    clients.clients = 7;
    clients.reads = 0.7;
    clients.deletes = clients.conditions = clients.expiring = clients.increments = 0;
    clients.judge_stamps = !options_.show;
    clients.think = std::chrono::milliseconds(lease_random_.between(10, 100));
  }
  return clients;
}

LeaderlessOptions Habits::leaderless() {
  LeaderlessOptions clients;
  clients.seed = options_.seed;
  clients.clients = random_.between(2, 4);
  clients.keys = random_.between(1, 2);
  clients.think = std::chrono::milliseconds(random_.between(80, 200));
  clients.reads = 0.1 * static_cast<double>(random_.between(3, 7));
  if (random_.chance(0.3)) clients.deletes = 0.0;
  if (random_.chance(0.2)) clients.expiring = 0.3;
  if (random_.chance(0.3)) clients.contexts = 0.0;
  if (random_.chance(0.5)) clients.conditions = 0.0;
  clients.led = !options_.no_leader;
  if (plan_.kinds.contains(FaultKind::crash) && random_.chance(0.5)) clients.deaths = 0.05;
  if (!options_.level.empty()) clients.clients = 0;
  return clients;
}

CrdtOptions Habits::crdts() {
  CrdtOptions clients;
  clients.seed = options_.seed;
  clients.clients = options_.level.empty() && random_.chance(0.5) ? 2 : 0;
  clients.think = 150ms;
  return clients;
}

CausalOptions Habits::causal() {
  CausalOptions sessions;
  sessions.seed = options_.seed;
  sessions.clients = random_.between(1, 3);
  sessions.keys = random_.between(1, 3);
  if (!options_.no_leader && random_.chance(0.5)) sessions.adopted = 0.15;
  sessions.think = std::chrono::milliseconds(random_.between(30, 200));
  if (random_.chance(0.5)) {
    const std::uint64_t some = random_.between(1, 15);
    sessions.guarantees = {(some & 1) != 0, (some & 2) != 0, (some & 4) != 0, (some & 8) != 0};
  }
  const auto left_out = options_.show ? guarantee_left_out(*options_.show) : std::nullopt;
  const bool wanted = options_.show && of_sessions(*options_.show);
  if (wanted) {
    sessions.clients = 3;
    sessions.keys = 2;
  }
  if (left_out) {
    sessions.guarantees = {*left_out != 0, *left_out != 1, *left_out != 2, *left_out != 3};
    // With monotonic writes a write brings along all that its origin had written by then, what the
    // session has read of it included: hardly ever is anything left to be missed.
    if (*left_out == 3) sessions.guarantees.monotonic_writes = false;
  }
  if (!options_.level.empty() || (!random_.chance(0.7) && !wanted)) sessions.clients = 0;
  return sessions;
}

}  // namespace parallax::simulation
