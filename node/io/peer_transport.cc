#include "node/io/peer_transport.h"

#include <algorithm>
#include <utility>

namespace parallax {
namespace {

using boost::system::error_code;

/// Connections that nobody has introduced himself on, and those of peers.
constexpr std::size_t kMaxReceivers = 256;

MonoTime steady_now() {
  return MonoTime{std::chrono::steady_clock::now().time_since_epoch()};
}

std::vector<NodeId> ids_of(const std::map<NodeId, HostPort>& peers) {
  std::vector<NodeId> ids;
  for (const auto& [id, address] : peers) ids.push_back(id);
  return ids;
}

}  // namespace

PeerTransport::PeerTransport(asio::io_context& context, PeerTransportOptions options,
                             std::function<void(const Envelope&)> received)
    : context_(context),
      options_(std::move(options)),
      received_(std::move(received)),
      faults_(options_.self, options_.seed),
      acceptor_(context),
      held_timer_(context) {
  for (const auto& [peer, address] : options_.peers) {
    if (peer == options_.self) continue;
    senders_[peer] = std::make_shared<PeerSender>(
        context_,
        PeerSender::Options{.self = options_.self,
                            .peer = peer,
                            .members = ids_of(options_.peers),
                            .address = address,
                            .max_queue_bytes = options_.max_queue_bytes,
                            .max_backoff = options_.max_backoff,
                            .handshake_timeout = options_.handshake_timeout,
                            .seed = options_.seed + peer.value},
        sender_callbacks(peer), counters_);
  }
}

PeerTransport::~PeerTransport() {
  close();
}

void PeerTransport::close() {
  error_code ignored;
  accepting_ = false;
  acceptor_.close(ignored);
  held_timer_.cancel();
  held_.clear();
  for (const auto& [peer, sender] : senders_) sender->close();
  for (const auto& receiver : receivers_) receiver->close();
  receivers_.clear();
}

Hello PeerTransport::hello() const {
  return Hello{.cluster = options_.cluster,
               .node = options_.self,
               .incarnation = Incarnation{},
               .client_address = options_.client_address};
}

PeerSender::Callbacks PeerTransport::sender_callbacks(NodeId peer) {
  return PeerSender::Callbacks{.hello = [this] { return hello(); },
                               .greeted =
                                   [this, peer](const Hello& hello) {
                                     client_addresses_[peer] = hello.client_address;
                                     spdlog::info("event=peer-connected peer={}", peer);
                                   },
                               .lost =
                                   [this, peer](const Error& error) {
                                     if (error.code == ErrorCode::io) {
                                       spdlog::info("event=peer-lost peer={} reason={}", peer,
                                                    quote(error.message));
                                     } else {
                                       log_refused(options_.peers.at(peer).to_string(), error);
                                     }
                                   }};
}

PeerReceiver::Callbacks PeerTransport::receiver_callbacks() {
  return PeerReceiver::Callbacks{
      .expected =
          [this] {
            return ExpectedHello{.self = options_.self,
                                 .members = ids_of(options_.peers),
                                 .cluster = options_.cluster};
          },
      .hello = [this] { return hello(); },
      .greeted = [this](PeerReceiver& receiver) { on_greeted(receiver); },
      .received =
          [this](const Envelope& envelope) {
            if (faults_.drops_from(envelope.from)) {
              ++counters_.frames_dropped;
            } else {
              received_(envelope);
            }
          },
      .ended = [this](PeerReceiver& receiver, const Error& error) { on_ended(receiver, error); }};
}

Result<void> PeerTransport::listen(const HostPort& address) {
  PARALLAX_TRY(listen_on(acceptor_, address));
  accepting_ = true;
  accept();
  return {};
}

void PeerTransport::accept() {
  acceptor_.async_accept(context_.get_executor(), [this](const error_code& failed, Socket socket) {
    if (failed == asio::error::operation_aborted || !accepting_) return;
    if (!failed) {
      on_accepted(std::move(socket));
      return accept();
    }
    // Out of descriptors, most likely: tick() tries again.
    accepting_ = false;
    log_refused("acceptor", definite(ErrorCode::io, failed.message()));
  });
}

void PeerTransport::on_accepted(Socket socket) {
  if (receivers_.size() >= kMaxReceivers) {
    ++counters_.connections_refused;
    return;
  }
  auto receiver = std::make_shared<PeerReceiver>(std::move(socket), receiver_callbacks(), counters_,
                                                 steady_now() + options_.handshake_timeout);
  receivers_.push_back(receiver);
  receiver->start();
}

void PeerTransport::on_greeted(PeerReceiver& receiver) {
  const Hello& peer = *receiver.peer();
  client_addresses_[peer.node] = peer.client_address;
  senders_.at(peer.node)->dial_soon();
}

void PeerTransport::on_ended(PeerReceiver& receiver, const Error& error) {
  // The end of a peer's connection shows at the sender, too, which logs it.
  const bool wrong = error.code != ErrorCode::io || !receiver.peer();
  if (wrong) log_refused(receiver.remote(), error);
  std::erase_if(receivers_, [&](const std::shared_ptr<PeerReceiver>& other) {
    return other.get() == &receiver;
  });
}

void PeerTransport::log_refused(const std::string& who, const Error& error) {
  ++counters_.connections_refused;
  std::uint64_t suppressed = 0;
  if (!log_limiter_.allow(suppressed)) return;
  spdlog::warn("event=peer-refused remote={} reason={} suppressed={}", who, quote(error.message),
               suppressed);
}

void PeerTransport::tick(MonoTime now) {
  now_ = now;
  for (const auto& [peer, sender] : senders_) sender->tick(now);
  const auto receivers = receivers_;  // fail() takes one out
  for (const auto& receiver : receivers) {
    if (!receiver->peer() && now >= receiver->deadline()) {
      receiver->fail(definite(ErrorCode::refused, "no hello in time"));
    }
  }
  if (!accepting_ && acceptor_.is_open()) {
    accepting_ = true;
    accept();
  }
}

void PeerTransport::set_cluster(ClusterId cluster) {
  if (options_.cluster == cluster) return;
  options_.cluster = cluster;
  for (const auto& [peer, sender] : senders_) {
    if (sender->open() && !sender->named(cluster)) sender->redial();
  }
  const auto receivers = receivers_;
  for (const auto& receiver : receivers) {
    if (!receiver->peer()) continue;
    const ExpectedHello expected = receiver_callbacks().expected();
    if (const Result<void> checked = check_hello(expected, *receiver->peer()); !checked) {
      receiver->fail(checked.error());
    }
  }
}

std::vector<MemberAddresses> PeerTransport::addresses() const {
  std::vector<MemberAddresses> all;
  for (const auto& [id, address] : options_.peers) {
    MemberAddresses member{.id = id, .client = "", .peer = address.to_string()};
    if (id == options_.self) {
      member.client = options_.client_address;
    } else if (const auto told = client_addresses_.find(id); told != client_addresses_.end()) {
      member.client = told->second;
    }
    all.push_back(std::move(member));
  }
  return all;
}

bool PeerTransport::connected_to(NodeId peer) const {
  const auto found = senders_.find(peer);
  return found != senders_.end() && found->second->open();
}

// --- Sending -------------------------------------------------------------------------------------

void PeerTransport::send(Envelope envelope) {
  if (faults_.none()) [[likely]] {
    return send_now(envelope);
  }
  const std::vector<Duration> deliveries = faults_.deliveries(envelope.to);
  if (deliveries.empty()) ++counters_.frames_dropped;
  for (const Duration delay : deliveries) {
    if (delay == Duration::zero()) {
      send_now(envelope);
    } else {
      hold(envelope, delay);
    }
  }
}

void PeerTransport::send_now(const Envelope& envelope) {
  const auto sender = senders_.find(envelope.to);
  PARALLAX_ASSERT(sender != senders_.end(), "a message to node {}", envelope.to);
  sender->second->send(envelope);
}

void PeerTransport::flush() {
  for (const auto& [peer, sender] : senders_) {
    if (sender->open()) sender->flush();
  }
}

namespace {

struct Later {
  template <class Held>
  bool operator()(const Held& a, const Held& b) const {
    return std::pair(a.due, a.order) > std::pair(b.due, b.order);
  }
};

}  // namespace

void PeerTransport::hold(Envelope envelope, Duration delay) {
  held_.push_back(Held{steady_now() + delay, next_held_++, std::move(envelope)});
  std::push_heap(held_.begin(), held_.end(), Later{});
  arm_held_timer();
}

void PeerTransport::arm_held_timer() {
  if (held_.empty()) return;
  // Setting the time ends an earlier wait, so that there is one at a time.
  held_timer_.expires_at(
      std::chrono::steady_clock::time_point(held_.front().due.time_since_epoch()));
  held_timer_.async_wait([this](const error_code& failed) {
    if (!failed) release_held();
  });
}

void PeerTransport::release_held() {
  const MonoTime now = steady_now();
  while (!held_.empty() && held_.front().due <= now) {
    std::pop_heap(held_.begin(), held_.end(), Later{});
    send_now(held_.back().envelope);
    held_.pop_back();
  }
  flush();
  arm_held_timer();
}

}  // namespace parallax
