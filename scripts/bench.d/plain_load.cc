// Drives what speaks over a plain connection: Redis (RESP), ZooKeeper (its client protocol), and,
// for open loops, which wrk does not have, HTTP. One thread, one operation at a time on each
// connection.
//
// An operation may be several messages sent together, done when the last is answered: SET and WAIT
// 1; sync and getData.
#include <initializer_list>
#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scripts/bench.d/load.h"

namespace bench {
namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

enum class Taken { more, good, bad };

/// One connection's side of a protocol.
class Protocol {
 public:
  virtual ~Protocol() = default;
  /// What is said once, right after the connection is there; empty: nothing.
  virtual std::string greeting() { return {}; }
  virtual void ask(const Settings& s, std::uint32_t number, std::string& out) = 0;
  /// Looks for the answer to the greeting, or to all of an operation, at the head of `in`, and
  /// takes it off once all of it is there.
  virtual Taken take(std::string& in) = 0;
};

// --- Redis
// ----------------------------------------------------------------------------------------

class Redis final : public Protocol {
 public:
  void ask(const Settings& s, std::uint32_t number, std::string& out) override {
    put_ = s.op == "put";
    if (put_) {
      say({"SET", key(number), value(number)}, out);
      say({"WAIT", "1", "0"}, out);
    } else {
      say({"GET", key(number)}, out);
    }
  }
  Taken take(std::string& in) override {
    const std::size_t line = in.find("\r\n");
    if (line == in.npos) return Taken::more;
    if (put_) {
      const std::size_t second = in.find("\r\n", line + 2);
      if (second == in.npos) return Taken::more;
      const bool good = in.starts_with("+OK") && in[line + 2] == ':' && in[line + 3] != '0';
      in.erase(0, second + 2);
      return good ? Taken::good : Taken::bad;
    }
    if (in[0] != '$' || in[1] == '-') {
      in.erase(0, line + 2);
      return Taken::bad;
    }
    const std::size_t all = line + 2 + std::strtoul(in.c_str() + 1, nullptr, 10) + 2;
    if (in.size() < all) return Taken::more;
    in.erase(0, all);
    return Taken::good;
  }

 private:
  static void say(std::initializer_list<std::string> words, std::string& out) {
    out += "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
      out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
  }
  bool put_ = false;
};

// --- ZooKeeper
// ------------------------------------------------------------------------------------

/// Frames of a 32-bit length and big-endian records (ZooKeeper 3.8, zookeeper.jute).
class ZooKeeper final : public Protocol {
 public:
  std::string greeting() override {
    std::string body;
    int32(0, body);       // protocol version
    int64(0, body);       // last zxid seen
    int32(30'000, body);  // session timeout, ms
    int64(0, body);       // a new session
    text(std::string(16, '\0'), body);
    body.push_back('\0');  // not read-only
    expected_ = 1;
    greets_ = true;
    std::string out;
    text(body, out);
    return out;
  }
  void ask(const Settings& s, std::uint32_t number, std::string& out) override {
    const std::string path = "/" + key(number);
    std::string body;
    expected_ = 1;
    if (s.op == "put" && s.preload) {
      head(kCreate, body);
      create("/bench", "", body);
      text(body, out);
      body.clear();
      head(kCreate, body);
      create(path, value(number), body);
      expected_ = 2;
      may_exist_ = true;
    } else if (s.op == "put") {
      head(kSetData, body);
      text(path, body);
      text(value(number), body);
      int32(-1, body);  // whatever the version
    } else {
      if (s.op == "get") {
        head(kSync, body);
        text(path, body);
        text(body, out);
        body.clear();
        expected_ = 2;
      }
      head(kGetData, body);
      text(path, body);
      body.push_back('\0');  // no watch
    }
    text(body, out);
  }
  Taken take(std::string& in) override {
    while (expected_ > 0) {
      if (in.size() < 4) return Taken::more;
      const std::size_t size = read32(in, 0);
      if (in.size() < 4 + size) return Taken::more;
      if (!greets_) {
        const std::uint32_t error = size >= 16 ? read32(in, 16) : 1;
        if (error != 0 && !(may_exist_ && error == kNodeExists)) bad_ = true;
      }
      greets_ = false;
      in.erase(0, 4 + size);
      --expected_;
    }
    may_exist_ = false;
    return std::exchange(bad_, false) ? Taken::bad : Taken::good;
  }

 private:
  static constexpr std::uint32_t kNodeExists = static_cast<std::uint32_t>(-110);
  static constexpr std::uint32_t kCreate = 1, kGetData = 4, kSetData = 5, kSync = 9;

  static void int32(std::int64_t value, std::string& out) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  }
  static void int64(std::int64_t value, std::string& out) {
    int32(value >> 32, out);
    int32(value, out);
  }
  static void text(const std::string& bytes, std::string& out) {
    int32(static_cast<std::int64_t>(bytes.size()), out);
    out += bytes;
  }
  static std::uint32_t read32(const std::string& in, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(in[at + i]);
    return value;
  }
  void head(std::uint32_t operation, std::string& body) {
    int32(++exchange_, body);
    int32(operation, body);
  }
  static void create(const std::string& path, const std::string& data, std::string& body) {
    text(path, body);
    text(data, body);
    int32(1, body);   // one entry in the access list:
    int32(31, body);  // everything
    text("world", body);
    text("anyone", body);
    int32(0, body);  // neither ephemeral nor sequential
  }

  std::uint32_t exchange_ = 0;
  int expected_ = 0;
  bool greets_ = false;
  bool may_exist_ = false;  ///< what a preload creates
  bool bad_ = false;
};

// --- HTTP
// -----------------------------------------------------------------------------------------

/// Parallax, and etcd's v2 API; answers with a Content-Length.
class Http final : public Protocol {
 public:
  explicit Http(bool etcd) : etcd_(etcd) {}
  void ask(const Settings& s, std::uint32_t number, std::string& out) override {
    std::string target = (etcd_ ? "/v2/keys/" : "/v1/kv/") + key(number);
    if (etcd_ && s.op == "get") target += "?quorum=true";
    if (!etcd_ && s.op == "local") target += "?consistency=prefix";
    const bool put = s.op == "put";
    const std::string body = put ? (etcd_ ? "value=" : "") + value(number) : "";
    out += (put ? "PUT " : "GET ") + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    if (put && etcd_) out += "Content-Type: application/x-www-form-urlencoded\r\n";
    if (put) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    out += "\r\n" + body;
  }
  Taken take(std::string& in) override {
    const std::size_t head = in.find("\r\n\r\n");
    if (head == in.npos) return Taken::more;
    std::size_t body = 0;
    const std::size_t length = in.find("Content-Length: ");
    if (length < head) body = std::strtoul(in.c_str() + length + 16, nullptr, 10);
    if (in.size() < head + 4 + body) return Taken::more;
    const bool good = in.size() > 9 && in[9] == '2';
    in.erase(0, head + 4 + body);
    return good ? Taken::good : Taken::bad;
  }

 private:
  bool etcd_;
};

std::unique_ptr<Protocol> protocol(const std::string& name) {
  if (name == "redis") return std::make_unique<Redis>();
  if (name == "zookeeper") return std::make_unique<ZooKeeper>();
  if (name == "parallax") return std::make_unique<Http>(false);
  if (name == "etcd-v2") return std::make_unique<Http>(true);
  die("--protocol '" + name + "'; valid: redis, zookeeper, parallax, etcd-v2");
}

struct Connection {
  int socket = -1;
  std::unique_ptr<Protocol> protocol;
  std::string in;
  bool asked = false;
  Clock::time_point began;
};

class Generator {
 public:
  explicit Generator(const Settings& s) : settings_(s), poll_(epoll_create1(0)) {
    for (std::size_t i = 0; i < s.clients; ++i) {
      auto& c = connections_.emplace_back(std::make_unique<Connection>());
      c->protocol = protocol(s.protocol);
      connect(*c);
      free_.push_back(c.get());
    }
  }

  void run() {
    Course course(settings_);
    while (true) {
      Clock::time_point began;
      while (!free_.empty() && course.begin(Clock::now(), began)) {
        Connection& c = *free_.back();
        free_.pop_back();
        c.began = began;
        c.asked = true;
        std::string out;
        c.protocol->ask(settings_, course.next_key(), out);
        send_all(c, out);
      }
      if (free_.size() == connections_.size() && course.over(Clock::now())) break;
      timespec wait{.tv_sec = 10, .tv_nsec = 0};
      if (settings_.rate > 0 && !free_.empty()) {
        const auto left = std::max(Clock::duration(0), course.next_arrival() - Clock::now());
        wait = {.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
      }
      epoll_event events[256];
      const int ready = epoll_pwait2(poll_, events, 256, &wait, nullptr);
      if (ready == 0 && wait.tv_sec == 10) {
        course.failed(connections_.size() - free_.size());  // no answer for ten seconds
        break;
      }
      for (int i = 0; i < ready; ++i) take(*static_cast<Connection*>(events[i].data.ptr), course);
    }
    course.print();
  }

 private:
  void connect(Connection& c) {
    c.socket = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(settings_.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(c.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      die("cannot connect to port " + std::to_string(settings_.port));
    }
    const int on = 1;
    setsockopt(c.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::string greeting = c.protocol->greeting();
    if (!greeting.empty()) {
      send_all(c, greeting);
      Taken taken;
      while ((taken = c.protocol->take(c.in)) == Taken::more) receive(c);
      if (taken == Taken::bad) die("the greeting was refused");
    }
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &c}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, c.socket, &event);
  }

  /// A request is far smaller than a socket's buffer, and there is one at a time.
  static void send_all(Connection& c, const std::string& out) {
    if (send(c.socket, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size())) {
      die("a connection was closed");
    }
  }
  static void receive(Connection& c) {
    char buffer[16384];
    const ssize_t n = recv(c.socket, buffer, sizeof buffer, 0);
    if (n <= 0) die("a connection was closed");
    c.in.append(buffer, static_cast<std::size_t>(n));
  }

  void take(Connection& c, Course& course) {
    receive(c);
    if (!c.asked) return;
    const Taken taken = c.protocol->take(c.in);
    if (taken == Taken::more) return;
    course.done(c.began, Clock::now(), taken == Taken::good);
    c.asked = false;
    free_.push_back(&c);
  }

  Settings settings_;
  int poll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> free_;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::Generator(bench::settings(argc, argv)).run();
}
