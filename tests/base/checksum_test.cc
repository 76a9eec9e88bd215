#include "base/checksum.h"

#include <string>

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax {
namespace {

/// The definition, a bit at a time: reflected polynomial 0xedb88320.
std::uint32_t crc32_by_bits(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
  }
  return ~crc;
}

TEST_CASE("crc32: known values") {
  struct Case {
    std::string bytes;
    std::uint32_t crc;
  };
  const auto c = GENERATE(values<Case>({
      {"", 0x00000000u},
      {"123456789", 0xcbf43926u},
      {"The quick brown fox jumps over the lazy dog", 0x414fa339u},
      {std::string(32, '\0'), 0x190a55adu},
  }));
  CAPTURE(c.bytes);
  CHECK(crc32(c.bytes) == c.crc);
}

TEST_CASE("crc32: the definition and the same in pieces") {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    std::string bytes(random.below(100), '\0');
    for (char& c : bytes) c = static_cast<char>(random.next());
    const std::size_t cut = random.between(0, bytes.size());
    const std::string_view view = bytes;
    REQUIRE(crc32(view) == crc32_by_bits(view));
    REQUIRE(crc32(view.substr(cut), crc32(view.substr(0, cut))) == crc32(view));
  }
}

}  // namespace
}  // namespace parallax
