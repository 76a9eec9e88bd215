#include "node/io/sockets.h"

#include <boost/asio/ip/address.hpp>

namespace parallax {

std::optional<Tcp::endpoint> literal_endpoint(const HostPort& address) {
  boost::system::error_code failed;
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  const auto ip = asio::ip::make_address(host, failed);
  if (failed) return std::nullopt;
  return Tcp::endpoint(ip, address.port);
}

Result<void> listen_on(Acceptor& acceptor, const HostPort& address) {
  const auto refused = [&](const boost::system::error_code& why) {
    return definite(ErrorCode::refused,
                    fmt::format("cannot listen on {}: {}", address.to_string(), why.message()));
  };
  boost::system::error_code failed;
  std::optional<Tcp::endpoint> endpoint = literal_endpoint(address);
  if (!endpoint) {
    Resolver resolver(acceptor.get_executor());
    const auto found = resolver.resolve(address.host, std::to_string(address.port), failed);
    if (failed || found.empty()) return refused(failed);
    endpoint = found.begin()->endpoint();
  }
  acceptor.open(endpoint->protocol(), failed);
  if (failed) return refused(failed);
  acceptor.set_option(asio::socket_base::reuse_address(true), failed);
  if (!failed) acceptor.bind(*endpoint, failed);
  if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
  if (failed) {
    const auto why = failed;
    acceptor.close(failed);
    return refused(why);
  }
  return {};
}

}  // namespace parallax
