#include "node/request_table.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax {

RequestHandle RequestTable::add(PendingRequest&& request) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t at = free_.back();
  free_.pop_back();
  Slot& slot = slots_[at];
  PendingRequest& added = slot.request.emplace(std::move(request));
  added.wake = added.deadline;
  bytes_ += added.bytes;
  timers_.emplace(added.wake, at);
  return {at, slot.use};
}

PendingRequest* RequestTable::find(RequestHandle handle) {
  if (handle.slot >= slots_.size()) return nullptr;
  Slot& slot = slots_[handle.slot];
  return slot.request && slot.use == handle.use ? &*slot.request : nullptr;
}

void RequestTable::erase(RequestHandle handle) {
  PARALLAX_ASSERT(find(handle) != nullptr, "slot {} use {}", handle.slot, handle.use);
  Slot& slot = slots_[handle.slot];
  timers_.erase({slot.request->wake, handle.slot});
  bytes_ -= slot.request->bytes;
  slot.request.reset();
  ++slot.use;
  free_.push_back(handle.slot);
}

void RequestTable::wake_at(RequestHandle handle, MonoTime at) {
  PendingRequest* const request = find(handle);
  PARALLAX_ASSERT(request != nullptr, "slot {} use {}", handle.slot, handle.use);
  at = std::min(at, request->deadline);
  if (at == request->wake) return;
  timers_.erase({request->wake, handle.slot});
  request->wake = at;
  timers_.emplace(at, handle.slot);
}

std::optional<RequestHandle> RequestTable::due(MonoTime now) const {
  if (timers_.empty() || timers_.begin()->first > now) return std::nullopt;
  const std::uint32_t at = timers_.begin()->second;
  return RequestHandle{at, slots_[at].use};
}

}  // namespace parallax
