// A connection that a peer has dialled: used only for receiving.
//
// The first frame must be a hello that this node accepts, soon and small; it is answered with this
// node's own, so that the dialler can say why it was refused. Whatever does not fit the protocol
// ends the connection with one reason and does nothing else.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "node/io/peer_sender.h"
#include "node/io/sockets.h"
#include "replication/frame.h"
#include "replication/hello.h"
#include "replication/message.h"

namespace parallax {

class PeerReceiver : public std::enable_shared_from_this<PeerReceiver> {
 public:
  struct Callbacks {
    std::function<ExpectedHello()> expected;
    std::function<Hello()> hello;  ///< this node's, as it is now
    std::function<void(PeerReceiver&)> greeted;
    std::function<void(const Envelope&)> received;
    /// The connection has ended. The last call.
    std::function<void(PeerReceiver&, const Error&)> ended;
  };

  PeerReceiver(Socket socket, Callbacks callbacks, PeerCounters& counters, MonoTime deadline);

  void start();
  /// Ends it without a callback.
  void close();

  /// Of whoever dialled; nothing before the handshake.
  const std::optional<Hello>& peer() const { return peer_; }
  /// Until when the handshake must be over.
  MonoTime deadline() const { return deadline_; }
  std::string remote() const;
  /// Ends it for `error`, with the callback.
  void fail(const Error& error);

 private:
  void read();
  void on_bytes(std::size_t count);
  Result<void> on_frame(const Bytes& frame);
  Result<void> on_hello(const Bytes& frame);

  Socket socket_;
  Callbacks callbacks_;
  PeerCounters& counters_;
  const MonoTime deadline_;
  std::optional<Hello> peer_;
  std::size_t bytes_before_hello_ = 0;
  FrameReader reader_;
  std::string buffer_;
  bool closed_ = false;
};

}  // namespace parallax
