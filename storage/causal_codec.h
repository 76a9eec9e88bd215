// The causal log in the store: segments, and the bytes of an origin's operations, which messages
// carry, too. Bytes have no checksum and no format version: the carrier has them.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "storage/records.h"

namespace parallax {

/// A piece of an origin's log: operations one behind the other, as one batch took them in. Their
/// own record each would cost the store more than what is in them.
struct CausalSegment {
  std::vector<SharedOperation> operations;  ///< at least one
  friend bool operator==(const CausalSegment&, const CausalSegment&) = default;
};

namespace records {
/// Of the segment whose last operation is `last`.
std::string causal_segment_key(GroupId group, const Origin& origin, std::uint64_t last);
}  // namespace records

/// What no origin issues. Empty: it may be one; otherwise what is wrong with it.
std::string_view fault(const CausalOperation& operation);

/// Of one origin and numbered one behind the other. None: no bytes. Thread-safe.
std::string pack_operations(const std::vector<SharedOperation>& operations);

/// Values are views into `bytes`. At most limits::kCausalBufferOperations; no bytes are no list.
/// Errors: corrupt, saying what is wrong; never a crash, whatever the bytes. Whether the operations
/// are any that an origin issues is not looked at: fault(). Thread-safe.
Result<std::vector<SharedOperation>> unpack_operations(const Bytes& bytes);

}  // namespace parallax
