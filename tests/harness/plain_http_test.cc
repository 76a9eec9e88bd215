// Plain HTTP against servers that do not behave.
#include "harness/io/plain_http.h"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/client/io/fake_server.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Listens and never accepts; what waits to be accepted is full, so that nobody gets further.
class Crowded {
 public:
  Crowded() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 0) == 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    for (int& waiting : waiting_) {
      waiting = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      ::connect(waiting, reinterpret_cast<sockaddr*>(&address), size);
    }
  }
  ~Crowded() {
    for (const int waiting : waiting_) ::close(waiting);
    ::close(listener_);
  }
  Crowded(const Crowded&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  int listener_ = -1;
  std::uint16_t port_ = 0;
  int waiting_[4] = {};
};

TEST_CASE("connecting takes no longer than the limit") {
  const Crowded server;
  const auto begin = Clock::now();
  CHECK_FALSE(ask(server.port(), "GET", "/readyz", {}, 200ms));
  CHECK(Clock::now() - begin < 5s);
}

TEST_CASE("signals do not break an answer off") {
  // Without SA_RESTART, so that calls do return with EINTR.
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};
  REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
  testing::FakeServer server([](const testing::SeenRequest&) {
    testing::Action answer = testing::respond(200, {}, "whole");
    answer.delay = 300ms;
    answer.close = true;
    return answer;
  });
  std::atomic<bool> over{false};
  std::thread disturbing([&over, disturbed = ::pthread_self()] {
    while (!over) {
      ::pthread_kill(disturbed, SIGUSR1);
      std::this_thread::sleep_for(1ms);
    }
  });
  const auto answer = ask(server.endpoint(), "GET", "/readyz");
  over = true;
  disturbing.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body == "whole");
}

}  // namespace
}  // namespace parallax::harness
