// What the cores of the levels without a leader ask for, carried out: queries and stores of others
// and of this node itself, answers; and what comes in for them.
#include <algorithm>

#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"

namespace parallax {
namespace {

/// How long late replies are waited for after the answer: for repairs, and to know who has missed a
/// write.
constexpr Duration kLinger = std::chrono::milliseconds(1'000);
/// So many writes that are answered wait for the acknowledgements that are still out; beyond, the
/// oldest waits no longer.
constexpr std::size_t kMostLingering = 20'000;

void expire_core(QuorumCore& core) {
  std::visit([](auto& c) { c.expire(); }, core);
}

bool wants_nothing(const QuorumCore& core) {
  struct Finished {
    bool operator()(const QuorumRead& c) const { return c.finished(); }
    bool operator()(const QuorumWrite& c) const { return c.outcome() && !c.waiting(); }
    bool operator()(const AtomicRead& c) const { return c.outcome().has_value(); }
    bool operator()(const AtomicWrite& c) const {
      // Given up before it was stamped, nothing of it is anywhere.
      const bool begun = c.phase() == AtomicWrite::Phase::store || c.outcome();
      return !begun || (c.outcome() && !c.write().waiting());
    }
  };
  return std::visit(Finished{}, core);
}

}  // namespace

// --- What the cores ask for ----------------------------------------------------------------------

/// Carries out what a core asks for until it asks for nothing more, and answers when it can.
void Replica::Impl::advance(std::uint64_t id) {
  for (bool again = true; again && !fatal_;) {
    const auto found = coordinations_.find(id);
    if (found == coordinations_.end()) return;
    again = carry_out_core(id, found->second);
  }
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end() || fatal_) return;
  answer_core(found->second);
  const auto left = coordinations_.find(id);
  if (left == coordinations_.end() || requests_.find(left->second.request) != nullptr) return;
  if (wants_nothing(left->second.core)) end_coordination(id);
}

/// True when this node's own word may have moved the core.
bool Replica::Impl::carry_out_core(std::uint64_t id, Coordination& at) {
  std::optional<QuorumQueryReply> own;
  const auto ask = [&](const std::vector<NodeId>& replicas) {
    for (const NodeId replica : replicas) {
      if (replica == config_.id) {
        own = query(at.key, at.majority, OwnQuery{id}, request_time_left(at.request));
      } else {
        if (!at.asked) at.asked = now_.monotonic;
        send(replica, QuorumQuery{.call = {config_.life, query_call(id)},
                                  .key = at.key,
                                  .majority = at.majority,
                                  .remaining = request_time_left(at.request)});
      }
    }
  };
  const auto store = [&](std::vector<Repair> stores) {
    for (Repair& repair : stores) {
      if (repair.to == config_.id) {
        if (take_in(at.key, repair.state, applied_.index)) {
          after_batch(next_sequence_, OwnStored{id});
        }
      } else {
        send(repair.to, QuorumStore{.call = {config_.life, store_call(id)},
                                    .key = at.key,
                                    .state = std::move(repair.state)});
      }
    }
  };
  const auto send_state = [&](const std::vector<NodeId>& targets) {
    for (const NodeId target : targets) {
      if (!at.sent) at.sent = now_.monotonic;
      send(target,
           QuorumStore{.call = {config_.life, store_call(id)}, .key = at.key, .state = *at.state});
    }
  };
  if (auto* read = std::get_if<QuorumRead>(&at.core)) {
    ask(read->take_asks());
    std::vector<Repair> repairs = read->take_repairs();
    if (!repairs.empty()) mark(Mark::read_repaired);
    store(std::move(repairs));
  } else if (auto* atomic = std::get_if<AtomicRead>(&at.core)) {
    ask(atomic->take_asks());
    std::vector<Repair> stores = atomic->take_stores();
    if (canary(Canary::read_not_written_back)) {
      for (const Repair& repair : stores) {
        atomic->step(Sender{.id = repair.to}, QuorumStoreReply{.stored = true});
      }
      stores.clear();
    }
    if (!stores.empty()) mark(Mark::atomic_read_wrote_back);
    store(std::move(stores));
  } else if (auto* write = std::get_if<QuorumWrite>(&at.core)) {
    const std::vector<NodeId> targets = write->take_targets();
    at.handed_out = at.handed_out || !targets.empty();
    send_state(targets);
    stand_in(id, at, *write);
  } else {
    auto& both = std::get<AtomicWrite>(at.core);
    ask(both.take_asks());
    if (both.phase() == AtomicWrite::Phase::stamp) {
      stamp_atomic(id, both);
      return false;
    }
    send_state(both.take_targets());
  }
  if (own) {
    step_core(at.core, Sender{.id = config_.id, .incarnation = node_.incarnation},
              clock_.peek(now_.physical), *own);
  }
  return own.has_value();
}

Duration Replica::Impl::request_time_left(RequestHandle handle) {
  const PendingRequest* pending = requests_.find(handle);
  if (pending == nullptr) return kLinger;
  return std::max(Duration{}, pending->deadline - now_.monotonic);
}

void Replica::Impl::answer_core(Coordination& at) {
  PendingRequest* const pending = requests_.find(at.request);
  if (pending == nullptr || pending->stage != PendingRequest::Stage::coordinated) return;
  const bool atomic = pending->request.consistency.level == Level::atomic;
  const std::optional<ReadOutcome>* read = nullptr;
  if (const auto* core = std::get_if<QuorumRead>(&at.core)) read = &core->outcome();
  if (const auto* core = std::get_if<AtomicRead>(&at.core)) read = &core->outcome();
  if (read != nullptr) {
    if (!*read) return;
    const ReadOutcome& outcome = **read;
    at.answered = now_.monotonic;
    if (!outcome.answered) {
      finish(at.request,
             not_enough_replicas(Certainty::definite, outcome.required, outcome.received,
                                 "have answered", outcome.unresolved));
      return;
    }
    Answer answer;
    answer.consistency = pending->request.consistency;
    answer.session = session_for(pending->request, LogIndex{});
    answer.evidence = leaderless_evidence(atomic ? Path::abd : Path::quorum, outcome.replicas);
    // An atomic read has decided what is expired: at the clocks of those who have answered.
    const UnixMillis now = atomic ? UnixMillis{} : clock_.peek(now_.physical).millis();
    show_key(pending->request.operation, outcome.state, strategy_of(at.key), now, answer);
    finish(at.request, std::move(answer));
    return;
  }
  const auto* plain = std::get_if<QuorumWrite>(&at.core);
  const auto& outcome =
      plain != nullptr ? plain->outcome() : std::get<AtomicWrite>(at.core).outcome();
  if (!outcome) return;
  at.answered = now_.monotonic;
  if (outcome->acknowledged) {
    const bool local = pending->request.consistency.level == Level::eventual;
    answer_write(at.request,
                 atomic  ? Path::abd
                 : local ? Path::local
                         : Path::quorum,
                 outcome->replicas);
    return;
  }
  mark(Mark::quorum_write_failed);
  const bool stored = at.state.has_value();
  finish(at.request, not_enough_replicas(outcome->certainty, outcome->required, outcome->received,
                                         stored ? "have stored it" : "have answered its query"));
}

/// The deadline of its request has passed.
void Replica::Impl::expire_coordination(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  expire_core(found->second.core);
  advance(id);
}

void Replica::Impl::end_coordination(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  const Coordination& at = found->second;
  if (const auto* write = std::get_if<QuorumWrite>(&at.core)) {
    on_missed(at.key, write->missing());
  } else if (const auto* atomic = std::get_if<AtomicWrite>(&at.core)) {
    if (at.state) on_missed(at.key, atomic->write().missing());
  }
  drop_coordination(id);
}

void Replica::Impl::drop_coordination(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  looks_.erase({found->second.look_at, id});
  coordinations_.erase(found);
}

// --- What comes in -------------------------------------------------------------------------------

void Replica::Impl::on_own_query(std::uint64_t id, QuorumQueryStatus status,
                                 const KeyState& state) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  const QuorumQueryReply reply{.call = {}, .status = status, .state = state};
  step_core(found->second.core, Sender{.id = config_.id, .incarnation = node_.incarnation},
            clock_.peek(now_.physical), reply);
  advance(id);
}

void Replica::Impl::on_own_stored(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  QuorumCore& core = found->second.core;
  const Sender self{.id = config_.id, .incarnation = node_.incarnation};
  const QuorumStoreReply reply{.call = {}, .stored = true};
  if (auto* write = std::get_if<QuorumWrite>(&core)) {
    write->on_persisted();
  } else if (auto* atomic = std::get_if<AtomicWrite>(&core)) {
    atomic->on_persisted();
  } else if (auto* read = std::get_if<QuorumRead>(&core)) {
    read->step(self, reply);
  } else {
    std::get<AtomicRead>(core).step(self, reply);
  }
  advance(id);
}

void Replica::Impl::on_own_hint(std::uint64_t id, NodeId target) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  if (auto* write = std::get_if<QuorumWrite>(&found->second.core)) write->on_own_hint(target);
  advance(id);
}

void Replica::Impl::on_own_store_failed(std::uint64_t id) {
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end()) return;
  QuorumCore& core = found->second.core;
  if (auto* write = std::get_if<QuorumWrite>(&core)) {
    write->on_disk_failed();
  } else if (auto* atomic = std::get_if<AtomicWrite>(&core)) {
    atomic->on_disk_failed();
  } else {
    std::visit(
        [&](auto& c) {
          if constexpr (requires { c.step(Sender{}, QuorumStoreReply{}); }) {
            c.step(Sender{.id = config_.id}, QuorumStoreReply{.call = {}, .stored = false});
          }
        },
        core);
  }
  advance(id);
}

void Replica::Impl::step_core(QuorumCore& core, const Sender& from, Hlc clock,
                              const QuorumQueryReply& reply) {
  std::visit(
      [&](auto& c) {
        if constexpr (requires { c.step(from, clock, reply); }) c.step(from, clock, reply);
      },
      core);
}

void Replica::Impl::on_quorum_query_reply(const Envelope& envelope, const QuorumQueryReply& reply) {
  if (reply.call.life != config_.life) return;
  const std::uint64_t id = coordination_of(reply.call.id);
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end() || reply.call.id != query_call(id)) {
    on_other_query_reply(envelope, reply);
    return;
  }
  Coordination& at = found->second;
  if (at.asked && reply.status == QuorumQueryStatus::held) {
    query_time_.add(now_.monotonic - *at.asked);
    counters_.peer_queries.add(now_.monotonic - *at.asked);
  }
  step_core(at.core, {envelope.from, envelope.incarnation, envelope.recovering}, envelope.clock,
            reply);
  advance(id);
}

void Replica::Impl::on_quorum_store_reply(const Envelope& envelope, const QuorumStoreReply& reply) {
  if (reply.call.life != config_.life) return;
  const std::uint64_t id = coordination_of(reply.call.id);
  const auto found = coordinations_.find(id);
  if (found == coordinations_.end() || reply.call.id != store_call(id)) {
    on_other_store_reply(envelope, reply);
    return;
  }
  const Coordination& at = found->second;
  if (at.sent && reply.stored && reply.hint_for == kNoNode) {
    const Duration took = now_.monotonic - *at.sent;
    counters_.peer_stores.add(took);
    // By two clocks, so that it may come out below nothing.
    counters_.peer_ways.add(std::max(took - Duration(reply.held), Duration{}));
  }
  const Sender from{envelope.from, envelope.incarnation, envelope.recovering};
  std::visit([&](auto& core) { core.step(from, reply); }, found->second.core);
  advance(id);
}

/// A later life of a peer, or one that has begun to recover: its earlier word does not count.
void Replica::Impl::heard_life(const Sender& sender) {
  std::vector<std::uint64_t> ids;
  for (auto& [id, at] : coordinations_) {
    std::visit([&](auto& core) { core.heard(sender); }, at.core);
    ids.push_back(id);
  }
  for (const std::uint64_t id : ids) advance(id);
}

// --- Time ----------------------------------------------------------------------------------------

void Replica::Impl::look_again(std::uint64_t id, MonoTime at) {
  Coordination& of = coordinations_.at(id);
  looks_.erase({of.look_at, id});
  struct NextTick {
    std::optional<MonoTime> operator()(const QuorumRead& c) const { return c.next_tick(); }
    std::optional<MonoTime> operator()(const QuorumWrite&) const { return std::nullopt; }
    std::optional<MonoTime> operator()(const AtomicRead& c) const { return c.next_tick(); }
    std::optional<MonoTime> operator()(const AtomicWrite& c) const { return c.next_tick(); }
  };
  of.look_at = std::min(at, std::visit(NextTick{}, of.core).value_or(at));
  looks_.emplace(of.look_at, id);
}

void Replica::Impl::look_at_coordinations() {
  while (!looks_.empty() && looks_.begin()->first <= now_.monotonic) {
    const std::uint64_t id = looks_.begin()->second;
    Coordination& at = coordinations_.at(id);
    std::visit(
        [&](auto& core) {
          if constexpr (requires { core.tick(now_.monotonic); }) core.tick(now_.monotonic);
        },
        at.core);
    ask_others_than_silent(at);
    if (at.answered && now_.monotonic - *at.answered >= kLinger) {
      expire_core(at.core);
      advance(id);
      if (coordinations_.contains(id)) end_coordination(id);
      continue;
    }
    look_again(id, now_.monotonic + kCoordinationLook);
    advance(id);
  }
  // Those that are answered and wait for a last word are not worth unbounded memory.
  while (coordinations_.size() > requests_.size() + kMostLingering) {
    const auto oldest =
        std::find_if(coordinations_.begin(), coordinations_.end(),
                     [&](const auto& c) { return requests_.find(c.second.request) == nullptr; });
    if (oldest == coordinations_.end()) break;
    end_coordination(oldest->first);
  }
}

/// A query that waits for replicas that have fallen silent goes to others, if there are enough. A
/// write that is answered does not wait for their word.
void Replica::Impl::ask_others_than_silent(Coordination& at) {
  std::vector<NodeId> gone;
  for (const NodeId id : config_.members) {
    if (silent(id)) gone.push_back(id);
  }
  if (gone.empty()) return;
  const std::size_t there = config_.members.size() - gone.size();
  if (auto* read = std::get_if<QuorumRead>(&at.core)) {
    if (there < read->query().required()) return;
    for (const NodeId id : gone) read->on_no_answer(id);
  } else if (auto* write = std::get_if<QuorumWrite>(&at.core)) {
    if (!write->outcome()) return;
    for (const NodeId id : gone) write->on_no_answer(id);
  } else if (there >= majority_of(config_.members.size())) {
    for (const NodeId id : gone) {
      std::visit([&](auto& core) { core.on_no_answer(id); }, at.core);
    }
  }
}

}  // namespace parallax
