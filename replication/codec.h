// Envelope <-> bytes (message.proto). The generated types do not leave codec.cc.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "replication/message.h"

namespace parallax {

/// Appends the encoding of `envelope` to `out`. Thread-safe.
void encode_envelope(const Envelope& envelope, std::string& out);

/// Payloads of the result share `frame`'s buffer where they can. Errors: corrupt, naming the field:
/// never a crash, whatever the bytes. Thread-safe.
Result<Envelope> decode_envelope(const Bytes& frame);

}  // namespace parallax
