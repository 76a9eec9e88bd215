// Socket types with the executor spelt out: the default one is type-erased, which shows in
// profiles.
#pragma once

#include <optional>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/error.h"
#include "node/config.h"

namespace parallax {

namespace asio = boost::asio;

using Executor = asio::io_context::executor_type;
using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using Resolver = asio::ip::basic_resolver<Tcp, Executor>;
using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, Executor>;

/// The endpoint of an address in numbers (and of "localhost"); nothing for other names.
std::optional<Tcp::endpoint> literal_endpoint(const HostPort& address);

/// Opens, binds and listens. A name is looked up, which may block: only at start.
/// Errors: refused (in use, no permission, not an address of this machine), naming the address.
Result<void> listen_on(Acceptor& acceptor, const HostPort& address);

}  // namespace parallax
