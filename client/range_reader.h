// A range that is larger than a page: a reader over all pages.
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

/// Reads a range item by item, page after page, blocking for each page. `range.limit` is the size
/// of a page. One thread at a time; the client must outlive it. Asynchronously: async_scan(), then
/// async_continue_scan() as long as there is a `next`.
class RangeReader {
 public:
  RangeReader(Client& client, Scan range, OperationOptions options = {})
      : client_(client), range_(std::move(range)), options_(std::move(options)) {}

  /// The next item; nothing behind the last one. After an error (those of Client::scan) the same
  /// page may be asked for again by calling again.
  Result<std::optional<Item>> next();
  /// The last page that was read, its level and evidence.
  const Answer& page() const { return page_; }

 private:
  Client& client_;
  Scan range_;
  OperationOptions options_;
  Answer page_;
  bool begun_ = false;  ///< there is a page
  std::size_t at_ = 0;  ///< in page_.items
};

}  // namespace parallax
