// The client port of a node: HTTP/1.1 over TCP in front of a NodeService.
//
// One connection carries one request (or one batch) at a time and answers in order; what a client
// sends ahead (pipelining) waits in the socket. What a request means is node/http_routes, how an
// answer looks node/http_render; here are sockets, bounds and deadlines.
//
// Bounds, all of which end in an answer or a closed connection, never in a wait without end:
//   - header, target, body and connections (431, 414, 413, 429), bodies in flight together and
//     values of answers that clients have not taken yet (429);
//   - a request has to arrive whole (408), and an answer to be taken, within the slow-request
//     timeout;
//   - a connection without a request is closed after the idle timeout.
// Deadlines are checked by one coarse timer for all connections, so they are late by up to a sweep.
//
// A request once given to the service is carried out whether its client is still there or not; the
// answer then goes nowhere.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "base/error.h"
#include "base/limits.h"
#include "node/config.h"
#include "node/service.h"

namespace parallax {

struct HttpServerOptions {
  std::size_t max_value_bytes = limits::kDefaultMaxValueBytes;
  bool enable_faults = false;
  std::size_t max_header_bytes = limits::kMaxHeaderBytes;  ///< the request line included
  std::size_t max_discarded_body_bytes = limits::kMaxDiscardedBodyBytes;
  std::size_t max_connections = limits::kMaxClientConnections;
  std::size_t max_requests_in_flight = limits::kMaxRequestsInFlight;
  /// Of bodies that are arriving or being carried out, all connections together.
  std::size_t max_body_bytes_in_flight = 256 << 20;
  /// Of answers that are being written, all connections together; beyond, reads are refused.
  std::size_t max_answer_bytes_in_flight = 256 << 20;
  Duration slow_request_timeout = limits::kSlowRequestTimeout;
  Duration idle_timeout = limits::kIdleConnectionTimeout;
  /// How long a connection that was given its last answer may go on sending before it is cut.
  Duration linger_timeout = std::chrono::seconds{2};
};

/// Not thread-safe: every call on the thread that runs the io_context, on which the service
/// answers. Both arguments must outlive the server; once it is gone and the io_context has run what
/// was under way, the service must not answer any more.
class HttpServer {
 public:
  HttpServer(boost::asio::io_context& io, NodeService& node, HttpServerOptions options);
  /// Closes every connection at once.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Accepts connections from now on; may be called for several addresses. Returns the address with
  /// its port, which is chosen by the system for port 0. Errors: refused, naming the address.
  Result<std::string> listen(const HostPort& address);
  /// Servers of one node, each on its own thread, this one included: connections that one of them
  /// accepts go round among them, and their metrics are told as one. Before any of their threads
  /// runs.
  void join(const std::vector<HttpServer*>& servers);
  /// No new connections, and none is kept: idle ones are closed, the others after their answer.
  void stop_accepting();
  /// Open now, those included that are only waiting for the client to hang up.
  std::size_t connections() const;
  std::size_t requests_in_flight() const;

  class Core;

 private:
  std::shared_ptr<Core> core_;  ///< operations under way hold it too
};

}  // namespace parallax
