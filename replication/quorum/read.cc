#include "replication/quorum/read.h"

#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "replication/quorum/state_content.h"

namespace parallax {

ReadOutcome answered(const QueryRound& query, const KeyState& shown, bool agreed) {
  ReadOutcome outcome = unanswered(query);
  outcome.answered = true;
  outcome.state = shown;
  outcome.agreed = agreed;
  return outcome;
}

ReadOutcome unanswered(const QueryRound& query) {
  return {.answered = false,
          .state = {},
          .agreed = false,
          .required = query.required(),
          .received = query.held().size(),
          .unresolved = query.unresolved(),
          .replicas = query.replicas()};
}

QuorumRead::QuorumRead(const Config& config, MonoTime now)
    : query_(config.query, now),
      blocking_repair_(config.blocking_repair),
      replicas_(config.query.replicas) {}

void QuorumRead::step(const Sender& from, Hlc clock, const QuorumQueryReply& reply) {
  query_.step(from, clock, reply);
  advance();
}

void QuorumRead::step(const Sender& from, const QuorumStoreReply& reply) {
  if (!repaired_) return;
  repaired_->step(from, reply);
  advance();
}

void QuorumRead::on_no_answer(NodeId replica) {
  query_.on_no_answer(replica);
  if (repaired_) repaired_->no(replica);
  advance();
}

void QuorumRead::heard(const Sender& sender) {
  query_.heard(sender);
  if (repaired_) repaired_->heard(sender);
  advance();
}

void QuorumRead::expire() {
  if (finished_) return;
  if (!outcome_) fail();
  finish();
}

void QuorumRead::advance() {
  if (finished_) return;
  if (!shown_ && query_.enough()) {
    shown_ = canary(Canary::quorum_first_answer) ? query_.held().front().state : query_.joined();
    agreed_ = query_.agree();
    counted_ = query_.replicas();
    if (blocking_repair_) {
      begin_blocking();
    } else {
      answer();
    }
  }
  if (!outcome_ && !shown_ && query_.hopeless()) fail();
  if (!outcome_ && repaired_) {
    if (repaired_->enough()) {
      answer();
    } else if (repaired_->hopeless()) {
      fail();
    } else {
      for (const NodeId replica : repaired_->to_ask()) {
        repaired_->ask(replica);
        repair(replica, *shown_);
      }
    }
  }
  if (outcome_ && !query_.waiting()) finish();
}

/// Those who are behind first: they have just answered.
void QuorumRead::begin_blocking() {
  std::vector<NodeId> order = counted_;
  for (const NodeId replica : replicas_) {
    if (std::find(order.begin(), order.end(), replica) == order.end()) order.push_back(replica);
  }
  repaired_.emplace(order, query_.required());
  for (const QueryRound::Held& held : query_.held()) {
    if (same_content(held.state, *shown_)) repaired_->yes(held.from);
  }
}

void QuorumRead::answer() {
  outcome_ = answered(query_, *shown_, agreed_);
  // Replies that came while a blocking repair was under way are not in what is shown.
  outcome_->received = counted_.size();
  outcome_->replicas = counted_;
}

void QuorumRead::fail() {
  outcome_ = unanswered(query_);
}

/// What late replies have added is in the join by now.
void QuorumRead::finish() {
  finished_ = true;
  for (const QueryRound::Held& held : query_.held()) {
    if (!same_content(held.state, query_.joined())) repair(held.from.id, query_.joined());
  }
}

void QuorumRead::repair(NodeId replica, const KeyState& state) {
  const auto sent = sent_.find(replica);
  if (sent != sent_.end() && same_content(sent->second, state)) return;
  sent_.insert_or_assign(replica, state);
  repairs_.push_back({replica, state});
}

std::vector<Repair> QuorumRead::take_repairs() {
  return std::exchange(repairs_, {});
}

}  // namespace parallax
