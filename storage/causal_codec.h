// The bytes of an origin's operations, which messages and segments of the causal log carry. They
// have no checksum and no format version: the carrier has them.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/records.h"

namespace parallax {

/// What no origin issues. Empty: it may be one; otherwise what is wrong with it.
std::string_view fault(const CausalOperation& operation);
/// Of all of them.
std::string_view fault(const std::vector<CausalOperation>& operations);

/// Of one origin and numbered one behind the other. None: no bytes. Thread-safe.
std::string pack_operations(const std::vector<CausalOperation>& operations);

/// Values are views into `bytes`. At most limits::kCausalBufferOperations; no bytes are no list.
/// Errors: corrupt, saying what is wrong; never a crash, whatever the bytes. Whether the operations
/// are any that an origin issues is not looked at: fault(). Thread-safe.
Result<std::vector<CausalOperation>> unpack_operations(const Bytes& bytes);

}  // namespace parallax
