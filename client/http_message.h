// HTTP messages as plain values: what client/io carries and client/http_reply reads.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "client/http_protocol.h"

namespace parallax {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;  ///< GET, HEAD, PUT, DELETE or POST
  std::string target;  ///< percent-encoded, with its query
  HttpHeaders headers;
  Bytes body;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;

  /// The first such header's value, names compared without regard to case; empty when absent.
  std::string_view header(std::string_view name) const {
    for (const auto& [field, value] : headers) {
      if (same_header_name(field, name)) return value;
    }
    return {};
  }
};

}  // namespace parallax
