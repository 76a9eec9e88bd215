// Requests and replies as they pass between nodes: the payloads of Forward and ForwardReply.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "client/protocol.h"

namespace parallax {

/// Thread-safe, as everything here.
Bytes encode_request(const Request& request);
/// Errors: corrupt, naming the field; never a crash, whatever the bytes.
Result<Request> decode_request(const Bytes& payload);

Bytes encode_reply(const Reply& reply);
/// The outer Result: whether the bytes are a reply at all (errors as above). The inner one: the
/// reply, whose error is what the other node answered, with its certainty.
Result<Reply> decode_reply(const Bytes& payload);

}  // namespace parallax
