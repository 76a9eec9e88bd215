// The `next` of a page of a range: where to go on, and of which range. Opaque to clients,
// versioned, checksummed.
//
// It names a place among the keys and no state of any node, so pages stay right while keys come and
// go: a key that is there all the time is shown once.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "client/protocol.h"

namespace parallax {

struct PageToken {
  Scan range;         ///< as it was first asked for
  std::string place;  ///< where to go on: a start, or with range.reverse an end
  /// The range that is left.
  Scan rest() const;
  friend bool operator==(const PageToken&, const PageToken&) = default;
};

/// base64url without padding.
std::string encode_page_token(const PageToken& token);
/// Errors: bad_parameter, naming `next` and saying whether it is too long, truncated or altered (or
/// of a newer format, which looks the same). Thread-safe.
Result<PageToken> decode_page_token(std::string_view text);

}  // namespace parallax
