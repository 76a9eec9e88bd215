// One client connection of the HTTP server: reads a request, has it carried out, writes the answer,
// and again. Internal to node/io/http_server.
//
// A connection is in one state at a time, and in each at most one operation on its socket is under
// way:
//
//   header -> body or chunks -> whole -> waiting -> writing -> header ...
//                |                                     |
//            discarding (a body that is refused)    lingering -> closed
//
// Header views point into the input buffer, which therefore stays as it is until the request is
// carried out; bodies go into a string of their own, which becomes the value without a copy.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "node/admin_calls.h"
#include "node/http_batch.h"
#include "node/http_render.h"
#include "node/http_routes.h"
#include "node/io/http_head.h"
#include "node/io/http_server.h"
#include "node/io/sockets.h"
#include "node/metrics.h"

namespace parallax {

class HttpConnection;

/// What all connections of a server share. Metrics and gauges may be read on other threads, too:
/// those of servers that belong together are told as one.
struct HttpShared {
  HttpShared(NodeService& service, const HttpServerOptions& settings)
      : node(service),
        options(settings),
        routes{.max_value_bytes = settings.max_value_bytes,
               .enable_faults = settings.enable_faults} {}

  NodeService& node;
  const HttpServerOptions options;
  const RouteOptions routes;

  std::string date;  ///< of now, for the Date header; renewed by the sweep
  Duration now{};    ///< monotonic, as of the last sweep
  std::atomic<std::size_t> connections = 0;
  std::atomic<std::size_t> requests_in_flight = 0;
  std::size_t body_bytes = 0;    ///< of bodies that are arriving or being carried out
  std::size_t answer_bytes = 0;  ///< of answers that are being written
  bool stopping = false;

  virtual ~HttpShared() = default;
  bool full() const { return requests_in_flight >= options.max_requests_in_flight; }
  Error too_many_requests() const {
    return definite(ErrorCode::overloaded,
                    fmt::format("{} requests are being carried out; try again later",
                                requests_in_flight.load()));
  }
  /// `count(RequestMetrics&)`.
  template <class Count>
  void count(Count count) {
    const std::scoped_lock lock(metrics_mutex_);
    count(metrics_);
  }
  /// Adds what this server has counted.
  void add_to(RequestMetrics& sum, HttpGauges& gauges) const {
    const std::scoped_lock lock(metrics_mutex_);
    sum.add(metrics_);
    gauges.connections += connections;
    gauges.requests_in_flight += requests_in_flight;
  }
  /// Adds what all servers have that belong together, this one included.
  virtual void add_all_to(RequestMetrics& sum, HttpGauges& gauges) const = 0;
  /// Hands the call to the node; the answer comes to HttpConnection::on_reply() of the connection
  /// in this slot, with the same `place`. The connection does not close before.
  virtual void submit(std::uint32_t slot, std::uint32_t place, Request&& request) = 0;
  /// Has the connection go on with read_next() a little later: when what is ready now has been
  /// handled, the answers of a turn among it.
  virtual void read_later(std::shared_ptr<HttpConnection> connection) = 0;
  /// The connection is closed and gives its slot back.
  virtual void closed(std::uint32_t slot) = 0;

 private:
  mutable std::mutex metrics_mutex_;
  RequestMetrics metrics_;  // under metrics_mutex_
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(Socket socket, HttpShared& shared, std::uint32_t slot);
  ~HttpConnection();

  void start();
  /// Instead of start(): one answer, whatever the client asks, and the end.
  void start_refused(Error error);
  /// Reads what comes of the next request. After HttpShared::read_later().
  void read_next();
  /// `place`: of the operation in a batch, else 0.
  void on_reply(std::uint32_t place, Reply&& reply);
  /// When the deadline of what it is doing has passed: closes, after an answer (408) where a
  /// request has begun to come.
  void check_deadline();
  /// No further request; closes at once when there is none.
  void stop();
  void close();

 private:
  enum class State : std::uint8_t {
    header,      ///< of the next request; nothing of it may have come yet
    body,        ///< of known length
    chunks,      ///< a body in chunks
    discarding,  ///< the rest of a body of known length that is refused
    whole,       ///< the request has arrived
    waiting,     ///< for the node
    writing,     ///< the answer
    lingering,   ///< the last answer is out; waiting for the client to hang up
    closed,
  };

  void advance();
  /// One step of the state machine. False when it has to wait.
  bool step();
  bool take_header();
  bool take_body();
  bool take_chunks();
  bool discard();
  void carry_out_request();
  void begin_call(KvCall call);
  void begin_batch(BatchCall call);
  /// Sends what of the batch may go now, and answers when all has come back.
  void advance_batch();
  void finish_call(Reply&& reply);
  void finish_batch();
  /// Whether answers of this size, beside those being written, are too much.
  bool too_much_to_answer(std::size_t bytes) const;
  bool flush();
  void linger();

  std::optional<Error> check_head() const;
  void begin_body();
  void send_continue();
  /// Answers with `error` once the rest of the body is out of the way, and closes.
  void refuse_body(Error error);
  /// Answers with `error` and closes.
  void refuse(const Error& error);
  /// The head is longer than it may be; what is there of it tells in which part.
  Error oversized_head(std::size_t shown) const;
  void answer(const HttpReply& reply);
  HttpFraming framing();
  void count_body_bytes(std::size_t bytes);
  void release_body_bytes();
  void count_answer_bytes();
  void release_answer_bytes();

  /// True when there is something to do instead of waiting for input.
  bool read_input();
  bool read_body();
  void on_read(const boost::system::error_code& failed, std::size_t count);
  bool make_room();
  std::string_view input() const { return {in_.get() + begin_, end_ - begin_}; }

  Socket socket_;
  HttpShared& shared_;
  const std::uint32_t slot_;
  State state_ = State::header;
  bool advancing_ = false;
  bool begun_ = false;  ///< the first byte of a request has come
  bool keep_alive_ = true;
  bool too_slow_ = false;  ///< the deadline of the request passed; its read is being given up
  Duration deadline_;      ///< of the present state; none while waiting for the node

  // Input: [begin_, end_) is unread; [0, keep_) belongs to the request whose body is being read.
  std::unique_ptr<char[]> in_;
  std::size_t capacity_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t keep_ = 0;
  std::size_t scanned_ = 0;  ///< of the unread input: where no end of a head is

  HttpHead head_;
  std::string body_;
  std::size_t body_filled_ = 0;
  std::uint64_t body_left_ = 0;   ///< state body and discarding
  std::uint64_t body_bound_ = 0;  ///< of this request
  std::uint64_t discarded_ = 0;
  std::size_t counted_body_ = 0;    ///< this connection's part of HttpShared::body_bytes
  std::size_t counted_answer_ = 0;  ///< and of HttpShared::answer_bytes
  std::optional<Error> refusal_;    ///< of a body whose rest is being thrown away

  KvForm form_;                      ///< of the answer; while waiting
  std::unique_ptr<BatchRun> batch_;  ///< instead, of a batch
  bool advancing_batch_ = false;
  Duration began_{};  ///< when the call went to the node
  std::string out_;
  std::size_t written_ = 0;
};

/// Monotonic time of this process.
Duration http_clock_now();

}  // namespace parallax
