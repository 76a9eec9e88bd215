#include "replication/quorum/query_round.h"

#include <algorithm>

#include "replication/quorum/state_content.h"

namespace parallax {

QueryRound::QueryRound(const Config& config, MonoTime now)
    : tally_(config.replicas, config.required) {
  if (config.speculate_after) speculate_at_ = now + *config.speculate_after;
}

void QueryRound::step(const Sender& from, Hlc clock, const QuorumQueryReply& reply) {
  heard(from);
  if (reply.status != QuorumQueryStatus::held) {
    if (reply.status == QuorumQueryStatus::unresolved) ++unresolved_;
    tally_.no(from.id);
    return;
  }
  if (!tally_.yes(from)) return;
  joined_.join(reply.state);
  held_.push_back({from, reply.state, clock});
}

void QueryRound::heard(const Sender& sender) {
  if (!tally_.heard(sender)) return;
  // What a lost disk said is left out of the join as well: nobody may hold it any more.
  std::erase_if(held_,
                [&](const Held& held) { return tally_.of(held.from.id) != Tally::Word::yes; });
  joined_ = KeyState{};
  for (const Held& held : held_) joined_.join(held.state);
}

void QueryRound::tick(MonoTime now) {
  if (!speculate_at_ || now < *speculate_at_) return;
  speculate_at_.reset();
  speculated_ = !enough() && tally_.next() != kNoNode;
}

std::vector<NodeId> QueryRound::take_asks() {
  std::vector<NodeId> asks = tally_.to_ask();
  for (const NodeId replica : asks) tally_.ask(replica);
  if (speculated_ && !extra_asked_ && !enough()) {
    extra_asked_ = true;
    if (const NodeId extra = tally_.next(); extra != kNoNode) {
      tally_.ask(extra);
      asks.push_back(extra);
    }
  }
  return asks;
}

std::optional<MonoTime> QueryRound::next_tick() const {
  return enough() ? std::nullopt : speculate_at_;
}

std::vector<NodeId> QueryRound::replicas() const {
  std::vector<NodeId> nodes;
  for (const Held& held : held_) nodes.push_back(held.from.id);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

Hlc QueryRound::clock() const {
  Hlc highest;
  for (const Held& held : held_) highest = std::max(highest, held.clock);
  return highest;
}

bool QueryRound::agree() const {
  return std::all_of(held_.begin(), held_.end(),
                     [&](const Held& held) { return same_content(held.state, joined_); });
}

}  // namespace parallax
