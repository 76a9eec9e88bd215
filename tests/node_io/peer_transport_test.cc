#include "node/io/peer_transport.h"

#include <algorithm>
#include <numeric>

#include <boost/asio/ip/v6_only.hpp>
#include <catch2/catch.hpp>

#include "base/random.h"
#include "replication/codec.h"
#include "tests/node_io/peer_world.h"

namespace parallax {
namespace {

using test::message;
using test::Node;
using test::PeerWorld;
using test::RawPeer;
using namespace std::chrono_literals;

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};
constexpr NodeId kThree{3};

std::vector<std::uint64_t> first_numbers(std::size_t count) {
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

TEST_CASE("peer transport: messages arrive whole and in order") {
  PeerWorld world(3);
  for (const NodeId id : {kOne, kTwo, kThree}) world.start(id);
  REQUIRE(world.connect(kOne, kTwo));
  REQUIRE(world.connect(kOne, kThree));
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    world[kOne].transport->send(message(kOne, kTwo, i, (i * 37) % 3'000));
    if (i % 10 == 0) world[kOne].transport->flush();
  }
  world[kOne].transport->send(message(kOne, kThree, 7));
  CHECK(world[kThree].received.empty());
  world[kOne].transport->flush();
  REQUIRE(world.run_until(
      [&] { return world[kTwo].received.size() >= 1'000 && world[kThree].received.size() == 1; }));
  CHECK(world[kTwo].numbers() == first_numbers(1'000));
  CHECK(world[kTwo].received[81] == message(kOne, kTwo, 81, (81 * 37) % 3'000));
  CHECK(world[kThree].received[0] == message(kOne, kThree, 7));
  CHECK(world[kOne].transport->counters().frames_sent == 1'001);
  CHECK(world[kTwo].transport->counters().frames_received == 1'000);
  CHECK(world[kOne].transport->counters().frames_dropped == 0);
}

TEST_CASE("peer transport: a message of several megabytes arrives") {
  PeerWorld world(2);
  world.start(kOne);
  world.start(kTwo);
  REQUIRE(world.connect(kOne, kTwo));
  const Envelope large = message(kTwo, kOne, 1, 20 << 20);
  world[kTwo].transport->send(large);
  world[kTwo].transport->send(message(kTwo, kOne, 2));
  world[kTwo].transport->flush();
  REQUIRE(world.run_until([&] { return world[kOne].received.size() == 2; }));
  CHECK(world[kOne].received[0] == large);
}

TEST_CASE("peer transport: client addresses are exchanged") {
  PeerWorld world(2);
  world.start(kOne);
  world.start(kTwo);
  REQUIRE(world.connect(kOne, kTwo));
  const std::vector<MemberAddresses> known = world[kOne].transport->addresses();
  REQUIRE(known.size() == 2);
  CHECK(known[0].client == "127.0.0.1:7001");
  CHECK(known[1].id == kTwo);
  CHECK(known[1].client == "127.0.0.1:7002");
  CHECK(known[1].peer == world.address(kTwo).to_string());
}

TEST_CASE("peer transport: a peer that comes back is found again within the backoff") {
  PeerWorld world(2);
  PeerTransportOptions quick = world.options(kOne);
  quick.max_backoff = 200ms;
  world.start(quick);
  world.start(kTwo);
  REQUIRE(world.connect(kOne, kTwo));
  world.stop(kTwo);
  REQUIRE(world.run_until([&] { return !world[kOne].transport->connected_to(kTwo); }));
  world[kOne].transport->send(message(kOne, kTwo, 99));
  CHECK(world[kOne].transport->counters().frames_dropped >= 1);
  world.run_for(600ms);
  CHECK_FALSE(world[kOne].transport->connected_to(kTwo));

  world.start(kTwo);
  const auto begun = std::chrono::steady_clock::now();
  REQUIRE(world.connect(kOne, kTwo));
  CHECK(std::chrono::steady_clock::now() - begun < 500ms);
  world[kOne].transport->send(message(kOne, kTwo, 5));
  world[kOne].transport->flush();
  REQUIRE(world.run_until([&] { return !world[kTwo].received.empty(); }));
  CHECK(world[kTwo].numbers() == std::vector<std::uint64_t>{5});
}

TEST_CASE("peer transport: nodes of two clusters take nothing from each other") {
  PeerWorld world(2);
  PeerTransportOptions one = world.options(kOne);
  one.cluster = ClusterId{1, 1};
  PeerTransportOptions two = world.options(kTwo);
  two.cluster = ClusterId{2, 2};
  world.start(one);
  world.start(two);
  world.run_for(300ms);
  CHECK_FALSE(world[kOne].transport->connected_to(kTwo));
  CHECK_FALSE(world[kTwo].transport->connected_to(kOne));
  CHECK(world[kOne].transport->counters().connections_refused > 0);
}

TEST_CASE("peer transport: a cluster id that is learned ends connections with another cluster") {
  PeerWorld world(2);
  PeerTransportOptions two = world.options(kTwo);
  two.cluster = ClusterId{2, 2};
  world.start(kOne);
  world.start(two);
  REQUIRE(world.connect(kOne, kTwo));

  SECTION("the same cluster: the peer had named it, and nothing ends") {
    world[kOne].transport->set_cluster(ClusterId{2, 2});
    CHECK(world[kOne].transport->connected_to(kTwo));
    world.run_for(100ms);
    CHECK(world[kTwo].transport->connected_to(kOne));
  }
  SECTION("another one: not any more") {
    world[kOne].transport->set_cluster(ClusterId{1, 1});
    world.run_for(300ms);
    CHECK_FALSE(world[kOne].transport->connected_to(kTwo));
    CHECK_FALSE(world[kTwo].transport->connected_to(kOne));
  }
}

TEST_CASE("peer transport: a cluster id that nobody had named yet is told without a loss") {
  PeerWorld world(2);
  world.start(kOne);
  world.start(kTwo);
  REQUIRE(world.connect(kOne, kTwo));
  for (std::uint64_t i = 0; i < 100; ++i) {
    world[kOne].transport->send(message(kOne, kTwo, i, 1'000));
  }
  world[kOne].transport->set_cluster(ClusterId{1, 1});
  CHECK_FALSE(world[kOne].transport->connected_to(kTwo));
  // What is sent while it is being told leaves behind it.
  for (std::uint64_t i = 100; i < 200; ++i) {
    world[kOne].transport->send(message(kOne, kTwo, i, 1'000));
    world[kOne].transport->flush();
  }
  REQUIRE(world.connect(kOne, kTwo));
  REQUIRE(world.run_until([&] { return world[kTwo].received.size() == 200; }));
  std::vector<std::uint64_t> arrived = world[kTwo].numbers();
  std::sort(arrived.begin(), arrived.end());  // two connections: no order between them
  CHECK(arrived == first_numbers(200));
  CHECK(world[kOne].transport->counters().frames_dropped == 0);
  // The peer has heard it: with another one of its own it would have to go.
  world[kTwo].transport->set_cluster(ClusterId{2, 2});
  world.run_for(300ms);
  CHECK_FALSE(world[kOne].transport->connected_to(kTwo));
}

TEST_CASE("peer transport: every address of a peer's name is tried") {
  PeerWorld world(2);
  // No name stands for both loopback addresses, the one of IPv6 first; the peer is at the other.
  PeerTransportOptions named = world.options(kOne);
  named.peers[kTwo].host = "";
  world.start(kTwo);
  Acceptor first(world.context());
  const auto listen_first = [&] {
    first.open(Tcp::v6());
    first.set_option(asio::ip::v6_only(true));
    first.bind(Tcp::endpoint(asio::ip::address_v6::loopback(), world.address(kTwo).port));
    first.listen();
  };
  SECTION("nobody is at the first one") {}
  SECTION("who is at the first one never answers") {
    listen_first();
  }
  world.start(named);
  CHECK(world.run_until([&] { return world[kOne].transport->connected_to(kTwo); }, 3s));
}

TEST_CASE("peer transport: a node that answers at another's address is refused") {
  PeerWorld world(3);
  // Node 1 believes that node 3 is where node 2 listens.
  PeerTransportOptions wrong = world.options(kOne);
  wrong.peers[kThree] = world.address(kTwo);
  world.start(wrong);
  world.start(kTwo);
  REQUIRE(world.run_until([&] { return world[kOne].transport->connected_to(kTwo); }));
  world[kOne].transport->send(message(kOne, kTwo, 4));
  world[kOne].transport->flush();
  world.run_for(200ms);
  CHECK_FALSE(world[kOne].transport->connected_to(kThree));
  // What is wrong with one address does not cost the others anything.
  CHECK(world[kOne].transport->connected_to(kTwo));
  CHECK(world[kTwo].numbers() == std::vector<std::uint64_t>{4});
}

TEST_CASE("peer transport: wrong hellos are answered with a closed connection") {
  PeerWorld world(2);
  Node& one = world.start(kOne);
  const auto closes = [&](const Hello& hello) {
    RawPeer peer(world.context(), world.address(kOne));
    peer.write(test::hello_frame(hello));
    const bool closed = world.run_until([&] { return peer.closed_now(); }, 1s);
    // It says who it is before it goes.
    CHECK_FALSE(peer.received.empty());
    return closed;
  };
  CHECK(closes(Hello{.cluster = {}, .node = kThree, .incarnation = {}, .client_address = ""}));
  CHECK(closes(Hello{.cluster = {}, .node = kOne, .incarnation = {}, .client_address = ""}));
  CHECK(closes(Hello{.protocol = kPeerProtocol + 1,
                     .cluster = {},
                     .node = kTwo,
                     .incarnation = {},
                     .client_address = ""}));
  CHECK(one.transport->counters().connections_refused == 3);
  CHECK(one.received.empty());
}

TEST_CASE("peer transport: random bytes close that connection and nothing else") {
  PeerWorld world(2);
  world.start(kOne);
  world.start(kTwo);
  REQUIRE(world.connect(kOne, kTwo));
  Random random(20);
  for (int round = 0; round < 40; ++round) {
    RawPeer peer(world.context(), world.address(kOne));
    std::string bytes(random.between(9, 6'000), '\0');
    for (char& c : bytes) c = static_cast<char>(random.next());
    peer.write(bytes);
    INFO("round " << round << " with " << bytes.size() << " bytes");
    CHECK(world.run_until([&] { return peer.closed_now(); }, 2s));
  }
  world[kTwo].transport->send(message(kTwo, kOne, 1));
  world[kTwo].transport->flush();
  REQUIRE(world.run_until([&] { return world[kOne].received.size() == 1; }));
  CHECK(world[kOne].transport->counters().connections_refused == 40);
}

TEST_CASE("peer transport: bytes that are no message end a greeted connection") {
  PeerWorld world(2);
  world.start(kOne);
  const Hello hello{.cluster = {}, .node = kTwo, .incarnation = {}, .client_address = "x:1"};
  std::string wrong;
  SECTION("a frame too large") {
    wrong = std::string("\xff\xff\xff\x7f\0\0\0\0", 8);
  }
  SECTION("a checksum that does not match") {
    append_frame(wrong, "payload");
    wrong.back() ^= 1;
  }
  SECTION("a payload that is no envelope") {
    append_frame(wrong, std::string(100, '\xff'));
  }
  SECTION("a message in another node's name") {
    std::string payload;
    encode_envelope(message(kThree, kOne, 1), payload);
    append_frame(wrong, payload);
  }
  RawPeer peer(world.context(), world.address(kOne));
  peer.write(test::hello_frame(hello));
  REQUIRE(world.run_until([&] { return !peer.read().empty(); }));
  world.run_for(20ms);
  CHECK_FALSE(peer.closed_now());
  peer.write(wrong);
  CHECK(world.run_until([&] { return peer.closed_now(); }, 1s));
  CHECK(world[kOne].received.empty());
  CHECK(world[kOne].transport->counters().connections_refused == 1);
}

TEST_CASE("peer transport: who says nothing is let go") {
  PeerWorld world(2);
  world.start(kOne);
  RawPeer silent(world.context(), world.address(kOne));
  world.run_for(150ms);
  CHECK_FALSE(silent.closed_now());
  CHECK(world.run_until([&] { return silent.closed_now(); }, 1s));
}

TEST_CASE("peer transport: a peer that does not answer the hello is dialled again") {
  PeerWorld world(2);
  world.start(kOne);
  Acceptor mute(world.context(), *literal_endpoint(world.address(kTwo)));
  mute.non_blocking(true);
  std::vector<std::unique_ptr<Socket>> accepted;
  CHECK(world.run_until([&] {
    auto socket = std::make_unique<Socket>(world.context());
    boost::system::error_code failed;
    mute.accept(*socket, failed);
    if (!failed) accepted.push_back(std::move(socket));
    return accepted.size() == 3;
  }));
  CHECK_FALSE(world[kOne].transport->connected_to(kTwo));
}

TEST_CASE("peer transport: the pause between two dials stays within the backoff") {
  PeerWorld world(2);
  PeerTransportOptions quick = world.options(kOne);
  quick.max_backoff = 100ms;
  world.start(quick);
  world.run_for(700ms);
  // One that only listens, so that nothing but the backoff brings node 1 here.
  Acceptor mute(world.context(), *literal_endpoint(world.address(kTwo)));
  mute.non_blocking(true);
  Socket socket(world.context());
  CHECK(world.run_until(
      [&] {
        boost::system::error_code failed;
        mute.accept(socket, failed);
        return !failed;
      },
      250ms));
}

TEST_CASE("peer transport: a long frame in place of a hello is not waited for") {
  PeerWorld world(2);
  PeerTransportOptions patient = world.options(kOne);
  patient.handshake_timeout = 60s;
  world.start(patient);
  std::string frame;
  append_frame(frame, std::string(1 << 20, 'x'));
  RawPeer peer(world.context(), world.address(kOne));
  peer.write(frame.substr(0, 8'000));
  CHECK(world.run_until([&] { return peer.closed_now(); }, 2s));
  CHECK(world[kOne].transport->counters().connections_refused == 1);
}

TEST_CASE("peer transport: a slow reader costs a bounded queue and then messages") {
  PeerWorld world(2);
  PeerTransportOptions small = world.options(kOne);
  small.max_queue_bytes = 1 << 20;
  world.start(small);
  // Greets, and reads nothing after that.
  Acceptor slow(world.context(), *literal_endpoint(world.address(kTwo)));
  slow.non_blocking(true);
  Socket socket(world.context());
  REQUIRE(world.run_until([&] {
    boost::system::error_code failed;
    slow.accept(socket, failed);
    return !failed;
  }));
  const Hello hello{.cluster = {}, .node = kTwo, .incarnation = {}, .client_address = "x:1"};
  asio::write(socket, asio::buffer(test::hello_frame(hello)));
  REQUIRE(world.run_until([&] { return world[kOne].transport->connected_to(kTwo); }));

  PeerTransport& one = *world[kOne].transport;
  std::uint64_t sent = 0;
  while (one.counters().frames_dropped == 0 && sent < 10'000) {
    one.send(message(kOne, kTwo, sent++, 100'000));
    one.flush();
  }
  // The kernel's buffers and a queue of 1 MiB, about.
  CHECK(one.counters().frames_dropped == 1);
  CHECK(sent < 200);
  CHECK(one.connected_to(kTwo));

  // Once it reads on, everything that was taken arrives, in order and whole.
  const std::uint64_t taken = one.counters().frames_sent;
  FrameReader reader;
  std::vector<std::uint64_t> numbers;
  std::string buffer(1 << 20, '\0');
  socket.non_blocking(true);
  bool greeted = false;
  CHECK(world.run_until([&] {
    boost::system::error_code failed;
    const std::size_t count = socket.read_some(asio::buffer(buffer), failed);
    std::string_view received(buffer.data(), failed ? 0 : count);
    while (true) {
      const auto frame = reader.next(received);
      REQUIRE(frame.has_value());
      if (!*frame) break;
      if (!greeted) {
        greeted = true;
        continue;
      }
      const auto envelope = decode_envelope(**frame);
      REQUIRE(envelope.has_value());
      numbers.push_back(std::get<Forward>(envelope->message).id.value);
    }
    return numbers.size() == taken;
  }));
  CHECK(numbers == first_numbers(taken));
}

// --- Faults -------------------------------------------------------------------------------------

TEST_CASE("peer transport: drop_to and drop_from cut one direction and heal") {
  PeerWorld world(2);
  world.start(kOne);
  world.start(kTwo);
  REQUIRE(world.connect(kOne, kTwo));
  const auto exchange = [&](std::uint64_t number) {
    world[kOne].transport->send(message(kOne, kTwo, number));
    world[kTwo].transport->send(message(kTwo, kOne, number));
    world[kOne].transport->flush();
    world[kTwo].transport->flush();
    world.run_for(50ms);
  };
  FaultSettings faults;
  faults.drop_to = {kOne, kTwo};  // itself is ignored
  world[kOne].transport->set_faults(faults);
  exchange(1);
  CHECK(world[kTwo].numbers().empty());
  CHECK(world[kOne].numbers() == std::vector<std::uint64_t>{1});

  faults = {};
  faults.drop_from = {kTwo};
  world[kOne].transport->set_faults(faults);
  exchange(2);
  CHECK(world[kTwo].numbers() == std::vector<std::uint64_t>{2});
  CHECK(world[kOne].numbers() == std::vector<std::uint64_t>{1});

  world[kOne].transport->set_faults({});
  exchange(3);
  CHECK(world[kTwo].numbers() == std::vector<std::uint64_t>{2, 3});
  CHECK(world[kOne].numbers() == std::vector<std::uint64_t>{1, 3});
}

TEST_CASE("peer transport: delayed messages come late and in order") {
  PeerWorld world(2);
  world.start(kOne);
  world.start(kTwo);
  REQUIRE(world.connect(kOne, kTwo));
  FaultSettings faults;
  faults.delay = 100ms;
  world[kOne].transport->set_faults(faults);
  const auto begun = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < 100; ++i) world[kOne].transport->send(message(kOne, kTwo, i));
  world[kOne].transport->flush();
  REQUIRE(world.run_until([&] { return !world[kTwo].received.empty(); }));
  CHECK(std::chrono::steady_clock::now() - begun >= 100ms);
  REQUIRE(world.run_until([&] { return world[kTwo].received.size() == 100; }));
  CHECK(world[kTwo].numbers() == first_numbers(100));
}

TEST_CASE("peer transport: losses and doubles have the asked-for rate and order changes") {
  PeerWorld world(2);
  world.start(kOne);
  world.start(kTwo);
  REQUIRE(world.connect(kOne, kTwo));
  const auto send_1000 = [&](const FaultSettings& faults) {
    world[kTwo].received.clear();
    world[kOne].transport->set_faults(faults);
    for (std::uint64_t i = 0; i < 1'000; ++i) world[kOne].transport->send(message(kOne, kTwo, i));
    world[kOne].transport->flush();
    world.run_for(200ms);
    return world[kTwo].numbers();
  };
  FaultSettings faults;
  faults.drop_probability = 0.3;
  std::vector<std::uint64_t> numbers = send_1000(faults);
  CHECK(numbers.size() > 600);
  CHECK(numbers.size() < 800);
  CHECK(std::is_sorted(numbers.begin(), numbers.end()));

  faults = {};
  faults.duplicate_probability = 0.3;
  numbers = send_1000(faults);
  CHECK(numbers.size() > 1'200);
  CHECK(numbers.size() < 1'400);

  faults = {};
  faults.reorder_probability = 0.3;
  numbers = send_1000(faults);
  CHECK(numbers.size() == 1'000);
  CHECK_FALSE(std::is_sorted(numbers.begin(), numbers.end()));
  std::sort(numbers.begin(), numbers.end());
  CHECK(numbers == first_numbers(1'000));
}

TEST_CASE("faults: what a process cannot do to itself is refused") {
  FaultSettings faults;
  CHECK(check_faults(faults).has_value());
  faults.on_crash = FaultSettings::OnCrash::torn_tail;
  REQUIRE_FALSE(check_faults(faults).has_value());
  CHECK(check_faults(faults).error().code == ErrorCode::bad_parameter);
  faults.fail_point = FaultSettings::FailPoint{"after-submit", "pause"};
  CHECK_FALSE(check_faults(faults).has_value());
  faults.fail_point->action = "crash";
  CHECK(check_faults(faults).has_value());
}

}  // namespace
}  // namespace parallax
