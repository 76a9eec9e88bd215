// Keys, their states and their history, above any ReadView.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "storage/history_log.h"
#include "storage/overlay.h"
#include "storage/records.h"

namespace parallax {

/// One superseded or present version of a key with the time at which it was replaced.
struct PastVersion {
  Version version;
  Stamp replaced_by;  ///< empty: not replaced
};

/// Which part of a key's past is wanted, both ends inclusive, and how much of it at most.
struct PastBounds {
  UnixMillis from = {};
  UnixMillis to = UnixMillis{~std::uint64_t{0}};
  std::size_t most_looked_at = ~std::size_t{0};  ///< versions, from the newest on
  std::size_t most_bytes = ~std::size_t{0};      ///< values of those told; the first may have more
  std::size_t most_read = ~std::size_t{0};       ///< bytes of any keys' history, in the search
};

struct Past {
  std::vector<PastVersion> versions;  ///< newest first
  /// Before this there are more, which the bounds leave out. 0: none.
  UnixMillis complete_from;
};

/// Typed reads and writes of one group's keys. Holds a reference to the view; copy freely.
class KeySpace {
 public:
  KeySpace(const ReadView& view, GroupId group) : view_(view), group_(group) {}
  /// With what this overlay keeps of key states. What joins let go of goes to `log`, if given, at
  /// once, and not into their batches: whoever writes those puts it into them. Another key space
  /// over the same view sees it from then on.
  KeySpace(const Overlay& view, GroupId group, HistoryLog* log = nullptr)
      : view_(view), overlay_(&view), log_(log), group_(group) {}

  /// What the log has brought, and whatever else may be shown beside it. An empty state when
  /// nothing is stored. Errors: io, corrupt.
  Result<KeyState> load(std::string_view key) const;
  /// The view has `state` of the key now, as load() would say: it need not be read again.
  void keep(std::string_view key, KeyState state) const;
  /// What has come before its place in the log has been reached (docs/ARCHITECTURE.md, "Early
  /// arrivals"). Errors as above.
  Result<KeyState> load_early(std::string_view key) const;

  /// Joins `incoming` into what is stored and puts the outcome into `batch`, and into the history
  /// what was replaced. Returns the joined state. Nothing is put when nothing changed.
  /// It reads the view and not `batch`: between two joins of one key the first one's batch must get
  /// into the view (Overlay::add). `incoming` must be well_formed().
  Result<KeyState> join(std::string_view key, const KeyState& incoming, WriteBatch& batch) const;

  /// The same of a key whose stored state the caller has loaded.
  Result<KeyState> join(std::string_view key, KeyState stored, const KeyState& incoming,
                        WriteBatch& batch) const;
  /// The same, but the outcome is not put into `batch`, which has only history: `changed` says
  /// whether it must get into the view in another way.
  Result<KeyState> join(std::string_view key, KeyState stored, const KeyState& incoming,
                        WriteBatch& batch, bool& changed) const;

  /// The same beside the key's state, without history: incoming states that are early.
  Result<KeyState> join_early(std::string_view key, const KeyState& incoming,
                              WriteBatch& batch) const;

  /// Return false to stop.
  using Visitor = std::function<bool(std::string_view key, const KeyState& state)>;
  /// Keys from `start` (inclusive) to `end` (exclusive, empty: to the last) in byte order.
  Result<void> scan(std::string_view start, std::string_view end, bool reverse,
                    const Visitor& visit) const;

  /// Present and superseded versions of a key. Walks from each version to what it replaced, so it
  /// ends where the records have been cleaned up. Errors: io, corrupt.
  Result<Past> history(std::string_view key, const PastBounds& bounds = {}) const;

  struct CleanUp {
    std::size_t removed = 0;
    Hlc reached;  ///< every history record below this is gone: the next call's `from`
  };
  /// Puts into `batch` the removal of history records written in [from, horizon), at most `limit`.
  /// With the last call's `reached` as `from` nothing is walked twice. A version that arrives late
  /// may leave a record below `reached`: a sweep from 0 (at start-up, say) finds it.
  Result<CleanUp> clean_history(Hlc from, Hlc horizon, std::size_t limit, WriteBatch& batch) const;

  /// Order-independent digest of all key states, idempotency records and policies: equal on
  /// replicas with equal contents.
  Result<std::uint64_t> digest() const;

 private:
  Result<void> put_history(std::string_view key, const VersionVector& known, const KeyState& joined,
                           std::vector<Version> replaced, WriteBatch& batch) const;

  const ReadView& view_;
  const Overlay* overlay_ = nullptr;
  HistoryLog* log_ = nullptr;  ///< nullptr: every replacement has its own record
  GroupId group_;
};

}  // namespace parallax
