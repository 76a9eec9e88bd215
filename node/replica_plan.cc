// What this replica would do about a request: route() (replica_requests.cc) and what it leads to,
// as far as that can be said without doing it. The decisions are those functions' own.
#include <algorithm>

#include "node/plan.h"
#include "node/replica_causal.h"
#include "replication/quorum/atomic.h"

namespace parallax {

struct Replica::Impl::Planner {
  const Impl& at;
  Request request;
  Plan plan = {};

  bool read() const { return is_read(request.operation); }
  std::size_t members() const { return at.config_.members.size(); }
  std::size_t majority() const { return majority_of(members()); }

  bool begun() const {
    return at.node_.membership == Membership::member && at.raft_ && !at.node_.cluster.empty();
  }

  Result<Plan> make();
  Result<Plan> of_log();
  std::optional<Error> anywhere(bool& done);
  void behind_log(const Behind& missing, bool& done);
  std::optional<Error> at_leader();
  void read_at_leader();
  void write_at_leader();
  Result<Plan> of_replicas();
  std::optional<Error> ask_replicas(const QuorumSizes& sizes);
  Result<Plan> of_causal();

  Error recovering_error() const {
    return definite(ErrorCode::recovering,
                    fmt::format("node {} is recovering its data", at.config_.id));
  }
  /// This node's own state, and nobody is asked.
  void here(Path path) {
    plan.path = path;
    plan.node = at.config_.id;
    plan.replicas = {at.config_.id};
    plan.nodes_down = members() - 1;
  }
  /// Replicas among whom nobody is special, `needed` of them.
  void among(Path path, std::vector<NodeId> replicas, std::size_t needed) {
    std::sort(replicas.begin(), replicas.end());
    plan.path = path;
    plan.node = at.config_.id;
    plan.replicas = std::move(replicas);
    plan.needed = needed;
    plan.nodes_down = members() - needed;
  }
  void round_trips(unsigned usual, unsigned most) {
    const bool alone = members() == 1;
    plan.round_trips = alone ? 0 : usual;
    plan.round_trips_most = alone ? 0 : most;
  }
};

Result<Plan> Replica::Impl::Planner::make() {
  if (auto refusal = at.settle_level(request)) return std::move(*refusal);
  if (request.session && !at.node_.cluster.empty()) {
    if (auto wrong = at.session_error(*request.session)) return std::move(*wrong);
  }
  plan.is_read = read();
  plan.promises = promise_of(request.consistency, read(), {});
  Result<Plan> made =
      level_info(request.consistency.level).protocol == Protocol::leader_follower ? of_log()
      : level_info(request.consistency.level).protocol == Protocol::causal        ? of_causal()
                                                                                  : of_replicas();
  if (made) made->consistency = request.consistency;
  return made;
}

// --- The log's path ------------------------------------------------------------------------------

Result<Plan> Replica::Impl::Planner::of_log() {
  bool done = false;
  if (read() && read_anywhere(request.consistency.level)) {
    if (auto refusal = anywhere(done)) return std::move(*refusal);
  }
  if (!done) {
    if (auto refusal = at_leader()) return std::move(*refusal);
  }
  return plan;
}

/// As serve_anywhere(): from this node's state, if it is far enough. Not `done`: it is the
/// leader's.
std::optional<Error> Replica::Impl::Planner::anywhere(bool& done) {
  if (at.recovering()) return recovering_error();
  const Consistency level = request.consistency;
  PendingRequest pending;
  pending.request = request;
  const bool ready = at.local_reads_allowed();
  const std::optional<Behind> missing =
      ready ? at.behind(pending) : std::optional(Behind{"it is not ready to serve"});
  const bool session_order = level.level == Level::sequential;
  if (session_order && !request.session) {
    request.consistency = {.level = Level::prefix};
    plan.promises = promise_of(request.consistency, true, {});
  }
  if (!missing) {
    here(Path::local);
    // It stays within its bound as long as there is a leader.
    if (level.level == Level::bounded) plan.nodes_down = members() - majority();
    done = true;
    return std::nullopt;
  }
  // A bound is judged by a word of the leader, if there is one to ask.
  const bool judged = session_order || !ready || at.leader() == kNoNode;
  if (level.on_violation == OnViolation::reject && judged) {
    return definite(ErrorCode::level_unattainable,
                    fmt::format("node {}: {}", at.config_.id, missing->what));
  }
  const bool passed_on = level.on_violation == OnViolation::forward && !at.leading();
  if (passed_on && !request.forward && at.leader() != kNoNode) return at.not_leader_error();
  plan.waits_for = missing->what;
  if (ready) behind_log(*missing, done);
  return std::nullopt;
}

/// As refuse_or_wait(), for what is not refused.
void Replica::Impl::Planner::behind_log(const Behind& missing, bool& done) {
  const Consistency& level = request.consistency;
  const bool bounded = level.level == Level::bounded;
  if (at.leading() && bounded) {
    plan.waits_for.reset();  // its own round tells
    return;
  }
  if (level.on_violation == OnViolation::forward && !at.leading()) {
    // The leader's state is far enough, or its own round tells.
    plan.waits_for.reset();
    plan.path = level.max_lag ? Path::read_index : Path::local;
    plan.node = at.leader();
    plan.replicas = at.config_.members;
    plan.needed = level.max_lag ? majority() : 1;
    plan.forwarded = true;
    if (plan.node == kNoNode) plan.waits_for = missing.what;
    plan.nodes_down = members() - majority();
    round_trips(level.max_lag ? 2 : 1, bounded ? 2 : 1);
    done = true;
    return;
  }
  here(Path::local);
  done = true;
  if (!bounded) return;  // the log brings it
  // The leader is asked what is committed, and asks a majority whether it leads.
  plan.replicas = at.config_.members;
  plan.needed = majority();
  plan.nodes_down = members() - majority();
  round_trips(2, 2);
}

/// As route(): here, or passed on to the leader.
std::optional<Error> Replica::Impl::Planner::at_leader() {
  plan.replicas = at.config_.members;
  if (at.leading()) {
    plan.node = at.config_.id;
    if (!at.serving()) plan.waits_for = "the first entry of its term";
    if (!read()) {
      if (auto refusal = at.stamp_refusal()) return refusal;
    }
  } else {
    if (at.disk_failed_ && !read()) return at.stamp_refusal();
    plan.node = at.leader();
    if (plan.node == kNoNode) {
      plan.waits_for = "a leader";
    } else if (!request.forward) {
      return at.not_leader_error();
    } else {
      plan.waits_for.reset();
    }
    plan.forwarded = true;
  }
  if (read()) {
    read_at_leader();
  } else {
    write_at_leader();
  }
  if (plan.forwarded) {
    ++plan.round_trips;
    ++plan.round_trips_most;
  }
  return std::nullopt;
}

/// What other protocols have written to the key, or an expiry, goes through the log first.
void Replica::Impl::Planner::read_at_leader() {
  const bool linearizable = request.consistency.level == Level::linearizable;
  plan.nodes_down = members() - majority();
  if (!linearizable && !at.leading()) {  // this node is not ready; the leader's state will do
    plan.path = Path::local;
    return;
  }
  // Another leader's lease is not known here; its settings are those of all.
  const bool leased =
      at.leading() ? at.may_read_under_lease(request) : linearizable && at.config_.lease_reads;
  plan.path = leased ? Path::lease : Path::read_index;
  plan.needed = majority();
  round_trips(leased ? 0 : 1, linearizable ? 2 : 1);
}

void Replica::Impl::Planner::write_at_leader() {
  const Ack ack = request.consistency.ack;
  const std::size_t two = std::min<std::size_t>(2, members());
  const bool degraded = at.leading() && at.semi_sync_.degraded;
  plan.path = Path::log;
  plan.needed = ack == Ack::leader      ? 1
                : ack == Ack::semi_sync ? (degraded ? 1 : two)
                : ack == Ack::all       ? members()
                                        : majority();
  // Whatever is acknowledged, a leader leads as long as a majority hears it.
  plan.nodes_down = members() - (ack == Ack::all ? members() : majority());
  // Fewer than a majority may have no say in who leads next: a crash is enough then.
  if (plan.needed >= majority()) plan.disks_lost = plan.needed - 1;
  const unsigned usual = plan.needed == 1 ? 0 : 1;
  round_trips(usual, usual);
}

// --- Levels without a leader ---------------------------------------------------------------------

/// As serve_leaderless().
Result<Plan> Replica::Impl::Planner::of_replicas() {
  if (at.recovering()) return recovering_error();
  if (!begun()) plan.waits_for = "the cluster's beginning";
  QuorumSizes sizes{.n = members(), .r = 1, .w = 1};
  if (request.consistency.level == Level::quorum) {
    PARALLAX_ASSIGN(sizes, at.quorum_sizes(request.consistency));
  } else if (request.consistency.level == Level::atomic) {
    sizes.r = sizes.w = majority();
  }
  plan.promises = promise_of(request.consistency, read(), sizes);
  if (!read()) {
    if (auto refusal = at.stamp_refusal()) return std::move(*refusal);
  }
  if (auto refusal = ask_replicas(sizes)) return std::move(*refusal);
  return plan;
}

std::optional<Error> Replica::Impl::Planner::ask_replicas(const QuorumSizes& sizes) {
  const Consistency& level = request.consistency;
  const bool atomic = level.level == Level::atomic;
  const Path path = atomic ? Path::abd : Path::quorum;
  if (!at.raft_) {
    here(path);
  } else if (read() && at.reads_here(request, sizes)) {
    here(Path::local);
  } else if (read()) {
    std::vector<NodeId> asked = atomic
                                    ? AtomicRead(at.atomic_config(), at.now_.monotonic).take_asks()
                                    : at.quorum_read(level, sizes).take_asks();
    among(path, std::move(asked), sizes.r);
    // Written back where they differ.
    round_trips(1, atomic || level.blocking_repair ? 2 : 1);
  } else if (level.level == Level::eventual || level.level == Level::weak) {
    here(Path::local);
    if (level.level == Level::eventual) plan.disks_lost = 0;
  } else {
    if (!atomic) {
      QuorumWrite write(at.write_config(level, sizes));
      if (!write.start()) return too_few_can_store(*write.outcome());
    }
    among(path, at.config_.members, sizes.w);
    plan.disks_lost = sizes.w - 1;
    if (level.sloppy) {
      // Hints stand in for all that are not there: it is on this disk alone then.
      plan.nodes_down = members() - 1;
      plan.disks_lost = 0;
    }
    const unsigned store = sizes.w == 1 ? 0 : 1;
    const unsigned trips = atomic ? 2u : store;
    round_trips(trips, trips);
  }
  return std::nullopt;
}

/// As Causality::serve().
Result<Plan> Replica::Impl::Planner::of_causal() {
  if (at.recovering()) return recovering_error();
  here(Path::causal);
  if (!read()) {
    if (auto refusal = at.stamp_refusal()) return std::move(*refusal);
    plan.disks_lost = 0;
  }
  if (!begun() || !at.causal_->running()) {
    plan.waits_for = "the cluster's beginning";
    return plan;
  }
  if (at.causal_->may_serve(request)) return plan;
  PendingRequest pending;
  pending.request = request;
  Error late = at.causal_->late_error(pending);
  if (request.consistency.on_violation == OnViolation::reject) {
    late.code = ErrorCode::level_unattainable;
    return late;
  }
  const NodeId there = request.consistency.on_violation == OnViolation::forward && request.forward
                           ? at.causal_->who_is_there(request)
                           : kNoNode;
  if (there == kNoNode) {
    plan.waits_for = std::move(late.message);
    return plan;
  }
  plan.node = there;
  plan.replicas = {there};
  plan.forwarded = true;
  plan.nodes_down = 0;
  round_trips(1, 1);
  return plan;
}

Result<Plan> Replica::plan(Request request) const {
  return Impl::Planner{.at = *impl_, .request = std::move(request)}.make();
}

}  // namespace parallax
