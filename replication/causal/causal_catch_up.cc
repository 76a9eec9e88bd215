// What a node lacks, and how it comes by it: fetches from logs, transfers behind them.
#include <algorithm>

#include "base/assert.h"
#include "base/canary.h"
#include "replication/causal/causal.h"

namespace parallax {
namespace {

/// Pages of one transfer that may get lost one after another; then somebody else may do better.
constexpr int kMostFailures = 5;

}  // namespace

/// Heard from so lately that it is worth asking.
bool Causal::present(const Peer& peer) const {
  return peer.heard && !peer.recovering && now_ - peer.heard_at <= 3 * config_.idle_status_interval;
}

// --- Fetches ------------------------------------------------------------------------------------

void Causal::request_fetches() {
  OriginVector known;
  for (const auto& [id, peer] : peers_) known.join(peer.applied);
  for (const auto& [origin, count] : known.entries()) {
    if (origin == self_) continue;
    const std::uint64_t reached = delivery_.reached(origin);
    if (count <= reached) {
      fetches_.erase(origin);
      continue;
    }
    Fetch& fetch =
        fetches_.try_emplace(origin, Fetch{.since = now_, .reached = reached}).first->second;
    // It falls, too, when an incarnation is over and what waits is let go of.
    if (reached != fetch.reached) {
      fetch.reached = reached;
      fetch.since = now_;
      fetch.trimmed.clear();
    }
    if (fetch.asked) {
      if (now_ < fetch.asked->deadline) continue;
      fetch.asked.reset();
      fetch.at_once = true;
      ++fetch.attempts;
    }
    if (!fetch.at_once && now_ - fetch.since < config_.patience) continue;
    if (!delivery_.has_room(origin)) continue;
    const NodeId peer = whom_to_ask(origin, fetch);
    fetch.at_once = false;
    if (peer == kNoNode) {
      fetch.since = now_;
      begin_transfer(fetch);
      continue;
    }
    fetch.asked = {peer, next_call(), now_ + config_.answer_timeout};
    ++counters_.fetches;
    ready_.send_now.push_back(
        {peer, CausalFetch{.call = fetch.asked->call, .origin = origin, .after = reached}});
  }
}

/// Somebody who has more of `origin` than this node: the origin itself first, then one after
/// another. None: nobody who is there has it in the log.
NodeId Causal::whom_to_ask(const Origin& origin, const Fetch& fetch) const {
  std::vector<NodeId> able;
  for (const auto& [id, peer] : peers_) {
    if (!present(peer) || peer.applied.at(origin) <= fetch.reached || fetch.trimmed.contains(id)) {
      continue;
    }
    const bool itself = id == origin.node && heard_.at(id) == origin.incarnation;
    able.insert(itself ? able.begin() : able.end(), id);
  }
  return able.empty() ? kNoNode : able[fetch.attempts % able.size()];
}

void Causal::step_fetched(const Sender& from, const CausalFetched& fetched) {
  const auto found = std::find_if(fetches_.begin(), fetches_.end(), [&](const auto& entry) {
    const auto& asked = entry.second.asked;
    return asked && asked->peer == from.id && asked->call == fetched.call;
  });
  const std::uint64_t turned_away = counters_.turned_away;
  offer(fetched.operations);
  if (found == fetches_.end()) return;  // late: what it brings is as good
  Fetch& fetch = found->second;
  fetch.asked.reset();
  if (fetched.trimmed) {
    fetch.trimmed.insert(from.id);
    fetch.at_once = true;
  } else if (counters_.turned_away - turned_away < fetched.operations.size()) {
    fetch.at_once = true;  // and there may be more
  } else {
    fetch.since = now_;
    ++fetch.attempts;
  }
}

// --- Transfers ----------------------------------------------------------------------------------

void Causal::begin_transfer(const Fetch& fetch) {
  if (transfer_) return;
  for (const NodeId id : fetch.trimmed) {
    if (!present(peers_.at(id))) continue;
    transfer_ = Transfer{.peer = id};
    return;
  }
}

void Causal::request_page() {
  if (!transfer_ || page_) return;
  if (transfer_->asked) {
    if (now_ < transfer_->deadline) return;
    if (++transfer_->failures > kMostFailures) {
      for (auto& [origin, fetch] : fetches_) fetch.trimmed.erase(transfer_->peer);
      transfer_.reset();
      return;
    }
  }
  transfer_->asked = next_call();
  transfer_->deadline = now_ + config_.answer_timeout;
  ready_.send_now.push_back(
      {transfer_->peer, CausalTransferQuery{.call = *transfer_->asked, .after = transfer_->after}});
}

void Causal::step_page(const Sender& from, const CausalTransferPage& page) {
  if (!transfer_ || page_ || from.id != transfer_->peer || transfer_->asked != page.call) return;
  if (!page.states.empty() && page.states.front().key <= transfer_->after) return;
  page_ = page;
}

void Causal::install_page(CausalReady& ready) {
  if (!page_) return;
  PARALLAX_ASSERT(transfer_, "a page from {} without a transfer", page_->applied.to_string());
  Transfer& transfer = *transfer_;
  if (!transfer.begun || canary(Canary::causal_jump_too_far)) {
    transfer.base = page_->applied;
    transfer.stamps = page_->stamps;
  }
  transfer.begun = true;
  transfer.asked.reset();
  transfer.failures = 0;
  if (!page_->states.empty()) transfer.after = page_->states.back().key;
  ready.install = std::move(page_->states);
  ready.page = true;
  ceiling_.join(page_->ceiling);
  record_changed_ = true;
  const bool complete = page_->complete;
  page_.reset();
  // In the batch of the last page, behind those of all others: not durable before any of them.
  if (complete || canary(Canary::causal_jump_before_transfer)) jump(transfer);
  if (!complete) return;
  ++counters_.transfers;
  transfer_.reset();
  for (auto& [origin, fetch] : fetches_) {
    fetch.trimmed.clear();
    fetch.at_once = true;
  }
}

void Causal::jump(const Transfer& transfer) {
  for (const auto& [origin, count] : transfer.base.entries()) {
    if (count <= applied().at(origin) || origin == self_) continue;
    OriginLog& log = logs_[origin];
    if (log.start() < log.last()) garbage_.push_back({origin, log.start() + 1, log.last()});
    log.skip_to(count);
    delivery_.advance(origin, count);
    const Actor actor{ActorPath::causal, origin.node, origin.incarnation};
    stamps_.advance(actor, transfer.stamps.at(actor));
    record_changed_ = true;
  }
}

}  // namespace parallax
