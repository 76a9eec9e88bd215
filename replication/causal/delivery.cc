#include "replication/causal/delivery.h"

#include "base/assert.h"
#include "base/canary.h"

namespace parallax {

bool Delivery::offer(SharedOperation operation) {
  const Origin origin = operation->origin();
  const std::uint64_t number = operation->number;
  const std::uint64_t applied = applied_.at(origin);
  if (number <= applied) return false;
  if (number - applied > bounds_.operations) return false;
  const std::size_t bytes = operation->bytes();
  if (number != applied + 1 && waiting_bytes(origin) + bytes > bounds_.bytes) {
    return false;
  }
  Waiting& waiting = waiting_[origin];
  const bool fresh = waiting.operations.try_emplace(number, std::move(operation)).second;
  if (fresh) waiting.bytes += bytes;
  return fresh;
}

bool Delivery::due(const CausalOperation& operation) const {
  const bool next = operation.number == applied_.at(operation.origin()) + 1;
  return (next || canary(Canary::causal_gap_ignored)) &&
         (applied_.dominates(operation.dependencies) || canary(Canary::causal_dependency_ignored));
}

std::optional<SharedOperation> Delivery::next() {
  for (auto it = waiting_.begin(); it != waiting_.end(); ++it) {
    Waiting& waiting = it->second;
    const auto first = waiting.operations.begin();
    if (!due(first->second)) continue;
    SharedOperation operation = std::move(first->second);
    waiting.bytes -= operation->bytes();
    waiting.operations.erase(first);
    if (waiting.operations.empty()) waiting_.erase(it);
    applied_.advance(operation->origin(), operation->number);
    return operation;
  }
  return std::nullopt;
}

void Delivery::advance(const Origin& origin, std::uint64_t number) {
  applied_.advance(origin, number);
  const auto found = waiting_.find(origin);
  if (found == waiting_.end()) return;
  Waiting& waiting = found->second;
  while (!waiting.operations.empty() && waiting.operations.begin()->first <= number) {
    waiting.bytes -= waiting.operations.begin()->second->bytes();
    waiting.operations.erase(waiting.operations.begin());
  }
  if (waiting.operations.empty()) waiting_.erase(found);
}

std::uint64_t Delivery::reached(const Origin& origin) const {
  std::uint64_t reached = applied_.at(origin);
  const auto found = waiting_.find(origin);
  if (found == waiting_.end()) return reached;
  for (const auto& [number, operation] : found->second.operations) {
    if (number != reached + 1) break;
    reached = number;
  }
  return reached;
}

bool Delivery::has_room(const Origin& origin) const {
  const std::uint64_t ahead = reached(origin) - applied_.at(origin);
  return ahead == 0 || (ahead < bounds_.operations && waiting_bytes(origin) < bounds_.bytes);
}

std::size_t Delivery::waiting(const Origin& origin) const {
  const auto found = waiting_.find(origin);
  return found == waiting_.end() ? 0 : found->second.operations.size();
}

std::size_t Delivery::waiting_bytes(const Origin& origin) const {
  const auto found = waiting_.find(origin);
  return found == waiting_.end() ? 0 : found->second.bytes;
}

}  // namespace parallax
