// The causal log in the store: segments, one record for the operations that a batch brings, of
// whatever origins. A record has its price in the store, and again when it is removed, whatever is
// in it.
//
// A segment leaves with the last of its operations. So it may still hold operations of an origin
// that were let go of; CausalRecord::log_starts says which.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "storage/records.h"

namespace parallax {

struct CausalSegment {
  /// Each has those of an origin, at least one, numbered one behind the other. At least one.
  std::vector<std::vector<CausalOperation>> lists;
  friend bool operator==(const CausalSegment&, const CausalSegment&) = default;
};

namespace records {
std::string causal_segment_key(GroupId group, std::uint64_t number);
/// As formats up to 4 have them: each has operations of one origin, up to `last`.
std::string causal_segment_key(GroupId group, const Origin& origin, std::uint64_t last);
/// Of all segments.
ScanRange causal_log_range(GroupId group);
}  // namespace records

/// Gathers operations until they go into a batch, and knows where those are that did. Not
/// thread-safe.
class CausalLog {
 public:
  /// A segment takes nothing more once it has `segment_bytes`, as CausalOperation::bytes() counts.
  CausalLog(GroupId group, std::size_t segment_bytes)
      : group_(group), segment_bytes_(segment_bytes) {}

  /// Begins with what `view` has, and visits it: each origin's operations in no order. Nothing may
  /// be gathered. Errors: corrupt, io; refused (a newer format).
  Result<void> open(const ReadView& view,
                    const std::function<void(const CausalOperation& operation)>& visit);

  /// One of those behind what there is of its origin: the next one, where the log goes on.
  void add(CausalOperation operation);
  /// The operations from `first` to `last` are not needed any more; what was let go of before this
  /// stays so. Segments leave with the next batch, those with later operations later.
  void remove(const Origin& origin, std::uint64_t first, std::uint64_t last);
  /// Of what is gathered, as CausalOperation::bytes() counts.
  std::size_t bytes() const { return bytes_; }
  /// Puts all that is gathered into `batch`, which must get into the views that are read from.
  void put_into(WriteBatch& batch);

  /// The origin's operations behind `after` that were not let go of, gathered ones included: no
  /// more bytes than `most_bytes`, but one in any case. Errors: corrupt, io.
  Result<std::vector<CausalOperation>> read(const ReadView& view, const Origin& origin,
                                            std::uint64_t after, std::size_t most_bytes) const;

 private:
  /// The store key of a segment. Shared by the pieces in it that were not let go of.
  using Place = std::shared_ptr<const std::string>;
  struct Gathered {
    CausalSegment segment;
    std::size_t operations = 0;
    std::size_t bytes = 0;
    bool takes(const CausalOperation& operation, std::size_t most_bytes) const;
  };
  struct Removal {
    Origin origin;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  void note(const Place& place, const CausalSegment& segment);
  void carry_out(const Removal& removal, WriteBatch& batch);

  const GroupId group_;
  const std::size_t segment_bytes_;
  std::vector<Gathered> gathered_;  ///< what comes goes to the last
  std::size_t bytes_ = 0;
  std::vector<Removal> removals_;
  /// An origin's pieces of segments, by their last numbers.
  std::map<Origin, std::map<std::uint64_t, Place>> pieces_;
  std::uint64_t next_ = 1;  ///< above all segments in the store
};

}  // namespace parallax
