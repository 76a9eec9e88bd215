#include "client/io/http_connection.h"

#include <optional>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include "base/assert.h"

namespace parallax {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::uint32_t kMaxResponseHeaderBytes = 64 << 10;

class BeastConnection final : public ClientConnection,
                              public std::enable_shared_from_this<BeastConnection> {
 public:
  BeastConnection(asio::io_context& context, Endpoint endpoint, Options options)
      : resolver_(context), socket_(context), endpoint_(std::move(endpoint)), options_(options) {}

  void exchange(HttpRequest request, std::function<void(ExchangeResult)> done) override {
    PARALLAX_ASSERT(!done_, "an exchange with {} is under way", endpoint_.to_string());
    done_ = std::move(done);
    prepare(std::move(request));
    if (socket_.is_open()) {
      send();
    } else {
      connect();
    }
  }

  AttemptStage stage() const override { return stage_; }

  void abandon() override {
    done_ = nullptr;
    close();
  }

  bool reusable() override {
    if (!keep_alive_ || done_ || !socket_.is_open()) return false;
    // An idle connection has nothing to read. End of file or bytes: the other side is done with it,
    // and a request sent on it would be lost with an unknown outcome.
    char byte = 0;
    error_code error;
    socket_.non_blocking(true, error);
    if (error) return false;
    socket_.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    return error == asio::error::would_block;
  }

 private:
  void prepare(HttpRequest request) {
    stage_ = AttemptStage::connecting;
    body_ = std::move(request.body);
    is_head_ = request.method == "HEAD";
    request_.emplace();
    request_->method_string(request.method);
    request_->target(request.target);
    request_->version(11);
    request_->set(http::field::host, endpoint_.to_string());
    for (const auto& [name, value] : request.headers) request_->set(name, value);
    // The body is only read; Beast's span wants it mutable all the same.
    request_->body() = {const_cast<char*>(body_.view().data()), body_.size()};
    request_->prepare_payload();
    parser_.emplace();
    parser_->header_limit(kMaxResponseHeaderBytes);
    parser_->body_limit(options_.max_response_bytes);
    parser_->skip(is_head_);
    buffer_.clear();
  }

  void connect() {
    error_code not_an_address;
    const auto address = asio::ip::make_address(endpoint_.host, not_an_address);
    if (!not_an_address) {
      const auto port = static_cast<std::uint16_t>(std::stoul(endpoint_.port));
      socket_.async_connect(
          tcp::endpoint(address, port),
          [self = shared_from_this()](error_code error) { self->connected(error); });
      return;
    }
    resolver_.async_resolve(
        endpoint_.host, endpoint_.port,
        [self = shared_from_this()](error_code error, const tcp::resolver::results_type& found) {
          if (!self->done_) return;
          if (error) return self->fail("cannot resolve", error);
          asio::async_connect(
              self->socket_, found,
              [self](error_code failed, const tcp::endpoint&) { self->connected(failed); });
        });
  }

  void connected(error_code error) {
    if (!done_) return;
    if (error) return fail("cannot connect to", error);
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    send();
  }

  void send() {
    // All of it may be with the kernel before the completion below runs, so whoever gives up in
    // between must assume so. Only a failed write proves that the request never left whole.
    stage_ = AttemptStage::awaiting;
    http::async_write(socket_, *request_,
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (!self->done_) return;
                        if (error) self->stage_ = AttemptStage::sending;
                        // A node may refuse and close before it has read all of a large body. Its
                        // answer is worth more than the broken pipe.
                        self->write_error_ = error;
                        self->receive();
                      });
  }

  void receive() {
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) {
                       if (!self->done_) return;
                       self->received(error);
                     });
  }

  void received(error_code error) {
    if (error && write_error_) return fail("cannot send to", write_error_);
    if (error) {
      static const auto& http_errors = http::make_error_code(http::error::bad_version).category();
      const bool malformed = error.category() == http_errors &&
                             error != http::error::end_of_stream &&
                             error != http::error::partial_message;
      return fail(malformed ? "malformed answer from" : "connection broken by", error, malformed);
    }
    keep_alive_ = !write_error_ && parser_->keep_alive();
    HttpResponse response;
    auto message = parser_->release();
    response.status = message.result_int();
    for (const auto& field : message) {
      response.headers.emplace_back(field.name_string(), field.value());
    }
    response.body = std::move(message.body());
    if (!keep_alive_ || buffer_.size() > 0) close();
    complete(std::move(response));
  }

  void fail(std::string_view what, error_code error, bool malformed = false) {
    close();
    complete(ExchangeFailure{
        .stage = stage_,
        .malformed = malformed,
        .message = fmt::format("{} {}: {}", what, endpoint_.to_string(), error.message()),
    });
  }

  void complete(ExchangeResult result) {
    request_.reset();
    parser_.reset();
    body_ = {};
    const auto done = std::exchange(done_, nullptr);
    done(std::move(result));
  }

  void close() {
    keep_alive_ = false;
    resolver_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

  tcp::resolver resolver_;
  tcp::socket socket_;
  const Endpoint endpoint_;
  const Options options_;

  std::function<void(ExchangeResult)> done_;  ///< set exactly while an exchange is under way
  AttemptStage stage_ = AttemptStage::connecting;
  bool keep_alive_ = false;
  bool is_head_ = false;
  Bytes body_;
  error_code write_error_;
  std::optional<http::request<http::span_body<char>>> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace

std::shared_ptr<ClientConnection> ClientConnection::create(asio::io_context& context,
                                                           Endpoint endpoint, Options options) {
  return std::make_shared<BeastConnection>(context, std::move(endpoint), options);
}

}  // namespace parallax
