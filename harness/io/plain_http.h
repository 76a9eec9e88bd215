// HTTP and raw bytes over plain sockets, for what a well-behaved client would never send, and for
// what is no client's business.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace parallax::harness {

/// A stream, mostly a TCP connection. Every wait is bounded, but for names that the system looks
/// up. Signals interrupt nothing.
class Connection {
 public:
  static constexpr std::chrono::seconds kPatience{10};
  /// At "host:port". Throws std::runtime_error when nobody accepts within `limit`.
  explicit Connection(const std::string& endpoint, std::chrono::milliseconds limit = kPatience);
  /// At this machine.
  explicit Connection(std::uint16_t port);
  /// Over a stream socket that is connected, and then this one's to close.
  static Connection over(int socket) { return Connection(Connected{socket}); }
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// False when the other side has closed, or does not take it within `limit`.
  bool send(std::string_view bytes, std::chrono::milliseconds limit = kPatience);
  /// All bytes until the other side closes; nothing when it does not within `limit`.
  std::optional<std::string> receive_all(std::chrono::milliseconds limit);
  /// What there is, as soon as there is something; empty when the other side has closed; nothing
  /// when nothing comes within `limit`.
  std::optional<std::string> receive_some(std::chrono::milliseconds limit);
  /// Whether the other side has closed, or has sent what nobody has asked for.
  bool closed() const;

 private:
  struct Connected {
    int socket;
  };
  explicit Connection(Connected connected) : socket_(connected.socket) {}

  int socket_;
};

struct PlainAnswer {
  int status = 0;
  std::string body;
};
/// The text of a request that closes its connection.
std::string plain_request(std::string_view method, std::string_view target,
                          std::string_view body = {});
/// Nothing when the text is no answer.
std::optional<PlainAnswer> parse_answer(std::string_view text);
/// One request on a connection of its own, at "host:port" or at a port of this machine; nothing
/// when nobody listens or there is no whole answer within `limit`, connecting included.
std::optional<PlainAnswer> ask(const std::string& endpoint, std::string_view method,
                               std::string_view target, std::string_view body = {},
                               std::chrono::milliseconds limit = Connection::kPatience);
std::optional<PlainAnswer> ask(std::uint16_t port, std::string_view method, std::string_view target,
                               std::string_view body = {},
                               std::chrono::milliseconds limit = Connection::kPatience);

}  // namespace parallax::harness
