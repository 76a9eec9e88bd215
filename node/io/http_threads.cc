#include "node/io/http_threads.h"

#include <algorithm>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "node/io/service_link.h"
#include "node/io/sockets.h"

namespace parallax {
namespace {

/// What one thread gets of a bound: enough for one request in any case.
HttpServerOptions share(const HttpServerOptions& all, unsigned threads) {
  const auto part = [&](std::size_t of_all, std::size_t at_least) {
    return std::min(of_all, std::max((of_all + threads - 1) / threads, at_least));
  };
  const std::size_t largest =
      2 * std::max({all.max_value_bytes, limits::kMaxBatchBytes, limits::kMaxSiblingBytes});
  HttpServerOptions each = all;
  each.max_connections = part(all.max_connections, 1);
  each.max_requests_in_flight = part(all.max_requests_in_flight, limits::kMaxBatchOperations);
  each.max_body_bytes_in_flight = part(all.max_body_bytes_in_flight, largest);
  each.max_answer_bytes_in_flight = part(all.max_answer_bytes_in_flight, largest);
  return each;
}

}  // namespace

struct HttpThreads::Worker {
  Worker(asio::io_context& engine_io, NodeService& engine, const HttpServerOptions& options)
      : link(std::make_shared<ServiceLink>(engine, engine_io, io)),
        server(std::make_unique<HttpServer>(io, *link, options)) {}

  // Its sockets and timers are this thread's alone, and not locked; others may only post.
  asio::io_context io{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  std::shared_ptr<ServiceLink> link;
  std::unique_ptr<HttpServer> server;
  std::thread thread;
};

HttpThreads::HttpThreads(asio::io_context& engine_io, NodeService& engine,
                         const HttpServerOptions& options, unsigned threads) {
  if (threads == 0) {
    here_ = std::make_unique<HttpServer>(engine_io, engine, options);
    return;
  }
  const HttpServerOptions each = share(options, threads);
  std::vector<HttpServer*> servers;
  for (unsigned i = 0; i < threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(engine_io, engine, each));
    servers.push_back(workers_.back()->server.get());
  }
  for (HttpServer* const server : servers) server->join(servers);
}

HttpThreads::~HttpThreads() {
  stop();
}

Result<std::string> HttpThreads::listen(const HostPort& address) {
  HttpServer& server = here_ ? *here_ : *workers_.front()->server;
  return server.listen(address);
}

void HttpThreads::start() {
  for (const auto& worker : workers_) {
    worker->thread = std::thread([&io = worker->io] {
      const auto open = asio::make_work_guard(io);
      io.run();
    });
  }
}

void HttpThreads::stop_accepting() {
  if (here_) here_->stop_accepting();
  for (const auto& worker : workers_) {
    asio::post(worker->io, [&server = *worker->server] { server.stop_accepting(); });
  }
}

void HttpThreads::stop() {
  here_.reset();
  for (const auto& worker : workers_) {
    worker->link->close();
    asio::post(worker->io, [&worker = *worker] {
      worker.server.reset();
      worker.io.stop();
    });
  }
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
  for (const auto& worker : workers_) worker->server.reset();  // of threads that never started
  workers_.clear();
}

}  // namespace parallax
