#include "node/io/peer_receiver.h"

#include <utility>

#include <boost/asio/buffer.hpp>

#include "replication/codec.h"

namespace parallax {
namespace {

using boost::system::error_code;

constexpr std::size_t kReadBytes = 64 << 10;
/// A hello is far smaller; whoever says this much without one is no peer.
constexpr std::size_t kMaxHelloBytes = 4 << 10;

}  // namespace

PeerReceiver::PeerReceiver(Socket socket, Callbacks callbacks, PeerCounters& counters,
                           MonoTime deadline)
    : socket_(std::move(socket)),
      callbacks_(std::move(callbacks)),
      counters_(counters),
      deadline_(deadline) {}

void PeerReceiver::start() {
  set_peer_socket_options(socket_);
  buffer_.resize(kMaxHelloBytes);
  read();
}

void PeerReceiver::close() {
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
  callbacks_ = {};
}

void PeerReceiver::fail(const Error& error) {
  if (closed_) return;
  closed_ = true;
  // Whatever the peer still sends is not read: without this a reset would take back our hello.
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  const auto ended = std::move(callbacks_.ended);
  callbacks_ = {};
  ended(*this, error);
  socket_.close(ignored);
}

std::string PeerReceiver::remote() const {
  error_code failed;
  const auto endpoint = socket_.remote_endpoint(failed);
  if (failed) return "unknown";
  return HostPort{.host = endpoint.address().to_string(), .port = endpoint.port()}.to_string();
}

void PeerReceiver::read() {
  if (peer_ && buffer_.size() < kReadBytes) buffer_.resize(kReadBytes);
  socket_.async_read_some(asio::buffer(buffer_),
                          [self = shared_from_this()](const error_code& failed, std::size_t count) {
                            if (self->closed_) return;
                            if (failed)
                              return self->fail(definite(ErrorCode::io, failed.message()));
                            self->on_bytes(count);
                            if (!self->closed_) self->read();
                          });
}

void PeerReceiver::on_bytes(std::size_t count) {
  counters_.bytes_received += count;
  std::string_view received(buffer_.data(), count);
  while (!closed_) {
    Result<std::optional<Bytes>> frame = reader_.next(received);
    if (!frame) return fail(frame.error());
    if (!*frame) break;
    if (const Result<void> taken = on_frame(**frame); !taken) return fail(taken.error());
  }
  if (peer_ || closed_) return;
  bytes_before_hello_ += count;
  if (bytes_before_hello_ >= kMaxHelloBytes) {
    fail(definite(ErrorCode::corrupt,
                  fmt::format("{} bytes and no hello in them", bytes_before_hello_)));
  }
}

Result<void> PeerReceiver::on_frame(const Bytes& frame) {
  if (!peer_) return on_hello(frame);
  PARALLAX_ASSIGN(const Envelope envelope, decode_envelope(frame));
  if (envelope.from != peer_->node) {
    return definite(ErrorCode::corrupt, fmt::format("a message of node {}, expected one of node {}",
                                                    envelope.from, peer_->node));
  }
  ++counters_.frames_received;
  callbacks_.received(envelope);
  return {};
}

Result<void> PeerReceiver::on_hello(const Bytes& frame) {
  PARALLAX_ASSIGN(Hello hello, decode_hello(frame));
  std::string answer;
  append_frame(answer, encode_hello(callbacks_.hello()));
  error_code failed;
  // A hello always fits into an empty send buffer.
  const std::size_t sent = socket_.write_some(asio::buffer(answer), failed);
  if (failed || sent != answer.size()) {
    return definite(ErrorCode::io, "the hello could not be answered: " + failed.message());
  }
  PARALLAX_TRY(check_hello(callbacks_.expected(), hello));
  peer_ = std::move(hello);
  callbacks_.greeted(*this);
  return {};
}

}  // namespace parallax
