// The client port on threads of its own (--io-threads): each has an HttpServer, which parses,
// renders and holds its share of the connections, and a ServiceLink to the engine's thread. New
// connections go round. Without a thread of its own the client port is on the engine's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "node/io/http_server.h"

namespace parallax {

/// Every call on the engine's thread. The arguments must outlive it.
class HttpThreads {
 public:
  /// `threads` 0: on `engine_io`. The bounds of `options` are for all threads together; each has
  /// its share, and room for the largest request in any case.
  HttpThreads(boost::asio::io_context& engine_io, NodeService& engine,
              const HttpServerOptions& options, unsigned threads);
  /// As stop().
  ~HttpThreads();

  /// As HttpServer::listen(). Before start().
  Result<std::string> listen(const HostPort& address);
  /// The engine's loop is about to run.
  void start();
  void stop_accepting();
  /// The engine's loop runs no more. Closes every connection at once and ends the threads.
  void stop();

 private:
  struct Worker;
  std::unique_ptr<HttpServer> here_;  ///< where there are no threads
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace parallax
