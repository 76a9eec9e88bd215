// A violation that a person can follow: few operations, and what is wrong with them in words.
//
// A witness is a proof about the whole history: with every operation it keeps whatever could have
// written what that operation saw, so what was left out cannot explain the contradiction.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "consistency/checker/events.h"
#include "consistency/checker/history.h"

namespace parallax::checker {

struct Witness {
  std::string pattern;  ///< the paper's name for what is wrong, such as "WriteCORead"
  History part;         ///< the operations alone; a violation by itself
  bool minimal = true;  ///< no operation can be taken away; false if that took too long to find out
  std::string text;     ///< in words, several lines
};

/// A history of these operations of `history` alone, with a pool of their texts alone.
History extract(const History& history, std::span<const std::uint32_t> operations);

/// Whether a history still is a violation.
using StillViolated = std::function<bool(const History&)>;

/// Takes operations away from `violation`, larger groups first, each together with all that may
/// have seen what it wrote, as long as it stays one. Returns whether none is left to take away.
bool shrink(History& violation, const StillViolated& still_violated);

/// A part of `history`, which is violated, that is so by itself, made small: first `operations`
/// with all that can have written what they saw is tried, then the whole.
struct Shrunk {
  History part;
  bool minimal;
};
Shrunk shrink_from(const History& history, std::vector<std::uint32_t> operations,
                   const StillViolated& still_violated);

/// `"x": client 3 read 7 at n2`.
std::string describe_event(const History& history, const Events& events, EventId event);
/// "client 1's write of 9".
std::string name_write(const History& history, const Events& events, EventId write);
/// "client 3 read 7 of "x"", "client 3 saw nothing of "x"".
std::string name_read(const History& history, const Events& events, EventId read);

}  // namespace parallax::checker
