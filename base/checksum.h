// CRC-32 (ISO-HDLC, zlib's) over stored records and peer frames.
#pragma once

#include <cstdint>
#include <string_view>

namespace parallax {

/// Checksum of `bytes`, continuing from `seed` (the checksum of what came before; 0 to begin).
std::uint32_t crc32(std::string_view bytes, std::uint32_t seed = 0);

}  // namespace parallax
