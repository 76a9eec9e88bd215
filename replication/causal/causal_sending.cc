// What a node tells the others, and how long it keeps what it may have to tell.
#include <algorithm>

#include "base/assert.h"
#include "base/canary.h"
#include "replication/causal/causal.h"

namespace parallax {

/// Own operations that are durable, to every peer, as far as its credit goes. Whoever is too far
/// behind for what is cached asks (CausalFetch) until it is near again.
///
/// A message has its price at both ends, so what is durable waits a little for what is on its way
/// to the disk: the turn in which that is durable comes soon, and sends both. Not when the cache is
/// full, for what leaves that unsent has to be asked for.
void Causal::send_operations() {
  const OriginLog& log = logs_.at(self_);
  const std::uint64_t last =
      canary(Canary::causal_sent_before_durable) ? log.last() : durable_.at(self_);
  const bool may_wait = log.last() > last && cached_bytes() <= config_.cache_bytes;
  for (auto& [id, peer] : peers_) {
    const std::uint64_t acknowledged = peer.applied.at(self_);
    peer.pushed = std::max(peer.pushed, acknowledged);
    if (acknowledged < log.start() || acknowledged > last) continue;
    if (may_wait && peer.pushed_at && now_ - *peer.pushed_at < config_.push_interval) continue;
    CausalOperations batch;
    std::size_t bytes = 0;
    const auto flush = [&, to = id] {
      if (!batch.operations.empty()) ready_.send_now.push_back({to, std::move(batch)});
      batch = {};
      bytes = 0;
    };
    for (std::uint64_t next = peer.pushed + 1; next <= last; ++next) {
      const SharedOperation* operation = log.cached(next);
      const bool within = next - acknowledged <= config_.buffer.operations &&
                          log.bytes_between(acknowledged, next) <= config_.buffer.bytes;
      if (operation == nullptr || !(within || next == acknowledged + 1)) break;
      if (bytes > 0 && bytes + (*operation)->bytes() > config_.batch_bytes) flush();
      batch.operations.push_back(*operation);
      bytes += (*operation)->bytes();
      peer.pushed = next;
      peer.pushed_at = now_;
    }
    flush();
  }
}

void Causal::supply(NodeId peer, const CausalFetch& fetch) {
  CausalFetched reply{.call = fetch.call};
  const OriginLog* log = this->log(fetch.origin);
  const std::uint64_t last = durable_.at(fetch.origin);
  if (log != nullptr && fetch.after < last) {
    if (fetch.after < log->start()) {
      reply.trimmed = true;
    } else if (log->cached(fetch.after + 1) == nullptr) {
      ready_.loads.push_back({peer, fetch.call, fetch.origin, fetch.after, config_.batch_bytes});
      return;
    } else {
      std::size_t bytes = 0;
      for (std::uint64_t next = fetch.after + 1; next <= last; ++next) {
        const SharedOperation& operation = *log->cached(next);
        bytes += operation->bytes();
        if (!reply.operations.empty() && bytes > config_.batch_bytes) break;
        if (reply.operations.size() == config_.buffer.operations) break;
        reply.operations.push_back(operation);
      }
    }
  }
  counters_.relayed += reply.operations.size();
  ready_.send_now.push_back({peer, std::move(reply)});
}

void Causal::on_loaded(const CausalLoad& load, std::vector<SharedOperation> operations) {
  // The owner reads what is not durable yet, too, and the log may have been trimmed meanwhile.
  const std::uint64_t last = durable_.at(load.origin);
  CausalFetched reply{.call = load.call};
  for (SharedOperation& operation : operations) {
    const std::uint64_t next = load.after + 1 + reply.operations.size();
    if (operation->number != next || next > last) break;
    if (reply.operations.size() == config_.buffer.operations) break;
    reply.operations.push_back(std::move(operation));
  }
  reply.trimmed = reply.operations.empty();
  counters_.relayed += reply.operations.size();
  ready_.send_now.push_back({load.peer, std::move(reply)});
}

void Causal::on_page(const CausalPageRead& read, std::vector<CausalTransferPage::State> states,
                     bool complete) {
  CausalTransferPage page{.call = read.call,
                          .applied = read.applied,
                          .stamps = read.stamps,
                          .ceiling = ceiling_,
                          .states = std::move(states),
                          .complete = complete};
  page.ceiling.join(applied());
  ready_.send_after.push_back({read.peer, std::move(page)});
}

// --- Statuses -----------------------------------------------------------------------------------

/// It has used half of what this node lets it send ahead.
bool Causal::credit_low(NodeId id, const Peer& peer) const {
  const auto incarnation = heard_.find(id);
  if (incarnation == heard_.end() || !peer.sent) return false;
  const Origin origin{id, incarnation->second};
  const OriginLog* log = this->log(origin);
  if (log == nullptr) return false;
  const std::uint64_t told = peer.sent->applied.at(origin);
  return log->last() - told >= std::max<std::size_t>(config_.buffer.operations / 2, 1) ||
         (told >= log->start() &&
          log->bytes_between(told, log->last()) >= config_.buffer.bytes / 2);
}

void Causal::send_statuses() {
  // Looked at with every batch, and nearly always too early.
  const Duration soonest = std::min(config_.status_interval, config_.idle_status_interval);
  const bool due = std::any_of(peers_.begin(), peers_.end(), [&](const auto& entry) {
    const auto& [id, peer] = entry;
    return peer.status_due || now_ - peer.sent_at >= soonest || credit_low(id, peer);
  });
  if (!due) return;
  const CausalStatus status{.applied = applied(), .heard = heard_, .life = config_.life};
  for (auto& [id, peer] : peers_) {
    const bool changed = peer.sent != status;
    const Duration interval = changed ? config_.status_interval : config_.idle_status_interval;
    if (!peer.status_due && !credit_low(id, peer) && now_ - peer.sent_at < interval) continue;
    peer.status_due = false;
    peer.sent = status;
    peer.sent_at = now_;
    ready_.send_after.push_back({id, status});
  }
}

// --- Letting go ---------------------------------------------------------------------------------

void Causal::trim() {
  if (now_ < next_trim_) return;
  next_trim_ = now_ + config_.status_interval;
  const OriginVector stable = this->stable();
  for (auto& [origin, log] : logs_) {
    const std::uint64_t up_to = std::min(stable.at(origin), may_be_trimmed().at(origin));
    if (up_to <= log.start()) continue;
    garbage_.push_back({origin, log.start() + 1, up_to});
    log.trim(up_to);
    record_changed_ = true;
  }
  trim_to_size();
}

/// Above its size the longest log gives way, whoever lacks what goes: a transfer brings it. Not
/// what a peer needs behind the transfer that it is just being brought, or it would never catch up;
/// not even that above twice the size.
void Causal::trim_to_size() {
  std::uint64_t bytes = log_bytes();
  if (bytes <= config_.log_bytes) return;
  OriginVector most = may_be_trimmed();
  if (bytes <= 2 * config_.log_bytes) {
    std::vector<OriginVector::Entry> held;
    for (const auto& [origin, count] : may_be_trimmed().entries()) {
      std::uint64_t up_to = count;
      for (const auto& [id, peer] : peers_) {
        if (peer.held_until > now_) up_to = std::min(up_to, peer.held.at(origin));
      }
      held.emplace_back(origin, up_to);
    }
    most = OriginVector(std::move(held));
  }
  std::vector<std::pair<std::uint64_t, Origin>> longest;
  for (const auto& [origin, log] : logs_) longest.emplace_back(log.bytes(), origin);
  std::sort(longest.rbegin(), longest.rend());
  for (const auto& [size, origin] : longest) {
    OriginLog& log = logs_.at(origin);
    std::uint64_t up_to = log.start();
    while (bytes > config_.log_bytes && up_to < most.at(origin)) {
      bytes -= log.bytes_between(up_to, up_to + 1);
      ++up_to;
    }
    if (up_to == log.start()) continue;
    counters_.trimmed_early += up_to - log.start();
    garbage_.push_back({origin, log.start() + 1, up_to});
    log.trim(up_to);
    record_changed_ = true;
  }
}

std::uint64_t Causal::cached_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [origin, log] : logs_) bytes += log.cached_bytes();
  return bytes;
}

/// The largest cache gives way, but for what is not durable yet: that is still to be sent.
void Causal::evict() {
  std::uint64_t cached = cached_bytes();
  while (cached > config_.cache_bytes) {
    const auto largest =
        std::max_element(logs_.begin(), logs_.end(), [](const auto& a, const auto& b) {
          return a.second.cached_bytes() < b.second.cached_bytes();
        });
    OriginLog& log = largest->second;
    const std::uint64_t before = log.cached_bytes();
    if (!log.evict(durable_.at(largest->first))) return;
    cached -= before - log.cached_bytes();
  }
}

}  // namespace parallax
