// The messages of quorums and of anti-entropy inside an encoded envelope; the part of
// replication/codec.cc that knows them. Nobody else includes this.
#pragma once

#include "base/error.h"
#include "replication/message.h"

namespace parallax::wire {
class Envelope;
}

namespace parallax {

/// Makes `m` the message of `out`. Thread-safe.
void fill_quorum(wire::Envelope& out, const QuorumQuery& m);
void fill_quorum(wire::Envelope& out, const QuorumQueryReply& m);
void fill_quorum(wire::Envelope& out, const QuorumStore& m);
void fill_quorum(wire::Envelope& out, const QuorumStoreReply& m);
void fill_quorum(wire::Envelope& out, const MerkleQuery& m);
void fill_quorum(wire::Envelope& out, const MerkleDigests& m);
void fill_quorum(wire::Envelope& out, const MerkleKeysQuery& m);
void fill_quorum(wire::Envelope& out, const MerkleKeys& m);

/// The message of `in`, which must be one of the above; it takes the bytes out. Errors: corrupt,
/// saying what. Thread-safe.
Result<Message> read_quorum(wire::Envelope& in);

}  // namespace parallax
