// Makes a violation small, and says it in words.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "consistency/checker/linearizability.h"

namespace parallax::checker {

/// The shortest prefix by return of one key's `operations`, which are not linearizable, that is not
/// linearizable either. What was still running at its end is unknown in it; what was called later
/// is not in it. `returns_passed` is what the search said. A limit makes it longer than need be.
std::vector<Operation> shortest_violation(const Texts& texts, std::span<const Operation> operations,
                                          Text initial, const Limits& limits,
                                          std::size_t returns_passed);

/// Takes operations away from a violation of one key, larger groups first, each together with all
/// operations that may have seen its effect, as long as it stays one.
Counterexample minimize(const Texts& texts, std::vector<Operation> violation, Text initial,
                        const Limits& limits);

/// `operations` without those at the marked places and without all whose answers depend on them:
/// what is left is linearizable if `operations` are.
std::vector<Operation> without(const Texts& texts, std::span<const Operation> operations,
                               const std::vector<bool>& removed);

/// What one operation did, in words: "client 3 read 7 at n2, from 12 ns to 25 ns".
std::string describe(const Texts& texts, const Operation& operation);
/// The whole text of a counterexample. Without a `reason`, a sentence, one is looked for.
std::string explain(const Texts& texts, std::span<const Operation> operations, Text initial,
                    const std::string& reason = {});
/// A row for each client, time from left to right, not to scale. Empty if it would be too wide.
std::string draw(const Texts& texts, std::span<const Operation> operations);
/// A value as it stands in a sentence: quoted if it has to be, and not longer than a line.
std::string show_value(const Texts& texts, Text value);
/// A span of time with a unit that suits it: "12 ms".
std::string describe_duration(std::int64_t ns);

}  // namespace parallax::checker
