#include "replication/quorum/write.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax {

QuorumWrite::QuorumWrite(const Config& config)
    : self_(config.self), sloppy_(config.sloppy), tally_(config.replicas, config.w) {
  PARALLAX_ASSERT(
      std::find(config.replicas.begin(), config.replicas.end(), self_) != config.replicas.end(),
      "node {} coordinates without being a replica", self_);
  for (const NodeId replica : config.absent) tally_.no(replica);
  // Whoever is absent does not count, but gets the state all the same: it is what it lacks.
  for (const NodeId replica : config.replicas) {
    if (replica != self_) targets_.push_back(replica);
  }
}

bool QuorumWrite::start() {
  PARALLAX_ASSERT(own_ == Own::idle, "started twice; own state {}", static_cast<int>(own_));
  if (tally_.hopeless()) {
    own_ = Own::refused;
    fail(Certainty::definite);
    return false;
  }
  own_ = Own::persisting;
  tally_.ask(self_);
  return true;
}

void QuorumWrite::on_persisted() {
  PARALLAX_ASSERT(own_ == Own::persisting, "own state {}", static_cast<int>(own_));
  own_ = Own::durable;
  tally_.yes({.id = self_});
  decide();
}

void QuorumWrite::on_refused() {
  PARALLAX_ASSERT(own_ == Own::idle || own_ == Own::persisting, "own state {}",
                  static_cast<int>(own_));
  own_ = Own::refused;
  tally_.no(self_);
  if (!outcome_) fail(Certainty::definite);
}

void QuorumWrite::on_disk_failed() {
  PARALLAX_ASSERT(own_ == Own::persisting, "own state {}", static_cast<int>(own_));
  own_ = Own::failed;
  tally_.no(self_);
  if (!outcome_) fail(Certainty::indefinite);
}

void QuorumWrite::step(const Sender& from, const QuorumStoreReply& reply) {
  const bool stands_in = reply.hint_for != kNoNode && reply.hint_for != from.id;
  if (stands_in) {
    if (sloppy_ && reply.stored) tally_.yes(reply.hint_for, from);
  } else {
    tally_.step(from, reply);
  }
  decide();
}

void QuorumWrite::on_own_hint(NodeId target) {
  if (sloppy_ && own_ == Own::durable) tally_.yes(target, {.id = self_});
  decide();
}

void QuorumWrite::on_no_answer(NodeId replica) {
  tally_.no(replica);
  decide();
}

void QuorumWrite::heard(const Sender& sender) {
  tally_.heard(sender);
  decide();
}

void QuorumWrite::expire() {
  if (outcome_) return;
  const bool nowhere = own_ == Own::idle;
  if (nowhere) own_ = Own::refused;
  fail(nowhere ? Certainty::definite : Certainty::indefinite);
}

void QuorumWrite::decide() {
  if (outcome_) return;
  // Its own word first, whatever the others say.
  if (own_ == Own::durable && tally_.enough()) {
    outcome_ = WriteOutcome{.acknowledged = true,
                            .certainty = Certainty::definite,
                            .required = tally_.required(),
                            .received = tally_.received(),
                            .replicas = tally_.all(Tally::Word::yes)};
  } else if (tally_.hopeless() && own_ != Own::idle && !sloppy_) {
    // A sloppy one may still find somebody to stand in.
    fail(Certainty::indefinite);
  }
}

void QuorumWrite::fail(Certainty certainty) {
  outcome_ = WriteOutcome{.acknowledged = false,
                          .certainty = certainty,
                          .required = tally_.required(),
                          .received = tally_.received(),
                          .replicas = tally_.all(Tally::Word::yes)};
}

std::vector<NodeId> QuorumWrite::take_targets() {
  if (own_ != Own::durable) return {};
  std::vector<NodeId> targets = std::move(targets_);
  targets_.clear();
  for (const NodeId replica : targets) tally_.ask(replica);
  return targets;
}

bool QuorumWrite::waiting() const {
  return own_ == Own::persisting || (own_ == Own::durable && tally_.waiting());
}

std::vector<NodeId> QuorumWrite::missing() const {
  std::vector<NodeId> nodes;
  if (own_ != Own::durable) return nodes;
  for (const Tally::Word word : {Tally::Word::unasked, Tally::Word::asked, Tally::Word::no}) {
    const std::vector<NodeId> some = tally_.all(word);
    nodes.insert(nodes.end(), some.begin(), some.end());
  }
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

}  // namespace parallax
