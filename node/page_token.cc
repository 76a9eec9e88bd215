#include "node/page_token.h"

#include "base/base64.h"
#include "base/checksum.h"
#include "node/http_api.h"

namespace parallax {
namespace {

// Format 1: version, checksum of all behind it (4 bytes), flags, limit (2), length of start (2),
// start, length of end (2), end, place. Numbers are big-endian.
constexpr char kFormat = 1;
constexpr std::size_t kChecksumEnd = 5;
constexpr std::size_t kLeastBytes = kChecksumEnd + 1 + 2 + 2 + 2;
constexpr unsigned kReverse = 1;
constexpr unsigned kKeysOnly = 2;

void append_number(std::uint32_t number, int bytes, std::string& out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(number >> shift & 0xff);
  }
}

/// Takes `bytes` off the front of `text`, which has them.
std::uint32_t take_number(std::string_view& text, int bytes) {
  std::uint32_t number = 0;
  for (int i = 0; i < bytes; ++i) {
    number = number << 8 | static_cast<unsigned char>(text[static_cast<std::size_t>(i)]);
  }
  text.remove_prefix(static_cast<std::size_t>(bytes));
  return number;
}

bool take_text(std::string_view& text, std::string& out) {
  if (text.size() < 2) return false;
  const std::size_t size = take_number(text, 2);
  if (text.size() < size) return false;
  out = text.substr(0, size);
  text.remove_prefix(size);
  return true;
}

Error wrong(std::string_view what) {
  return definite(
      ErrorCode::bad_parameter,
      fmt::format("next is no page token of this API: {}; pass back what an answer gave "
                  "as \"next\", or leave it out for the first page",
                  what));
}

}  // namespace

Scan PageToken::rest() const {
  Scan rest = range;
  (range.reverse ? rest.end : rest.start) = place;
  return rest;
}

std::string encode_page_token(const PageToken& token) {
  std::string body;
  body += static_cast<char>((token.range.reverse ? kReverse : 0) |
                            (token.range.keys_only ? kKeysOnly : 0));
  append_number(token.range.limit, 2, body);
  for (const std::string* bound : {&token.range.start, &token.range.end}) {
    append_number(static_cast<std::uint32_t>(bound->size()), 2, body);
    body += *bound;
  }
  body += token.place;
  std::string bytes(1, kFormat);
  append_number(crc32(body), 4, bytes);
  return base64url(bytes + body);
}

Result<PageToken> decode_page_token(std::string_view text) {
  if (text.size() > static_cast<std::size_t>(kMaxPageTokenBytes)) return wrong("it is too long");
  const std::optional<std::string> bytes = decode_base64url(text);
  if (!bytes) return wrong("it is not base64url");
  std::string_view rest = *bytes;
  if (rest.empty()) return wrong("it is truncated");
  if (rest.front() != kFormat) return wrong("it is altered, or of a newer format");
  if (rest.size() < kLeastBytes) return wrong("it is truncated");
  rest.remove_prefix(1);
  const std::uint32_t checksum = take_number(rest, 4);
  if (crc32(rest) != checksum) return wrong("it is truncated or altered");
  PageToken token;
  const std::uint32_t flags = take_number(rest, 1);
  token.range.reverse = (flags & kReverse) != 0;
  token.range.keys_only = (flags & kKeysOnly) != 0;
  token.range.limit = take_number(rest, 2);
  // Whoever makes a checksum of his own shall not get further than with parameters of his own.
  const bool whole = take_text(rest, token.range.start) && take_text(rest, token.range.end);
  token.place = rest;
  const auto fits = [](const std::string& key) { return key.size() <= limits::kMaxKeyBytes + 1; };
  const bool inside = token.place >= token.range.start &&
                      (token.range.end.empty() || token.place <= token.range.end);
  if (!whole || flags > (kReverse | kKeysOnly) || token.range.limit < 1 ||
      token.range.limit > limits::kMaxScanLimit || !fits(token.range.start) ||
      !fits(token.range.end) || !fits(token.place) || token.place.empty() || !inside) {
    return wrong("it is altered");
  }
  return token;
}

}  // namespace parallax
