#include "harness/io/plain_http.h"

#include <charconv>
#include <stdexcept>

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace parallax::harness {

namespace {

std::string local(std::uint16_t port) {
  return fmt::format("127.0.0.1:{}", port);
}

int connect_to(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos) throw std::runtime_error(endpoint + " is not HOST:PORT");
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string host = endpoint.substr(0, colon);
  if (::getaddrinfo(host.c_str(), endpoint.c_str() + colon + 1, &hints, &found) != 0) {
    throw std::runtime_error("nobody knows " + endpoint);
  }
  int connected = -1;
  for (const addrinfo* one = found; one != nullptr && connected < 0; one = one->ai_next) {
    const int socket = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) continue;
    if (::connect(socket, one->ai_addr, one->ai_addrlen) == 0) {
      connected = socket;
    } else {
      ::close(socket);
    }
  }
  ::freeaddrinfo(found);
  if (connected < 0) throw std::runtime_error("nobody accepts at " + endpoint);
  return connected;
}

}  // namespace

Connection::Connection(const std::string& endpoint) : socket_(connect_to(endpoint)) {}
Connection::Connection(std::uint16_t port) : Connection(local(port)) {}
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

std::optional<std::string> Connection::receive_all(std::chrono::milliseconds limit) {
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

std::optional<PlainAnswer> ask(const std::string& endpoint, std::string_view method,
                               std::string_view target, std::string_view body,
                               std::chrono::milliseconds limit) {
  try {
    Connection connection(endpoint);
    if (!connection.send(plain_request(method, target, body))) return std::nullopt;
    const auto text = connection.receive_all(limit);
    return text ? parse_answer(*text) : std::nullopt;
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

std::optional<PlainAnswer> ask(std::uint16_t port, std::string_view method, std::string_view target,
                               std::string_view body, std::chrono::milliseconds limit) {
  return ask(local(port), method, target, body, limit);
}

}  // namespace parallax::harness
