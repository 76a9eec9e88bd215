// Parallax-Context: which versions of one key a reader has seen, so that a write can say which ones
// it replaces. Opaque to clients, versioned, checksummed, bound to its key.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "clock/version_vector.h"

namespace parallax {

/// base64url without padding. `key` goes into the checksum only.
std::string encode_key_context(std::string_view key, const VersionVector& context);
/// Appends the same.
void append_key_context(std::string_view key, const VersionVector& context, std::string& out);
/// Errors: bad_request, saying whether it is truncated, altered (or of another key, which looks the
/// same), or of a newer format. Thread-safe.
Result<VersionVector> decode_key_context(std::string_view key, std::string_view text);

/// A longer one is refused before it is looked at.
inline constexpr std::size_t kMaxKeyContextBytes = 4'096;

}  // namespace parallax
