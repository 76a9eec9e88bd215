#include "storage/memory_store.h"

#include <algorithm>
#include <utility>

namespace parallax {

class MemoryStore::Snapshot : public ReadView {
 public:
  explicit Snapshot(std::shared_ptr<const Map> map) : map_(std::move(map)) {}
  Result<std::optional<std::string>> get(std::string_view key) const override {
    return get_from(*map_, key);
  }
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override {
    return scan_in(*map_, range, visit);
  }

 private:
  std::shared_ptr<const Map> map_;
};

MemoryStore::MemoryStore() : map_(std::make_shared<Map>()) {}

Result<std::optional<std::string>> MemoryStore::get_from(const Map& map, std::string_view key) {
  const auto it = map.find(key);
  if (it == map.end()) return std::optional<std::string>{};
  return std::optional<std::string>{it->second.to_string()};
}

Result<void> MemoryStore::scan_in(const Map& map, const ScanRange& range,
                                  const ScanVisitor& visit) {
  if (!range.end.empty() && range.end <= range.start) return {};
  const auto first = map.lower_bound(range.start);
  const auto last = range.end.empty() ? map.end() : map.lower_bound(range.end);
  if (!range.reverse) {
    for (auto it = first; it != last; ++it) {
      if (!visit(it->first, it->second.view())) break;
    }
  } else {
    for (auto it = last; it != first;) {
      --it;
      if (!visit(it->first, it->second.view())) break;
    }
  }
  return {};
}

Result<std::optional<std::string>> MemoryStore::get(std::string_view key) const {
  if (!unreadable_.empty() && key == unreadable_) {
    return definite(ErrorCode::io, "a sector cannot be read");
  }
  return get_from(*map_, key);
}

Result<void> MemoryStore::scan(const ScanRange& range, const ScanVisitor& visit) const {
  const std::shared_ptr<const Map> held = map_;
  return scan_in(*held, range, visit);
}

std::unique_ptr<ReadView> MemoryStore::snapshot() const {
  return std::make_unique<Snapshot>(map_);
}

MemoryStore::Map& MemoryStore::own_map() {
  if (map_.use_count() > 1) map_ = std::make_shared<Map>(*map_);
  return *map_;
}

std::optional<Bytes> MemoryStore::set(const std::string& key, const std::optional<Bytes>& value) {
  Map& map = own_map();
  std::optional<Bytes> before;
  const auto it = map.find(key);
  if (it != map.end()) {
    bytes_ -= key.size() + it->second.size();
    before = std::move(it->second);
  }
  if (value) {
    bytes_ += key.size() + value->size();
    if (it != map.end()) {
      it->second = *value;
    } else {
      map.emplace(key, *value);
    }
  } else if (it != map.end()) {
    map.erase(it);
  }
  return before;
}

Error MemoryStore::fail(std::string reason) {
  failed_ = indefinite(ErrorCode::io, std::move(reason));
  return *failed_;
}

Result<void> MemoryStore::write(const WriteBatch& batch) {
  PARALLAX_TRY(stage(batch));
  return sync();
}

Result<void> MemoryStore::stage(const WriteBatch& batch) {
  if (failed_) return *failed_;
  if (disk_full_) return fail("memory store: no space left on the simulated disk");
  std::vector<WriteBatch::Change>& undo = undo_.emplace_back();
  undo.reserve(batch.changes().size());
  for (const WriteBatch::Change& change : batch.changes()) {
    undo.push_back({change.key, set(change.key, change.value)});
  }
  return {};
}

Result<void> MemoryStore::sync() {
  if (failed_) return *failed_;
  if (std::exchange(fail_next_sync_, false)) return fail("memory store: the simulated sync failed");
  undo_.clear();
  return {};
}

void MemoryStore::crash(std::size_t keep_staged_batches) {
  while (undo_.size() > keep_staged_batches) {
    const std::vector<WriteBatch::Change>& changes = undo_.back();
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
      set(change->key, change->value);
    }
    undo_.pop_back();
  }
  undo_.clear();
  failed_.reset();
}

bool MemoryStore::flip_bit(std::string_view key, std::size_t bit) {
  const auto found = map_->find(key);
  if (found == map_->end() || found->second.empty()) return false;
  std::string value = found->second.to_string();
  bit %= value.size() * 8;
  value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << (bit % 8)));
  own_map().insert_or_assign(std::string(key), Bytes{std::move(value)});
  return true;
}

}  // namespace parallax
