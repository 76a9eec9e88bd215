// What the HTTP side alone can do: the server in front of a node that answers at once, from memory.
//
//   http_server_measure [port] [value bytes] [seconds]
//
// Load it with wrk, say: wrk -t1 -c64 -d5 'http://127.0.0.1:PORT/v1/kv/key?consistency=prefix'.
// Prints the CPU time per request when it ends.
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <boost/asio/steady_timer.hpp>

#include "node/io/http_server.h"
#include "tests/node_io/fake_node.h"

int main(int argc, char** argv) {
  using namespace parallax;
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  const auto bytes = static_cast<std::size_t>(argc > 2 ? std::atoi(argv[2]) : 100);
  const int seconds = argc > 3 ? std::atoi(argv[3]) : 10;

  boost::asio::io_context io(1);
  FakeNode node(io);
  node.record_requests = false;
  node.values["key"] = {Bytes(std::string(bytes, 'v')), "text/plain", Stamp{Hlc{1}, NodeId{1}}};
  HttpServer server(io, node, {});
  const auto address = server.listen({"127.0.0.1", port});
  if (!address) {
    std::fprintf(stderr, "%s\n", address.error().message.c_str());
    return 2;
  }
  std::printf("%s\n", address->c_str());
  std::fflush(stdout);
  boost::asio::steady_timer end(io, std::chrono::seconds{seconds});
  end.async_wait([&](auto) { io.stop(); });
  io.run();
  std::printf("CPU seconds: %.3f\n", static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
}
