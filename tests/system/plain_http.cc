#include "tests/system/plain_http.h"

#include <charconv>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace parallax::system_tests {

namespace {

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) throw std::runtime_error("no socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return socket;
  }
  ::close(socket);
  throw std::runtime_error(fmt::format("nobody accepts at port {}", port));
}

}  // namespace

Connection::Connection(std::uint16_t port) : socket_(connect_to(port)) {}
Connection::~Connection() {
  ::close(socket_);
}

bool Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::optional<std::string> Connection::receive_all(std::chrono::seconds limit) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + limit;
  std::string all;
  char buffer[16 << 10];
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(left)) == 0) return std::nullopt;
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got <= 0) return all;  // a reset is an end too
    all.append(buffer, static_cast<std::size_t>(got));
  }
}

std::string plain_request(std::string_view method, std::string_view target, std::string_view body) {
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      method, target, body.size(), body);
}

std::optional<PlainAnswer> parse_answer(std::string_view text) {
  constexpr std::string_view kStart = "HTTP/1.1 ";
  const std::size_t head = text.find("\r\n\r\n");
  if (!text.starts_with(kStart) || head == std::string_view::npos) return std::nullopt;
  PlainAnswer answer;
  const std::string_view status = text.substr(kStart.size(), 3);
  if (std::from_chars(status.begin(), status.end(), answer.status).ec != std::errc{}) {
    return std::nullopt;
  }
  answer.body = text.substr(head + 4);
  return answer;
}

std::optional<PlainAnswer> ask(std::uint16_t port, std::string_view method, std::string_view target,
                               std::string_view body, std::chrono::seconds limit) {
  try {
    Connection connection(port);
    if (!connection.send(plain_request(method, target, body))) return std::nullopt;
    const auto text = connection.receive_all(limit);
    return text ? parse_answer(*text) : std::nullopt;
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

}  // namespace parallax::system_tests
