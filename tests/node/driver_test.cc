// The order in which the driver carries out a turn, seen from the ports.
#include "node/driver.h"

#include <catch2/catch.hpp>

#include "storage/memory_store.h"
#include "tests/node/printing.h"

namespace parallax {
namespace {

/// All ports of one node, writing down what passes.
struct Ports : PhysicalClock, DiskPort, NetworkPort, ClientPort, FailPointPort {
  UnixMillis now() const override { return UnixMillis{1'700'000'000'000 + ms}; }
  MonoTime monotonic_now() const override { return MonoTime{std::chrono::milliseconds(ms)}; }
  void submit(std::uint64_t sequence, WriteBatch batch) override {
    trace.push_back(fmt::format("submit {}", sequence));
    batches.emplace_back(sequence, std::move(batch));
  }
  void send(Envelope envelope) override {
    trace.push_back(fmt::format("{} to {}", message_name(envelope.message), envelope.to));
    sent.push_back(std::move(envelope));
  }
  void reply(RequestId id, Reply&&) override { trace.push_back(fmt::format("reply {}", id)); }
  void reached(std::string_view name) override { trace.push_back("* " + std::string(name)); }

  bool saw(const std::string& line) const {
    return std::find(trace.begin(), trace.end(), line) != trace.end();
  }

  std::uint64_t ms = 0;
  std::vector<std::string> trace;
  std::vector<Envelope> sent;
  std::vector<std::pair<std::uint64_t, WriteBatch>> batches;
};

/// Node 1 of three with its peers played by the test.
struct Node {
  Node() {
    ReplicaConfig config;
    config.id = NodeId{1};
    config.members = {NodeId{1}, NodeId{2}, NodeId{3}};
    config.life = 9;
    replica = std::move(*Replica::open(config, store, {MonoTime{}, ports.now()}));
    driver.emplace(*replica, DriverPorts{ports, ports, ports, ports, &ports});
  }
  void turn(std::vector<Message> messages = {}, std::uint64_t advance_ms = 1) {
    ports.trace.clear();
    ports.ms += advance_ms;
    driver->begin_inputs();
    for (Message& message : messages) {
      Envelope envelope;
      envelope.from = NodeId{2};
      envelope.to = NodeId{1};
      envelope.incarnation = Incarnation{1};
      envelope.message = std::move(message);
      driver->receive(envelope);
    }
    driver->turn();
  }
  /// The oldest batch is written, and the driver told.
  void write(std::optional<ErrorCode> fails = std::nullopt) {
    REQUIRE_FALSE(ports.batches.empty());
    auto [sequence, batch] = std::move(ports.batches.front());
    ports.batches.erase(ports.batches.begin());
    ports.trace.clear();
    ports.ms += 1;
    driver->begin_inputs();
    Result<void> result = store.write(batch);
    if (fails) result = indefinite(*fails, "no");
    driver->on_written(sequence, result);
  }

  Ports ports;
  MemoryStore store;
  std::unique_ptr<Replica> replica;
  std::optional<Driver> driver;
};

AppendEntries entries(std::uint64_t prev, std::uint64_t count) {
  AppendEntries append{.term = Term{1},
                       .prev_index = LogIndex{prev},
                       .prev_term = Term{prev == 0 ? 0u : 1u},
                       .commit = LogIndex{},
                       .entries = {}};
  for (std::uint64_t i = 1; i <= count; ++i) {
    append.entries.push_back({Term{1}, LogIndex{prev + i}, Bytes{}});
  }
  return append;
}

void become_member(Node& node) {
  node.turn({ProbeReply{.life = 9}});
  REQUIRE(node.ports.batches.size() == 1);
  node.write();
  node.turn();
  REQUIRE(node.replica->status().membership == Membership::member);
}

}  // namespace

TEST_CASE("driver: the marker is durable before a member says anything as one") {
  Node node;
  node.turn();
  CHECK(node.ports.saw("probe to 2"));
  CHECK(node.ports.batches.empty());
  node.turn({ProbeReply{.life = 9}});
  CHECK(node.ports.saw("submit 1"));
  node.turn({VoteRequest{.term = Term{1}, .last_index = {}, .last_term = {}}});
  CHECK_FALSE(node.ports.saw("vote-reply to 2"));
  CHECK(node.replica->status().membership == Membership::none);
  node.write();
  node.turn();
  CHECK(node.replica->status().membership == Membership::member);
}

TEST_CASE("driver: an acknowledgement leaves when its batch is durable and not before") {
  Node node;
  become_member(node);
  node.turn({entries(0, 2)});
  CHECK(node.ports.saw("submit 2"));
  CHECK(node.ports.saw("* after-submit"));
  CHECK_FALSE(node.ports.saw("append-reply to 2"));
  node.turn();
  CHECK_FALSE(node.ports.saw("append-reply to 2"));
  node.write();
  CHECK(node.ports.trace.empty());  // an input: nothing leaves before the turn
  node.turn();
  REQUIRE(node.ports.trace.size() >= 2);
  CHECK(node.ports.trace[0] == "* before-send-after");
  CHECK(node.ports.trace[1] == "append-reply to 2");
}

TEST_CASE("driver: what rests on an earlier batch waits for it") {
  Node node;
  become_member(node);
  node.turn({entries(0, 2)});
  // The same again needs no write, and may still not be acknowledged.
  node.turn({entries(0, 2)});
  CHECK_FALSE(node.ports.saw("submit 3"));
  CHECK_FALSE(node.ports.saw("append-reply to 2"));
  node.write();
  node.turn();
  CHECK(std::count(node.ports.trace.begin(), node.ports.trace.end(), "append-reply to 2") == 2);
}

TEST_CASE("driver: two batches are in flight and no more") {
  Node node;
  become_member(node);
  node.turn({entries(0, 1)});
  node.turn({entries(1, 1)});
  CHECK(node.driver->batches_in_flight() == limits::kMaxBatchesInFlight);
  node.turn({entries(2, 1)});
  node.turn({entries(3, 1)});
  CHECK(node.ports.batches.size() == 2);
  node.write();
  node.turn();
  // What had gathered goes as one.
  CHECK(node.ports.batches.size() == 2);
  node.write();
  node.write();
  node.turn();
  CHECK(node.replica->status().durable_index == LogIndex{4});
}

TEST_CASE("driver: after a refused batch nothing more is written or acknowledged") {
  Node node;
  become_member(node);
  node.turn({entries(0, 1)});
  node.turn({entries(1, 1)});
  node.write(ErrorCode::io);
  node.turn();
  CHECK_FALSE(node.ports.saw("append-reply to 2"));
  node.write();  // the second one, whatever became of it
  node.turn({entries(2, 1)});
  CHECK(node.ports.batches.empty());
  CHECK_FALSE(node.ports.saw("append-reply to 2"));
  Request request;
  request.operation = Put{"k", "v", ""};
  node.driver->begin_inputs();
  node.driver->request(RequestId{5}, std::move(request));
  node.driver->turn();
  CHECK(node.ports.saw("* before-reply"));
  CHECK(node.ports.trace.back() == "reply 5");
}

TEST_CASE("driver: a batch that met a damaged store ends the node, whose disk is not to blame") {
  for (const ErrorCode code : {ErrorCode::corrupt, ErrorCode::io}) {
    Node node;
    become_member(node);
    node.turn({entries(0, 1)});
    node.write(code);
    node.turn();
    CHECK_FALSE(node.ports.saw("append-reply to 2"));
    CHECK(node.replica->fatal().has_value() == (code == ErrorCode::corrupt));
  }
}

TEST_CASE("driver: what may leave at once leaves before the batch") {
  Node node;
  become_member(node);
  node.turn({entries(0, 1), Heartbeat{.term = Term{1}, .round = RoundId{1}, .commit = {}}});
  const std::vector<std::string> expected{"* before-send", "heartbeat-reply to 2",
                                          "* between-send-submit", "submit 2", "* after-submit"};
  CHECK(node.ports.trace == expected);
}

}  // namespace parallax
