// The network of a node: NetworkPort over TCP.
//
// Every node dials every peer and sends only on the connections that it dialled (peer_sender.h); it
// receives only on those that peers dialled (peer_receiver.h). So each direction has one owner, and
// two nodes that start at once need not agree on which connection to keep. A peer that dials again
// may be heard on two for a while; the older one ends when its other end does.
//
// It loses what it cannot send at once to an open connection or queue within its bound, and counts
// that. It does not retransmit, and does not know what messages mean.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "node/io/faults.h"
#include "node/io/logging.h"
#include "node/io/peer_receiver.h"
#include "node/io/peer_sender.h"
#include "node/io/sockets.h"
#include "node/ports.h"

namespace parallax {

struct PeerTransportOptions {
  NodeId self;
  std::map<NodeId, HostPort> peers;  ///< itself included
  std::string client_address;        ///< told to the peers
  ClusterId cluster;                 ///< empty: not known yet
  std::size_t max_queue_bytes = limits::kMaxPeerQueueBytes;
  Duration max_backoff = limits::kMaxReconnectBackoff;
  Duration handshake_timeout = std::chrono::seconds(5);
  std::uint64_t seed = 0;  ///< of backoff jitter and faults
};

/// Every call on the thread that runs `context`.
class PeerTransport : public NetworkPort {
 public:
  PeerTransport(asio::io_context& context, PeerTransportOptions options,
                std::function<void(const Envelope&)> received);
  ~PeerTransport() override;

  /// Starts to accept. Errors: refused, naming the address.
  Result<void> listen(const HostPort& address);
  /// Dials, and gives up what takes too long. Call every few ten milliseconds.
  void tick(MonoTime now);
  /// Ends all connections.
  void close();

  /// Queues; nothing leaves before flush().
  void send(Envelope envelope) override;
  /// One write per peer for everything queued.
  void flush();

  /// The cluster id is known now. Connections on which neither end named it are made anew, so that
  /// the peers can check it; those with peers of another cluster end.
  void set_cluster(ClusterId cluster);
  void set_faults(const FaultSettings& faults) { faults_.set(faults); }

  /// Where the peers serve clients, as far as they have told; this node included.
  std::vector<MemberAddresses> addresses() const;
  /// Whether messages to `peer` can leave now.
  bool connected_to(NodeId peer) const;
  const PeerCounters& counters() const { return counters_; }

 private:
  struct Held {
    MonoTime due;
    std::uint64_t order;
    Envelope envelope;
  };

  Hello hello() const;
  PeerSender::Callbacks sender_callbacks(NodeId peer);
  PeerReceiver::Callbacks receiver_callbacks();
  void accept();
  void on_accepted(Socket socket);
  void on_greeted(PeerReceiver& receiver);
  void on_ended(PeerReceiver& receiver, const Error& error);
  void log_refused(const std::string& who, const Error& error);
  void send_now(const Envelope& envelope);
  void hold(Envelope envelope, Duration delay);
  void arm_held_timer();
  void release_held();

  asio::io_context& context_;
  PeerTransportOptions options_;
  std::function<void(const Envelope&)> received_;
  PeerCounters counters_;
  PeerFaults faults_;
  LogLimiter log_limiter_;
  MonoTime now_{};
  Acceptor acceptor_;
  bool accepting_ = false;
  std::map<NodeId, std::shared_ptr<PeerSender>> senders_;
  std::vector<std::shared_ptr<PeerReceiver>> receivers_;
  std::map<NodeId, std::string> client_addresses_;
  std::vector<Held> held_;  ///< a heap by due time, then order: messages that a fault delays
  std::uint64_t next_held_ = 0;
  SteadyTimer held_timer_;
};

}  // namespace parallax
