// The messages by which a replica asks the leader for a commit index, inside an encoded envelope;
// the part of replication/codec.cc that knows them. Nobody else includes this.
#pragma once

#include "base/error.h"
#include "replication/message.h"

namespace parallax::wire {
class Envelope;
}

namespace parallax {

/// Makes `m` the message of `out`. Thread-safe.
void fill_index(wire::Envelope& out, const IndexQuery& m);
void fill_index(wire::Envelope& out, const IndexReply& m);

/// The message of `in`, which must be one of the above. Thread-safe.
Message read_index(const wire::Envelope& in);

}  // namespace parallax
