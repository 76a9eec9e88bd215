#include "clock/vector_clock.h"

#include "clock/sorted_entries.h"

namespace parallax {

VectorClock::VectorClock(std::vector<Entry> entries) : entries_(std::move(entries)) {
  sorted_entries::normalize(entries_);
}

std::uint64_t VectorClock::at(NodeId node) const {
  return sorted_entries::at(entries_, node);
}

std::uint64_t VectorClock::increment(NodeId node) {
  const std::uint64_t number = at(node) + 1;
  advance(node, number);
  return number;
}

void VectorClock::advance(NodeId node, std::uint64_t count) {
  sorted_entries::advance(entries_, node, count);
}

void VectorClock::join(const VectorClock& other) {
  sorted_entries::join(entries_, other.entries_);
}

bool VectorClock::dominates(const VectorClock& other) const {
  return sorted_entries::dominates(entries_, other.entries_);
}

bool VectorClock::happened_before(const VectorClock& other) const {
  return other.dominates(*this) && *this != other;
}

bool VectorClock::concurrent_with(const VectorClock& other) const {
  return !dominates(other) && !other.dominates(*this);
}

std::string VectorClock::to_string() const {
  std::string text = "{";
  for (const auto& [node, count] : entries_) {
    if (text.size() > 1) text += ", ";
    text += fmt::format("{}:{}", node, count);
  }
  return text += '}';
}

}  // namespace parallax
