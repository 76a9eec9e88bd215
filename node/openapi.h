// GET /v1/openapi.json: the table of the API (node/http_api.h) as an OpenAPI 3.1 document, for
// tools. What the answers' bodies look like is written here.
#pragma once

#include <string>

namespace parallax {

/// The same for the life of the process. Every answer's codes stand in its `x-codes`; what a path
/// without a route gets, in `x-anywhere`. Thread-safe.
const std::string& openapi_document();

}  // namespace parallax
