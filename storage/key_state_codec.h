// KeyState <-> bytes (records.proto), for whoever carries key states: the records of the store and
// the commands of the log. No checksum and no format version: the carrier has them.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/version.h"

namespace parallax {

/// Appends the encoding of `state`, which must be well_formed(), to `out`. Thread-safe.
void encode_key_state(const KeyState& state, std::string& out);

/// Errors: corrupt, naming what is wrong; never a crash, whatever the bytes. The result is
/// well_formed(). Thread-safe.
Result<KeyState> decode_key_state(const Bytes& bytes);

}  // namespace parallax
