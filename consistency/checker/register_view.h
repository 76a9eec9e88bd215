// One key's history as that of a register whose written values are unique: who read from whom.
//
// The initial value is a write that returned before everything. A compare-and-set that succeeded
// reads what it expected and writes; one that was refused and says what it saw reads. Failed
// operations, and unknown ones that write nothing, are left out.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

inline constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();
inline constexpr std::uint32_t kNoOperation = ~std::uint32_t{0};

struct RegisterView {
  struct Write {
    std::uint32_t operation = kNoOperation;  ///< of the key's; none for the initial value
    std::int64_t call_ns = kBeforeAll;
    /// When the value surely was in place: its write, or a read of it, had returned. kNever if no
    /// such operation has.
    std::int64_t first_return_ns = kNever;
    std::uint32_t first_returned = kNoOperation;  ///< who says so
  };
  struct Read {
    std::uint32_t operation;
    std::uint32_t write;  ///< whose value it saw
  };
  std::vector<Write> writes;  ///< the first is the initial value
  std::vector<Read> reads;
  /// Reads, not in `reads`, of what nobody wrote or had begun to write when they returned.
  std::size_t impossible_reads = 0;
  bool has_cas = false;  ///< that succeeded, or may have
};

/// Room that is used again from key to key.
struct RegisterRoom {
  std::vector<std::uint32_t> write_of;  ///< by text; all free between two calls
};

/// Nothing if `operations`, all of one key, are not those of such a register: a value was written
/// twice, or there is a delete, increment, append, scan or transaction.
std::optional<RegisterView> view_register(const Texts& texts, std::span<const Operation> operations,
                                          Text initial, RegisterRoom& room);

}  // namespace parallax::checker
