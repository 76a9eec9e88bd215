#include "replication/causal/causal.h"

#include <algorithm>

#include "base/assert.h"
#include "base/canary.h"
#include "storage/causal_codec.h"

namespace parallax {

std::string fault(const CausalRestored& restored) {
  OriginVector ends = restored.record.log_starts;
  for (const CausalRestored::Logged& logged : restored.log) {
    const Origin& origin = logged.origin;
    if (logged.number <= restored.record.log_starts.at(origin)) continue;  // being removed
    if (logged.number != ends.at(origin) + 1) {
      return fmt::format("operation {} of {}.{} behind {}", logged.number, origin.node,
                         origin.incarnation, ends.at(origin));
    }
    ends.advance(origin, logged.number);
  }
  if (ends == restored.record.applied) return {};
  return fmt::format("operations up to {} where {} are applied", ends.to_string(),
                     restored.record.applied.to_string());
}

Causal::Causal(CausalConfig config, const CausalRestored& restored, MonoTime now)
    : config_(std::move(config)),
      self_{config_.id, config_.incarnation},
      now_(now),
      delivery_(config_.buffer, restored.record.applied),
      stamps_(restored.record.stamps),
      ceiling_(restored.record.ceiling),
      heard_(restored.record.heard),
      durable_(restored.record.applied),
      durable_stamps_(restored.record.stamps),
      recovering_(restored.recovering),
      taken_(restored.record.applied),
      taken_stamps_(restored.record.stamps),
      next_trim_(now) {
  PARALLAX_ASSERT(fault(restored).empty(), "{}", fault(restored));
  for (const NodeId member : config_.members) {
    if (member != config_.id) peers_[member].heard_at = now;
  }
  PARALLAX_ASSERT(peers_.size() + 1 == config_.members.size(), "{} is no member once", config_.id);
  logs_[self_];
  for (const auto& [origin, count] : restored.record.applied.entries()) {
    logs_[origin] = OriginLog(restored.record.log_starts.at(origin));
  }
  for (const CausalRestored::Logged& logged : restored.log) {
    OriginLog& log = logs_[logged.origin];
    if (logged.number > log.start()) {
      log.restore(logged.bytes, logged.reading);
    } else if (!garbage_.empty() && garbage_.back().origin == logged.origin) {
      garbage_.back().last = logged.number;
    } else {
      garbage_.push_back({logged.origin, logged.number, logged.number});
    }
  }
  admit();
}

// --- Inputs -------------------------------------------------------------------------------------

void Causal::step(const Sender& from, const Message& message) {
  const auto found = peers_.find(from.id);
  if (found == peers_.end() || from.incarnation == Incarnation{}) return;
  heard(from.id, from.incarnation);
  if (from.incarnation < heard_[from.id] && !canary(Canary::causal_old_life_heard)) return;
  found->second.heard = true;
  found->second.heard_at = now_;
  if (const auto* status = std::get_if<CausalStatus>(&message)) {
    step_status(from, *status);
  } else if (const auto* fetch = std::get_if<CausalFetch>(&message)) {
    supply(from.id, *fetch);
  } else if (const auto* query = std::get_if<CausalTransferQuery>(&message)) {
    page_queries_.push_back({from.id, query->call, query->after, {}, {}});
  } else if (!admitted()) {
    return;
  } else if (const auto* operations = std::get_if<CausalOperations>(&message)) {
    offer(operations->operations);
  } else if (const auto* fetched = std::get_if<CausalFetched>(&message)) {
    step_fetched(from, *fetched);
  } else if (const auto* page = std::get_if<CausalTransferPage>(&message)) {
    step_page(from, *page);
  } else {
    PARALLAX_UNREACHABLE("not a causal message: {}", message_name(message));
  }
}

void Causal::heard(NodeId node, Incarnation incarnation) {
  const auto found = peers_.find(node);
  if (found == peers_.end()) return;
  Incarnation& highest = heard_[node];
  if (incarnation <= highest) return;
  const bool over = highest != Incarnation{};
  highest = incarnation;
  record_changed_ = true;
  found->second = Peer{.heard_at = now_};
  if (transfer_ && transfer_->peer == node) transfer_.reset();
  page_.reset();
  for (auto& [origin, fetch] : fetches_) {
    fetch.trimmed.erase(node);
    if (fetch.asked && fetch.asked->peer == node) fetch.asked.reset();
  }
  // What waits may be from the incarnation that is over; whoever has applied it sends it again.
  if (over && !canary(Canary::causal_old_life_heard)) delivery_.clear();
}

void Causal::step_status(const Sender& from, const CausalStatus& status) {
  for (const auto& [node, incarnation] : status.heard) heard(node, incarnation);
  if (from.incarnation < heard_[from.id] && !canary(Canary::causal_old_life_heard)) return;
  Peer& peer = peers_.at(from.id);
  peer.applied.join(status.applied);
  for (const auto& [node, incarnation] : status.heard) {
    peer.has_heard[node] = std::max(peer.has_heard[node], incarnation);
  }
  peer.recovering = from.recovering;
  peer.reported = true;
  if (!peer.recovering && !peer.first) peer.first = status.applied;
  const auto me = status.heard.find(config_.id);
  if (me != status.heard.end() && me->second == config_.incarnation && !peer.names_me) {
    peer.names_me = true;
    admit();
  }
}

/// Once a majority names this incarnation, its own memory is as good as theirs.
void Causal::admit() {
  if (admitted()) return;
  const auto naming = std::count_if(peers_.begin(), peers_.end(),
                                    [](const auto& peer) { return peer.second.names_me; });
  if (static_cast<std::size_t>(naming) + 1 < config_.members.size() / 2 + 1) return;
  heard_[config_.id] = config_.incarnation;
  record_changed_ = true;
}

bool Causal::admitted() const {
  const auto found = heard_.find(config_.id);
  return found != heard_.end() && found->second == config_.incarnation;
}

void Causal::offer(const std::vector<SharedOperation>& operations) {
  for (const SharedOperation& operation : operations) {
    if (operation->origin() == self_ || !delivery_.offer(operation)) ++counters_.turned_away;
  }
}

std::uint64_t Causal::propose(std::string key, Version version, const OriginVector& dependencies) {
  PARALLAX_ASSERT(consistent() && covers(dependencies), "{} is ahead of {}",
                  dependencies.to_string(), applied().to_string());
  const std::uint64_t number = applied().at(self_) + 1;
  CausalOperation operation{number, std::move(key), std::move(version), {}};
  OriginVector rests_on = dependencies;
  for (const auto& [actor, reading] : operation.version.context.entries()) {
    if (actor.path != ActorPath::causal) continue;
    const Origin origin{actor.node, actor.incarnation};
    rests_on.advance(origin, applied().at(origin));
  }
  for (const auto& [origin, count] : rests_on.entries()) {
    // What is lost is depended on by nobody; what earlier operations depend on comes before them.
    const std::uint64_t there = std::min(count, applied().at(origin));
    if (origin == self_ || depended_on_.covers(origin, there)) continue;
    operation.dependencies.advance(origin, there);
  }
  depended_on_.join(operation.dependencies);
  PARALLAX_ASSERT(operation.origin() == self_ && fault(operation).empty(), "{} of {}: {}", number,
                  operation.version.actor.to_string(), fault(operation));
  PARALLAX_ASSERT(operation.version.stamp.hlc > last_stamp_, "{} behind {}",
                  operation.version.stamp, last_stamp_);
  last_stamp_ = operation.version.stamp.hlc;
  stamps_.advance(operation.version.actor, last_stamp_);
  delivery_.advance(self_, number);
  SharedOperation shared(std::move(operation));
  logs_[self_].append(shared);
  ready_.append.push_back(std::move(shared));
  record_changed_ = true;
  return number;
}

void Causal::on_persisted(const CausalMark& mark) {
  durable_.join(mark.applied);
  durable_stamps_.join(mark.stamps);
}

// --- Outputs ------------------------------------------------------------------------------------

CausalReady Causal::take_ready(bool may_persist) {
  CausalReady ready;
  if (may_persist) {
    install_page(ready);
    deliver(ready);
    settle_ceiling();
    ready.append = std::move(ready_.append);
    trim();
    std::size_t room = config_.max_removals;
    while (room > 0 && !garbage_.empty()) {
      CausalRange& range = garbage_.back();
      const std::uint64_t count = std::min<std::uint64_t>(room, range.last - range.first + 1);
      ready.remove.push_back({range.origin, range.first, range.first + count - 1});
      range.first += count;
      room -= count;
      if (range.first > range.last) garbage_.pop_back();
    }
    if (record_changed_) ready.record = record();
    record_changed_ = false;
    taken_ = applied();
    taken_stamps_ = stamps_;
    send_statuses();
    ready.send_after = std::move(ready_.send_after);
    ready_.append.clear();
    ready_.send_after.clear();
  }
  send_operations();
  evict();
  if (admitted()) {
    request_fetches();
    request_page();
  }
  ready.send_now = std::move(ready_.send_now);
  ready.loads = std::move(ready_.loads);
  ready_.send_now.clear();
  ready_.loads.clear();
  for (CausalPageRead& query : page_queries_) {
    Peer& peer = peers_.at(query.peer);
    if (query.after.empty()) peer.held = applied();
    peer.held_until = now_ + config_.transfer_hold;
    query.applied = applied();
    query.stamps = stamps_;
  }
  ready.page_reads = std::move(page_queries_);
  page_queries_.clear();
  return ready;
}

void Causal::deliver(CausalReady& ready) {
  while (std::optional<SharedOperation> next = delivery_.next()) {
    const CausalOperation& operation = *next;
    logs_[operation.origin()].append(*next);
    stamps_.advance(operation.version.actor, operation.version.stamp.hlc);
    ready.apply.push_back(*std::move(next));
    record_changed_ = true;
  }
}

CausalRecord Causal::record() const {
  CausalRecord record{.applied = applied(),
                      .log_starts = {},
                      .stamps = stamps_,
                      .ceiling = ceiling_,
                      .heard = heard_};
  for (const auto& [origin, log] : logs_) record.log_starts.advance(origin, log.start());
  return record;
}

/// Once it is reached, nothing is beyond the vector.
void Causal::settle_ceiling() {
  if (ceiling_.empty() || !covers(ceiling_)) return;
  ceiling_ = OriginVector{};
  record_changed_ = true;
}

// --- State --------------------------------------------------------------------------------------

bool Causal::covers(const OriginVector& vector) const {
  return std::all_of(vector.entries().begin(), vector.entries().end(), [&](const auto& entry) {
    return applied().covers(entry.first, entry.second) || done_with(entry.first);
  });
}

bool Causal::covers(const VersionVector& context) const {
  if (canary(Canary::causal_early_shown)) return true;
  return std::all_of(context.entries().begin(), context.entries().end(), [&](const auto& entry) {
    const auto& [actor, reading] = entry;
    if (actor.path != ActorPath::causal || stamps_.covers(actor, reading)) return true;
    return done_with({actor.node, actor.incarnation}) && has_all_that_is_known();
  });
}

bool Causal::covers_durably(const VersionVector& context) const {
  return std::all_of(context.entries().begin(), context.entries().end(), [&](const auto& entry) {
    const auto& [actor, reading] = entry;
    return actor.path != ActorPath::causal || durable_stamps_.covers(actor, reading);
  });
}

bool Causal::has_all_that_is_known() const {
  return std::all_of(peers_.begin(), peers_.end(),
                     [&](const auto& peer) { return applied().dominates(peer.second.applied); });
}

bool Causal::consistent() const {
  return ceiling_.empty() || canary(Canary::causal_shown_during_transfer) || covers(ceiling_);
}

/// Whether everything that survives of an origin that has ended is applied here.
bool Causal::done_with(const Origin& origin) const {
  const auto found = heard_.find(origin.node);
  if (found == heard_.end() || found->second <= origin.incarnation) return false;
  if (recovering_ || !all_have_spoken()) return false;
  return std::all_of(peers_.begin(), peers_.end(), [&](const auto& peer) {
    return peer.second.applied.at(origin) <= applied().at(origin);
  });
}

bool Causal::all_have_spoken() const {
  if (canary(Canary::causal_lost_too_early)) return true;
  return std::all_of(peers_.begin(), peers_.end(), [&](const auto& entry) {
    const Peer& peer = entry.second;
    if (!peer.reported || peer.recovering) return false;
    return std::all_of(heard_.begin(), heard_.end(), [&](const auto& mine) {
      const auto its = peer.has_heard.find(mine.first);
      return its != peer.has_heard.end() && its->second >= mine.second;
    });
  });
}

OriginVector Causal::stable() const {
  std::vector<OriginVector::Entry> entries;
  for (const auto& [origin, count] : durable_.entries()) {
    std::uint64_t least = count;
    for (const auto& [id, peer] : peers_) least = std::min(least, peer.applied.at(origin));
    entries.emplace_back(origin, least);
  }
  return OriginVector(std::move(entries));
}

std::vector<NodeId> Causal::joined() const {
  std::vector<NodeId> joined;
  if (!admitted()) return joined;
  for (const auto& [id, peer] : peers_) {
    if (peer.first && durable_.dominates(*peer.first)) joined.push_back(id);
  }
  return joined;
}

bool Causal::peer_covers(NodeId id, const OriginVector& vector) const {
  const auto found = peers_.find(id);
  return found != peers_.end() && !found->second.recovering &&
         found->second.applied.dominates(vector);
}

OriginVector Causal::told(const OriginVector& of) const {
  std::vector<OriginVector::Entry> entries;
  for (const auto& [origin, count] : of.entries()) {
    if (!everywhere(origin)) entries.emplace_back(origin, count);
  }
  return OriginVector(std::move(entries));
}

/// Whether it has ended, and every member has durably applied what survives of it.
bool Causal::everywhere(const Origin& origin) const {
  if (!done_with(origin)) return false;
  const std::uint64_t all = applied().at(origin);
  return durable_.covers(origin, all) &&
         std::all_of(peers_.begin(), peers_.end(),
                     [&](const auto& peer) { return peer.second.applied.covers(origin, all); });
}

std::uint64_t Causal::log_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [origin, log] : logs_) bytes += log.bytes();
  return bytes;
}

const OriginLog* Causal::log(const Origin& origin) const {
  const auto found = logs_.find(origin);
  return found == logs_.end() ? nullptr : &found->second;
}

void Causal::check() const {
  PARALLAX_ASSERT(applied().dominates(taken_) && taken_.dominates(durable_), "{} {} {}",
                  applied().to_string(), taken_.to_string(), durable_.to_string());
  for (const auto& [origin, log] : logs_) {
    PARALLAX_ASSERT(log.last() == applied().at(origin), "the log of {}.{} ends at {}, applied {}",
                    origin.node, origin.incarnation, log.last(), applied().to_string());
    PARALLAX_ASSERT(delivery_.waiting(origin) <= config_.buffer.operations, "{} waiting",
                    delivery_.waiting(origin));
  }
  for (const auto& [origin, count] : applied().entries()) {
    PARALLAX_ASSERT(logs_.contains(origin), "no log of {}.{}", origin.node, origin.incarnation);
  }
}

}  // namespace parallax
