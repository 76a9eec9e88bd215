// An HTTP server with a fake node and clients, for the tests of the server.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include "node/io/http_server.h"
#include "tests/node_io/fake_node.h"

namespace parallax {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Tcp = asio::ip::tcp;

/// A fake node and clients on one thread: a test says what a client does and then lets time pass
/// until something is so.
class Loop {
 public:
  Loop() : node(io) {}
  void connect_to(const Result<std::string>& address) {
    REQUIRE(address.has_value());
    port = static_cast<std::uint16_t>(std::stoi(address->substr(address->rfind(':') + 1)));
  }

  /// Runs until `done()`, for at most ten seconds. False: it never was.
  template <class Done>
  bool run_until(Done done) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.run_one_for(1ms);
    }
    return true;
  }
  void run_for(std::chrono::milliseconds time) { io.run_for(time); }

  asio::io_context io{1};
  FakeNode node;
  std::uint16_t port = 0;
};

/// The server is on the same thread.
class World : public Loop {
 public:
  explicit World(HttpServerOptions options = {}) : server(io, node, options) {
    connect_to(server.listen({"127.0.0.1", 0}));
  }
  HttpServer server;
};

class RawClient {
 public:
  explicit RawClient(Loop& world) : world_(world), socket_(world.io) {
    socket_.connect({asio::ip::address_v4::loopback(), world.port});
    socket_.non_blocking(true);
  }
  /// Sends all of it, reading what comes back meanwhile.
  RawClient& send(std::string_view text) {
    REQUIRE(world_.run_until([&] {
      boost::system::error_code failed;
      text.remove_prefix(socket_.write_some(asio::buffer(text), failed));
      if (failed && failed != asio::error::would_block) text = {};  // the server hung up
      poll();
      return text.empty();
    }));
    return *this;
  }
  void hang_up() { socket_.close(); }
  void finish_sending() { socket_.shutdown(Tcp::socket::shutdown_send); }

  /// Everything until the server hangs up.
  std::string receive_all() {
    REQUIRE(world_.run_until([&] {
      poll();
      return ended_;
    }));
    return std::exchange(received_, {});
  }
  /// One answer with its body (none for HEAD); the length comes from its header.
  std::string receive(bool head = false) {
    std::size_t whole = 0;
    REQUIRE(world_.run_until([&] {
      poll();
      const std::size_t end = received_.find("\r\n\r\n");
      if (end == std::string::npos) {
        REQUIRE_FALSE(ended_);
        return false;
      }
      whole = end + 4;
      const std::size_t length = received_.find("Content-Length: ");
      if (!head && length < end) whole += std::stoul(received_.substr(length + 16));
      return received_.size() >= whole;
    }));
    const std::string answer = received_.substr(0, whole);
    received_.erase(0, whole);
    return answer;
  }
  bool ended() {
    poll();
    return ended_;
  }
  bool reset() const { return reset_; }
  std::size_t received() {
    poll();
    return received_.size();
  }

 private:
  void poll() {
    std::array<char, 65536> buffer;
    boost::system::error_code failed;
    while (!ended_) {
      const std::size_t count = socket_.read_some(asio::buffer(buffer), failed);
      received_.append(buffer.data(), count);
      if (failed == asio::error::would_block) return;
      if (failed) {
        ended_ = true;
        reset_ = failed != asio::error::eof;
      }
    }
  }

  Loop& world_;
  Tcp::socket socket_;
  std::string received_;
  bool ended_ = false;
  bool reset_ = false;
};

inline std::string request(std::string_view method, std::string_view target,
                           std::string_view body = {}, std::string_view headers = {}) {
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: x\r\n{}", method, target, headers);
  if (!body.empty()) text += fmt::format("Content-Length: {}\r\n", body.size());
  return text + "\r\n" + std::string(body);
}

inline bool has_status(std::string_view answer, int status) {
  return answer.starts_with(fmt::format("HTTP/1.1 {} ", status));
}

inline std::string_view body_of(std::string_view answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The server is as it was before: nothing is left of earlier clients.
inline void check_clean(World& world) {
  CHECK(world.run_until([&] { return world.server.connections() == 0; }));
  CHECK(world.server.requests_in_flight() == 0);
  RawClient client(world);
  CHECK(has_status(client.send(request("GET", "/healthz")).receive(), 200));
}

}  // namespace parallax
