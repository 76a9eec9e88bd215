// What weaker levels permit, each with a seed that shows it (tests/data/permitted/).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace parallax::simulation {

enum class Permitted : std::uint8_t {
  quorum_not_linearizable,  ///< although r + w > n
  quorum_later_write_lost,  ///< to an earlier one with a faster clock
  quorum_stale_read,        ///< r + w <= n
  eventual_stale_read,
  weak_write_lost,        ///< acknowledged, and nowhere
  lease_stale_read,       ///< the leader's clock is slower than its bound
  sequential_stale_read,  ///< of what a replica has
  bounded_stale_read,     ///< within its bound
  prefix_goes_back,       ///< from one replica to another
  ack_leader_write_lost,  ///< acknowledged, and lost at failover
  causal_not_sequential,  ///< sessions that see concurrent writes in no one order
  // Acknowledged, and gone with the one disk that had it:
  quorum_write_lost_with_disk,  ///< w = 1
  eventual_write_lost_with_disk,
  causal_write_lost_with_disk,
  session_write_lost_with_disk,
  // A session that has not asked for the guarantee:
  own_write_not_read,
  reads_go_back,
  writes_out_of_order,
  write_before_what_was_read,
  count,
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(Permitted::count)>
    kPermittedNames{"quorum-not-linearizable",
                    "quorum-later-write-lost",
                    "quorum-stale-read",
                    "eventual-stale-read",
                    "weak-write-lost",
                    "lease-stale-read",
                    "sequential-stale-read",
                    "bounded-stale-read",
                    "prefix-goes-back",
                    "ack-leader-write-lost",
                    "causal-not-sequential",
                    "quorum-write-lost-with-disk",
                    "eventual-write-lost-with-disk",
                    "causal-write-lost-with-disk",
                    "session-write-lost-with-disk",
                    "own-write-not-read",
                    "reads-go-back",
                    "writes-out-of-order",
                    "write-before-what-was-read"};

/// Whether that is about the leader's levels and acknowledgement modes (log_clients.h).
constexpr bool of_log_clients(Permitted permitted) {
  return permitted >= Permitted::sequential_stale_read &&
         permitted <= Permitted::ack_leader_write_lost;
}

/// Whether that is about sessions (causal_clients.h).
constexpr bool of_sessions(Permitted permitted) {
  return permitted == Permitted::causal_not_sequential ||
         permitted >= Permitted::causal_write_lost_with_disk;
}

/// Which guarantee of a session that is about, in the order of SessionGuarantees; nothing: none.
constexpr std::optional<std::size_t> guarantee_left_out(Permitted permitted) {
  switch (permitted) {
    case Permitted::own_write_not_read:
      return 0;
    case Permitted::reads_go_back:
      return 1;
    case Permitted::writes_out_of_order:
      return 2;
    case Permitted::write_before_what_was_read:
      return 3;
    default:
      return std::nullopt;
  }
}

constexpr std::string_view permitted_name(Permitted permitted) {
  return kPermittedNames[static_cast<std::size_t>(permitted)];
}

}  // namespace parallax::simulation
