// The turn: inputs in, passes over the Raft core until it asks for nothing more, one batch out.
#include "node/replica.h"

#include <algorithm>

#include "node/replica_causal.h"

namespace parallax {
namespace {

/// How often one turn may go round: apply, which lets what waited be proposed, which can commit at
/// once in a group of one.
constexpr int kMaxPasses = 4;

}  // namespace

// --- Turn ----------------------------------------------------------------------------------------

void Replica::Impl::begin_turn(TurnTime now) {
  now_.monotonic = std::max(now_.monotonic, now.monotonic);
  now_.physical = now.physical;
  bound_arrived_ = false;
  inputs_over_ = false;
  if (fatal_) return;
  skewed_ = offsets_.too_far_from_majority(config_.members.size(), config_.max_clock_skew);
  if (raft_) {
    raft_->tick(now_.monotonic);
    observe_role();
    step_aside();
  }
  causal_->tick();
  while (const auto handle = requests_.due(now_.monotonic)) on_due(*handle);
  look_at_coordinations();
  run_repairs();
  send_probes();
  drop_idle_transfers();
}

/// A leader that may not lead on asks the best follower to take over, as long as it takes.
void Replica::Impl::step_aside() {
  raft_->set_may_lead(may_lead());
  if (raft_->is_leader() && !may_lead() && !disk_failed_ && !raft_->transferring()) {
    raft_->transfer_leadership();
  }
}

void Replica::Impl::observe_role() {
  const Term term = raft_->term();
  const Role role = raft_->role();
  if ((role == Role::candidate || role == Role::leader) && term > counted_election_) {
    counted_election_ = term;
    ++counters_.elections_started;
  }
  if (role == Role::leader && term > counted_win_) {
    counted_win_ = term;
    ++counters_.elections_won;
  }
  const Term led = leading() ? term : Term{};
  const NodeId leader_now = leader();
  if (led == led_term_ && leader_now == seen_leader_) return;
  const bool lost = led_term_ != Term{} && led != led_term_;
  const bool won = led != Term{} && led != led_term_;
  led_term_ = led;
  seen_leader_ = leader_now;
  if (lost) {
    forget_proposals();
    requeue_reads();
    round_queries_.clear();
    forget_acks();
    forget_counts();
  }
  if (won) begin_counting();
  if (leader_now != kNoNode) take_back_forwards();
}

ReplicaReady Replica::Impl::take_ready(bool may_persist) {
  if (fatal_) return {};
  route_timed_reads();
  const bool persist = may_persist && !disk_failed_;
  WriteBatch batch;
  if (raft_) {
    run_raft(persist, batch);
    if (!fatal_) causal_->run(persist && !disk_failed_);
  } else if (persist) {
    decide_membership(batch);
  }
  answer_tail_waits();
  retry_stamps();
  ReplicaReady out;
  // A read that failed on the way has left half a turn: what it began must not become durable.
  if (!fatal_ && !disk_failed_ && persist && wants_batch(batch)) write(std::move(batch), out);
  if (fatal_) return {};
  out.send_now = std::exchange(send_now_, {});
  out.send_after = std::exchange(send_after_, {});
  out.replies = std::exchange(replies_, {});
  out.leased = !leased_.empty();
  return out;
}

void Replica::Impl::run_raft(bool persist, WriteBatch& batch) {
  route_waiting();
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    propose_own_entries();
    if (persist) compact_log();
    RaftReady ready = raft_->take_ready(persist);
    const LogIndex taken = raft_->log().last_index();
    bool again = !ready.committed.empty() || !ready.install.empty() || !ready.loads.empty() ||
                 !ready.chunk_reads.empty();
    if (!disk_failed_) {
      // A node whose disk refuses falls silent, so that others lead.
      for (RaftMessage& m : ready.send_now) {
        if (!outdated_chunk(m)) send_now_.push_back(envelope(m.to, std::move(m.message)));
      }
      for (RaftMessage& m : ready.send_after) {
        send_after_.push_back(envelope(m.to, std::move(m.message)));
      }
    }
    put_log(ready, batch);
    for (const SnapshotChunk& chunk : ready.install) {
      if (!install(chunk)) return;
      force_batch_ = true;  // its sender is told that it is durable
    }
    for (LogEntry& entry : ready.committed) to_apply_.push_back(std::move(entry));
    apply_committed();
    if (fatal_) return;
    serve_applied_reads();
    again |= acknowledge_writes();
    for (ConfirmedRound& confirmed : ready.confirmed) on_confirmed(std::move(confirmed));
    answer_confirmed_reads();
    for (const LogLoad& load : ready.loads) load_entries(load);
    for (const ChunkRead& read : ready.chunk_reads) read_chunk(read);
    if (fatal_) return;
    observe_role();
    again |= route_waiting() || raft_->log().last_index() > taken;
    again |= read_under_lease();
    if (fatal_) return;
    if (!again) break;
  }
  if (!index_wanted_.empty()) ask_index();
  if (persist && !disk_failed_) clean_history();
}

void Replica::Impl::on_persisted(std::uint64_t sequence) {
  if (fatal_ || disk_failed_) return;
  PARALLAX_ASSERT(!in_flight_.empty() && in_flight_.front().sequence == sequence,
                  "batch {} is durable, {} are in flight", sequence, in_flight_.size());
  InFlight flight = std::move(in_flight_.front());
  in_flight_.pop_front();
  overlay_.forget(sequence);
  if (flight.bound) {
    clock_.on_bound_durable(*flight.bound);
    bound_arrived_ = true;
  }
  durable_applied_ = flight.states.index;
  beside_log_.erase(beside_log_.begin(), beside_log_.upper_bound(sequence));
  causal_->on_persisted(sequence, flight.states.operations);
  release_held(sequence);
  if (flight.born) {
    node_.membership = flight.born->recovering ? Membership::recovering : Membership::member;
    node_.incarnation = flight.born->incarnation;
    start_raft(std::move(*flight.born));
    if (const Result<void> started = causal_->start(); !started) fail(started.error());
    next_probe_ = now_.monotonic;
  } else if (flight.mark) {
    raft_->on_persisted(*flight.mark);
    note_matches();
  }
}

// --- Failures ------------------------------------------------------------------------------------

void Replica::Impl::fail(const Error& error) {
  if (error.code == ErrorCode::corrupt || error.code == ErrorCode::refused) {
    if (!fatal_) fatal_ = error;
  } else {
    on_disk_failed(error);
  }
}

void Replica::Impl::on_disk_failed(const Error& error) {
  if (disk_failed_ || fatal_) return;
  if (!raft_) {
    disk_failed_ = error;
    return;
  }
  if (raft_->is_leader()) {
    // What the core sends may wait for a disk that never answers. This needs none: the term is
    // durable, and whoever campaigns too early only loses.
    const Progress* best = nullptr;
    NodeId to;
    for (const auto& [peer, progress] : raft_->progress()) {
      if (progress.recovering || (best != nullptr && progress.match <= best->match)) continue;
      best = &progress;
      to = peer;
    }
    if (to != kNoNode) send(to, TimeoutNow{raft_->term()});
  }
  disk_failed_ = error;
  raft_->set_may_lead(false);
  in_flight_.clear();
  send_after_.clear();
  drop_held();
  for (const Proposal& proposal : std::exchange(proposals_, {})) {
    if (requests_.find(proposal.request) == nullptr) continue;
    finish(proposal.request,
           indefinite(ErrorCode::read_only,
                      "the write is in the log of others, maybe; this node's disk refused: " +
                          error.message));
  }
  causal_->on_disk_failed();
  observe_role();
}

// --- The interface -------------------------------------------------------------------------------

Result<std::unique_ptr<Replica>> Replica::open(ReplicaConfig config, const Store& store,
                                               TurnTime now, bool lost_disk) {
  auto impl = std::make_unique<Impl>(std::move(config), store, now);
  PARALLAX_TRY(impl->load(lost_disk));
  return std::unique_ptr<Replica>(new Replica(std::move(impl)));
}

Replica::Replica(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Replica::~Replica() = default;

void Replica::begin_turn(TurnTime now) {
  impl_->begin_turn(now);
}
void Replica::on_request(RequestId id, Request&& request) {
  const Duration timeout = request.timeout;
  impl_->admit(kNoNode, id, std::move(request), timeout);
}
void Replica::on_envelope(const Envelope& envelope) {
  impl_->on_envelope(envelope);
}
void Replica::end_inputs(MonoTime now) {
  impl_->now_.monotonic = std::max(impl_->now_.monotonic, now);
  if (impl_->raft_) impl_->raft_->end_inputs(now);
}
void Replica::on_persisted(std::uint64_t sequence) {
  impl_->on_persisted(sequence);
}
void Replica::on_disk_failed(const Error& error) {
  impl_->fail(error);
}
ReplicaReady Replica::take_ready(bool may_persist) {
  return impl_->take_ready(may_persist);
}
ReplicaReady Replica::take_released() {
  ReplicaReady ready;
  if (impl_->fatal_) return ready;
  ready.send_now = std::exchange(impl_->send_now_, {});
  ready.replies = std::exchange(impl_->replies_, {});
  return ready;
}
void Replica::settle_leased(MonoTime now, ReplicaReady& ready) {
  impl_->settle_leased(now);
  ReplicaReady settled = take_released();
  for (Envelope& envelope : settled.send_now) ready.send_now.push_back(std::move(envelope));
  for (auto& reply : settled.replies) ready.replies.push_back(std::move(reply));
  ready.leased = false;
}

Result<void> Replica::transfer_leadership(NodeId to) {
  const auto& members = impl_->config_.members;
  if (std::find(members.begin(), members.end(), to) == members.end()) {
    return definite(ErrorCode::bad_parameter, fmt::format("to: node {} is no member", to));
  }
  if (!impl_->leading()) return impl_->not_leader_error();
  if (to != impl_->config_.id) impl_->raft_->transfer_leadership(to);
  return {};
}

void Replica::begin_shutdown() {
  impl_->shutting_down_ = true;
  if (!impl_->raft_) return;
  // From now on every batch takes all: the next start has nothing to restore.
  impl_->states_behind_.all_until = MonoTime::max();
  impl_->force_batch_ = true;
  impl_->step_aside();
}

const std::optional<Error>& Replica::fatal() const {
  return impl_->fatal_;
}
ReplicaStatus Replica::status() const {
  return impl_->status();
}
const ReplicaCounters& Replica::counters() const {
  return impl_->counters_;
}
const Raft* Replica::raft() const {
  return impl_->raft_ ? &*impl_->raft_ : nullptr;
}
const ReadView& Replica::state() const {
  return impl_->overlay_;
}

bool Replica::quiet() const {
  const bool alone = impl_->config_.members.size() == 1;
  return impl_->requests_.size() == 0 && (alone || !impl_->leading());
}

}  // namespace parallax
