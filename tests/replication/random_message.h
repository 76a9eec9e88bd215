// Random messages and commands: sound ones, of every kind, from one seed.
#pragma once

#include "base/random.h"
#include "replication/command.h"
#include "replication/message.h"

namespace parallax::test {

/// Small, large, and at the edges of what the wire treats differently.
std::uint64_t random_number(Random& random);
/// Any bytes, `at_most` of them.
std::string random_bytes(Random& random, std::size_t at_most);
KeyState random_key_state(Random& random);

/// Of the kind with this place in Message.
Message random_message(Random& random, std::size_t kind);
Envelope random_envelope(Random& random, std::size_t kind);
/// Of the kind with this place in Command.
Command random_command(Random& random, std::size_t kind);

}  // namespace parallax::test
