#include "storage/causal_log.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/limits.h"
#include "storage/store_keys.h"

namespace parallax {
namespace {

/// Where those of the origin are, or the end.
auto list_of(const Origin& origin, auto& lists) {
  return std::find_if(lists.begin(), lists.end(),
                      [&](const auto& list) { return list.front().origin() == origin; });
}

}  // namespace

/// Remembers where the last operation of each origin in the segment stands.
void CausalLog::note(const Place& place, const CausalSegment& segment) {
  for (const std::vector<CausalOperation>& list : segment.lists) {
    pieces_[list.front().origin()].emplace(list.back().number, place);
  }
}

Result<void> CausalLog::open(const ReadView& view,
                             const std::function<void(const CausalOperation&)>& visit) {
  PARALLAX_ASSERT(gathered_.empty() && removals_.empty(), "{} bytes are on their way", bytes_);
  pieces_.clear();
  next_ = 1;
  Result<void> opened{};
  const auto take = [&](std::string_view key, std::string_view value) {
    const auto segment = records::decode<CausalSegment>(key, value);
    if (!segment) {
      opened = segment.error();
      return false;
    }
    next_ = std::max(next_, records::causal_segment_number(key) + 1);
    note(std::make_shared<const std::string>(key), *segment);
    for (const std::vector<CausalOperation>& list : segment->lists) {
      for (const CausalOperation& operation : list) visit(operation);
    }
    return true;
  };
  PARALLAX_TRY(view.scan(records::causal_log_range(group_), take));
  return opened;
}

bool CausalLog::Gathered::takes(const CausalOperation& operation, std::size_t most_bytes) const {
  if (bytes >= most_bytes || operations == limits::kCausalBufferOperations) return false;
  const auto list = list_of(operation.origin(), segment.lists);
  return list == segment.lists.end() || list->back().number + 1 == operation.number;
}

void CausalLog::add(CausalOperation operation) {
  if (gathered_.empty() || !gathered_.back().takes(operation, segment_bytes_)) {
    gathered_.emplace_back();
  }
  Gathered& last = gathered_.back();
  ++last.operations;
  last.bytes += operation.bytes();
  bytes_ += operation.bytes();
  auto& lists = last.segment.lists;
  auto list = list_of(operation.origin(), lists);
  if (list == lists.end()) list = lists.emplace(list);
  list->push_back(std::move(operation));
}

void CausalLog::remove(const Origin& origin, std::uint64_t first, std::uint64_t last) {
  removals_.push_back({origin, first, last});
}

void CausalLog::put_into(WriteBatch& batch) {
  for (const Gathered& gathered : gathered_) {
    const auto place =
        std::make_shared<const std::string>(records::causal_segment_key(group_, next_++));
    records::put(batch, *place, gathered.segment);
    note(place, gathered.segment);
  }
  gathered_.clear();
  bytes_ = 0;
  for (const Removal& removal : removals_) carry_out(removal, batch);
  removals_.clear();
}

/// What is let go of later is behind it, so a piece goes with its last operation.
void CausalLog::carry_out(const Removal& removal, WriteBatch& batch) {
  const auto found = pieces_.find(removal.origin);
  if (found == pieces_.end()) return;
  std::map<std::uint64_t, Place>& ends = found->second;
  const auto first = ends.lower_bound(removal.first);
  const auto last = ends.upper_bound(removal.last);
  for (auto it = first; it != last; ++it) {
    if (it->second.use_count() == 1) batch.remove(*it->second);
    it->second.reset();
  }
  ends.erase(first, last);
  if (ends.empty()) pieces_.erase(found);
}

Result<std::vector<CausalOperation>> CausalLog::read(const ReadView& view, const Origin& origin,
                                                     std::uint64_t after,
                                                     std::size_t most_bytes) const {
  std::vector<CausalOperation> read;
  std::size_t bytes = 0;
  /// False: there is no room for more.
  const auto take = [&](const CausalSegment& segment) {
    const auto list = list_of(origin, segment.lists);
    if (list == segment.lists.end()) return true;
    for (const CausalOperation& operation : *list) {
      if (operation.number <= after) continue;
      bytes += operation.bytes();
      if (!read.empty() && bytes > most_bytes) return false;
      read.push_back(operation);
    }
    return true;
  };
  if (const auto found = pieces_.find(origin); found != pieces_.end()) {
    const std::map<std::uint64_t, Place>& ends = found->second;
    for (auto it = ends.upper_bound(after); it != ends.end(); ++it) {
      PARALLAX_ASSIGN(const auto segment, records::load<CausalSegment>(view, *it->second));
      if (!segment) {
        return definite(ErrorCode::corrupt, fmt::format("the causal log is damaged: no {}",
                                                        records::describe(*it->second)));
      }
      if (!take(*segment)) return read;
    }
  }
  for (const Gathered& gathered : gathered_) {
    if (!take(gathered.segment)) break;
  }
  return read;
}

}  // namespace parallax
