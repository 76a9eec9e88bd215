// CRC-32 (ISO-HDLC, zlib's) over stored records and peer frames; a 64-bit hash to tell contents
// apart.
#pragma once

#include <cstdint>
#include <string_view>

namespace parallax {

/// Checksum of `bytes`, continuing from `seed` (the checksum of what came before; 0 to begin).
std::uint32_t crc32(std::string_view bytes, std::uint32_t seed = 0);

/// FNV-1a (Fowler, Noll, Vo) with SplitMix64's finish, so that sums of hashes do not cancel out.
/// The same on every machine; not against somebody who looks for collisions.
std::uint64_t hash64(std::string_view bytes);

}  // namespace parallax
