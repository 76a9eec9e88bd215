// This node's connection to one peer: dialled by this node, used only for sending.
//
// Dial, say hello, hear the peer's hello, then send frames. What is to be sent while the connection
// is not open is lost: the protocols above retransmit, and a message that waited for a peer to come
// back would be stale. Only while a connection that was open is dialled anew on purpose is it kept,
// for then the peer is there. Time enters through tick(): there is no timer per connection.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "node/io/sockets.h"
#include "replication/frame.h"
#include "replication/hello.h"
#include "replication/message.h"

namespace parallax {

/// What all connections of a node to and from its peers have counted.
struct PeerCounters {
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t frames_dropped = 0;  ///< not connected, queue full, or a fault
  std::uint64_t connections_refused = 0;
};

/// Detects a peer that is gone without a word: unacknowledged data, and silence.
void set_peer_socket_options(Socket& socket);

class PeerSender : public std::enable_shared_from_this<PeerSender> {
 public:
  struct Options {
    NodeId self;
    NodeId peer;
    std::vector<NodeId> members;
    HostPort address;  ///< of the peer
    std::size_t max_queue_bytes = limits::kMaxPeerQueueBytes;
    Duration min_backoff = std::chrono::milliseconds(25);
    Duration max_backoff = limits::kMaxReconnectBackoff;
    Duration handshake_timeout = std::chrono::seconds(5);
    std::uint64_t seed = 0;
  };
  struct Callbacks {
    std::function<Hello()> hello;               ///< this node's, as it is now
    std::function<void(const Hello&)> greeted;  ///< the connection is open
    std::function<void(const Error&)> lost;     ///< it was open, or was refused
  };

  PeerSender(asio::io_context& context, Options options, Callbacks callbacks,
             PeerCounters& counters);

  /// Dials if it is time to. Gives up handshakes that take too long.
  void tick(MonoTime now);
  /// Dials at the next tick: the peer has shown that it is there.
  void dial_soon();
  /// Ends the connection and dials again. What was queued leaves first, as far as it can at once;
  /// what is sent meanwhile leaves once the new one is open, and is dropped when it does not open.
  void redial();
  /// For good.
  void close();

  /// Queues; flush() writes everything queued with one call. Dropped and counted when neither open
  /// nor being dialled anew, or when it would not fit.
  void send(const Envelope& envelope);
  void flush();

  bool open() const { return state_ == State::open; }
  std::size_t queued_bytes() const {
    return filling_.size() + writing_.size() - written_ + held_.size();
  }
  /// Whether one end of the open connection named `cluster` in its hello, so that the other end
  /// has compared it, or can.
  bool named(const ClusterId& cluster) const {
    return told_cluster_ == cluster || heard_cluster_ == cluster;
  }

 private:
  enum class State { waiting, connecting, greeting, open, closed };

  void dial();
  void resolve();
  void connect_next();
  void on_connected();
  void read_hello();
  void on_hello_bytes(std::size_t count);
  void watch_for_end();
  void wait_until_writable();
  void fail(Error error);
  void reset_socket();
  void drop_held();
  bool is_current(std::uint64_t attempt) const {
    return attempt == attempt_ && state_ != State::closed;
  }

  const Options options_;
  Callbacks callbacks_;
  PeerCounters& counters_;
  Random random_;

  State state_ = State::waiting;
  std::uint64_t attempt_ = 0;  ///< handlers of earlier connections are told apart by it
  MonoTime now_{};
  MonoTime dial_at_{};
  MonoTime deadline_{};  ///< of dialling and handshake
  Duration backoff_;
  std::vector<Tcp::endpoint> candidates_;  ///< addresses of the peer's name not tried yet
  ClusterId told_cluster_;
  ClusterId heard_cluster_;
  Socket socket_;
  Resolver resolver_;
  FrameReader reader_;
  std::array<char, 1024> received_;
  std::string filling_;  ///< frames queued since the last write began
  std::string writing_;  ///< frames being written, up to written_ gone
  std::size_t written_ = 0;
  bool waiting_for_room_ = false;
  bool redialling_ = false;
  std::string held_;  ///< frames for the connection that is being dialled anew
};

}  // namespace parallax
