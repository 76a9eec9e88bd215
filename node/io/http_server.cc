#include "node/io/http_server.h"

#include <algorithm>
#include <ctime>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/assert.h"
#include "node/io/http_connection.h"
#include "node/io/sockets.h"

namespace parallax {
namespace {

/// Above the bound this many more are taken, only to be told so; the rest is cut.
constexpr std::size_t kRefusedAtOnce = 64;
constexpr Duration kLongestSweep = std::chrono::seconds{1};
constexpr Duration kShortestSweep = std::chrono::milliseconds{5};

Duration sweep_interval(const HttpServerOptions& options) {
  const Duration shortest =
      std::min({options.slow_request_timeout, options.idle_timeout, options.linger_timeout});
  return std::clamp(shortest / 4, kShortestSweep, kLongestSweep);
}

/// IMF-fixdate (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t now) {
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text, size};
}

}  // namespace

class HttpServer::Core final : public HttpShared, public std::enable_shared_from_this<Core> {
 public:
  Core(asio::io_context& io, NodeService& service, HttpServerOptions settings)
      : HttpShared(service, settings), io_(io), timer_(io), interval_(sweep_interval(settings)) {}

  void start() {
    renew_time();
    wait_for_sweep();
  }

  Result<std::string> listen(const HostPort& address) {
    auto acceptor = std::make_unique<Acceptor>(io_);
    PARALLAX_TRY(listen_on(*acceptor, address));
    HostPort bound = address;
    boost::system::error_code failed;
    bound.port = acceptor->local_endpoint(failed).port();
    acceptor->non_blocking(true, failed);
    acceptors_.push_back(std::move(acceptor));
    accept(*acceptors_.back());
    return bound.to_string();
  }

  void stop_accepting() {
    stopping = true;
    close_acceptors();
    for_each_connection([](HttpConnection& connection) { connection.stop(); });
  }

  void join(std::vector<std::shared_ptr<Core>> cores) { cores_ = std::move(cores); }

  void add_all_to(RequestMetrics& sum, HttpGauges& gauges) const override {
    if (cores_.empty()) return add_to(sum, gauges);
    for (const auto& core : cores_) core->add_to(sum, gauges);
  }

  void shut_down() {
    stopping = true;
    gone_ = true;
    cores_.clear();  // they hold this one, too
    close_acceptors();
    timer_.cancel();
    for_each_connection([](HttpConnection& connection) { connection.close(); });
  }

  void submit(std::uint32_t slot, std::uint32_t place, Request&& request) override {
    ++requests_in_flight;
    // Small and trivially copied, so that std::function needs no allocation for it.
    struct Done {
      Core* core;
      std::uint32_t slot;
      std::uint32_t place;
      void operator()(Reply&& reply) const { core->on_reply(slot, place, std::move(reply)); }
    };
    static_assert(sizeof(Done) <= 2 * sizeof(void*) && std::is_trivially_copyable_v<Done>);
    node.submit(std::move(request), Done{this, slot, place});
  }

  void read_later(std::shared_ptr<HttpConnection> connection) override {
    to_read_.push_back(std::move(connection));
    if (to_read_.size() > 1) return;
    asio::post(io_, [core = shared_from_this()] {
      core->reading_.swap(core->to_read_);
      for (const auto& ready : core->reading_) ready->read_next();
      core->reading_.clear();
    });
  }

  void closed(std::uint32_t slot) override {
    --connections;
    slots_[slot].reset();
    free_.push_back(slot);
  }

 private:
  /// A connection keeps its slot while it waits for the node, so the answer is for whoever is
  /// there.
  void on_reply(std::uint32_t slot, std::uint32_t place, Reply&& reply) {
    --requests_in_flight;
    if (gone_) return;
    const auto connection = slots_[slot];  // it may close itself
    PARALLAX_ASSERT(connection != nullptr, "an answer for the free slot {}", slot);
    connection->on_reply(place, std::move(reply));
  }

  void accept(Acceptor& acceptor) {
    acceptor.async_accept([core = shared_from_this(), &acceptor](
                              const boost::system::error_code& failed, Socket socket) {
      if (core->stopping || failed == asio::error::operation_aborted) return;
      if (failed) {
        // Out of descriptors, most likely: the next sweep tries again.
        spdlog::warn("accepting a client failed: {}", failed.message());
        core->waiting_acceptors_.push_back(&acceptor);
        return;
      }
      core->hand_out(std::move(socket));
      core->accept(acceptor);
    });
  }

  /// A connection on its way to another thread, which closes it if nobody takes it there.
  struct Handed {
    Handed(Tcp kind, int descriptor) : protocol(kind), fd(descriptor) {}
    Handed(Handed&& other) noexcept : protocol(other.protocol), fd(std::exchange(other.fd, -1)) {}
    ~Handed() {
      if (fd >= 0) ::close(fd);
    }
    Tcp protocol;
    int fd;
  };

  /// The next in turn; one that is full only if all are.
  std::size_t core_with_room() {
    const std::size_t first = next_core_;
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      const std::size_t at = (first + i) % cores_.size();
      if (cores_[at]->connections >= options.max_connections) continue;
      next_core_ = at + 1;
      return at;
    }
    next_core_ = first + 1;
    return first % cores_.size();
  }

  void hand_out(Socket socket) {
    if (cores_.empty()) return admit(std::move(socket));
    const std::shared_ptr<Core>& core = cores_[core_with_room()];
    if (core.get() == this) return admit(std::move(socket));
    boost::system::error_code failed;
    const Tcp protocol = socket.local_endpoint(failed).protocol();
    if (failed) return;  // it is gone already
    const int fd = socket.release(failed);
    if (failed) return;
    asio::post(core->io_, [core, handed = Handed(protocol, fd)]() mutable {
      if (core->stopping) return;
      Socket adopted(core->io_);
      boost::system::error_code refused;
      adopted.assign(handed.protocol, handed.fd, refused);
      if (refused) return;
      handed.fd = -1;
      core->admit(std::move(adopted));
    });
  }

  void admit(Socket socket) {
    const bool full = connections >= options.max_connections;
    count([&](RequestMetrics& metrics) { metrics.count_connection(full); });
    if (full && connections >= options.max_connections + kRefusedAtOnce) return;
    boost::system::error_code failed;
    socket.non_blocking(true, failed);
    if (!failed) socket.set_option(Tcp::no_delay(true), failed);
    if (failed) return;  // it is gone already
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    ++connections;
    const auto connection = std::make_shared<HttpConnection>(std::move(socket), *this, slot);
    slots_[slot] = connection;
    if (!full) return connection->start();
    connection->start_refused(
        definite(ErrorCode::overloaded,
                 fmt::format("{} clients are connected, which is the most there may be",
                             options.max_connections)));
  }

  void wait_for_sweep() {
    timer_.expires_after(interval_);
    timer_.async_wait([core = shared_from_this()](const boost::system::error_code& failed) {
      if (failed || core->gone_) return;
      core->renew_time();
      core->for_each_connection([](HttpConnection& connection) { connection.check_deadline(); });
      for (Acceptor* acceptor : std::exchange(core->waiting_acceptors_, {})) {
        if (!core->stopping) core->accept(*acceptor);
      }
      core->wait_for_sweep();
    });
  }

  void renew_time() {
    now = http_clock_now();
    const std::time_t seconds = std::time(nullptr);
    if (seconds == date_of_) return;
    date_of_ = seconds;
    date = http_date(seconds);
  }

  void close_acceptors() {
    boost::system::error_code ignored;
    for (const auto& acceptor : acceptors_) acceptor->close(ignored);
  }

  template <class Visit>
  void for_each_connection(Visit visit) {
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      if (const auto connection = slots_[slot]) visit(*connection);
    }
  }

  asio::io_context& io_;
  SteadyTimer timer_;
  const Duration interval_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<Acceptor*> waiting_acceptors_;
  std::vector<std::shared_ptr<HttpConnection>> slots_;  ///< null: free
  std::vector<std::uint32_t> free_;
  std::vector<std::shared_ptr<HttpConnection>> to_read_;  ///< see read_later()
  std::vector<std::shared_ptr<HttpConnection>> reading_;  ///< those of them whose time has come
  std::vector<std::shared_ptr<Core>> cores_;  ///< that belong together; empty: this one is alone
  std::size_t next_core_ = 0;
  std::time_t date_of_ = 0;
  bool gone_ = false;
};

HttpServer::HttpServer(asio::io_context& io, NodeService& node, HttpServerOptions options)
    : core_(std::make_shared<Core>(io, node, options)) {
  core_->start();
}

HttpServer::~HttpServer() {
  core_->shut_down();
}

Result<std::string> HttpServer::listen(const HostPort& address) {
  return core_->listen(address);
}

void HttpServer::join(const std::vector<HttpServer*>& servers) {
  std::vector<std::shared_ptr<Core>> cores;
  for (const HttpServer* const server : servers) cores.push_back(server->core_);
  core_->join(std::move(cores));
}

void HttpServer::stop_accepting() {
  core_->stop_accepting();
}

std::size_t HttpServer::connections() const {
  return core_->connections;
}

std::size_t HttpServer::requests_in_flight() const {
  return core_->requests_in_flight;
}

}  // namespace parallax
