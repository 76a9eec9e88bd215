// A snapshot on its way to a member, chunk by chunk (node/replica_snapshot.cc).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.h"
#include "storage/store.h"

namespace parallax {

/// A plain value.
struct OutgoingSnapshot {
  std::uint64_t transfer = 0;
  std::uint64_t next = 0;
  std::unique_ptr<ReadView> view;
  std::string cursor;  ///< store key to go on from
  LogIndex index;
  Term term;
  MonoTime used{};
};

}  // namespace parallax
