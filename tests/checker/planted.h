// Violations planted in good histories.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/random.h"
#include "consistency/checker/history.h"

namespace parallax::checker {

enum class Plant : std::uint8_t {
  thin_air,        ///< a read of a value that nobody wrote
  lost_own_write,  ///< a session does not see its own write
  going_back,      ///< a session sees what it saw before, not what it saw since
  hidden_cause,    ///< a session sees a write but not what its writer wrote before it
  hidden_chain,    ///< the same over a third session
  flipped,         ///< two sessions see two writes of one key in opposite orders
  long_fork,       ///< two sessions see two writes of two keys in opposite orders
  both_missed,     ///< two sessions write and each misses the other's write (Dekker)
};
inline constexpr std::array kPlants{Plant::thin_air,     Plant::lost_own_write, Plant::going_back,
                                    Plant::hidden_cause, Plant::hidden_chain,   Plant::flipped,
                                    Plant::long_fork,    Plant::both_missed};
std::string_view to_string(Plant plant);

/// Adds a few operations at the end of a history of at least four clients and two keys.
void plant(History& history, Plant what, Random& random);

}  // namespace parallax::checker
