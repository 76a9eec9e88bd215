#include "replication/quorum/hints.h"

namespace parallax {

Hints::Hints(const HintBounds& bounds, MonoTime now)
    : bounds_(bounds), bucket_(bounds.drain, now) {}

bool Hints::add(NodeId target, const std::string& key, UnixMillis now) {
  Target& owed = targets_[target];
  const bool known = owed.entries.find(key) != owed.entries.end();
  if (!known && (size_ >= bounds_.most || bytes_ + key.size() > bounds_.most_bytes)) {
    ++refused_;
    return false;
  }
  put(owed, key, now);
  return true;
}

void Hints::restore(NodeId target, const std::string& key, UnixMillis since) {
  put(targets_[target], key, since);
}

void Hints::put(Target& target, const std::string& key, UnixMillis since) {
  const auto [entry, fresh] = target.entries.try_emplace(key);
  if (fresh) {
    ++size_;
    bytes_ += key.size();
  } else {
    target.order.erase(entry->second.place);
    target.waiting.erase(entry->second.place);
  }
  entry->second.place = {since, next_revision_++};
  target.order.emplace(entry->second.place, key);
  // In flight it waits for its answer first.
  if (!entry->second.sent) target.waiting.emplace(entry->second.place, key);
}

void Hints::drop(Target& target, std::map<std::string, Entry, std::less<>>::iterator entry) {
  --size_;
  bytes_ -= entry->first.size();
  target.order.erase(entry->second.place);
  target.waiting.erase(entry->second.place);
  target.entries.erase(entry);
}

std::vector<Hints::Due> Hints::take_due(NodeId target, MonoTime now) {
  std::vector<Due> due;
  const auto found = targets_.find(target);
  if (found == targets_.end()) return due;
  Target& owed = found->second;
  while (!owed.waiting.empty() &&
         owed.entries.size() - owed.waiting.size() < bounds_.most_in_flight && bucket_.ready(now)) {
    bucket_.spend(1);
    const auto first = owed.waiting.begin();
    owed.entries.find(first->second)->second.sent = first->first.revision;
    due.push_back({first->second, first->first.revision});
    owed.waiting.erase(first);
  }
  return due;
}

bool Hints::acknowledge(NodeId target, const std::string& key, std::uint64_t revision) {
  const auto owed = targets_.find(target);
  if (owed == targets_.end()) return false;
  const auto entry = owed->second.entries.find(key);
  if (entry == owed->second.entries.end() || entry->second.sent != revision) return false;
  if (entry->second.place.revision == revision) {
    drop(owed->second, entry);
    return true;
  }
  // Missed again since: what was sent may not have held that.
  entry->second.sent.reset();
  owed->second.waiting.emplace(entry->second.place, key);
  return false;
}

void Hints::retry(NodeId target) {
  const auto owed = targets_.find(target);
  if (owed == targets_.end()) return;
  for (auto& [key, entry] : owed->second.entries) {
    if (!entry.sent) continue;
    entry.sent.reset();
    owed->second.waiting.emplace(entry.place, key);
  }
}

std::vector<Hints::Expired> Hints::expire(UnixMillis now, std::size_t limit) {
  std::vector<Expired> expired;
  for (auto& [id, target] : targets_) {
    while (expired.size() < limit && !target.order.empty()) {
      const auto& [place, key] = *target.order.begin();
      if (now.value < place.since.value || now.value - place.since.value < bounds_.expiry_ms) break;
      expired.push_back({id, key});
      drop(target, target.entries.find(key));
    }
  }
  return expired;
}

Hints::Status Hints::status(NodeId target) const {
  const auto owed = targets_.find(target);
  if (owed == targets_.end()) return {};
  Status status{.hints = owed->second.entries.size(),
                .in_flight = owed->second.entries.size() - owed->second.waiting.size(),
                .oldest = std::nullopt};
  if (!owed->second.order.empty()) status.oldest = owed->second.order.begin()->first.since;
  return status;
}

}  // namespace parallax
