#include "node/forward_filter.h"

#include <algorithm>

namespace parallax {

bool ForwardFilter::first_time(NodeId sender, RequestId id) {
  const auto life = static_cast<std::uint32_t>(id.value >> 32);
  const auto number = static_cast<std::uint32_t>(id.value);
  auto found = std::find_if(lives_.begin(), lives_.end(), [&](const auto& known) {
    return known->sender == sender && known->life == life;
  });
  if (found == lives_.end()) {
    if (lives_.size() == kMaxLives) lives_.pop_front();
    lives_.push_back(std::make_unique<Life>());
    found = std::prev(lives_.end());
    (*found)->sender = sender;
    (*found)->life = life;
  }
  Life& window = **found;
  if (number > window.highest) {
    // The places of the numbers in between were those of numbers that fall out of the window now.
    const std::uint32_t steps = std::min(number - window.highest, kWindow);
    for (std::uint32_t i = 0; i < steps; ++i) window.seen.reset((number - i) % kWindow);
    window.highest = number;
  } else if (window.highest - number >= kWindow) {
    return false;
  }
  if (window.seen.test(number % kWindow)) return false;
  window.seen.set(number % kWindow);
  return true;
}

}  // namespace parallax
