#include "clock/version_vector.h"

#include "clock/sorted_entries.h"

namespace parallax {

VersionVector::VersionVector(std::vector<Entry> entries) : entries_(std::move(entries)) {
  sorted_entries::normalize(entries_);
}

Hlc VersionVector::at(const Actor& actor) const {
  return sorted_entries::at(entries_, actor);
}

void VersionVector::advance(const Actor& actor, Hlc hlc) {
  sorted_entries::advance(entries_, actor, hlc);
}

void VersionVector::join(const VersionVector& other) {
  sorted_entries::join(entries_, other.entries_);
}

bool VersionVector::dominates(const VersionVector& other) const {
  return sorted_entries::dominates(entries_, other.entries_);
}

bool VersionVector::concurrent_with(const VersionVector& other) const {
  return !dominates(other) && !other.dominates(*this);
}

Hlc VersionVector::highest() const {
  Hlc highest;
  for (const Entry& entry : entries_) highest = std::max(highest, entry.second);
  return highest;
}

std::string VersionVector::to_string() const {
  std::string text = "{";
  for (const auto& [actor, hlc] : entries_) {
    if (text.size() > 1) text += ", ";
    text += fmt::format("{}:{}", actor.to_string(), hlc);
  }
  return text += '}';
}

}  // namespace parallax
