// The causal levels on a few nodes: what they promise, each guarantee by itself, what a node does
// that is behind, and what restarts, lost disks and repair leave of it.
#include <set>

#include <catch2/catch.hpp>

#include "storage/causal_codec.h"
#include "tests/node/causal_client.h"

namespace parallax::testing {
namespace {

std::size_t records_under(World& world, NodeId id, char kind) {
  std::size_t found = 0;
  REQUIRE(world.store(id).scan({}, [&](std::string_view key, std::string_view) {
    if (key[0] == kind) ++found;
    return true;
  }));
  return found;
}

/// What the causal log holds, in however many records.
std::size_t logged_operations(World& world, NodeId id) {
  std::size_t found = 0;
  REQUIRE(world.store(id).scan(
      records::causal_log_range(kOnlyGroup), [&](std::string_view key, std::string_view value) {
        found += records::decode<CausalSegment>(key, value)->operations.size();
        return true;
      }));
  return found;
}

std::string item(const Reply& reply, const std::string& key) {
  for (const Item& each : reply->items) {
    if (each.key == key) return each.value.to_string();
  }
  return "";
}

}  // namespace

// --- The levels by themselves -------------------------------------------------------------------

TEST_CASE_METHOD(CausalReady, "causal: a write is there at once and everywhere soon") {
  Client client{world};
  const Reply put = client.put(follower, "k", "v");
  written(put);
  CHECK(put->consistency == kCausal);
  CHECK(put->evidence.path == Path::causal);
  CHECK(put->evidence.node == follower);
  CHECK(put->evidence.replicas == std::vector<NodeId>{follower});
  CHECK(put->session.write.entries().size() == 1);
  CHECK(client.value(follower, "k") == "v");
  world.run_for(50ms);
  for (const NodeId at : world.ids()) {
    Client stranger{world};
    CHECK(stranger.value(at, "k") == "v");
    CHECK(stranger.token.read == put->session.write);
    CHECK(world.get(at, "k", Level::eventual)->value == Bytes{"v"});
  }
  Request remove = delete_request("k");
  written(client.ask(third, remove));
  CHECK(client.value(leader, "k").empty());
  CHECK(client.get(leader, "k")->stamp.has_value());  // of the tombstone
}

TEST_CASE_METHOD(CausalReady, "causal: a node that is cut off goes on reading and writing") {
  Client client{world};
  written(client.put(third, "k", "before"));
  world.run_for(50ms);
  world.isolate(third);
  world.run_for(2s);
  written(client.put(third, "k", "after"));
  CHECK(client.value(third, "k") == "after");
  Client other{world};
  CHECK(other.value(leader, "k") == "before");
  written(other.put(leader, "l", "meanwhile"));
  world.heal();
  REQUIRE(world.run_until([&] { return Client{world}.value(leader, "k") == "after"; }, 5s));
  CHECK(client.value(third, "l") == "meanwhile");
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 5s));
}

TEST_CASE_METHOD(CausalReady,
                 "causal: a write is acknowledged once it is durable and seen no earlier") {
  Client client{world};
  written(client.put(follower, "k", "old"));
  world.run_for(300ms);
  world.hold_disk(follower, true);
  std::optional<Reply> write;
  Request request = put_request("k", "new");
  request.consistency = kCausal;
  world.submit(follower, request, [&](const Reply& reply) { write = reply; });
  std::optional<Reply> read;
  request = get_request("k");
  request.consistency = kCausal;
  world.submit(follower, request, [&](const Reply& reply) { read = reply; });
  world.run_for(500ms);
  CHECK_FALSE(write);
  CHECK_FALSE(read);  // it would show what a crash may take back
  CHECK(Client{world}.value(third, "k") == "old");
  world.crash(follower, 0);
  world.run_for(10ms);
  REQUIRE(write.has_value());
  CHECK((*write).has_error());
  REQUIRE(world.start(follower));
  REQUIRE(world.run_until([&] { return world.replica(follower).status().ready; }, 10s));
  CHECK(Client{world}.value(follower, "k") == "old");
  // The number that was lost is used again, and everybody takes it for what it is.
  written(client.put(follower, "k", "newer"));
  world.run_for(300ms);
  for (const NodeId at : world.ids()) CHECK(client.value(at, "k") == "newer");
  CHECK(client.token.write.entries().front().second == 2);
}

TEST_CASE_METHOD(CausalReady,
                 "causal: a write that the disk has not taken by the deadline is open") {
  world.hold_disk(follower, true);
  Request request = put_request("k", "v", 300ms);
  request.consistency = kCausal;
  const Reply reply = world.call(follower, request);
  REQUIRE(reply.has_error());
  CHECK(reply.error().code == ErrorCode::timeout);
  CHECK_FALSE(reply.error().definite());
  world.hold_disk(follower, false);
}

// --- Order --------------------------------------------------------------------------------------

TEST_CASE_METHOD(CausalReady, "causal: a comment is never seen before the post") {
  const bool causal = GENERATE(true, false);
  const Consistency level = causal ? kCausal : Consistency{.level = Level::eventual};
  world.set_link_delay(follower, third, 400ms);
  Client author{world};
  written(author.put(follower, "post", "hello", level));
  world.run_for(20ms);
  Client reader{world};
  REQUIRE(reader.value(leader, "post", level) == "hello");
  written(reader.put(leader, "comment", "hi", level));
  bool anomaly = false;
  for (int i = 0; i < 100; ++i) {
    Client visitor{world};
    const std::string comment = visitor.value(third, "comment", level);
    const std::string post = visitor.value(third, "post", level);
    anomaly = anomaly || (!comment.empty() && post.empty());
    world.run_for(10ms);
  }
  CHECK(anomaly == !causal);
  CHECK(Client{world}.value(third, "comment", level) == "hi");
}

TEST_CASE_METHOD(CausalReady, "causal: what a dead node wrote comes from those who have it") {
  hold_back_from_third();
  Client client{world};
  written(client.put(follower, "post", "hello"));
  world.run_for(100ms);
  REQUIRE(client.value(leader, "post") == "hello");
  world.crash(follower);
  written(client.put(leader, "comment", "hi"));
  world.run_for(500ms);
  CHECK(Client{world}.value(third, "comment").empty());
  world.drop_if(nullptr);
  REQUIRE(world.run_until([&] { return Client{world}.value(third, "comment") == "hi"; }, 5s));
  CHECK(Client{world}.value(third, "post") == "hello");
}

TEST_CASE_METHOD(CausalReady, "causal: reads of several keys and of ranges are one cut") {
  const bool range = GENERATE(false, true);
  // Each round writes x before y. Whoever sees a round's y sees its x, or a later one.
  Client writer{world};
  world.set_latency(100us, 20ms);
  int last = -1;
  std::size_t different = 0;
  for (int i = 0; i < 60; ++i) {
    const NodeId at = world.ids()[static_cast<std::size_t>(i) % 3];
    for (const std::string key : {"x", "y"}) {
      Request put = put_request(key, std::to_string(i));
      put.consistency = kCausal;
      put.timeout = 10s;
      written(writer.ask(at, put));
    }
    Request read = get_request("");
    if (range) {
      read.operation = Scan{.start = "x", .end = "z"};
    } else {
      read.operation = GetMany{{"y", "x"}};
    }
    const Reply cut = Client{world}.ask(third, read);
    REQUIRE(cut);
    const std::string x = item(cut, "x");
    const std::string y = item(cut, "y");
    if (y.empty()) continue;
    REQUIRE_FALSE(x.empty());
    CHECK(std::stoi(x) >= std::stoi(y));
    different += static_cast<std::size_t>(x != y);
    CHECK(std::stoi(y) >= last);
    last = std::stoi(y);
  }
  CHECK(last > 0);
  CHECK(different > 0);  // some reads fell between the two writes
}

// --- A node that is behind ----------------------------------------------------------------------

TEST_CASE_METHOD(CausalReady,
                 "causal: a token of one node is honoured on another one that waits for it") {
  world.set_link_delay(follower, third, 150ms);
  Client client{world};
  written(client.put(follower, "k", "v"));
  const Reply read = client.get(third, "k");
  REQUIRE(read);
  CHECK(read->value == Bytes{"v"});
  CHECK(read->evidence.node == third);
  CHECK(read->evidence.waited >= 100ms);
  CHECK(read->evidence.waited <= 1s);
  CHECK(client.get(third, "k")->evidence.waited == 0ms);
  // A write waits as well: what it follows comes before it.
  written(client.put(follower, "k", "w"));
  const Reply write = client.put(third, "l", "x");
  written(write);
  CHECK(write->evidence.waited >= 100ms);
}

TEST_CASE_METHOD(CausalReady, "causal: a node that is behind rejects when it is told to") {
  hold_back_from_third();
  Client client{world};
  written(client.put(follower, "k", "v"));
  world.run_for(100ms);
  const MonoTime before = world.now();
  const Reply read = client.get(third, "k", kRejecting);
  CHECK(refused(read, ErrorCode::level_unattainable));
  CHECK(refused(client.put(third, "k", "w", kRejecting), ErrorCode::level_unattainable));
  CHECK(world.now() - before < 20ms);
  CHECK(client.value(leader, "k", kRejecting) == "v");
  world.drop_if(nullptr);
  REQUIRE(world.run_until([&] { return client.get(third, "k", kRejecting).has_value(); }, 5s));
}

TEST_CASE_METHOD(CausalReady,
                 "causal: a node that is behind passes on what another has meanwhile") {
  constexpr Consistency kForwarding{.level = Level::causal, .on_violation = OnViolation::forward};
  hold_back_from_third();
  Client client{world};
  world.run_for(300ms);  // statuses are quiet
  written(client.put(follower, "k", "v"));
  const Reply read = client.get(third, "k", kForwarding);  // nobody has said yet that it has that
  REQUIRE(read);
  CHECK(read->value == Bytes{"v"});
  CHECK(read->evidence.node != third);
}

TEST_CASE_METHOD(CausalReady, "causal: a node that is behind passes on when it is told to") {
  constexpr Consistency kForwarding{.level = Level::causal, .on_violation = OnViolation::forward};
  hold_back_from_third();
  Client client{world};
  written(client.put(follower, "k", "v"));
  world.run_for(300ms);  // the others have said what they have
  const Reply read = client.get(third, "k", kForwarding);
  REQUIRE(read);
  CHECK(read->value == Bytes{"v"});
  CHECK(read->evidence.node != third);
  CHECK(read->consistency == kForwarding);
  const Reply write = client.put(third, "k", "w", kForwarding);
  written(write);
  CHECK(write->evidence.node != third);
  CHECK(client.value(leader, "k") == "w");
  // The way there and back is waiting, too: without the session it would have been answered here.
  for (const NodeId other : {leader, follower}) world.set_link_delay(other, third, 50ms);
  const Reply later = client.get(third, "k", kForwarding);
  REQUIRE(later);
  CHECK(later->evidence.node != third);
  CHECK(later->evidence.waited >= 50ms);
  CHECK(later->evidence.waited <= 200ms);
  // Nobody to pass it on to: it waits.
  world.isolate(third);
  world.run_for(2s);
  Request late = get_request("k", Level::causal, 300ms);
  CHECK(refused(client.ask(third, late, kForwarding), ErrorCode::timeout));
}

TEST_CASE_METHOD(CausalReady,
                 "causal: a write that was passed on is done once or its outcome is open") {
  constexpr Consistency kForwarding{.level = Level::causal, .on_violation = OnViolation::forward};
  hold_back_from_third();
  Client client{world};
  written(client.put(follower, "n", "0"));
  world.run_for(300ms);
  Request add = get_request("c", Level::causal, 5s);
  add.operation = UpdateCrdt{.key = "c"};
  std::size_t answers_to_lose = 1;
  world.drop_if([&, this](const Envelope& envelope) {
    if (envelope.to != third) return false;
    if (brings_operations_of(envelope, follower)) return true;
    const bool reply = std::holds_alternative<ForwardReply>(envelope.message);
    return reply && answers_to_lose > 0 && answers_to_lose-- > 0;
  });
  const Reply first = client.ask(third, add, kForwarding);
  // Sent again under the same name, it is not carried out again, and its answer is gone.
  REQUIRE(first.has_error());
  CHECK_FALSE(first.error().definite());
  world.drop_if(nullptr);
  world.run_for(1s);
  Request read = get_request("");
  read.operation = GetCrdt{"c"};
  const Reply counted = client.ask(third, read);
  REQUIRE(counted);
  REQUIRE(counted->crdt);
  CHECK(counted->crdt->json == "1");
}

TEST_CASE_METHOD(CausalReady, "causal: who waits in vain is told so definitely") {
  hold_back_from_third();
  Client client{world};
  written(client.put(follower, "k", "v"));
  const MonoTime before = world.now();
  Request late = get_request("k", Level::causal, 400ms);
  const Reply reply = client.ask(third, late);
  CHECK(refused(reply, ErrorCode::timeout));
  CHECK(world.now() - before >= 400ms);
  CHECK(reply.error().message.find("does not have what the session has seen") != std::string::npos);
}

TEST_CASE_METHOD(CausalReady,
                 "causal: a token that is no token of this cluster is refused at once") {
  Client client{world};
  written(client.put(follower, "k", "v"));
  const SessionToken good = client.token;
  const MonoTime before = world.now();
  client.token.write.advance({NodeId{9}, Incarnation{1}}, 1);
  CHECK(refused(client.get(follower, "k"), ErrorCode::bad_session));
  client.token = good;
  client.token.cluster.low ^= 1;
  CHECK(refused(client.get(follower, "k"), ErrorCode::bad_session));
  client.token = good;
  client.token.clock = Hlc::from_millis(UnixMillis{good.clock.millis().value + 60'000});
  CHECK(refused(client.get(follower, "k"), ErrorCode::bad_session));
  // An incarnation is the time when it was drawn: one of tomorrow never was. Nor was an operation
  // that its own origin does not have.
  const Origin writer = good.write.entries().front().first;
  const std::uint64_t tomorrow = good.clock.millis().value + 86'400'000;
  for (const NodeId node : {follower, third}) {
    client.token = good;
    client.token.read.advance({node, Incarnation{tomorrow}}, 1);
    CHECK(refused(client.get(follower, "k"), ErrorCode::bad_session));
    CHECK(refused(client.put(follower, "k", "v", {.level = Level::eventual}),
                  ErrorCode::bad_session));
  }
  client.token = good;
  client.token.write.advance(writer, good.write.at(writer) + 1);
  CHECK(refused(client.get(follower, "k"), ErrorCode::bad_session));
  CHECK(world.now() - before < 20ms);
  // One that may have been is waited for: the others may know more.
  client.token = good;
  client.token.read.advance({third, Incarnation{good.clock.millis().value}}, 1);
  CHECK(refused(client.ask(follower, get_request("k", Level::causal, 100ms)), ErrorCode::timeout));
}

// --- Each guarantee by itself -------------------------------------------------------------------

TEST_CASE_METHOD(CausalReady,
                 "session: each guarantee waits for what it is about and for nothing else") {
  hold_back_from_third();
  Client writer{world};
  written(writer.put(follower, "k", "v"));
  Client reader{world};
  REQUIRE(reader.value(follower, "k") == "v");
  REQUIRE(writer.token.read.empty());
  REQUIRE(reader.token.write.empty());
  struct Case {
    const char* guarantees;
    bool read_after_write, read_after_read, write_after_write, write_after_read;  ///< rejected
  };
  const Case cases[] = {
      {"ryw", true, false, false, false},        {"mr", false, true, false, false},
      {"mw", false, false, true, false},         {"wfr", false, false, false, true},
      {"ryw,mr", true, true, false, false},      {"mw,wfr", false, false, true, true},
      {"ryw,mr,mw,wfr", true, true, true, true},
  };
  for (const Case& c : cases) {
    INFO(c.guarantees);
    const Consistency level = of_session(c.guarantees);
    const auto rejected = [&](const Client& session, bool read) {
      Client copy = session;
      const Reply reply = read ? copy.get(third, "k", level) : copy.put(third, "other", "x", level);
      if (!reply) CHECK(refused(reply, ErrorCode::level_unattainable));
      if (reply) CHECK(reply->consistency == level);
      return !reply;
    };
    CHECK(rejected(writer, true) == c.read_after_write);
    CHECK(rejected(reader, true) == c.read_after_read);
    CHECK(rejected(writer, false) == c.write_after_write);
    CHECK(rejected(reader, false) == c.write_after_read);
  }
}

TEST_CASE_METHOD(CausalReady, "session: writes are applied behind what their guarantees name") {
  const bool after_read = GENERATE(false, true);
  hold_back_from_third();
  Client session{world};
  if (after_read) {
    Client other{world};
    written(other.put(follower, "first", "1"));
    REQUIRE(session.value(follower, "first") == "1");
  } else {
    written(session.put(follower, "first", "1"));
  }
  world.run_for(100ms);
  for (const char* guarantees : {"ryw", "mr", "mw", "wfr"}) {
    Client copy = session;
    const Consistency level = of_session(guarantees);
    written(copy.put(leader, guarantees, "2", level));
  }
  // The leader's operations come in their order, so each one is looked at with a leader of its own.
  const auto seen = [&](const char* key) { return !Client{world}.value(third, key).empty(); };
  world.run_for(1s);
  const char* const waits = after_read ? "wfr" : "mw";
  CHECK(seen("ryw"));
  CHECK(seen("mr"));
  CHECK_FALSE(seen(waits));
  CHECK(seen("mw") == after_read);
  CHECK_FALSE(seen("first"));
  world.drop_if(nullptr);
  REQUIRE(world.run_until([&] { return seen("wfr") && seen("mw") && seen("first"); }, 5s));
}

// --- Restarts and lost disks --------------------------------------------------------------------

TEST_CASE_METHOD(CausalReady,
                 "causal: what was acknowledged is there after a restart and goes on") {
  Client client{world};
  world.isolate(follower);
  for (int i = 0; i < 20; ++i) written(client.put(follower, "k", std::to_string(i)));
  world.crash(follower);
  world.heal();
  REQUIRE(world.start(follower));
  // The cluster's number comes with the log.
  REQUIRE(world.run_until([&] { return client.get(follower, "k", kRejecting).has_value(); }, 10s));
  CHECK(client.value(follower, "k") == "19");
  CHECK(client.value(third, "k") == "19");
  written(client.put(follower, "k", "20"));
  CHECK(client.value(leader, "k") == "20");
  CHECK(client.token.write.entries().front().second == 21);
  for (const NodeId id : world.ids()) world.crash(id);
  world.start_all();
  world.wait_for_leader();
  for (const NodeId at : world.ids()) CHECK(client.value(at, "k") == "20");
}

TEST_CASE_METHOD(CausalReady, "causal: operations leave the logs once everybody has them") {
  Client client{world};
  for (int i = 0; i < 20; ++i) written(client.put(follower, "k", std::to_string(i)));
  CHECK(logged_operations(world, follower) == 20);
  world.run_for(2 * limits::kStatesWait + 1s);  // the key states have them, too
  for (const NodeId id : world.ids()) CHECK(records_under(world, id, 'C') == 0);
  world.crash(third);
  for (int i = 0; i < 20; ++i) written(client.put(follower, "k", std::to_string(i)));
  world.run_for(1s);
  CHECK(logged_operations(world, leader) == 20);
  CHECK(records_under(world, leader, 'C') <= 20);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return records_under(world, leader, 'C') == 0; }, 10s));
  CHECK(client.value(third, "k") == "19");
}

TEST_CASE_METHOD(CausalReady,
                 "causal: a node that lost its disk is brought what no log has any more") {
  Client client{world};
  for (int i = 0; i < 50; ++i) {
    written(client.put(world.ids()[static_cast<std::size_t>(i) % 3], fmt::format("k{}", i), "v"));
  }
  world.run_for(2 * limits::kStatesWait + 1s);
  REQUIRE(records_under(world, leader, 'C') == 0);
  world.wipe(third);
  written(client.put(leader, "meanwhile", "w"));
  REQUIRE(world.start(third));
  REQUIRE(world.run_until(
      [&] { return world.replica(third).status().membership == Membership::member; }, 30s));
  CHECK(client.value(third, "k7") == "v");
  CHECK(client.value(third, "meanwhile") == "w");
  for (int i = 0; i < 50; ++i) CHECK(client.value(third, fmt::format("k{}", i)) == "v");
  // It writes as a new origin.
  written(client.put(third, "k", "again"));
  CHECK(client.value(leader, "k") == "again");
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 15s));
}

TEST_CASE_METHOD(CausalReady, "causal: a token outlives what a lost disk alone had") {
  Client client{world};
  written(client.put(third, "kept", "v"));
  world.run_for(300ms);
  world.isolate(third);
  written(client.put(third, "lost", "v"));
  written(client.put(third, "lost", "w"));
  world.run_for(50ms);  // what was on its way then is gone
  world.wipe(third);
  world.heal();
  CHECK(refused(client.get(leader, "lost", kRejecting), ErrorCode::level_unattainable));
  REQUIRE(world.start(third));
  REQUIRE(world.run_until(
      [&] { return world.replica(third).status().membership == Membership::member; }, 30s));
  for (const NodeId at : world.ids()) {
    REQUIRE(world.run_until([&] { return client.get(at, "lost", kRejecting).has_value(); }, 10s));
    CHECK(client.value(at, "lost") == "");
    CHECK(client.value(at, "kept") == "v");
    written(client.put(at, "found", at.value == 1 ? "a" : "b"));
  }
  // Everybody has all of the incarnation that is over: new tokens need not name it.
  world.run_for(3s);
  Client stranger{world};
  REQUIRE(stranger.get(leader, "found"));
  CHECK(world.replica(leader).status().causal.entries().size() == 4);
  CHECK(stranger.token.read.entries().size() == 3);
}

TEST_CASE_METHOD(CausalReady, "causal: a token sheds what is over once it names what came after") {
  Client client{world};
  written(client.put(third, "k", "v"));
  world.run_for(300ms);
  REQUIRE(client.get(leader, "k"));
  const Origin over = client.token.write.entries().front().first;
  REQUIRE(over.node == third);
  world.wipe(third);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until(
      [&] { return world.replica(third).status().membership == Membership::member; }, 30s));
  world.run_for(3s);
  // Everybody has all of it; but nothing would tell the session that this is why it is left out.
  Reply reply = client.get(leader, "k");
  REQUIRE(reply);
  CHECK(reply->session.read.at(over) == 1);
  CHECK(reply->session.write.at(over) == 1);
  Client{world}.put(third, "k", "w");
  world.run_for(300ms);
  reply = client.get(leader, "k");
  REQUIRE(reply);
  CHECK(reply->value == Bytes{"w"});
  CHECK(reply->session.names_later(over));
  CHECK(reply->session.read.at(over) == 0);
  CHECK(reply->session.write.at(over) == 0);
}

TEST_CASE("causal: tokens have their bound") {
  const std::size_t nodes = GENERATE(std::size_t{3}, std::size_t{5}, std::size_t{9});
  World world({.nodes = nodes});
  world.start_all();
  world.wait_for_leader();
  world.run_for(1s);
  Client client{world};
  for (int round = 0; round < 3; ++round) {
    for (const NodeId at : world.ids()) written(client.put(at, "k", "v"));
  }
  for (const NodeId at : world.ids()) REQUIRE(client.get(at, "k"));
  CHECK(client.token.write.entries().size() == nodes);
  CHECK(client.token.read.entries().size() == nodes);
  // Cluster, clock, index, checksum; per member and vector its number, incarnation and count.
  CHECK(client.token.encode().size() <= 64 + nodes * 2 * 16);
  CHECK(client.token.encode().size() < kMaxSessionTokenBytes / 4);
}

// --- Beside other protocols ---------------------------------------------------------------------

TEST_CASE_METHOD(CausalReady,
                 "causal: a state that repair brings ahead of its past is kept apart") {
  hold_back_from_third();
  Client client{world};
  written(client.put(follower, "post", "hello"));
  world.run_for(50ms);
  REQUIRE(client.value(leader, "post") == "hello");
  written(client.put(leader, "comment", "hi"));
  world.run_for(50ms);
  // A quorum read at the third node repairs its copy of the comment, and not that of the post.
  Request repair = get_request("comment");
  repair.consistency = {.level = Level::quorum, .r = 3, .blocking_repair = true};
  REQUIRE(world.call(third, repair)->value == Bytes{"hi"});
  world.run_for(50ms);
  CHECK(world.get(third, "comment", Level::eventual)->value == Bytes{"hi"});
  CHECK_FALSE(world.get(third, "post", Level::eventual)->found);
  CHECK(Client{world}.value(third, "comment").empty());
  CHECK(records_under(world, third, 'E') == 1);
  // Through a restart, too.
  world.crash(third);
  REQUIRE(world.start(third));
  REQUIRE(world.run_until([&] { return world.replica(third).status().ready; }, 10s));
  CHECK(Client{world}.value(third, "comment").empty());
  CHECK(world.get(third, "comment", Level::eventual)->value == Bytes{"hi"});
  world.drop_if(nullptr);
  REQUIRE(world.run_until([&] { return Client{world}.value(third, "comment") == "hi"; }, 5s));
  CHECK(Client{world}.value(third, "post") == "hello");
  world.run_for(300ms);
  CHECK(records_under(world, third, 'E') == 0);
}

TEST_CASE_METHOD(CausalReady, "causal: what the log has brought ahead of its past is waited for") {
  hold_back_from_third();
  Client client{world};
  written(client.put(follower, "post", "hello"));
  world.run_for(50ms);
  REQUIRE(client.value(leader, "post") == "hello");
  written(client.put(leader, "comment", "hi"));
  // Adopted by the log, which is all that the ordered levels follow.
  CHECK(world.get(third, "comment")->value == Bytes{"hi"});
  CHECK(world.run_until([&] { return world.get(third, "comment", Level::prefix)->found; }, 2s));
  CHECK(refused(Client{world}.get(third, "comment", kRejecting), ErrorCode::level_unattainable));
  CHECK(
      refused(Client{world}.put(third, "comment", "x", kRejecting), ErrorCode::level_unattainable));
  CHECK(Client{world}.value(third, "post").empty());
  world.drop_if(nullptr);
  REQUIRE(world.run_until(
      [&] { return Client{world}.get(third, "comment", kRejecting).has_value(); }, 5s));
  CHECK(Client{world}.value(third, "post") == "hello");
}

TEST_CASE_METHOD(CausalReady, "causal: concurrent writes come to the same on every node") {
  const auto strategy = GENERATE(ConflictStrategy::last_writer, ConflictStrategy::siblings);
  Request policy = get_request("");
  policy.operation = SetPolicy{"s", Policy{kCausal, Mixing::allow, strategy}};
  written(world.call(leader, policy));
  world.run_for(300ms);
  world.isolate(third);
  Client here{world};
  Client there{world};
  written(here.put(leader, "s", "here"));
  written(there.put(third, "s", "there"));
  world.heal();
  world.run_for(1s);
  std::set<std::string> shown;
  for (const NodeId at : world.ids()) {
    Request read = get_request("s");
    std::get<Get>(read.operation).siblings = true;
    const Reply reply = Client{world}.ask(at, read);
    REQUIRE(reply);
    CHECK(reply->items.size() == 2);
    shown.insert(reply->value.to_string());
  }
  CHECK(shown.size() == 1);
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 15s));
}

TEST_CASE_METHOD(CausalReady, "causal: convergent values lose no update") {
  Request add = get_request("");
  add.operation = UpdateCrdt{.key = "c"};
  for (const NodeId id : world.ids()) world.isolate(id);
  for (int i = 0; i < 5; ++i) {
    for (const NodeId at : world.ids()) written(Client{world}.ask(at, add));
  }
  world.heal();
  world.run_for(2s);
  Request read = get_request("");
  read.operation = GetCrdt{"c"};
  for (const NodeId at : world.ids()) {
    const Reply reply = Client{world}.ask(at, read);
    REQUIRE(reply);
    REQUIRE(reply->crdt);
    CHECK(reply->crdt->json == "15");
  }
}

TEST_CASE("causal: a deletion is kept while what it deletes may still come") {
  constexpr auto kGrace = 8s;
  CausalReady at({.anti_entropy_interval = 500ms, .tombstone_grace = kGrace});
  World& world = at.world;
  const auto stored = [&](NodeId id) {
    return !KeySpace(world.replica(id).state(), kOnlyGroup).load("k")->empty();
  };
  at.hold_back_from_third();
  written(Client{world}.put(at.follower, "k", "v"));
  world.run_for(100ms);
  // It waits for what it replaces: the third node gets it by repair, ahead of that.
  written(Client{world}.ask(at.leader, delete_request("k")));
  world.run_for(3 * kGrace);
  CHECK(stored(at.leader));
  CHECK(stored(at.follower));
  world.drop_if(nullptr);
  world.run_for(1s);
  for (const NodeId id : world.ids()) CHECK(Client{world}.value(id, "k") == "");
  REQUIRE(world.run_until(
      [&] { return !stored(at.leader) && !stored(at.follower) && !stored(at.third); }, 4 * kGrace));
  world.run_for(kGrace);
  for (const NodeId id : world.ids()) CHECK_FALSE(stored(id));
}

TEST_CASE_METHOD(CausalReady, "causal: a context that a node has not come to is waited for") {
  hold_back_from_third();
  Client client{world};
  const Reply put = client.put(follower, "k", "v");
  written(put);
  Request over = put_request("k", "w");
  over.context = put->context;
  over.consistency = kRejecting;
  CHECK(refused(world.call(third, over), ErrorCode::level_unattainable));
  world.drop_if(nullptr);
  REQUIRE(world.run_until([&] { return world.call(third, over).has_value(); }, 5s));
  world.run_for(300ms);
  for (const NodeId at : world.ids()) CHECK(Client{world}.value(at, "k") == "w");
}

TEST_CASE_METHOD(CausalReady, "causal: a context that names no member is refused at once") {
  const Level level = GENERATE(Level::causal, Level::quorum, Level::linearizable);
  const NodeId stranger{9};
  const Actor actor = GENERATE_COPY(Actor{ActorPath::causal, stranger, Incarnation{1}},
                                    Actor{ActorPath::quorum, stranger, Incarnation{1}},
                                    Actor{ActorPath::log, stranger, Incarnation{1}});
  Request write = put_request("k", "v");
  write.context = VersionVector({{actor, Hlc{1}}});
  write.consistency = {.level = level};
  const MonoTime before = world.now();
  const Reply reply = world.call(leader, write);
  CHECK(refused(reply, ErrorCode::bad_request));
  CHECK(reply.error().message.find("names node 9") != std::string::npos);
  CHECK(world.now() - before < 20ms);
}

TEST_CASE_METHOD(CausalReady, "causal: what a turn brings of an origin is one record of the log") {
  world.isolate(third);
  for (const NodeId id : {leader, follower}) world.hold_disk(id, true);
  std::size_t done = 0;
  for (int i = 0; i < 60; ++i) {
    Request write = put_request(fmt::format("k{}", i), "v");
    write.consistency = kCausal;
    world.submit(follower, write, [&](const Reply& reply) { done += reply.has_value(); });
  }
  world.run_for(50ms);
  for (const NodeId id : {leader, follower}) world.hold_disk(id, false);
  REQUIRE(world.run_until([&] { return done == 60; }, 3s));
  world.run_for(100ms);
  for (const NodeId id : {leader, follower}) {
    CHECK(logged_operations(world, id) == 60);
    CHECK(records_under(world, id, 'C') <= 5);
  }
  // Through a restart, too, and from there to who has none of it: out of the middle of a record.
  world.crash(leader);
  REQUIRE(world.start(leader));
  world.wait_for_leader();
  world.crash(follower);
  world.heal();
  REQUIRE(world.run_until([&] { return Client{world}.value(third, "k59") == "v"; }, 10s));
  for (int i = 0; i < 60; ++i) CHECK(Client{world}.value(third, fmt::format("k{}", i)) == "v");
  REQUIRE(world.start(follower));
  REQUIRE(world.run_until([&] { return logged_operations(world, third) == 0; }, 10s));
  for (const NodeId id : world.ids()) {
    REQUIRE(world.run_until([&] { return records_under(world, id, 'C') == 0; }, 10s));
  }
}

TEST_CASE_METHOD(CausalReady,
                 "causal: what a failed disk kept from being applied is not passed over") {
  Client client{world};
  world.store(third).fail_reads_of(records::key_state_key(kOnlyGroup, "k"));
  written(client.put(leader, "k", "v"));
  world.run_for(100ms);
  world.store(third).fail_reads_of("");
  CHECK(refused(client.put(third, "other", "v"), ErrorCode::read_only));
  CHECK(refused(client.get(third, "k", kRejecting), ErrorCode::level_unattainable));
  CHECK(client.value(third, "k", {.level = Level::causal, .on_violation = OnViolation::forward}) ==
        "v");
  CHECK(client.value(leader, "k") == "v");
}

TEST_CASE("causal: a transfer that is ahead of the log goes on in the turn that brings it") {
  CausalReady at({.states_wait = 0s, .causal_log_bytes = 1'000});
  World& world = at.world;
  world.isolate(at.third);
  Client client{world};
  for (int i = 0; i < 40; ++i) written(client.put(at.follower, fmt::format("k{}", i), "v"));
  written(world.put(at.leader, "logged", "v"));
  world.run_for(1s);
  const LogIndex needed = world.replica(at.leader).status().applied_index;
  // The states come, the entries do not.
  world.heal();
  std::size_t pages = 0;
  world.drop_if([&](const Envelope& envelope) {
    if (envelope.to != at.third) return false;
    if (std::holds_alternative<CausalTransferPage>(envelope.message)) ++pages;
    return std::holds_alternative<AppendEntries>(envelope.message);
  });
  REQUIRE(world.run_until([&] { return pages > 0; }, 3s));
  world.run_for(100ms);
  const OriginVector wanted = client.token.write;
  const auto there = [&] { return world.replica(at.third).status().causal.dominates(wanted); };
  REQUIRE_FALSE(there());
  REQUIRE(world.replica(at.third).status().applied_index < needed);
  world.drop_if(nullptr);
  REQUIRE(world.run_until([&] { return world.replica(at.third).status().applied_index >= needed; },
                          3s));
  CHECK(there());
  CHECK(pages == 1);
  CHECK(client.value(at.third, "k7") == "v");
}

}  // namespace parallax::testing
