#include "storage/store.h"

#include <iterator>

namespace parallax {

void WriteBatch::append(WriteBatch other) {
  bytes_ += other.bytes_;
  if (changes_.empty()) {
    changes_ = std::move(other.changes_);
    return;
  }
  changes_.insert(changes_.end(), std::make_move_iterator(other.changes_.begin()),
                  std::make_move_iterator(other.changes_.end()));
}

}  // namespace parallax
