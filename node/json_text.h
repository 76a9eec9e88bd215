// Pieces of JSON appended to a text, for answers whose size makes a tree of values a waste.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace parallax {

/// Whether it is well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

/// `text`, which must be UTF-8, as a JSON string with its quotes.
void append_json_string(std::string_view text, std::string& out);

/// `"name":"text"` if it is UTF-8, else `"name_base64":"..."`.
void append_text_or_base64(std::string_view name, std::string_view bytes, std::string& out);

/// `"name":"..."` in base64 with padding.
void append_base64_member(std::string_view name, std::string_view bytes, std::string& out);

/// In decimal.
void append_decimal(std::uint64_t number, std::string& out);
void append_decimal(std::int64_t number, std::string& out);

}  // namespace parallax
