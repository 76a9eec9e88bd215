#include "node/io/peer_sender.h"

#include <algorithm>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <netinet/tcp.h>

#include "replication/codec.h"

namespace parallax {
namespace {

using boost::system::error_code;

/// Buffers that one large burst has grown are given back.
constexpr std::size_t kKeptBufferBytes = 1 << 20;

void set_tcp_option(Socket& socket, int level, int name, int value) {
  // Best effort: without them a dead peer is noticed later.
  ::setsockopt(socket.native_handle(), level, name, &value, sizeof value);
}

void recycle(std::string& buffer) {
  if (buffer.capacity() > kKeptBufferBytes) {
    std::string().swap(buffer);
  } else {
    buffer.clear();
  }
}

}  // namespace

void set_peer_socket_options(Socket& socket) {
  error_code ignored;
  socket.set_option(Tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  set_tcp_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 5);
  set_tcp_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set_tcp_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_tcp_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 10'000);
  socket.non_blocking(true, ignored);
}

PeerSender::PeerSender(asio::io_context& context, Options options, Callbacks callbacks,
                       PeerCounters& counters)
    : options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      counters_(counters),
      random_(options_.seed),
      backoff_(options_.min_backoff),
      socket_(context),
      resolver_(context) {}

void PeerSender::tick(MonoTime now) {
  now_ = now;
  if (state_ == State::waiting && now >= dial_at_) dial();
  const bool shaking_hands = state_ == State::connecting || state_ == State::greeting;
  if (shaking_hands && now >= deadline_) {
    fail(definite(ErrorCode::io, "no hello came back in time"));
  }
}

void PeerSender::dial_soon() {
  if (state_ == State::waiting) dial_at_ = now_;
}

void PeerSender::redial() {
  if (state_ == State::closed) return;
  if (state_ == State::open) flush();
  redialling_ = redialling_ || state_ == State::open;
  candidates_.clear();
  reset_socket();
  dial();
}

void PeerSender::close() {
  drop_held();
  reset_socket();
  state_ = State::closed;
  callbacks_ = {};
}

void PeerSender::drop_held() {
  counters_.frames_dropped += held_.empty() ? 0 : 1;
  recycle(held_);
  redialling_ = false;
}

void PeerSender::reset_socket() {
  ++attempt_;
  error_code ignored;
  resolver_.cancel();
  socket_.close(ignored);
  reader_ = FrameReader();
  counters_.frames_dropped += filling_.empty() && writing_.empty() ? 0 : 1;
  recycle(filling_);
  recycle(writing_);
  written_ = 0;
  waiting_for_room_ = false;
}

void PeerSender::fail(Error error) {
  // A peer that is simply not there is no news; one that was, or that we are not to talk to, is.
  const bool news =
      state_ == State::open || error.code == ErrorCode::refused || error.code == ErrorCode::corrupt;
  if (!candidates_.empty()) return connect_next();
  drop_held();
  reset_socket();
  state_ = State::waiting;
  dial_at_ = now_ + Duration(random_.between(backoff_.count() / 2, backoff_.count()));
  backoff_ = std::min(backoff_ * 2, options_.max_backoff);
  if (news) callbacks_.lost(error);
}

// --- Connecting ----------------------------------------------------------------------------------

void PeerSender::dial() {
  if (const auto endpoint = literal_endpoint(options_.address)) {
    candidates_ = {*endpoint};
    connect_next();
  } else {
    resolve();
  }
}

void PeerSender::resolve() {
  state_ = State::connecting;
  deadline_ = now_ + options_.handshake_timeout;
  resolver_.async_resolve(
      options_.address.host, std::to_string(options_.address.port),
      [self = shared_from_this(), attempt = attempt_](const error_code& failed, const auto& found) {
        if (!self->is_current(attempt)) return;
        if (failed || found.empty()) return self->fail(definite(ErrorCode::io, failed.message()));
        for (const auto& entry : found) self->candidates_.push_back(entry.endpoint());
        self->connect_next();
      });
}

/// Each address of a name gets its time: behind the first one there may be nobody, or another.
void PeerSender::connect_next() {
  reset_socket();
  state_ = State::connecting;
  deadline_ = now_ + options_.handshake_timeout;
  const Tcp::endpoint endpoint = candidates_.front();
  candidates_.erase(candidates_.begin());
  socket_.async_connect(endpoint,
                        [self = shared_from_this(), attempt = attempt_](const error_code& failed) {
                          if (!self->is_current(attempt)) return;
                          if (failed) return self->fail(definite(ErrorCode::io, failed.message()));
                          self->on_connected();
                        });
}

void PeerSender::on_connected() {
  set_peer_socket_options(socket_);
  state_ = State::greeting;
  const Hello hello = callbacks_.hello();
  told_cluster_ = hello.cluster;
  append_frame(filling_, encode_hello(hello));
  read_hello();
  flush();
}

void PeerSender::read_hello() {
  socket_.async_read_some(
      asio::buffer(received_),
      [self = shared_from_this(), attempt = attempt_](const error_code& failed, std::size_t count) {
        if (!self->is_current(attempt)) return;
        if (failed) {
          return self->fail(definite(ErrorCode::io,
                                     fmt::format("closed before its hello: {}", failed.message())));
        }
        self->on_hello_bytes(count);
      });
}

void PeerSender::on_hello_bytes(std::size_t count) {
  std::string_view received(received_.data(), count);
  Result<std::optional<Bytes>> frame = reader_.next(received);
  if (!frame) return fail(frame.error());
  if (!*frame) return read_hello();
  if (!received.empty()) {
    return fail(definite(ErrorCode::corrupt, "bytes behind the hello on a connection for sending"));
  }
  const Result<Hello> hello = decode_hello(**frame);
  if (!hello) return fail(hello.error());
  const ExpectedHello expected{.self = options_.self,
                               .members = options_.members,
                               .cluster = callbacks_.hello().cluster,
                               .peer = options_.peer};
  if (const Result<void> checked = check_hello(expected, *hello); !checked) {
    return fail(checked.error());
  }
  state_ = State::open;
  heard_cluster_ = hello->cluster;
  candidates_.clear();
  backoff_ = options_.min_backoff;
  watch_for_end();
  filling_ += held_;
  recycle(held_);
  redialling_ = false;
  callbacks_.greeted(*hello);
  flush();
}

void PeerSender::watch_for_end() {
  socket_.async_read_some(asio::buffer(received_), [self = shared_from_this(), attempt = attempt_](
                                                       const error_code& failed, std::size_t) {
    if (!self->is_current(attempt)) return;
    if (!failed) {
      return self->fail(
          definite(ErrorCode::corrupt, "bytes behind the hello on a connection for sending"));
    }
    self->fail(definite(ErrorCode::io, failed.message()));
  });
}

// --- Sending -------------------------------------------------------------------------------------

void PeerSender::send(const Envelope& envelope) {
  const bool open_or_soon = state_ == State::open || redialling_;
  if (!open_or_soon || queued_bytes() >= options_.max_queue_bytes) {
    ++counters_.frames_dropped;
    return;
  }
  std::string& queue = redialling_ ? held_ : filling_;
  const std::size_t begun = begin_frame(queue);
  encode_envelope(envelope, queue);
  end_frame(queue, begun);
  if (queued_bytes() > options_.max_queue_bytes) {
    queue.resize(begun);
    ++counters_.frames_dropped;
    return;
  }
  ++counters_.frames_sent;
}

void PeerSender::flush() {
  if (waiting_for_room_) return;
  while (true) {
    if (writing_.empty()) {
      if (filling_.empty()) return;
      writing_.swap(filling_);
    }
    error_code failed;
    const std::size_t count = socket_.write_some(
        asio::buffer(writing_.data() + written_, writing_.size() - written_), failed);
    if (failed == asio::error::would_block) return wait_until_writable();
    if (failed) return fail(definite(ErrorCode::io, failed.message()));
    counters_.bytes_sent += count;
    written_ += count;
    if (written_ < writing_.size()) continue;
    recycle(writing_);
    written_ = 0;
  }
}

void PeerSender::wait_until_writable() {
  waiting_for_room_ = true;
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this(), attempt = attempt_](const error_code& failed) {
                       if (!self->is_current(attempt)) return;
                       self->waiting_for_room_ = false;
                       if (failed) return self->fail(definite(ErrorCode::io, failed.message()));
                       self->flush();
                     });
}

}  // namespace parallax
