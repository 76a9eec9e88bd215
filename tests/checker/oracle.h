// The dumb second opinion: tries every order of every choice of the unknown operations.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

/// Whether `operations`, all of one key, are linearizable. Shares nothing with the checkers but the
/// history's types; takes factorial time.
bool brute_force_linearizable(const Texts& texts, const std::vector<Operation>& operations,
                              std::optional<std::string> initial = std::nullopt);

}  // namespace parallax::checker
