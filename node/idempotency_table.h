// First outcomes of requests that carried an idempotency key: the rows in the replicated state.
//
// A row is written by the entry that has the effect, in the same batch, so that a retry finds the
// outcome wherever the leadership has gone. Rows are let go of through the log too: the leader says
// in an entry up to which time. What is there is thus decided by the log: all rows above a floor,
// which rises.
//
// Not thread-safe; reads a view and puts its changes into batches of its owner, which must reach
// the view before the next call.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "replication/command.h"
#include "storage/records.h"

namespace parallax {

class IdempotencyTable {
 public:
  /// The same on every node of a cluster.
  struct Limits {
    std::size_t rows = limits::kMaxIdempotencyRows;
    std::chrono::milliseconds retention = limits::kIdempotencyRetention;
  };

  IdempotencyTable(const ReadView& view, GroupId group, Limits limits)
      : view_(view), group_(group), limits_(limits) {}

  /// Counts what is stored. `floor` is that of the applied record. Errors: io, corrupt.
  Result<void> open(Hlc floor);

  /// The outcome under `key` that still counts at `now`. Errors: io, corrupt.
  Result<std::optional<IdempotencyRecord>> find(std::string_view key, Hlc now) const;

  /// The entry of `row` is applied, or the row has come with a snapshot: rows join by the later
  /// time. Errors: io, corrupt.
  Result<void> put(const IdempotencyRow& row, WriteBatch& batch);
  /// For the leader: up to where an entry stamped `now` lets go of rows that are too old, or of one
  /// for a new row when they are as many as may be. `from` is the floor proposed before,
  /// `under_way` how many rows are. Errors: io, corrupt.
  Result<Hlc> next_floor(Hlc now, Hlc from, bool new_row, std::size_t under_way);
  /// Lets go of all rows up to `floor`. Errors: io, corrupt.
  Result<void> raise_floor(Hlc floor, WriteBatch& batch);

  Hlc floor() const { return floor_; }
  std::size_t rows() const { return rows_; }

 private:
  bool too_old(Hlc at, Hlc now) const;
  void remove(Hlc at, std::string_view key, WriteBatch& batch);

  const ReadView& view_;
  GroupId group_;
  Limits limits_;
  Hlc floor_;
  std::size_t rows_ = 0;
  /// No row is older; the oldest one's time once it has been looked for.
  Hlc oldest_;
};

}  // namespace parallax
