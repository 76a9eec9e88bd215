// What a key is: a few pure functions from a state and an operation to the next state.
//
// The state of a key is the text that it holds, or kAbsent. Each function returns the state after
// the operation, or nothing if the operation cannot have answered as it did in that state. Unknown
// outcomes are allowed everywhere: they take effect if they can and leave the state alone if not.
// The functions are those of Porcupine's models (Athalye 2017), on one kind of state, so that an
// operation of any kind can meet one of any other on the same key.
#pragma once

#include <optional>
#include <string_view>

#include "consistency/checker/history.h"

namespace parallax::checker {

using State = Text;
using Next = std::optional<State>;

/// Register: a read shows the state, a write replaces it, a delete leaves none.
Next step_read(State state, const Operation& read);
Next step_write(State state, const Operation& write);
Next step_remove(State state, const Operation& remove);
/// Compare and set: ok only if the state is what it expects, mismatch only if it is not.
Next step_cas(State state, const Operation& cas);
/// Counter: decimal text of 64 bits. Ok only if the state is such a number or absent, and the sum
/// stays one; interns the sum.
Next step_increment(Texts& texts, State state, const Operation& increment);
/// Text that grows: a key-value string; interns the sum.
Next step_append(Texts& texts, State state, const Operation& append);

/// Set: a JSON array, or absent, which is the empty set; interns the one text of the new set, so
/// the state must have been in that form (sets.h), and absent if it has no members. Ok only if the
/// state is one.
Next step_add(Texts& texts, State state, const Operation& add);

/// Whichever of the above `operation` is. It must not have failed, nor be a txn or scan.
Next step(Texts& texts, State state, const Operation& operation);

/// Whether `operation` leaves every state that allows it as it is.
bool is_pure(const Operation& operation);

}  // namespace parallax::checker
