#include "clock/clock_offsets.h"

#include <algorithm>

namespace parallax {
namespace {

/// Hlc has 48 bits for milliseconds. Differences of such times cannot overflow below.
constexpr UnixMillis kEndOfTime{std::uint64_t{1} << 48};

std::int64_t difference_ms(UnixMillis a, UnixMillis b) {
  return static_cast<std::int64_t>(a.value) - static_cast<std::int64_t>(b.value);
}

}  // namespace

ClockSample ClockOffsets::sample_for(NodeId peer, UnixMillis now) const {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return ClockSample{now, UnixMillis{}, UnixMillis{}};
  return ClockSample{now, found->second.last_sent, found->second.last_received};
}

void ClockOffsets::on_sample(NodeId peer, const ClockSample& sample, UnixMillis now,
                             MonoTime mono_now) {
  if (std::max({sample.sent, sample.echo_sent, sample.echo_received, now}) >= kEndOfTime) return;
  Peer& state = peers_[peer];
  state.last_sent = sample.sent;
  state.last_received = now;
  if (sample.echo_sent == UnixMillis{}) return;

  // Neither message arrived before it was sent, which bounds the offset from both sides. Clock
  // readings are cut to whole milliseconds, which moves each bound by less than one.
  const std::int64_t low = difference_ms(sample.sent, now) - 1;
  const std::int64_t high = difference_ms(sample.echo_received, sample.echo_sent) + 1;
  if (low > high) return;
  const std::int64_t error = (high - low + 1) / 2;
  state.estimate = Estimate{high - error, error, mono_now};
}

std::optional<ClockOffsets::Estimate> ClockOffsets::estimate(NodeId peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? std::nullopt : found->second.estimate;
}

bool ClockOffsets::too_far_from_majority(std::size_t cluster_size,
                                         std::chrono::milliseconds max_skew) const {
  const auto too_far = [&](const auto& peer) {
    const std::optional<Estimate>& estimate = peer.second.estimate;
    return estimate && (estimate->offset_ms - estimate->error_ms > max_skew.count() ||
                        estimate->offset_ms + estimate->error_ms < -max_skew.count());
  };
  const auto far = static_cast<std::size_t>(std::count_if(peers_.begin(), peers_.end(), too_far));
  const std::size_t majority = cluster_size / 2 + 1;
  return far + majority > cluster_size;
}

}  // namespace parallax
