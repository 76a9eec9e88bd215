#include "harness/io/plain_http.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <stdexcept>

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace parallax::harness {

namespace {

using Clock = std::chrono::steady_clock;

std::string local(std::uint16_t port) {
  return fmt::format("127.0.0.1:{}", port);
}

/// Waits for one of `events`; false when there is none by `deadline`.
bool await_events(int socket, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{socket, events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool connect_by(int socket, const addrinfo& to, Clock::time_point deadline) {
  if (::connect(socket, to.ai_addr, to.ai_addrlen) == 0) return true;
  // One that a signal interrupted goes on by itself, too.
  if (errno != EINPROGRESS && errno != EINTR) return false;
  if (!await_events(socket, POLLOUT, deadline)) return false;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

int connect_to(const std::string& endpoint, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
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
    const int socket = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) continue;
    if (connect_by(socket, *one, deadline)) {
      connected = socket;
    } else {
      ::close(socket);
    }
  }
  ::freeaddrinfo(found);
  if (connected < 0) throw std::runtime_error("nobody accepts at " + endpoint);
  return connected;
}

/// Whether a call that gave an error is worth another one once the socket is ready.
bool may_go_on() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

Connection::Connection(const std::string& endpoint, std::chrono::milliseconds limit)
    : socket_(connect_to(endpoint, limit)) {}
Connection::Connection(std::uint16_t port) : Connection(local(port)) {}
Connection::~Connection() {
  ::close(socket_);
}

bool Connection::send(std::string_view bytes, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent == 0 || !may_go_on() || !await_events(socket_, POLLOUT, deadline)) {
      return false;
    }
  }
  return true;
}

std::optional<std::string> Connection::receive_all(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  std::string all;
  char buffer[16 << 10];
  while (await_events(socket_, POLLIN, deadline)) {
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got < 0 && may_go_on()) continue;
    if (got <= 0) return all;  // a reset is an end too
    all.append(buffer, static_cast<std::size_t>(got));
  }
  return std::nullopt;
}

std::optional<std::string> Connection::receive_some(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  std::string some(16 << 10, '\0');
  while (await_events(socket_, POLLIN, deadline)) {
    const ssize_t got = ::recv(socket_, some.data(), some.size(), MSG_DONTWAIT);
    if (got < 0 && may_go_on()) continue;
    some.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return some;
  }
  return std::nullopt;
}

bool Connection::closed() const {
  char byte = 0;
  const ssize_t got = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got >= 0 || !may_go_on();
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
  const auto deadline = Clock::now() + limit;
  const auto left = [&] {
    return std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  };
  try {
    Connection connection(endpoint, left());
    if (!connection.send(plain_request(method, target, body), left())) return std::nullopt;
    const auto text = connection.receive_all(left());
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
