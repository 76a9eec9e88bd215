// The one list of consistency levels.
//
// A level is a rule for which version a read may return and when a write may be acknowledged. A
// request names its level; the reply names the level that it got, and they are never silently
// apart.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace parallax {

enum class Level : std::uint8_t {
  linearizable,  ///< the leader's newest, as if there were one copy (Herlihy and Wing 1990)
  prefix,        ///< some state that the log really passed through, possibly old
  atomic,        ///< a linearizable register without a leader (Attiya, Bar-Noy and Dolev 1995)
  quorum,        ///< r replicas answer a read, w acknowledge a write (DeCandia et al. 2007)
  eventual,      ///< this replica; all converge (Terry et al. 1995)
  weak,          ///< this replica, and a write may be lost
};

/// The protocol that carries a level's operations.
enum class Protocol : std::uint8_t { leader_follower, quorum, causal, none };

struct LevelInfo {
  Level level;
  std::string_view name;
  std::string_view alias;  ///< another name for it, or empty
  Protocol protocol;
  std::string_view write_acknowledged_when;
  std::string_view read_returns;
  std::string_view promise;
};

inline constexpr std::array kLevels{
    LevelInfo{Level::linearizable, "linearizable", "strong", Protocol::leader_follower,
              "committed on a majority and applied at the leader",
              "the leader's winner after a read round", "linearizability"},
    LevelInfo{Level::prefix, "prefix", "", Protocol::leader_follower,
              "committed on a majority and applied at the leader", "any replica's applied state",
              "a consistent prefix of the log"},
    LevelInfo{Level::atomic, "atomic", "", Protocol::quorum,
              "a majority was asked and then a majority has stored it durably",
              "the newest that a majority holds, once a majority holds it",
              "linearizability, without a leader"},
    LevelInfo{Level::quorum, "quorum", "", Protocol::quorum, "w replicas have stored it durably",
              "the newest that r replicas hold",
              "with r + w > n no read is older than a write completed before it began"},
    LevelInfo{Level::eventual, "eventual", "", Protocol::quorum,
              "the receiving node has stored it durably", "what the receiving node holds",
              "convergence"},
    LevelInfo{Level::weak, "weak", "", Protocol::none, "it was received, not yet durable",
              "what the receiving node holds", "none"},
};

const LevelInfo& level_info(Level level);

/// What a request asks for: a level with its parameters. A value.
struct Consistency {
  /// Of r and w: every replica.
  static constexpr std::uint32_t kAll = 0xffff'ffff;

  Level level = Level::linearizable;
  // quorum. In an answer r and w are the numbers that held.
  std::uint32_t r = 0;           ///< replicas that a read takes the newest of; 0: a majority
  std::uint32_t w = 0;           ///< replicas that acknowledge a write; 0: a majority
  bool sloppy = false;           ///< a durable hint counts for the replica that it is for
  bool blocking_repair = false;  ///< a read waits until r replicas hold what it shows
  /// As in the Parallax-Consistency header: the level, then its parameters ("quorum; r=2; w=2").
  std::string to_string() const;
  friend bool operator==(const Consistency&, const Consistency&) = default;
};

/// A level by its name or alias. Errors: unknown_level, naming the text and the valid choices.
Result<Level> parse_level(std::string_view text);

}  // namespace parallax
