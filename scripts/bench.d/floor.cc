// The least that three nodes can do for a put or a get: what any program on this machine is bounded
// by that serves HTTP, syncs every write on a majority and asks a majority before it reads. No
// terms, no store, no checks: it forgets everything, and breaks on anything but its one way
// through.
//
//   floor follower PORT FILE                 floor leader PORT FILE FOLLOWER-PORT FOLLOWER-PORT
//
// Requests are taken as wrk sends them, each in one piece. A put goes, as it came, into a log file
// of zeros, which is written from the beginning again when it is full, and to both followers, which
// do the same; it is answered when it is durable on two. What arrives together shares a write and a
// message. A get asks the followers, all that wait in one round, unless it says "prefix".
#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t kLogBytes = 64 << 20;
const std::string kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 100\r\n\r\n" +
    std::string(100, 'v');

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// --- Sockets -------------------------------------------------------------------------------------

sockaddr_in loopback(const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int listening(const char* port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = loopback(port);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket, SOMAXCONN) != 0) {
    die("floor: listen");
  }
  return socket;
}

int connected(const char* port) {
  const sockaddr_in address = loopback(port);
  for (int attempt = 0; attempt < 200; ++attempt) {  // the follower may still write its zeros
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      return socket;
    }
    ::close(socket);
    ::usleep(50'000);
  }
  die("floor: connect");
}

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // it is gone; the generator says so
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// What is there, up to 64 KiB; empty: the other end has gone.
std::string_view receive(int socket) {
  static std::array<char, 64 << 10> buffer;
  const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

class Poll {
 public:
  void add(int file) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = file;
    if (::epoll_ctl(poll_, EPOLL_CTL_ADD, file, &event) != 0) die("floor: epoll_ctl");
  }
  void add_socket(int socket) {
    const int yes = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    add(socket);
  }
  std::vector<int> wait() {
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), -1);
    std::vector<int> ready;
    for (int i = 0; i < count; ++i) ready.push_back(events[static_cast<std::size_t>(i)].data.fd);
    return ready;
  }

 private:
  const int poll_ = ::epoll_create1(0);
};

// --- The disk ------------------------------------------------------------------------------------

/// A thread that writes and syncs what has gathered while it did so last.
class Disk {
 public:
  explicit Disk(const char* path) : file_(::open(path, O_RDWR | O_CREAT | O_TRUNC, 0644)) {
    // Page by page: of what was written at once a sync counts the whole, whatever was changed.
    const std::string zeros(4 << 10, '\0');
    for (std::size_t done = 0; done < kLogBytes; done += zeros.size()) {
      if (::write(file_, zeros.data(), zeros.size()) != static_cast<ssize_t>(zeros.size())) {
        die("floor: the log file");
      }
    }
    if (::fsync(file_) != 0) die("floor: fsync");
    thread_ = std::thread([this] { run(); });
  }
  /// Readable when more is durable.
  int event() const { return event_; }
  void submit(std::string_view bytes) {
    {
      const std::scoped_lock lock(mutex_);
      waiting_ += bytes;
    }
    changed_.notify_one();
  }
  /// Of all bytes submitted.
  std::uint64_t durable() {
    std::uint64_t times = 0;
    [[maybe_unused]] const ssize_t got = ::read(event_, &times, sizeof times);
    const std::scoped_lock lock(mutex_);
    return durable_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !waiting_.empty(); });
      const std::string bytes = std::exchange(waiting_, {});
      lock.unlock();
      if (at_ + bytes.size() > kLogBytes) at_ = 0;
      if (::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(at_)) < 0) {
        die("floor: pwrite");
      }
      at_ += bytes.size();
      if (::fdatasync(file_) != 0) die("floor: fdatasync");
      lock.lock();
      durable_ += bytes.size();
      const std::uint64_t once = 1;
      [[maybe_unused]] const ssize_t put = ::write(event_, &once, sizeof once);
    }
  }

  const int file_;
  const int event_ = ::eventfd(0, EFD_NONBLOCK);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;        // under mutex_
  std::uint64_t durable_ = 0;  // under mutex_
  std::size_t at_ = 0;
  std::thread thread_;
};

// --- Between nodes -------------------------------------------------------------------------------

/// To a follower: the length of what is to be written, then that; or no length, then a round. Back:
/// how much is durable, or a round with kRound.
constexpr std::uint64_t kRound = std::uint64_t{1} << 63;

std::string number(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::uint64_t number_at(std::string_view bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

[[noreturn]] void follow(const char* port, const char* path) {
  Disk disk(path);
  const int leader = ::accept(listening(port), nullptr, nullptr);
  Poll poll;
  poll.add_socket(leader);
  poll.add(disk.event());
  std::string arrived;
  while (true) {
    std::string answers;
    for (const int file : poll.wait()) {
      if (file == disk.event()) {
        answers += number(disk.durable());
        continue;
      }
      const std::string_view bytes = receive(leader);
      if (bytes.empty()) std::exit(0);
      arrived += bytes;
      std::string_view left = arrived;
      std::string log;
      while (left.size() >= 8) {
        const std::uint64_t length = number_at(left);
        if (left.size() < 8 + std::max<std::uint64_t>(length, 8)) break;
        if (length == 0) {
          answers += number(kRound | number_at(left.substr(8)));
          left.remove_prefix(16);
        } else {
          log += left.substr(8, length);
          left.remove_prefix(8 + length);
        }
      }
      arrived = std::string(left);
      if (!log.empty()) disk.submit(log);
    }
    send_all(leader, answers);
  }
}

class Leader {
 public:
  Leader(const char* port, const char* path, const char* one, const char* other)
      : disk_(path),
        followers_{Follower{connected(one), {}, 0}, Follower{connected(other), {}, 0}} {
    poll_.add(listener_ = listening(port));
    poll_.add(disk_.event());
    for (const Follower& follower : followers_) poll_.add_socket(follower.socket);
  }

  [[noreturn]] void run() {
    while (true) {
      for (const int file : poll_.wait()) take(file);
      std::string out;
      if (!log_.empty()) {
        out = number(log_.size()) + log_;
        disk_.submit(log_);
        log_.clear();
      }
      if (asked_.empty() && !reads_.empty()) {
        asked_ = std::exchange(reads_, {});
        out += number(0) + number(++round_);
      }
      for (const Follower& follower : followers_) send_all(follower.socket, out);
      answer_writes();
    }
  }

 private:
  struct Follower {
    int socket;
    std::string arrived;
    std::uint64_t durable;
  };

  void take(int file) {
    if (file == listener_) {
      poll_.add_socket(::accept(listener_, nullptr, nullptr));
    } else if (file == disk_.event()) {
      durable_ = disk_.durable();
    } else if (file == followers_[0].socket || file == followers_[1].socket) {
      heed(followers_[file == followers_[1].socket]);
    } else {
      serve(file);
    }
  }

  void serve(int client) {
    const std::string_view request = receive(client);
    if (request.empty()) {
      ::close(client);
    } else if (request.front() == 'P') {
      log_ += request;
      logged_ += request.size();
      writes_.emplace_back(logged_, client);
    } else if (request.find("consistency=prefix") != std::string_view::npos) {
      send_all(client, kAnswer);
    } else {
      reads_.push_back(client);
    }
  }

  void heed(Follower& follower) {
    const std::string_view bytes = receive(follower.socket);
    if (bytes.empty()) std::exit(0);
    follower.arrived += bytes;
    for (; follower.arrived.size() >= 8; follower.arrived.erase(0, 8)) {
      const std::uint64_t said = number_at(follower.arrived);
      if (!(said & kRound)) {
        follower.durable = said;
      } else if ((said & ~kRound) == round_) {  // with the leader a majority
        for (const int client : std::exchange(asked_, {})) send_all(client, kAnswer);
      }
    }
  }

  void answer_writes() {
    std::array<std::uint64_t, 3> durable{durable_, followers_[0].durable, followers_[1].durable};
    std::sort(durable.begin(), durable.end());
    for (; !writes_.empty() && writes_.front().first <= durable[1]; writes_.pop_front()) {
      send_all(writes_.front().second, kAnswer);
    }
  }

  Poll poll_;
  Disk disk_;
  int listener_ = -1;
  std::array<Follower, 2> followers_;
  std::string log_;  ///< of this turn
  std::uint64_t logged_ = 0;
  std::uint64_t durable_ = 0;
  std::deque<std::pair<std::uint64_t, int>> writes_;  ///< by where they end in the log
  std::vector<int> reads_;                            ///< for the next round
  std::vector<int> asked_;                            ///< in the one under way
  std::uint64_t round_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc > 1 ? argv[1] : "";
  if (role == "follower" && argc == 4) follow(argv[2], argv[3]);
  if (role == "leader" && argc == 6) Leader(argv[2], argv[3], argv[4], argv[5]).run();
  std::fputs("floor follower PORT FILE | floor leader PORT FILE FOLLOWER-PORT FOLLOWER-PORT\n",
             stderr);
  return 2;
}
