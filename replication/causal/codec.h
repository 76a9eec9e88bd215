// The messages of the causal protocol inside an encoded envelope; the part of replication/codec.cc
// that knows them. Nobody else includes this.
#pragma once

#include "base/error.h"
#include "replication/message.h"

namespace parallax::wire {
class Envelope;
}

namespace parallax {

/// Makes `m` the message of `out`. Thread-safe.
void fill_causal(wire::Envelope& out, const CausalOperations& m);
void fill_causal(wire::Envelope& out, const CausalFetch& m);
void fill_causal(wire::Envelope& out, const CausalFetched& m);
void fill_causal(wire::Envelope& out, const CausalStatus& m);
void fill_causal(wire::Envelope& out, const CausalTransferQuery& m);
void fill_causal(wire::Envelope& out, const CausalTransferPage& m);

/// The message of `in`, which must be one of the above; it takes the bytes out. Errors: corrupt,
/// saying what. Thread-safe.
Result<Message> read_causal(wire::Envelope& in);

}  // namespace parallax
