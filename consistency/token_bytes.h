// How the two opaque tokens (session_token.h, key_context.h) are written and read:
//
//   format (1 byte) | body | CRC-32 (4 bytes) over what it is bound to and all before it
//
// in base64url without padding. Numbers are little-endian or, as varints, seven bits a byte, the
// lowest first. Each value has one encoding: a token is refused rather than read in another way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace parallax {

/// The longest varint of 64 bits.
inline constexpr std::size_t kMaxVarintBytes = 10;

/// Appends a token to a text, which is part of every reply: one allocation at most, no copy.
class TokenWriter {
 public:
  /// `room`: no less than what the body takes. `out` must outlive the writer.
  TokenWriter(std::string& out, std::uint8_t format, std::size_t room);
  void byte(std::uint8_t value) { *at_++ = static_cast<char>(value); }
  void u64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<std::uint8_t>(value >> shift));
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }
  /// Once, at the end.
  void finish(std::string_view bound_to);

 private:
  std::string& out_;
  std::size_t begin_;
  char* at_;
};

/// Reads what a TokenWriter wrote. After the first thing that is wrong every number is 0, and
/// finish() says what it was: readers need not ask after each number.
class TokenReader {
 public:
  /// `name`: what messages call the token. `text` longer than `limit` is not looked at.
  TokenReader(std::string_view name, std::string_view text, std::uint8_t format, std::size_t limit);
  /// `part`: what messages call this number. It must outlive the reader, as a literal does.
  std::uint8_t byte(std::string_view part);
  std::uint64_t u64(std::string_view part);
  std::uint64_t varint(std::string_view part, std::uint64_t highest = ~std::uint64_t{0});
  /// A varint, the number of entries that follow, each of at least `least` bytes.
  std::size_t count(std::string_view part, std::size_t least);
  /// The body is not one that is ever written.
  void altered(std::string_view part, std::string_view why);
  bool failed() const { return !problem_.empty(); }

  /// Once, at the end: whether nothing was wrong, nothing is left and the checksum is right.
  /// Errors: `code`.
  Result<void> finish(ErrorCode code, std::string_view bound_to);

 private:
  void open(std::string_view text, std::uint8_t format, std::size_t limit);
  void fail(std::string problem);

  std::string_view name_;
  std::string bytes_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;  ///< of the body
  std::string problem_;
};

}  // namespace parallax
