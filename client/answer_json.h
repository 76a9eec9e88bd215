// Bodies of answers to operations on keys, as values. Pure.
//
// Errors of all: corrupt, naming what is missing or of another type. Unknown members are ignored.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "client/http_message.h"
#include "client/protocol.h"

namespace parallax {

/// {"value": n}
Result<std::int64_t> parse_increment_body(std::string_view body);
/// {"replicas": n}
Result<std::uint32_t> parse_replicas_body(std::string_view body);
/// {"type": "counter"|"set"|"map", "value": ...}
Result<CrdtValue> parse_crdt_body(std::string_view body);
/// {"siblings": [{"etag", "value_base64", "content_type"}]}, at least one, newest first.
Result<std::vector<Item>> parse_siblings_body(std::string_view body);
/// {"items": [{"key"|"key_base64", "value_base64", "etag", ...}], "next", "missing",
/// "missing_base64"}: into `items`, `next` and `missing`.
Result<void> parse_items_body(std::string_view body, Answer& answer);
/// {"versions": [{"etag", "at_ms", "kind", "value_base64", ...}]}: into `versions` and
/// `history_floor`.
Result<void> parse_history_body(std::string_view body, Answer& answer);
/// {"results": [{"status", ...}]}: each as the response that its operation would have had by
/// itself.
Result<std::vector<HttpResponse>> parse_batch_body(std::string_view body);
/// {"policies": [{"prefix"|"prefix_base64", "default_consistency", "mixing", "conflict"}]}
Result<void> parse_policies_body(std::string_view body, Answer& answer);
/// One policy, of `prefix`.
Result<void> parse_policy_body(std::string_view body, std::string_view prefix, Answer& answer);

}  // namespace parallax
