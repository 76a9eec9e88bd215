#include "replication/quorum/atomic.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "replication/quorum/sizes.h"
#include "replication/quorum/state_content.h"

namespace parallax {
namespace {

QueryRound::Config majority_query(const AtomicConfig& config) {
  return {.replicas = config.replicas,
          .required = majority_of(config.replicas.size()),
          .speculate_after = config.speculate_after};
}

QuorumWrite::Config majority_store(const AtomicConfig& config) {
  return {.self = config.self,
          .replicas = config.replicas,
          .w = majority_of(config.replicas.size()),
          .absent = config.absent};
}

/// Every majority query meets it: the log has it.
bool committed(const Version& version) {
  return version.log_index != LogIndex{};
}

/// `state` with its winner buried if its time is over at `now`.
KeyState expire_winner(KeyState state, UnixMillis now) {
  const Version* winner = state.winner();
  if (winner == nullptr || winner->tombstone || !winner->expired_at(now)) return state;
  Version buried = *winner;
  bury(buried);
  state.add(std::move(buried));
  return state;
}

}  // namespace

AtomicRead::AtomicRead(const AtomicConfig& config, MonoTime now)
    : replicas_(config.replicas), query_(majority_query(config), now) {
  for (const NodeId replica : config.absent) query_.on_no_answer(replica);
  advance();
}

void AtomicRead::step(const Sender& from, Hlc clock, const QuorumQueryReply& reply) {
  query_.step(from, clock, reply);
  advance();
}

void AtomicRead::step(const Sender& from, const QuorumStoreReply& reply) {
  if (!stored_) return;
  stored_->step(from, reply);
  advance();
}

void AtomicRead::on_no_answer(NodeId replica) {
  query_.on_no_answer(replica);
  if (stored_) stored_->no(replica);
  advance();
}

void AtomicRead::heard(const Sender& sender) {
  query_.heard(sender);
  if (stored_) stored_->heard(sender);
  advance();
}

/// Whether a replica that holds `state` can never again let a majority show less than the answer.
bool AtomicRead::settled(const KeyState& state) const {
  const Version* winner = shown_->winner();
  // An absence rests on all that is known to have been replaced.
  return winner == nullptr ? same_content(state, *shown_) : holds(state, *winner);
}

void AtomicRead::advance() {
  if (outcome_) return;
  if (!shown_ && query_.enough()) {
    agreed_ = query_.agree();
    shown_ = expire_winner(query_.joined(), query_.clock().millis());
    const auto agreeing = static_cast<std::size_t>(
        std::count_if(query_.held().begin(), query_.held().end(),
                      [&](const QueryRound::Held& held) { return settled(held.state); }));
    const Version* winner = shown_->winner();
    const bool in_log = winner != nullptr && committed(*winner);
    if (agreeing < query_.required() && !in_log) begin_write_back();
  }
  const bool hopeless = stored_ ? stored_->hopeless() : !shown_ && query_.hopeless();
  if (shown_ && (!stored_ || stored_->enough())) {
    outcome_ = answered(query_, *shown_, agreed_);
  } else if (hopeless) {
    expire();
  }
}

void AtomicRead::begin_write_back() {
  stored_.emplace(replicas_, query_.required());
  for (const QueryRound::Held& held : query_.held()) {
    if (settled(held.state)) stored_->yes(held.from);
  }
  for (const NodeId replica : stored_->all(Tally::Word::unasked)) {
    stored_->ask(replica);
    stores_.push_back({replica, *shown_});
  }
}

void AtomicRead::expire() {
  if (outcome_) return;
  outcome_ = unanswered(query_);
}

std::vector<Repair> AtomicRead::take_stores() {
  return std::exchange(stores_, {});
}

// --- Write --------------------------------------------------------------------------------------

AtomicWrite::AtomicWrite(const AtomicConfig& config, MonoTime now)
    : query_(majority_query(config), now), write_(majority_store(config)) {
  for (const NodeId replica : config.absent) query_.on_no_answer(replica);
  advance();
}

void AtomicWrite::step(const Sender& from, Hlc clock, const QuorumQueryReply& reply) {
  query_.step(from, clock, reply);
  advance();
}

void AtomicWrite::advance() {
  if (phase_ == Phase::query && query_.enough()) {
    phase_ = Phase::stamp;
    above_ = query_.clock();
  } else if (phase_ == Phase::query && query_.hopeless()) {
    write_.on_refused();
  }
  if (write_.outcome()) phase_ = Phase::done;
}

std::optional<AtomicWrite::StampRequest> AtomicWrite::stamp_request() const {
  if (phase_ != Phase::stamp) return std::nullopt;
  const KeyState& seen = query_.joined();
  const Version* winner = seen.winner();
  const Hlc highest = std::max(seen.context().highest(), winner ? winner->stamp.hlc : Hlc{});
  return StampRequest{.seen = seen, .above = std::max(above_, highest)};
}

void AtomicWrite::on_stamped(const Stamp& stamp) {
  const auto request = stamp_request();
  PARALLAX_ASSERT(request.has_value(), "phase {}", static_cast<int>(phase_));
  PARALLAX_ASSERT(stamp.hlc > request->above, "stamp {}, seen {}", stamp, request->above);
  phase_ = Phase::store;
  write_.start();
  advance();
}

void AtomicWrite::on_persisted() {
  write_.on_persisted();
  advance();
}

void AtomicWrite::on_disk_failed() {
  write_.on_disk_failed();
  advance();
}

void AtomicWrite::step(const Sender& from, const QuorumStoreReply& reply) {
  if (phase_ == Phase::store || phase_ == Phase::done) write_.step(from, reply);
  advance();
}

void AtomicWrite::on_no_answer(NodeId replica) {
  query_.on_no_answer(replica);
  write_.on_no_answer(replica);
  advance();
}

void AtomicWrite::heard(const Sender& sender) {
  // What has been read stays a lower bound for the stamp; how many have said it may not.
  query_.heard(sender);
  if (phase_ == Phase::stamp && !query_.enough()) phase_ = Phase::query;
  write_.heard(sender);
  advance();
}

void AtomicWrite::expire() {
  write_.expire();
  advance();
}

std::vector<NodeId> AtomicWrite::take_asks() {
  if (phase_ != Phase::query) return {};
  return query_.take_asks();
}

}  // namespace parallax
