// Base64 (RFC 4648): the standard alphabet with padding for JSON, the URL one without for tokens.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace parallax {

/// Section 4, with padding.
std::string base64(std::string_view bytes);
/// Section 5, without padding.
std::string base64url(std::string_view bytes);
/// Replaces what `out` holds from `from` on by its base64url, without memory of its own.
void base64url_in_place(std::string& out, std::size_t from);
/// The inverses. Strict: nothing for a letter outside the alphabet, a length that cannot be,
/// padding that is missing (there) or present (here), or bits that are not zero behind the last
/// byte.
std::optional<std::string> decode_base64(std::string_view text);
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace parallax
