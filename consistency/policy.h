// Policies: what holds for the keys under a prefix, agreed on through the log.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "consistency/level.h"

namespace parallax {

/// Whether keys may be written through several protocols.
enum class Mixing : std::uint8_t {
  allow,
  deny,  ///< the prefix belongs to the protocol of its default level
};

/// What is shown of versions that do not replace each other, and what a write replaces that does
/// not say so itself (consistency/merge/conflict.h).
enum class ConflictStrategy : std::uint8_t {
  last_writer,   ///< the one with the highest stamp
  first_writer,  ///< the value with the lowest stamp
  siblings,      ///< all of them are kept
  merge_json,    ///< JSON objects are merged, field by field
};

/// The one list of each, as on the wire.
inline constexpr std::array kMixings{std::pair{Mixing::allow, std::string_view("allow")},
                                     std::pair{Mixing::deny, std::string_view("deny")}};
inline constexpr std::array kConflictStrategies{
    std::pair{ConflictStrategy::last_writer, std::string_view("last-writer")},
    std::pair{ConflictStrategy::first_writer, std::string_view("first-writer")},
    std::pair{ConflictStrategy::siblings, std::string_view("siblings")},
    std::pair{ConflictStrategy::merge_json, std::string_view("merge-json")}};
/// The levels at which keys are read and written that another strategy than last-writer resolves.
/// The others promise an order, and so one winner.
inline constexpr std::array kUnorderedLevels{Level::causal, Level::session, Level::eventual,
                                             Level::weak};

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

bool is_unordered(Level level);
/// "causal, session, eventual, weak".
std::string unordered_level_names();
/// Why `policy` cannot be set: its requests without a level would be refused. bad_parameter.
std::optional<Error> policy_error(const Policy& policy);

}  // namespace parallax
