// Administration: carries out what node/http_routes.h made of a request, and says so.
#pragma once

#include "client/http_protocol.h"
#include "node/http_routes.h"
#include "node/metrics.h"
#include "node/service.h"

namespace parallax {

/// On the thread that calls `node`. Answers at once.
HttpReply carry_out(const AdminCall& call, NodeService& node, const RequestMetrics& requests,
                    const HttpGauges& http);

/// The error of a node as a problem, with what it says about the leader.
Problem with_leader(Error error, const NodeService& node);

}  // namespace parallax
