// A program of somebody who has installed Parallax: counts in a coroutine, each step exactly once.
//
//   counter ENDPOINT...
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <parallax/client/client.h>
#include <parallax/client/io/async.h>
#include <parallax/client/range_reader.h>
#include <parallax/client/verify.h>

namespace asio = boost::asio;
using namespace parallax;

asio::awaitable<Result<Answer>> count(AsyncClient client, std::string key) {
  Result<Answer> sum = Answer{};
  for (int i = 0; i < 3 && sum; ++i) {
    // With a key of its own a step may be sent again, and is counted once.
    const IncrementOptions options{.idempotency_key = draw_idempotency_key()};
    sum = co_await client.increment(key, 1, options, asio::use_awaitable);
  }
  co_return sum;
}

int main(int argc, char** argv) {
  auto client = Client::open({.endpoints = std::vector<std::string>(argv + 1, argv + argc)});
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 2;
  }
  asio::io_context context;
  Result<Answer> sum = Answer{};
  asio::co_spawn(context, count(AsyncClient(**client), "outside/counter"),
                 [&](const std::exception_ptr&, Result<Answer> last) { sum = std::move(last); });
  context.run();
  if (!sum) {
    std::fprintf(stderr, "%s\n", sum.error().message.c_str());
    return 1;
  }
  RangeReader range(**client, prefix_range("outside/"));
  for (auto item = range.next(); item && *item; item = range.next()) {
    std::printf("%s = %s\n", (*item)->key.c_str(), (*item)->value.to_string().c_str());
  }
  return sum->number == 3 ? 0 : 1;
}
