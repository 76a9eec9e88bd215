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
};

const LevelInfo& level_info(Level level);

/// What a request asks for: a level with its parameters. A value.
struct Consistency {
  Level level = Level::linearizable;
  /// As in the Parallax-Consistency header: the level, then its parameters ("quorum; r=2; w=2").
  std::string to_string() const;
  friend bool operator==(const Consistency&, const Consistency&) = default;
};

/// A level by its name or alias. Errors: unknown_level, naming the text and the valid choices.
Result<Level> parse_level(std::string_view text);

}  // namespace parallax
