// What no replica says, whatever its state: the judgement of a message on its own.
//
// decode_envelope() refuses such messages, so that no core meets them; simulations and tests may
// ask the same of everything that is sent. Whether a message fits the receiver's state is for the
// cores to say.
#pragma once

#include "base/error.h"
#include "replication/message.h"

namespace parallax {

/// Errors: corrupt, naming the field and what it says. Thread-safe.
Result<void> check_envelope(const Envelope& envelope);

}  // namespace parallax
