// Text for the report's page: whatever a run holds, made harmless where it is put, and short.
//
// All functions take any bytes and give UTF-8: what is no UTF-8, or a control character that has no
// place in a page, becomes U+FFFD.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "consistency/checker/history.h"

namespace parallax::harness {

/// As text or as an attribute's value in quotes.
std::string html(std::string_view text);
/// A JSON string, with its quotes, that cannot end the <script> in which it stands.
std::string script_string(std::string_view text);
/// At most `most_bytes` of it, and of what follows how much it is.
std::string clipped(std::string_view text, std::size_t most_bytes);

/// "1,234,567".
std::string grouped(std::uint64_t number);
/// "12.3 ms", "2.5 s".
std::string short_duration(std::int64_t ns);
/// A share of `all` in percent: "99.95 %". Never "100 %" of less than all, nor "0 %" of more than
/// none. Of nothing: "–".
std::string percent(std::uint64_t part, std::uint64_t all);

/// "read 7", "cas 3 → 7", "delete": short enough for a drawing.
std::string short_label(const checker::Texts& texts, const checker::Operation& operation);

}  // namespace parallax::harness
