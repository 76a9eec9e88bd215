#include "node/json_text.h"

#include <charconv>
#include <iterator>
#include <limits>

#include "base/base64.h"

namespace parallax {
namespace {

bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

/// Bytes of the character at `at`; 0: none is well-formed there.
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !continues(text, at + 1)) return 0;
  if (first < 0xe0) return 2;
  const unsigned second = byte(at + 1);
  if (first < 0xf0) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return !overlong && !surrogate && continues(text, at + 2) ? 3 : 0;
  }
  const bool outside = (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return !outside && continues(text, at + 2) && continues(text, at + 3) ? 4 : 0;
}

template <class Number>
void append_number(Number number, std::string& out) {
  char digits[std::numeric_limits<Number>::digits10 + 2];
  const char* const end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

void append_json_string(std::string_view text, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out.append("\\u00");
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_base64_member(std::string_view name, std::string_view bytes, std::string& out) {
  out.append("\"").append(name).append("\":\"").append(base64(bytes)).append("\"");
}

void append_text_or_base64(std::string_view name, std::string_view bytes, std::string& out) {
  if (!is_utf8(bytes)) {
    append_base64_member(std::string(name) + "_base64", bytes, out);
    return;
  }
  out.append("\"").append(name).append("\":");
  append_json_string(bytes, out);
}

void append_decimal(std::uint64_t number, std::string& out) {
  append_number(number, out);
}

void append_decimal(std::int64_t number, std::string& out) {
  append_number(number, out);
}

}  // namespace parallax
