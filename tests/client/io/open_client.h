// A client for a test against scripted servers.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "client/client.h"

namespace parallax::testing {

inline std::unique_ptr<Client> open(ClientOptions options) {
  options.seed = 7;
  // A busy machine may take this long over a loopback exchange; no attempt is to be cut short by
  // it.
  options.retry.least_attempt =
      std::min<std::chrono::milliseconds>(options.timeout / 2, std::chrono::milliseconds{150});
  auto client = Client::open(std::move(options));
  REQUIRE(client);
  return std::move(*client);
}

/// It asks for nothing besides the operations: a server's count of requests is theirs alone.
inline ClientOptions plain_options(std::vector<std::string> endpoints,
                                   std::chrono::milliseconds timeout = std::chrono::seconds{5}) {
  ClientOptions options;
  options.endpoints = std::move(endpoints);
  options.timeout = timeout;
  options.discovery_interval = std::chrono::milliseconds{0};
  return options;
}

inline std::unique_ptr<Client> open(std::vector<std::string> endpoints,
                                    std::chrono::milliseconds timeout = std::chrono::seconds{5}) {
  return open(plain_options(std::move(endpoints), timeout));
}

}  // namespace parallax::testing
