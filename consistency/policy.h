// Policies: what holds for the keys under a prefix, agreed on through the log.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "consistency/level.h"

namespace parallax {

/// Whether keys may be written through several protocols.
enum class Mixing : std::uint8_t {
  allow,
  deny,  ///< the prefix belongs to the protocol of its default level
};

/// Which version wins among those that do not replace each other.
enum class ConflictStrategy : std::uint8_t {
  last_writer,  ///< the one with the highest stamp
};

/// The one list of each, as on the wire.
inline constexpr std::array kMixings{std::pair{Mixing::allow, std::string_view("allow")},
                                     std::pair{Mixing::deny, std::string_view("deny")}};
inline constexpr std::array kConflictStrategies{
    std::pair{ConflictStrategy::last_writer, std::string_view("last-writer")}};

/// A value. Of several policies whose prefixes a key has, the one with the longest prefix holds.
struct Policy {
  /// For requests that name no level; absent: linearizable.
  std::optional<Consistency> default_consistency;
  Mixing mixing = Mixing::allow;
  ConflictStrategy conflict = ConflictStrategy::last_writer;
  friend bool operator==(const Policy&, const Policy&) = default;
};

std::string_view mixing_name(Mixing mixing);
std::string_view conflict_name(ConflictStrategy strategy);
/// Errors: bad_parameter, naming the text and the valid choices.
Result<Mixing> parse_mixing(std::string_view text);
Result<ConflictStrategy> parse_conflict(std::string_view text);

}  // namespace parallax
