// One HTTP/1.1 connection to one node: one request at a time, kept open between them.
//
// Its one promise beyond HTTP: when an exchange fails it says how far the request had come, because
// that decides whether the operation can have happened (client/retry.h).
//
// Not thread-safe: all calls, and the completions, on the io_context's thread. It does not retry,
// pool, resolve leaders or know what a key is.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include <boost/asio/io_context.hpp>

#include "client/http_message.h"
#include "client/retry.h"
#include "client/routing.h"

namespace parallax {

/// `stage` is never `answered`.
struct ExchangeFailure {
  AttemptStage stage = AttemptStage::connecting;
  bool malformed = false;  ///< what came back is not HTTP, or is larger than agreed
  std::string message;
};

using ExchangeResult = std::variant<HttpResponse, ExchangeFailure>;

class ClientConnection {
 public:
  struct Options {
    std::size_t max_response_bytes = 0;  ///< of a body
  };
  static std::shared_ptr<ClientConnection> create(boost::asio::io_context& context,
                                                  Endpoint endpoint, Options options);
  virtual ~ClientConnection() = default;

  /// Connects if it is not connected, sends the request, reads the answer. `done` is called once,
  /// never from within this call. None may be under way.
  virtual void exchange(HttpRequest request, std::function<void(ExchangeResult)> done) = 0;
  /// How far the exchange under way may have come: `awaiting` as soon as the last byte may have
  /// been handed over, even where it was not.
  virtual AttemptStage stage() const = 0;
  /// Gives the exchange under way up: its `done` is never called. The connection is of no more use.
  virtual void abandon() = 0;
  /// It is connected, idle, and the other side has neither closed it nor sent anything unasked.
  virtual bool reusable() = 0;
};

}  // namespace parallax
