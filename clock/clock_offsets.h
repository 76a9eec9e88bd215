// Physical clock offsets to the peers, measured on the messages that pass anyway.
//
// Source: Mills, "Network Time Protocol" (RFC 5905, section 8): four times of one exchange give an
// offset and a round-trip delay; the true offset is within half the delay of the estimate.
//
// Stamps are refused where they are issued: a node whose clock is too far from the clocks of a
// majority (docs/ARCHITECTURE.md) must not stamp. A peer counts as too far only when the whole
// interval of its estimate is outside the bound, so a slow network alone never blocks a node.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "base/ids.h"

namespace parallax {

/// What every peer message carries for the measurement. Milliseconds of the sender's physical clock
/// and, for an echo, how the last message from the receiver looked when it arrived.
struct ClockSample {
  UnixMillis sent;           ///< the sender's physical clock when it sent this
  UnixMillis echo_sent;      ///< `sent` of the last message received from this receiver; 0 if none
  UnixMillis echo_received;  ///< the sender's physical clock when that one arrived
  friend bool operator==(const ClockSample&, const ClockSample&) = default;
};

/// A value; not thread-safe.
class ClockOffsets {
 public:
  struct Estimate {
    std::int64_t offset_ms = 0;  ///< peer's clock minus ours
    std::int64_t error_ms = 0;   ///< the true offset is within this of offset_ms
    MonoTime measured;
  };

  /// The sample to put into a message to `peer` sent at physical time `now`.
  ClockSample sample_for(NodeId peer, UnixMillis now) const;
  /// A message of `peer` with `sample` arrived at physical time `now`. The newest exchange counts.
  /// One that no pair of steady clocks can have produced (a clock jumped meanwhile) leaves the
  /// estimate as it was, and so does one with times that no Hlc can hold.
  void on_sample(NodeId peer, const ClockSample& sample, UnixMillis now, MonoTime mono_now);
  std::optional<Estimate> estimate(NodeId peer) const;

  /// Whether fewer than a majority of `cluster_size` members (this one included, as offset 0) can
  /// be within `max_skew` of our clock. Peers not yet measured count as within.
  bool too_far_from_majority(std::size_t cluster_size, std::chrono::milliseconds max_skew) const;

 private:
  struct Peer {
    UnixMillis last_sent;
    UnixMillis last_received;
    std::optional<Estimate> estimate;
  };
  std::map<NodeId, Peer> peers_;  ///< only members of the cluster
};

}  // namespace parallax
