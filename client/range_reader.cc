#include "client/range_reader.h"

namespace parallax {

Scan prefix_range(std::string prefix) {
  Scan range{.start = prefix, .end = std::move(prefix)};
  // The first key behind all of them: the last byte that can be raised is, and what follows it
  // goes.
  while (!range.end.empty() && static_cast<unsigned char>(range.end.back()) == 0xff) {
    range.end.pop_back();
  }
  if (!range.end.empty()) {
    range.end.back() = static_cast<char>(static_cast<unsigned char>(range.end.back()) + 1);
  }
  return range;
}

Result<std::optional<Item>> RangeReader::next() {
  // A page may be empty and not the last one.
  while (at_ == page_.items.size()) {
    if (begun_ && !page_.next) return std::optional<Item>{};
    PARALLAX_ASSIGN(page_, begun_ ? client_.continue_scan(*page_.next, options_)
                                  : client_.scan(range_, options_));
    begun_ = true;
    at_ = 0;
  }
  return std::optional<Item>{std::move(page_.items[at_++])};
}

}  // namespace parallax
