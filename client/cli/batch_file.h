// The operations of a batch as JSON, as POST /v1/batch takes them: {"operations": [...]}, or the
// array alone. Pure text.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "client/options.h"

namespace parallax::cli {

/// Each operation has "op" (put, get, delete or increment) and "key" or "key_base64"; beside these
/// as the operation takes them: "value" or "value_base64", "content_type", "ttl_ms", "by",
/// "siblings", "if_match", "if_none_match", "idempotency_key"; and "consistency". Errors:
/// bad_parameter naming the operation (from 0) and the member, and what would be right.
Result<std::vector<BatchOperation>> parse_batch(std::string_view text);

}  // namespace parallax::cli
