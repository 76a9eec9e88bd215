#include "harness/io/links.h"

#include <array>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include <boost/asio.hpp>
#include <fmt/format.h>

namespace parallax::harness {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

/// That one direction holds; then the sender has to wait.
constexpr std::size_t kMostHeld = 4 << 20;

/// The inode of this machine's socket from port `from` to port `to`; 0: there is none.
std::uint64_t socket_inode(std::uint16_t from, std::uint16_t to) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  const std::string wanted = fmt::format(" 0100007F:{:04X} 0100007F:{:04X} ", from, to);
  while (std::getline(table, line)) {
    if (line.find(wanted) == std::string::npos) continue;
    // sl local remote st queues timer retransmits uid timeout inode
    std::istringstream fields(line);
    std::string skipped;
    for (int i = 0; i < 9; ++i) fields >> skipped;
    std::uint64_t inode = 0;
    fields >> inode;
    return inode;
  }
  return 0;
}

bool has_socket(pid_t process, std::uint64_t inode) {
  const std::string wanted = fmt::format("socket:[{}]", inode);
  std::error_code error;
  for (fs::directory_iterator it(fmt::format("/proc/{}/fd", process), error), end;
       !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (fs::read_symlink(it->path(), gone) == wanted) return true;
  }
  return false;
}

}  // namespace

/// One direction of a connection: what `from` says to `to`.
class Links::Pump {
 public:
  Pump(State& state, tcp::socket& in, tcp::socket& out, std::uint32_t from, std::uint32_t to);

  /// `keep`: what both directions belong to.
  void start(std::shared_ptr<Relay> keep);
  /// Writes what may go now.
  void flush(const std::shared_ptr<Relay>& keep);

 private:
  struct Chunk {
    Clock::time_point due;
    std::string bytes;  ///< empty: the end
  };
  void read(const std::shared_ptr<Relay>& keep);

  State& state_;
  tcp::socket& in_;
  tcp::socket& out_;
  const std::uint32_t from_;
  const std::uint32_t to_;
  asio::steady_timer timer_;
  std::array<char, 16 << 10> buffer_;
  std::deque<Chunk> held_;
  std::size_t bytes_held_ = 0;
  bool reading_ = false;
  bool writing_ = false;
};

/// A connection that `from` has opened to `to`.
class Links::Relay : public std::enable_shared_from_this<Relay> {
 public:
  Relay(State& state, tcp::socket in, std::uint32_t from, std::uint32_t to);
  void start(std::uint16_t port);
  void flush() {
    forth_.flush(shared_from_this());
    back_.flush(shared_from_this());
  }
  void close() {
    error_code ignored;
    in_.close(ignored);
    out_.close(ignored);
  }
  bool open() const { return in_.is_open() && out_.is_open(); }

 private:
  tcp::socket in_;
  tcp::socket out_;
  Pump forth_;
  Pump back_;
};

struct Links::State {
  struct Node {
    std::uint16_t port = 0;  ///< where it listens itself
    std::uint16_t link = 0;  ///< where the others ask it
    std::unique_ptr<tcp::acceptor> acceptor = {};
    std::set<std::uint32_t> deaf_to = {};
    std::chrono::milliseconds late{0};  ///< what it says
    pid_t process = 0;
  };

  bool cut(std::uint32_t from, std::uint32_t to) const {
    const std::lock_guard lock(mutex);
    return to != 0 && nodes.at(to - 1).deaf_to.contains(from);
  }
  std::chrono::milliseconds late(std::uint32_t from) const {
    const std::lock_guard lock(mutex);
    return from == 0 ? std::chrono::milliseconds(0) : nodes.at(from - 1).late;
  }
  /// Whose the socket is; 0: nobody's that is known.
  std::uint32_t owner(std::uint64_t inode) const {
    std::vector<pid_t> processes;
    {
      const std::lock_guard lock(mutex);
      for (const Node& node : nodes) processes.push_back(node.process);
    }
    for (std::uint32_t i = 0; inode != 0 && i < processes.size(); ++i) {
      if (processes[i] != 0 && has_socket(processes[i], inode)) return i + 1;
    }
    return 0;
  }
  void accept(std::uint32_t node);

  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  mutable std::mutex mutex;  ///< of what is said about nodes
  std::vector<Node> nodes;   ///< by node - 1
  std::vector<std::weak_ptr<Relay>> relays;
  std::thread thread;
};

// --- One connection ------------------------------------------------------------------------------

Links::Pump::Pump(State& state, tcp::socket& in, tcp::socket& out, std::uint32_t from,
                  std::uint32_t to)
    : state_(state), in_(in), out_(out), from_(from), to_(to), timer_(state.context) {}

void Links::Pump::start(std::shared_ptr<Relay> keep) {
  read(keep);
}

void Links::Pump::read(const std::shared_ptr<Relay>& keep) {
  if (reading_ || bytes_held_ >= kMostHeld || !keep->open()) return;
  reading_ = true;
  in_.async_read_some(asio::buffer(buffer_), [this, keep](error_code error, std::size_t size) {
    reading_ = false;
    // A reset is an end, too, and takes as long.
    held_.push_back({Clock::now() + state_.late(from_),
                     error ? std::string() : std::string(buffer_.data(), size)});
    bytes_held_ += size;
    if (!error) read(keep);
    flush(keep);
  });
}

void Links::Pump::flush(const std::shared_ptr<Relay>& keep) {
  if (writing_ || held_.empty() || !keep->open() || state_.cut(from_, to_)) return;
  if (held_.front().due > Clock::now()) {
    timer_.expires_at(held_.front().due);
    timer_.async_wait([this, keep](error_code error) {
      if (!error) flush(keep);
    });
    return;
  }
  if (held_.front().bytes.empty()) return keep->close();
  writing_ = true;
  asio::async_write(out_, asio::buffer(held_.front().bytes),
                    [this, keep](error_code error, std::size_t size) {
                      writing_ = false;
                      if (error) return keep->close();
                      bytes_held_ -= size;
                      held_.pop_front();
                      read(keep);
                      flush(keep);
                    });
}

Links::Relay::Relay(State& state, tcp::socket in, std::uint32_t from, std::uint32_t to)
    : in_(std::move(in)),
      out_(state.context),
      forth_(state, in_, out_, from, to),
      back_(state, out_, in_, to, from) {}

void Links::Relay::start(std::uint16_t port) {
  out_.async_connect({asio::ip::address_v4::loopback(), port},
                     [this, keep = shared_from_this()](error_code error) {
                       if (error) return close();
                       error_code ignored;
                       in_.set_option(tcp::no_delay(true), ignored);
                       out_.set_option(tcp::no_delay(true), ignored);
                       forth_.start(keep);
                       back_.start(keep);
                     });
}

// --- All of them ---------------------------------------------------------------------------------

void Links::State::accept(std::uint32_t node) {
  nodes.at(node - 1).acceptor->async_accept([this, node](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      error_code unknown;
      const auto peer = socket.remote_endpoint(unknown);
      const auto own = socket.local_endpoint(unknown);
      const std::uint32_t from = owner(socket_inode(peer.port(), own.port()));
      const auto relay = std::make_shared<Relay>(*this, std::move(socket), from, node);
      std::erase_if(relays, [](const auto& one) { return one.expired(); });
      relays.push_back(relay);
      relay->start(nodes.at(node - 1).port);
    }
    accept(node);
  });
}

Links::Links() : state_(std::make_unique<State>()) {}

Result<std::unique_ptr<Links>> Links::open(const std::vector<std::uint16_t>& nodes,
                                           std::uint16_t first) {
  std::unique_ptr<Links> links(new Links);
  State& state = *links->state_;
  for (const std::uint16_t port : nodes) {
    State::Node node{.port = port, .link = static_cast<std::uint16_t>(first + state.nodes.size())};
    node.acceptor = std::make_unique<tcp::acceptor>(state.context);
    const tcp::endpoint at(asio::ip::address_v4::loopback(), node.link);
    error_code error;
    node.acceptor->open(at.protocol(), error);
    node.acceptor->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) node.acceptor->bind(at, error);
    if (!error) node.acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return definite(ErrorCode::io, fmt::format("port {}: {}", at.port(), error.message()));
    }
    state.nodes.push_back(std::move(node));
  }
  for (std::uint32_t node = 1; node <= state.nodes.size(); ++node) state.accept(node);
  state.thread = std::thread([&state] { state.context.run(); });
  return links;
}

Links::~Links() {
  state_->context.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

std::uint16_t Links::port(std::uint32_t node) const {
  return state_->nodes.at(node - 1).link;
}

void Links::set_process(std::uint32_t node, pid_t process) {
  const std::lock_guard lock(state_->mutex);
  state_->nodes.at(node - 1).process = process;
}

void Links::set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) {
  {
    const std::lock_guard lock(state_->mutex);
    State::Node& own = state_->nodes.at(node - 1);
    own.deaf_to.clear();
    own.late = {};
    for (const ActiveFault& fault : active) {
      for (const auto& [from, to] : fault.links) {
        if (to == node) own.deaf_to.insert(from);
      }
      const bool delayed = fault.planned.fault == Fault::delay && fault.planned.node == node;
      if (delayed) own.late = std::chrono::milliseconds(fault.planned.amount);
    }
  }
  asio::post(state_->context, [state = state_.get()] {
    for (const auto& one : state->relays) {
      if (const auto relay = one.lock()) relay->flush();
    }
  });
}

bool Links::connected(std::uint32_t a, std::uint32_t b) const {
  return !state_->cut(a, b) && !state_->cut(b, a);
}

}  // namespace parallax::harness
