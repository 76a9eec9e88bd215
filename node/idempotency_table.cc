#include "node/idempotency_table.h"

#include <algorithm>

#include "base/coverage.h"

namespace parallax {

Result<void> IdempotencyTable::open(Hlc floor) {
  floor_ = floor;
  rows_ = 0;
  oldest_ = floor;
  return view_.scan(records::idempotency_index_range(group_), [&](auto, auto) {
    ++rows_;
    return true;
  });
}

bool IdempotencyTable::too_old(Hlc at, Hlc now) const {
  return at.millis().value + static_cast<std::uint64_t>(limits_.retention.count()) <
         now.millis().value;
}

Result<std::optional<IdempotencyRecord>> IdempotencyTable::find(std::string_view key,
                                                                Hlc now) const {
  auto record = records::load<IdempotencyRecord>(view_, records::idempotency_key(group_, key));
  if (record && *record && too_old((*record)->at, now)) return std::optional<IdempotencyRecord>{};
  return record;
}

void IdempotencyTable::remove(Hlc at, std::string_view key, WriteBatch& batch) {
  batch.remove(records::idempotency_index_key(group_, at, key));
  --rows_;
}

Result<void> IdempotencyTable::put(const IdempotencyRow& row, WriteBatch& batch) {
  if (row.record.at <= floor_) return {};
  std::string store_key = records::idempotency_key(group_, row.key);
  PARALLAX_ASSIGN(const auto present, records::load<IdempotencyRecord>(view_, store_key));
  if (present) {
    if (present->at >= row.record.at) return {};
    remove(present->at, row.key, batch);
  }
  records::put(batch, std::move(store_key), row.record);
  records::put(batch, records::idempotency_index_key(group_, row.record.at, row.key),
               row.record.at);
  ++rows_;
  return {};
}

Result<Hlc> IdempotencyTable::next_floor(Hlc now, Hlc from, bool new_row, std::size_t under_way) {
  Hlc floor = std::max(from, floor_);
  const bool crowded = new_row && rows_ + under_way >= limits_.rows;
  if (rows_ == 0 || (!crowded && !too_old(oldest_, now))) return floor;
  // Two at a time keep up with any rate of new rows, and no entry becomes long work.
  int left = 2;
  ScanRange range = records::idempotency_index_range(group_);
  range.start = records::idempotency_index_key(group_, floor.next(), {});
  PARALLAX_TRY(view_.scan(range, [&](std::string_view store_key, std::string_view) {
    const Hlc at = records::idempotency_index(store_key).first;
    oldest_ = at;
    const bool one_for_one = crowded && left == 2;
    if (left == 0 || !(one_for_one || too_old(at, now))) return false;
    --left;
    floor = at;
    return true;
  }));
  return floor;
}

Result<void> IdempotencyTable::raise_floor(Hlc floor, WriteBatch& batch) {
  if (floor <= floor_) return {};
  ScanRange range = records::idempotency_index_range(group_);
  // What was let go of before lies below, and may be slow to walk over.
  range.start = records::idempotency_index_key(group_, floor_.next(), {});
  range.end = records::idempotency_index_key(group_, floor.next(), {});
  PARALLAX_TRY(view_.scan(range, [&](std::string_view store_key, std::string_view) {
    const auto [at, key] = records::idempotency_index(store_key);
    batch.remove(records::idempotency_key(group_, key));
    remove(at, key, batch);
    mark(Mark::row_let_go);
    return true;
  }));
  floor_ = floor;
  return {};
}

}  // namespace parallax
