#include "replication/causal/origin_log.h"

#include "base/assert.h"

namespace parallax {

std::uint64_t OriginLog::bytes_between(std::uint64_t after, std::uint64_t up_to) const {
  PARALLAX_ASSERT(start_ <= after && after <= up_to && up_to <= last(), "{} to {} of {} to {}",
                  after, up_to, start_, last());
  return end_of(up_to) - end_of(after);
}

std::optional<Hlc> OriginLog::first_reading() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.front().reading;
}

const SharedOperation* OriginLog::cached(std::uint64_t number) const {
  if (number > last() || last() - number >= cache_.size()) return nullptr;
  return &cache_[cache_.size() - 1 - (last() - number)];
}

void OriginLog::append(SharedOperation operation) {
  PARALLAX_ASSERT(operation->number == last() + 1, "{} behind {}", operation->number, last());
  entries_.push_back({end_of(last()) + operation->bytes(), operation->version.stamp.hlc});
  cached_bytes_ += operation->bytes();
  cache_.push_back(std::move(operation));
}

void OriginLog::restore(std::size_t bytes, Hlc reading) {
  PARALLAX_ASSERT(cache_.empty(), "{} cached", cache_.size());
  entries_.push_back({end_of(last()) + bytes, reading});
}

void OriginLog::trim(std::uint64_t up_to) {
  PARALLAX_ASSERT(up_to <= last(), "{} of {}", up_to, last());
  while (start_ < up_to) {
    if (cache_.size() == entries_.size()) {
      cached_bytes_ -= cache_.front()->bytes();
      cache_.pop_front();
    }
    base_ = entries_.front().end;
    entries_.pop_front();
    ++start_;
  }
}

void OriginLog::skip_to(std::uint64_t number) {
  PARALLAX_ASSERT(number > last(), "{} behind {}", number, last());
  *this = OriginLog(number);
}

bool OriginLog::evict(std::uint64_t up_to) {
  if (cache_.empty() || cache_.front()->number > up_to) return false;
  cached_bytes_ -= cache_.front()->bytes();
  cache_.pop_front();
  return true;
}

}  // namespace parallax
