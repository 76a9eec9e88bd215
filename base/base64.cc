#include "base/base64.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace parallax {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t kNoLetter = 0xff;

constexpr std::array<std::uint8_t, 256> values_of(std::string_view alphabet) {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoLetter);
  for (std::uint8_t value = 0; value < 64; ++value) {
    values[static_cast<std::uint8_t>(alphabet[value])] = value;
  }
  return values;
}

constexpr auto kStandardValues = values_of(kStandard);
constexpr auto kUrlValues = values_of(kUrl);

/// From the back: a group of letters never lies before the bytes that it stands for, so no byte is
/// overwritten before it was read.
void expand(std::string& out, std::size_t from, std::string_view alphabet) {
  const std::size_t size = out.size() - from;
  const std::size_t tail = size % 3;
  out.resize(from + size / 3 * 4 + (tail == 0 ? 0 : tail + 1));
  char* const base = out.data() + from;
  const auto byte = [base](std::size_t at) {
    return std::uint32_t{static_cast<std::uint8_t>(base[at])};
  };
  const auto write = [base, alphabet](std::size_t at, std::uint32_t bits, std::size_t letters) {
    // All before the first is written, which the compiler would take for a change of the alphabet.
    const char four[] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63],
                         alphabet[bits & 63]};
    std::memcpy(base + at, four, letters);
  };
  std::size_t group = size / 3;
  if (tail == 1) write(4 * group, byte(3 * group) << 16, 2);
  if (tail == 2) write(4 * group, byte(3 * group) << 16 | byte(3 * group + 1) << 8, 3);
  while (group-- > 0) {
    const std::size_t at = 3 * group;
    write(4 * group, byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2), 4);
  }
}

/// Text without padding.
std::optional<std::string> contract(std::string_view text,
                                    const std::array<std::uint8_t, 256>& values) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  std::uint32_t held = 0;
  for (const char letter : text) {
    const std::uint8_t value = values[static_cast<std::uint8_t>(letter)];
    if (value == kNoLetter) return std::nullopt;
    bits = bits << 6 | value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>(bits >> held));
    }
  }
  // Two texts for the same bytes would be two tokens for one.
  if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string out(bytes);
  expand(out, 0, kStandard);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::string base64url(std::string_view bytes) {
  std::string out(bytes);
  expand(out, 0, kUrl);
  return out;
}

void base64url_in_place(std::string& out, std::size_t from) {
  expand(out, from, kUrl);
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return contract(text, kStandardValues);
}

std::optional<std::string> decode_base64url(std::string_view text) {
  return contract(text, kUrlValues);
}

}  // namespace parallax
