// Transports over loopback in one thread, and a raw socket to be a wrong peer with.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "node/io/peer_transport.h"

namespace parallax::test {

using namespace std::chrono_literals;

/// Ports that were free a moment ago.
inline std::vector<std::uint16_t> free_ports(std::size_t count) {
  asio::io_context context;
  std::vector<std::unique_ptr<Acceptor>> held;
  std::vector<std::uint16_t> ports;
  for (std::size_t i = 0; i < count; ++i) {
    held.push_back(
        std::make_unique<Acceptor>(context, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)));
    ports.push_back(held.back()->local_endpoint().port());
  }
  return ports;
}

/// A message that says `number`, and fills `bytes`.
inline Envelope message(NodeId from, NodeId to, std::uint64_t number, std::size_t bytes = 0) {
  Envelope envelope;
  envelope.from = from;
  envelope.to = to;
  envelope.message = Forward{.id = RequestId{number},
                             .term = Term{1},
                             .remaining = 1s,
                             .request = Bytes(std::string(bytes + 1, 'x'))};
  return envelope;
}

struct Node {
  std::unique_ptr<PeerTransport> transport;
  std::vector<Envelope> received;
  std::vector<std::uint64_t> numbers() const {
    std::vector<std::uint64_t> all;
    for (const Envelope& envelope : received) {
      all.push_back(std::get<Forward>(envelope.message).id.value);
    }
    return all;
  }
};

class PeerWorld {
 public:
  explicit PeerWorld(std::size_t nodes) {
    spdlog::set_level(spdlog::level::off);
    const std::vector<std::uint16_t> ports = free_ports(nodes);
    for (std::size_t i = 0; i < nodes; ++i) {
      addresses_[NodeId(static_cast<std::uint32_t>(i + 1))] = HostPort{"127.0.0.1", ports[i]};
    }
  }
  ~PeerWorld() {
    for (auto& [id, node] : nodes_) {
      if (node.transport) node.transport->close();
    }
    context_.poll();
  }

  PeerTransportOptions options(NodeId id) const {
    return PeerTransportOptions{.self = id,
                                .peers = addresses_,
                                .client_address = fmt::format("127.0.0.1:{}", 7000 + id.value),
                                .cluster = {},
                                .handshake_timeout = 300ms,
                                .seed = id.value};
  }
  Node& start(PeerTransportOptions options) {
    const NodeId id = options.self;
    Node& node = nodes_[id];
    node.transport = std::make_unique<PeerTransport>(
        context_, std::move(options),
        [&node](const Envelope& envelope) { node.received.push_back(envelope); });
    REQUIRE(node.transport->listen(addresses_.at(id)).has_value());
    return node;
  }
  Node& start(NodeId id) { return start(options(id)); }
  void stop(NodeId id) {
    nodes_.at(id).transport->close();
    context_.poll();
    nodes_.at(id).transport.reset();
  }

  /// Lets time pass until `done`, at most `limit`. Whether it is done.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds limit = 5s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= end) return false;
      for (auto& [id, node] : nodes_) {
        if (node.transport) node.transport->tick(MonoTime{now.time_since_epoch()});
      }
      context_.restart();
      context_.run_for(5ms);
    }
    return true;
  }
  void run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
  }
  bool connect(NodeId a, NodeId b) {
    return run_until([&] {
      return nodes_.at(a).transport->connected_to(b) && nodes_.at(b).transport->connected_to(a);
    });
  }

  Node& operator[](NodeId id) { return nodes_.at(id); }
  const HostPort& address(NodeId id) const { return addresses_.at(id); }
  asio::io_context& context() { return context_; }

 private:
  asio::io_context context_{1};
  std::map<NodeId, HostPort> addresses_;
  std::map<NodeId, Node> nodes_;
};

/// Talks to a peer port by hand. Reads never block for long.
class RawPeer {
 public:
  RawPeer(asio::io_context& context, const HostPort& to) : socket_(context) {
    socket_.connect(*literal_endpoint(to));
    socket_.non_blocking(true);
  }
  void write(std::string_view bytes) {
    boost::system::error_code failed;
    socket_.write_some(asio::buffer(bytes), failed);
  }
  /// What has arrived. Sets `closed` when the other side has ended it.
  std::string read() {
    std::string all(64 << 10, '\0');
    boost::system::error_code failed;
    const std::size_t count = socket_.read_some(asio::buffer(all), failed);
    if (failed && failed != asio::error::would_block) closed = true;
    all.resize(failed ? 0 : count);
    received += all;
    return all;
  }
  bool closed_now() {
    while (!closed && !read().empty()) {
    }
    return closed;
  }

  bool closed = false;
  std::string received;

 private:
  Socket socket_;
};

inline std::string hello_frame(const Hello& hello) {
  std::string frame;
  append_frame(frame, encode_hello(hello));
  return frame;
}

}  // namespace parallax::test
