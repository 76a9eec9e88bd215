// What POST /v1/faults does to messages between peers: a pure decision per message, drawn from a
// seed. Carrying it out is the transport's part; the disk's faults are in storage/leveldb_store.h.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "node/service.h"

namespace parallax {

/// What a process cannot do to itself, of settings that are well-formed. Errors: bad_parameter,
/// naming the fault and what would be right.
Result<void> check_faults(const FaultSettings& faults);

class PeerFaults {
 public:
  explicit PeerFaults(NodeId self, std::uint64_t seed) : self_(self), random_(seed) {}

  /// Replaces all. A node's own id is ignored.
  void set(const FaultSettings& faults);

  /// Whether every message is simply to be sent: the common case, asked first.
  bool none() const { return none_; }
  bool drops_from(NodeId from) const;
  /// How long each copy of the next message to `to` is held back; none: it is lost.
  std::vector<Duration> deliveries(NodeId to);

 private:
  NodeId self_;
  Random random_;
  FaultSettings faults_;
  bool none_ = true;
};

}  // namespace parallax
