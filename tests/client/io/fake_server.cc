#include "tests/client/io/fake_server.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/http_protocol.h"

namespace parallax::testing {
namespace {

int listen_on_loopback(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(fd, 256) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen on loopback");
  }
  port = ntohs(address.sin_port);
  return fd;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Reads until `done(buffer)`; false when the connection ends first.
template <class Done>
bool receive_until(int fd, std::string& buffer, Done done) {
  char chunk[16 << 10];
  while (!done(buffer)) {
    const ssize_t got = ::recv(fd, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    buffer.append(chunk, static_cast<std::size_t>(got));
  }
  return true;
}

SeenRequest parse_header(std::string_view header) {
  SeenRequest request;
  const auto line_end = header.find("\r\n");
  const std::string_view line = header.substr(0, line_end);
  const auto first = line.find(' ');
  const auto second = line.find(' ', first + 1);
  request.method = std::string(line.substr(0, first));
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const auto question = target.find('?');
  request.path = std::string(target.substr(0, question));
  if (question != std::string_view::npos) request.query = std::string(target.substr(question + 1));
  for (std::size_t at = line_end + 2; at < header.size();) {
    const auto end = header.find("\r\n", at);
    const std::string_view field = header.substr(at, end - at);
    const auto colon = field.find(':');
    if (colon == std::string_view::npos) break;
    std::string name(field.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), ::tolower);
    std::string_view value = field.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    request.headers[name] = std::string(value);
    at = end + 2;
  }
  return request;
}

std::string evidence(int node, const std::string& path) {
  return fmt::format(
      "node={}, term=3, index=120, path={}, replicas=(1 2), sequenced=?1, degraded=?0", node, path);
}

}  // namespace

FakeServer::FakeServer(Script script, Script on_header)
    : script_(std::move(script)), on_header_(std::move(on_header)) {
  listener_ = listen_on_loopback(port_);
  accepting_ = std::thread([this] { accept_loop(); });
}

FakeServer::~FakeServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  ::close(listener_);
  drop_connections();
  for (std::thread& thread : threads_) thread.join();
}

void FakeServer::accept_loop() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd, number = ++connections_] { serve(fd, number); });
  }
}

void FakeServer::serve(int fd, int number) {
  std::string buffer;
  const auto header_end = [](const std::string& text) { return text.find("\r\n\r\n"); };
  while (receive_until(
      fd, buffer, [&](const std::string& text) { return header_end(text) != std::string::npos; })) {
    const std::size_t header_size = header_end(buffer) + 4;
    SeenRequest request = parse_header(std::string_view(buffer).substr(0, header_size));
    request.connection = number;
    Action action;
    if (on_header_) action = on_header_(request);
    if (!action.before_body) {
      const auto length = request.headers.find("content-length");
      const std::size_t body_size =
          length == request.headers.end() ? 0 : std::stoul(length->second);
      if (!receive_until(fd, buffer, [&](const std::string& text) {
            return text.size() >= header_size + body_size;
          })) {
        break;
      }
      request.body = buffer.substr(header_size, body_size);
      buffer.erase(0, header_size + body_size);
    }
    if (request.path != "/v1/cluster") {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    const int now = ++under_way_;
    for (int seen = peak_; now > seen && !peak_.compare_exchange_weak(seen, now);) {
    }
    if (!action.before_body) action = script_(request);
    std::this_thread::sleep_for(action.delay);
    --under_way_;
    if (action.hang) {
      receive_until(fd, buffer, [&](const std::string&) { return stopping_.load(); });
      break;
    }
    if (!send_all(fd, action.bytes) || action.close) break;
  }
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

void FakeServer::drop_connections() {
  const std::lock_guard lock(mutex_);
  for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
}

std::vector<SeenRequest> FakeServer::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

Action respond(int status, const std::vector<std::pair<std::string, std::string>>& headers,
               const std::string& body) {
  std::string text = fmt::format("HTTP/1.1 {} X\r\n", status);
  for (const auto& [name, value] : headers) text += fmt::format("{}: {}\r\n", name, value);
  if (status != 204) text += fmt::format("Content-Length: {}\r\n", body.size());
  return Action{.bytes = text + "\r\n" + body};
}

Action value_answer(const std::string& value, int node, const std::string& level) {
  return respond(
      200,
      {{"Parallax-Consistency", level},
       {"ETag", "\"1000-1\""},
       {"Content-Type", "text/plain"},
       {"Parallax-Evidence", evidence(node, level == "prefix" ? "local" : "read-index")}},
      value);
}

Action stored_answer(int node) {
  return respond(204,
                 {{"parallax-consistency", "linearizable"},
                  {"etag", "\"1001-1\""},
                  {"parallax-evidence", evidence(node, "log")}},
                 "");
}

Action absent_answer(int node) {
  Action action = problem_answer(404, "not-found", "not_applied", false, "",
                                 {{"Parallax-Consistency", "linearizable"},
                                  {"Parallax-Evidence", evidence(node, "read-index")}});
  return action;
}

Action problem_answer(int status, const std::string& code, const std::string& outcome,
                      bool retryable, const std::string& extra,
                      const std::vector<std::pair<std::string, std::string>>& headers) {
  auto all = headers;
  all.emplace_back("Content-Type", "application/problem+json");
  return respond(
      status, all,
      fmt::format(R"({{"type":"urn:parallax:error:{0}","title":"t","status":{1},)"
                  R"("detail":"told {0}","code":"{0}","outcome":"{2}","retryable":{3}{4}}})",
                  code, status, outcome, retryable, extra));
}

Action cluster_answer(int leader, const std::map<int, std::string>& members) {
  std::string list;
  for (const auto& [id, client] : members) {
    list += fmt::format(
        R"({}{{"id":{},"client":"{}","peer":"127.0.0.1:{}","role":"{}","up":true,)"
        R"("match_index":120,"applied_index":120,"lag_ms":0,"clock_offset_ms":0.5}})",
        list.empty() ? "" : ",", id, client, 7200 + id, id == leader ? "leader" : "follower");
  }
  return respond(200, {{"Content-Type", "application/json"}},
                 fmt::format(R"({{"cluster_id":"c1","term":3,"leader":{},"members":[{}]}})",
                             leader == 0 ? "null" : std::to_string(leader), list));
}

Action hang_up() {
  return Action{.close = true};
}
Action never_answer() {
  return Action{.hang = true};
}

Action FakeStore::operator()(const SeenRequest& request) {
  if (request.path == "/v1/cluster") {
    return respond(
        200, {},
        fmt::format(R"({{"cluster_id":"{}","term":3,"leader":null,"members":[]}})", cluster_id_));
  }
  if (!request.path.starts_with(kKeyPathPrefix)) {
    return problem_answer(404, "not-found", "not_applied", false);
  }
  const std::string key = *percent_decode(request.path.substr(kKeyPathPrefix.size()));
  const std::lock_guard lock(mutex_);
  if (request.method == "PUT") {
    if (before_put_) {
      if (const auto action = before_put_(key, total_puts_)) return *action;
    }
    ++total_puts_;
    ++puts_[key];
    values_[key] = request.body;
    return stored_answer();
  }
  if (request.method == "DELETE") {
    values_.erase(key);
    return stored_answer();
  }
  const auto found = values_.find(key);
  return found == values_.end() ? absent_answer() : value_answer(found->second);
}

std::map<std::string, std::string> FakeStore::values() const {
  const std::lock_guard lock(mutex_);
  return values_;
}
std::map<std::string, int> FakeStore::puts() const {
  const std::lock_guard lock(mutex_);
  return puts_;
}
void FakeStore::before_put(BeforePut asked) {
  const std::lock_guard lock(mutex_);
  before_put_ = std::move(asked);
}
void FakeStore::set(const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  values_[key] = value;
}

std::string refusing_endpoint() {
  std::uint16_t port = 0;
  ::close(listen_on_loopback(port));
  return "127.0.0.1:" + std::to_string(port);
}

}  // namespace parallax::testing
