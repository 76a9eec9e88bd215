#include "clock/origin_vector.h"

#include "clock/sorted_entries.h"

namespace parallax {

OriginVector::OriginVector(std::vector<Entry> entries) : entries_(std::move(entries)) {
  sorted_entries::normalize(entries_);
}

std::uint64_t OriginVector::at(const Origin& origin) const {
  return sorted_entries::at(entries_, origin);
}

void OriginVector::advance(const Origin& origin, std::uint64_t count) {
  sorted_entries::advance(entries_, origin, count);
}

void OriginVector::join(const OriginVector& other) {
  sorted_entries::join(entries_, other.entries_);
}

bool OriginVector::dominates(const OriginVector& other) const {
  return sorted_entries::dominates(entries_, other.entries_);
}

std::string OriginVector::to_string() const {
  std::string text = "{";
  for (const auto& [origin, count] : entries_) {
    if (text.size() > 1) text += ", ";
    text += fmt::format("{}.{}:{}", origin.node, origin.incarnation, count);
  }
  return text += '}';
}

}  // namespace parallax
