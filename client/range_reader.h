// A range that is larger than a page: how to go on behind one, and a reader over all of them.
//
// Keys may change while a range is read. Each page shows the state at its own time, at its level;
// every key that is there the whole time comes exactly once, in order.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "client/client.h"

namespace parallax {

/// Every key that begins with `prefix`; with an empty one, every key.
Scan prefix_range(std::string prefix);

/// What is left of `range` behind `page`, its answer; nothing when that was the last page.
std::optional<Scan> next_page(const Scan& range, const Answer& page);

/// Reads a range item by item, page after page, blocking for each page. `range.limit` is the size
/// of a page. One thread at a time; the client must outlive it. For asynchronous reading use
/// async_scan() with next_page().
class RangeReader {
 public:
  RangeReader(Client& client, Scan range, OperationOptions options = {})
      : client_(client), rest_(std::move(range)), options_(std::move(options)) {}

  /// The next item; nothing behind the last one. After an error (those of Client::scan) the same
  /// page may be asked for again by calling again.
  Result<std::optional<Item>> next();
  /// The last page that was read, its level and evidence.
  const Answer& page() const { return page_; }

 private:
  Client& client_;
  std::optional<Scan> rest_;  ///< what no page has shown yet
  OperationOptions options_;
  Answer page_;
  std::size_t at_ = 0;  ///< in page_.items
};

}  // namespace parallax
