// The JSON bodies of answers about keys. Pure.
//
// Their members are fixed by the document of node/openapi.cc. Bytes are base64 with padding; a key
// or prefix that is not UTF-8 comes as key_base64 or prefix_base64; ETags are quoted as in the
// header, so that they can be given back as they are.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "client/protocol.h"
#include "node/http_batch.h"
#include "node/http_routes.h"

namespace parallax {

/// The body of a success whose status is 200 or 300 and that is not a value itself.
std::string answer_body(const KvForm& form, const Answer& answer);

/// A refusal as a problem: what it says, and the present version.
std::string refusal_body(const Answer& answer);

/// A content type as it may go into a header or into JSON: they come from clients through peers and
/// disks, and what would break either is replaced by the default.
std::string_view safe_content_type(std::string_view text);

/// The client address of a node, for not_leader errors; empty: unknown.
using AddressOf = std::function<std::string(const Error&)>;
/// The body of an answer to a batch that is done.
std::string batch_body(const BatchRun& run, const AddressOf& leader_address);
/// What the operations of a batch have seen and done, together.
SessionToken batch_session(const BatchRun& run);

}  // namespace parallax
