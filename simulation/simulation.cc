#include "simulation/simulation.h"

#include <algorithm>
#include <stdexcept>

#include "base/assert.h"
#include "consistency/checker/linearizability.h"
#include "simulation/habits.h"
#include "simulation/undecided.h"

namespace parallax::simulation {
namespace {

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Assertions end the run instead of the process, for as long as this lives.
class AssertionsThrow {
 public:
  AssertionsThrow() {
    set_assertion_handler([](const std::string& line) { throw Broken(line); });
  }
  ~AssertionsThrow() { set_assertion_handler(nullptr); }
};

/// After the faults everything must be well again within this.
constexpr Duration kSettleTime = 60s;
/// Of a cut off leader's monotonic clock where the bound is broken: it takes a second for ten.
constexpr std::int64_t kSlowClockPpm = -900'000;

class Run {
 public:
  Run(const SimulationOptions& options, std::function<void(const std::string&)> sink)
      : options_(options),
        plan_(make_plan(
            {options.seed, options.nodes, options.duration, faults_of(options), options.skip})),
        habits_(options_, plan_),
        trace_(std::move(sink)),
        world_options_(habits_.world()),
        world_(world_options_, &trace_, &checks_),
        clients_(world_, checks_, &trace_, habits_.clients()),
        leaderless_(world_, checks_, &trace_, habits_.leaderless()),
        crdts_(world_, checks_, &trace_, habits_.crdts()),
        causal_(world_, checks_, &trace_, habits_.causal()),
        log_clients_(world_, checks_, &trace_, habits_.log_clients(world_options_)) {
    world_.limit_steps(options.max_steps);
    for (NodeId id : ids_) world_.set_monotonic_drift(id, habits_.monotonic_drift(world_options_));
  }

  void run() {
    first_start();
    for (const FaultEvent& event : plan_.events) {
      world_.after(event.at - MonoTime{}, [this, event] { apply(event); });
    }
    world_.drop_if([this](const Envelope& envelope) { return silenced(envelope); });
    if (options_.no_leader) {
      end_leadership();
    } else {
      clients_.start();
    }
    leaderless_.on_death([this](NodeId id) { die(id, 1s); });
    leaderless_.start();
    crdts_.start();
    causal_.start();
    log_clients_.start();
    for (int part = 0; part < 10; ++part) {
      world_.run_for(options_.duration / 10);
      checks_.check_join_laws(world_, clients_.key(0));
      for (const std::string& key : leaderless_.keys()) checks_.check_join_laws(world_, key);
      for (const std::string& key : causal_.keys()) checks_.check_join_laws(world_, key);
    }
    if (world_.steps() >= options_.max_steps) return;  // a shortened run ends where it was cut
    settle();
    verdict();
  }

  void report(Outcome& outcome) const {
    outcome.hash = trace_.hash();
    outcome.steps = world_.steps();
    outcome.operations = clients_.issued() + leaderless_.issued() + crdts_.issued() +
                         causal_.issued() + log_clients_.issued();
    outcome.answered = clients_.answered() + leaderless_.answered() + crdts_.answered() +
                       causal_.answered() + log_clients_.answered();
    outcome.shown = shown_;
    outcome.faults = faults_;
    outcome.crashes = crashes_;
    outcome.partitions = partitions_;
    outcome.planned = plan_.total;
    outcome.damage_found = world_.corruptions_found();
    outcome.simulated = world_.now() - MonoTime{};
  }

 private:
  static std::set<FaultKind> faults_of(const SimulationOptions& options) {
    std::set<FaultKind> faults = options.faults;
    if (options.no_leader) {
      for (FaultKind kind : {FaultKind::wipe, FaultKind::corruption, FaultKind::transfer}) {
        faults.erase(kind);
      }
    }
    return faults;
  }

  static bool elects(const Envelope& envelope) {
    return std::holds_alternative<VoteRequest>(envelope.message) ||
           std::holds_alternative<TimeoutNow>(envelope.message);
  }

  bool silenced(const Envelope& envelope) const {
    return silenced_.contains(envelope.from) &&
           std::holds_alternative<QuorumStore>(envelope.message);
  }

  /// When everybody has applied the cluster's first entry and that is durable, whoever leads is
  /// started anew: nobody follows it.
  void end_leadership() {
    const auto begun = [&] {
      return std::all_of(ids_.begin(), ids_.end(), [&](NodeId id) {
        if (!world_.up(id)) return false;
        const ReplicaStatus status = world_.replica(id).status();
        // Only a leader can end a recovery: whoever came late has to be through with it.
        return !status.cluster.empty() && status.membership == Membership::member;
      });
    };
    PARALLAX_ASSERT(world_.run_until(begun, kSettleTime), "the cluster does not begin");
    world_.run_for(1s);
    world_.drop_if(
        [this](const Envelope& envelope) { return elects(envelope) || silenced(envelope); });
    const NodeId leader = world_.leader();
    if (leader == kNoNode) return;
    world_.crash(leader);
    start(leader);
  }

  /// In any order, and sometimes with one node away for a while.
  void first_start() {
    const bool straggling = random_.chance(0.3);
    for (NodeId id : world_.ids()) {
      const auto ms = random_.below(straggling ? 3'000 : 50);
      world_.after(std::chrono::milliseconds(ms), [this, id] { start(id); });
    }
  }

  void start(NodeId id) {
    if (world_.up(id)) return;
    const Result<void> started = world_.start(id);
    PARALLAX_ASSERT(started, "node {} does not start: {}", id, started.error().message);
    leaderless_.after_start(id);
  }

  NodeId target(const FaultEvent& event) const {
    if (event.node != 0) return NodeId{event.node};
    const NodeId leader = world_.leader();
    return leader != kNoNode ? leader : NodeId{1};
  }

  /// Whether `id` may lose its disk too: at most a minority has, at any time.
  bool may_lose_disk(NodeId id) const {
    const std::size_t lost = world_.lost_disks() + (world_.lost_disk(id) ? 0 : 1);
    return lost <= (options_.nodes - 1) / 2;
  }

  void count(const FaultEvent& event, NodeId id) {
    ++faults_;
    trace_.event(world_.now(), 'f', id, static_cast<std::uint64_t>(event.kind), event.variant,
                 [&] { return "FAULT " + describe(event); });
  }

  void restart_after(NodeId id, Duration delay) {
    world_.after(delay, [this, id] { start(id); });
  }

  void apply(const FaultEvent& event) {
    if (settling_) return;
    const NodeId id = target(event);
    switch (event.kind) {
      case FaultKind::crash:
        return crash(event, id);
      case FaultKind::partition:
        return partition(event, id);
      case FaultKind::clock:
        return clock(event, id);
      case FaultKind::wipe:
        if (!may_lose_disk(id)) return;
        count(event, id);
        if (event.variant % 3 == 0) return amnesia(event, id);
        if (event.variant % 3 == 1) return lose_alone(event, id);
        world_.wipe(id);
        return restart_after(id, event.lasts);
      case FaultKind::corruption:
        if (!may_lose_disk(id) || !world_.corrupt(id)) return;
        count(event, id);
        if (event.variant % 2 == 0) {  // else it is found when somebody reads it
          world_.crash(id);
          restart_after(id, event.lasts);
        }
        return;
      case FaultKind::pause:
        if (!world_.up(id)) return;
        count(event, id);
        if (world_options_.lease_reads && event.variant % 2 == 0) {
          world_.pause_in_turn(id, event.variant % 4 == 0);
        } else {
          world_.pause(id, true);
        }
        return world_.after(event.lasts, [this, id] { world_.pause(id, false); });
      case FaultKind::slow_disk:
        count(event, id);
        world_.slow_disk(id, std::chrono::milliseconds(10 + event.variant % 1'500));
        return world_.after(event.lasts, [this, event, id] {
          die_with_it(event, id);
          world_.slow_disk(id, Duration{});
        });
      case FaultKind::disk_full:
        count(event, id);
        world_.set_disk_full(id, true);
        refusing_.insert(id);
        return world_.after(event.lasts, [this, id] {
          if (settling_) return;
          refusing_.erase(id);
          world_.set_disk_full(id, false);
          world_.crash(id);  // it refuses writes until it is started anew
          start(id);
        });
      case FaultKind::delay:
        count(event, id);
        if (event.variant % 2 == 0) return slow_links(event, id);
        world_.set_latency(1ms, std::chrono::milliseconds(10 + event.variant % 800));
        return world_.after(event.lasts, [this] { world_.set_latency(100us, 1ms); });
      case FaultKind::transfer:
        if (!world_.up(id)) return;
        count(event, id);
        (void)world_.replica(id).transfer_leadership(
            NodeId{static_cast<std::uint32_t>(1 + event.variant % options_.nodes)});
        return;
      case FaultKind::silence:
        count(event, id);
        silenced_.insert(id);
        return world_.after(event.lasts, [this, event, id] {
          die_with_it(event, id);
          silenced_.erase(id);
        });
      case FaultKind::loss:
      case FaultKind::duplication:
      case FaultKind::reordering:
      case FaultKind::count:
        break;
    }
    PARALLAX_UNREACHABLE("no dated fault is {}", fault_name(event.kind));
  }

  void die(NodeId id, Duration away) {
    if (settling_ || !world_.up(id)) return;
    world_.crash(id);
    restart_after(id, away);
  }

  /// Half of those that alone have something die before they have passed it on.
  void die_with_it(const FaultEvent& event, NodeId id) {
    if (options_.faults.contains(FaultKind::crash) && event.variant % 2 == 0) die(id, 3s);
  }

  /// What others say comes to `id` late, by up to seconds: long after they have gone on.
  void slow_links(const FaultEvent& event, NodeId id) {
    const std::vector<NodeId> others = world_.others(id);
    for (NodeId other : others) {
      world_.set_link_delay(other, id, std::chrono::milliseconds(100 + event.variant / 2 % 2'500));
    }
    world_.after(event.lasts, [this, id, others] {
      for (NodeId other : others) world_.set_link_delay(other, id, Duration{});
    });
  }

  /// The hardest moment to lose a disk: `id` is cut off, the others go on without it, and one whose
  /// vote and acknowledgements they rested on comes back empty to the side that was cut off.
  void amnesia(const FaultEvent& event, NodeId id) {
    world_.isolate(id);
    wait_for_heir(event, id, world_.now() + 3s);
  }

  /// As soon as the others have a leader: the one cut off may still take itself for theirs.
  void wait_for_heir(const FaultEvent& event, NodeId id, MonoTime deadline) {
    world_.after(10ms, [this, event, id, deadline] {
      const NodeId heir = world_.leader();
      if (!settling_ && (heir == kNoNode || heir == id) && world_.now() < deadline) {
        return wait_for_heir(event, id, deadline);
      }
      std::vector<NodeId> others = world_.others(id);
      std::erase(others, heir);
      const NodeId victim = others[event.variant / 7 % others.size()];
      if (settling_ || heir == id || heir == kNoNode || !may_lose_disk(victim)) {
        world_.heal_links();
        return;
      }
      world_.wipe(victim);
      for (NodeId other : world_.ids()) {
        world_.cut(victim, other);
        world_.cut(other, victim);
      }
      world_.join(victim, id);
      world_.join(id, victim);
      start(victim);
      world_.after(event.lasts + 1s, [this] { world_.heal_links(); });
    });
  }

  /// What it acknowledges while nobody hears it, nobody else has.
  void lose_alone(const FaultEvent& event, NodeId id) {
    world_.isolate(id);
    world_.after(std::chrono::milliseconds(50 + event.variant / 3 % 500), [this, event, id] {
      for (NodeId other : world_.others(id)) {
        world_.join(id, other);
        world_.join(other, id);
      }
      if (settling_ || !may_lose_disk(id)) return;
      world_.wipe(id);
      restart_after(id, event.lasts);
    });
  }

  void crash(const FaultEvent& event, NodeId id) {
    ++crashes_;
    count(event, id);
    if (event.variant % 8 == 0) {                      // the power fails everywhere
      const bool clocks_too = event.variant % 3 == 0;  // and those of the machines with it
      for (NodeId each : world_.ids()) {
        world_.crash(each);
        if (clocks_too) world_.set_clock(each, std::chrono::milliseconds(-20'000));
        restart_after(
            each, event.lasts + Duration{static_cast<std::int64_t>(random_.below(1'000'000'000))});
      }
      return;
    }
    if (event.variant % 2 == 0) {
      // At a chosen place between persist, send and acknowledge.
      world_.crash_at(id, kFailPoints[event.variant / 8 % std::size(kFailPoints)]);
    } else {
      world_.crash(id);
    }
    restart_after(id, event.lasts);
  }

  void partition(const FaultEvent& event, NodeId id) {
    ++partitions_;
    count(event, id);
    std::vector<std::pair<NodeId, NodeId>> links;
    const std::vector<NodeId> nodes = world_.ids();
    const auto both = [&](NodeId a, NodeId b) {
      links.emplace_back(a, b);
      links.emplace_back(b, a);
    };
    switch (event.variant % 5) {
      case 0:  // one node alone
        for (NodeId other : world_.others(id)) both(id, other);
        break;
      case 1:  // it hears nobody
        for (NodeId other : world_.others(id)) links.emplace_back(other, id);
        break;
      case 2:  // nobody hears it
        for (NodeId other : world_.others(id)) links.emplace_back(id, other);
        break;
      case 3:  // a bridge: everybody hears id, the others only that
        for (NodeId a : world_.others(id)) {
          for (NodeId b : world_.others(id)) {
            if (a < b) both(a, b);
          }
        }
        break;
      default:  // halves
        for (NodeId a : nodes) {
          for (NodeId b : nodes) {
            if ((event.variant >> a.value & 8) < (event.variant >> b.value & 8)) both(a, b);
          }
        }
    }
    for (const auto& [from, to] : links) world_.cut(from, to);
    // Slow only while it is cut off: with a slow clock it would not stay the leader among others.
    if (options_.break_drift_bound) world_.set_monotonic_drift(id, kSlowClockPpm);
    if (world_options_.lease_reads && !options_.break_drift_bound) {
      // As far apart as leases allow for: whoever is cut off takes it for the shortest time.
      const std::int64_t bound = world_options_.clock_drift_ppm;
      for (const NodeId node : nodes) world_.set_monotonic_drift(node, node == id ? -bound : bound);
    }
    world_.after(event.lasts, [this, links, id] {
      for (const auto& [from, to] : links) world_.join(from, to);
      if (options_.break_drift_bound) world_.set_monotonic_drift(id, 0);
    });
  }

  void clock(const FaultEvent& event, NodeId id) {
    count(event, id);
    switch (event.variant % 3) {
      case 0:
        world_.set_clock(id, std::chrono::milliseconds(event.amount));
        break;
      case 1:
        world_.set_clock(id, std::chrono::milliseconds(event.amount / 5));
        break;
      default:
        world_.set_drift(id, event.amount * 50);
        break;  // up to a tenth
    }
    world_.after(event.lasts, [this, id] {
      world_.set_drift(id, 0);
      world_.set_clock(id, 0ms);
    });
  }

  void settle() {
    settling_ = true;
    clients_.stop();
    leaderless_.stop();
    crdts_.stop();
    causal_.stop();
    log_clients_.stop();
    world_.heal();
    if (options_.no_leader) world_.drop_if(elects);
    for (NodeId id : world_.ids()) {
      world_.set_clock(id, 0ms);
      world_.set_drift(id, 0);
      world_.slow_disk(id, Duration{});
      world_.crash_at(id, "");
      world_.pause(id, false);
      // Whoever refuses writes, or has not noticed its damage; the others go on as they are.
      if (refusing_.contains(id) || world_.damage_pending(id)) world_.crash(id);
      world_.set_disk_full(id, false);
      start(id);
    }
    const MonoTime begun = world_.now();
    bool well = false;
    while (!well && world_.now() - begun < kSettleTime) {
      world_.run_for(100ms);
      for (NodeId id : world_.ids()) start(id);
      well = clients_.idle() && leaderless_.idle() && crdts_.idle() && log_clients_.idle() &&
             world_.converged(!options_.no_leader);
    }
    if (world_.steps() >= options_.max_steps) return;
    PARALLAX_ASSERT(well, "convergence: {} s after healing the replicas are not equal",
                    std::chrono::duration_cast<std::chrono::seconds>(kSettleTime).count());
  }

  void verdict() {
    if (!options_.no_leader) checks_.check_contents(world_);
    clients_.check_end(world_);
    leaderless_.check_end(world_);
    crdts_.check_end();
    log_clients_.check_end();
    if (options_.show) {
      shown_ = leaderless_.counterexample(*options_.show);
      if (!shown_) shown_ = causal_.counterexample(*options_.show);
      if (!shown_) shown_ = log_clients_.counterexample(*options_.show);
    }
    if (const std::string broken = leaderless_.judge(); !broken.empty()) throw Broken(broken);
    if (const std::string broken = causal_.judge(); !broken.empty()) throw Broken(broken);
    if (const std::string broken = log_clients_.judge(); !broken.empty()) throw Broken(broken);
    const checker::LinearizabilityResult result = checker::check_linearizability(
        clients_.history(), {.limits = {.max_steps = 1'000'000'000}});
    if (result.verdict == checker::Verdict::yes) return;
    if (options_.show == Permitted::lease_stale_read && result.verdict == checker::Verdict::no) {
      shown_ = result.counterexample->text;
      return;
    }
    if (result.verdict == checker::Verdict::undecided) throw Undecided(result.reason);
    throw Broken("the history is not linearizable:\n" + result.counterexample->text);
  }

  SimulationOptions options_;
  FaultPlan plan_;
  Habits habits_;
  Random& random_ = habits_.random();
  Trace trace_;
  Checks checks_;
  WorldOptions world_options_;
  World world_;
  std::vector<NodeId> ids_ = world_.ids();
  Clients clients_;
  LeaderlessClients leaderless_;
  CrdtClients crdts_;
  CausalClients causal_;
  LogClients log_clients_;
  std::optional<std::string> shown_;
  bool settling_ = false;
  std::set<NodeId> refusing_;  ///< disks that are full
  std::set<NodeId> silenced_;  ///< what they have others store is lost
  std::uint64_t faults_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t partitions_ = 0;
};

/// What a line about a broken property is about, without the figures: for comparing two.
std::string essence(const std::string& broken) {
  std::string result;
  for (char c : broken.substr(0, broken.find('\n'))) {
    if (c < '0' || c > '9') result += c;
  }
  return result.substr(0, 60);
}

}  // namespace

Outcome simulate(const SimulationOptions& options, std::function<void(const std::string&)> sink) {
  const AssertionsThrow guard;
  Outcome outcome;
  std::optional<Run> run;
  try {
    run.emplace(options, std::move(sink));
    run->run();
    outcome.ok = true;
  } catch (const Broken& broken) {
    outcome.broken = broken.what();
  } catch (const Undecided& undecided) {
    outcome.ok = true;
    outcome.undecided = undecided.what();
  }
  if (run) run->report(outcome);
  return outcome;
}

SimulationOptions shrink(const SimulationOptions& options,
                         const std::function<void(const std::string&)>& progress) {
  SimulationOptions best = options;
  const Outcome first = simulate(best);
  if (first.ok) return best;
  const std::string wanted = essence(first.broken);
  const auto still_breaks = [&](const SimulationOptions& candidate) {
    const Outcome outcome = simulate(candidate);
    return !outcome.ok && essence(outcome.broken) == wanted;
  };
  // Whole kinds first, then single events, then the end of the run.
  for (FaultKind kind : std::set<FaultKind>(best.faults)) {
    SimulationOptions candidate = best;
    candidate.faults.erase(kind);
    candidate.skip.clear();  // positions are those of the plan with its kinds
    if (!still_breaks(candidate)) continue;
    best = candidate;
    progress(fmt::format("without {}", fault_name(kind)));
  }
  const std::size_t planned = simulate(best).planned;
  for (std::size_t width = std::max<std::size_t>(planned / 2, 1); width > 0; width /= 2) {
    for (std::size_t from = 0; from < planned; from += width) {
      SimulationOptions candidate = best;
      for (std::size_t i = from; i < std::min(planned, from + width); ++i) candidate.skip.insert(i);
      if (candidate.skip == best.skip || !still_breaks(candidate)) continue;
      best = candidate;
      progress(fmt::format("{} of {} faults left", planned - best.skip.size(), planned));
    }
  }
  std::uint64_t low = 0;
  std::uint64_t high = simulate(best).steps;
  while (low + 1 < high) {
    SimulationOptions candidate = best;
    candidate.max_steps = low + (high - low) / 2;
    if (still_breaks(candidate)) {
      high = candidate.max_steps;
      best = candidate;
    } else {
      low = candidate.max_steps;
    }
  }
  if (best.max_steps != options.max_steps) progress(fmt::format("{} steps", best.max_steps));
  return best;
}

std::string replay_arguments(const SimulationOptions& options) {
  std::string text = fmt::format("--seed {} --nodes {}", options.seed, options.nodes);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options.duration).count();
  text += fmt::format(" --seconds {}", seconds);
  std::vector<std::string_view> names;
  for (FaultKind kind : options.faults) names.push_back(fault_name(kind));
  if (names.size() != static_cast<std::size_t>(FaultKind::count)) {
    text += fmt::format(" --faults {}",
                        names.empty() ? "none" : fmt::format("{}", fmt::join(names, ",")));
  }
  if (!options.skip.empty()) text += fmt::format(" --skip {}", fmt::join(options.skip, ","));
  if (options.max_steps != ~std::uint64_t{0}) text += fmt::format(" --steps {}", options.max_steps);
  if (!options.level.empty()) text += fmt::format(" --level {}", options.level);
  if (options.no_leader) text += " --no-leader";
  if (options.lease_reads) text += " --lease-reads";
  if (options.break_drift_bound) text += " --break-drift-bound";
  if (options.show) text += fmt::format(" --show {}", permitted_name(*options.show));
  return text;
}

}  // namespace parallax::simulation
